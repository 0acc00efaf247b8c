"""Three estimators of the gradient, the same policy, network and budget of simulated periods: cost on dev, and variance.

Usage: python benchmarks/estimators.py [DIR]   (docs/results/estimators where none is named)

Every step simulates the same number of periods: 64 scenarios once, 16 scenarios 4 times with other noise, 32 scenarios along 2
directions. Learning rates (and the noise of the score function) are chosen by the dev cost of seed 0 from the grids below; seeds 1 and
2 are then trained with what was chosen. All face the same dev scenarios, by which the best epoch is chosen too. Variance is the trace
of the covariance of a step's gradient over the squared norm of its mean, of fresh scenarios, at the initial policy and at the best one
that the pathwise gradient found; the norm is that of the pathwise mean for all, from 81,920 scenarios, less what their noise adds to it.
"""

import copy
import json
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.files import write_text
from gnn_inventory.policies.base import Policy
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch, OneNetwork
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.hdpo import hdpo
from gnn_inventory.training.judgement import ONE_THREAD, judge
from gnn_inventory.training.settings import Training

NETWORK = parse_network(gi.one_warehouse(stores=3))
PERIODS, STEPS, STEPS_PER_EPOCH, REPEATS, SEEDS = 20, 150, 10, 100, (1, 2)
RATES = (1e-3, 3e-3, 1e-2)
ESTIMATORS: dict[str, dict[str, list[Any]]] = {
    "pathwise": {"batch": [64]},
    "score_function": {"batch": [16], "rollouts": [4], "exploration": [0.1, 0.3]},
    "forward": {"batch": [32], "directions": [2]},
}
COLOURS = {"pathwise": "#2a9d8f", "score_function": "#e76f51", "forward": "#457b9d"}


def fresh() -> gi.MessagePassing:
    return gi.MessagePassing(width=8, rounds=1, slots=4)


def trained(estimator: str, seed: int, **settings: Any) -> tuple[Policy, dict[str, Any]]:
    """One training: the best policy, and dev cost against simulated periods."""
    whole = Training(
        estimator=estimator, seed=seed, scenarios=settings["batch"] * STEPS_PER_EPOCH, periods=PERIODS, warm_up=10,
        epochs=STEPS // STEPS_PER_EPOCH, **settings,
    )  # fmt: skip
    dev = SyntheticDemand(NETWORK, 0, "dev")
    train = SyntheticDemand(NETWORK, seed, "train")
    data = OneNetwork(Batch(dev.graph, dev.sample(0, 512, 60)), 30, whole.scenarios, PERIODS, 10, False, train)
    began = time.process_time()
    result = hdpo(fresh(), data, whole)
    curve = [
        (sum(line["simulated_periods"] for line in result.metrics[: n + 1]), line["dev"]) for n, line in enumerate(result.metrics)
    ]
    return result.policy, {
        "estimator": estimator, "seed": seed, **settings, "best_dev": result.dev_cost, "curve": curve,
        "cpu_seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def gradients(policy: Policy, settings: Training, repeats: int) -> torch.Tensor:
    """The gradient of so many steps, each of fresh scenarios, a row each."""
    source, rows = SyntheticDemand(NETWORK, 77, "train"), []
    for number in range(repeats):
        first = number * settings.batch
        batch = Batch(source.graph, source.sample(first, first + settings.batch, PERIODS))
        gradient(policy, batch, ONE_THREAD, settings, key=(number,))
        rows.append(torch.cat([value.grad.reshape(-1) for value in policy.parameters() if value.grad is not None]).double())
    return torch.stack(rows)


def squared_norm(policy: Policy) -> tuple[float, float]:
    """Of the gradient's mean, without the bias of a sample, and the noise that it is subject to."""
    rows = gradients(policy, Training(batch=2048), 40)
    noise = float(rows.var(0).sum()) / len(rows)
    return float(rows.mean(0).square().sum()) - noise, noise


def variances(policy: Policy, chosen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of each estimator at a policy: trace of the covariance of a step's gradient, alone and over the squared norm of the mean."""
    policy = copy.deepcopy(policy)
    norm, noise = squared_norm(policy)
    traces = {}
    for name, settings in chosen.items():
        plain = {key: value for key, value in settings.items() if key != "learning_rate"}
        traces[name] = float(gradients(policy, Training(estimator=name, **plain), REPEATS).var(0).sum())
    ratios = {name: trace / norm if norm > 2 * noise else None for name, trace in traces.items()}
    return {"squared_norm": norm, "noise": noise, "trace": traces, "ratio": ratios}


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(6, 3.5))
    axes = figure.subplots()
    for name, colour in COLOURS.items():
        for run in (run for run in runs if run["estimator"] == name):
            label = name.replace("_", " ") if run["seed"] == SEEDS[0] else None
            axes.plot(*zip(*run["curve"], strict=True), color=colour, label=label, linewidth=1.2)
    axes.set_xlabel("simulated periods (scenarios x periods)")
    axes.set_ylabel("dev cost per store and period")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    with rc_context({"svg.hashsalt": "gnn_inventory"}):
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/results/estimators")
    folder.mkdir(parents=True, exist_ok=True)
    chosen, tuning, runs, best = {}, [], [], None
    for name, grid in ESTIMATORS.items():
        cases = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        tried = [trained(name, 0, learning_rate=rate, **case)[1] for case in cases for rate in RATES]
        tuning += tried
        first = min(tried, key=lambda run: run["best_dev"])
        chosen[name] = {key: first[key] for key in ("learning_rate", *grid)}
        for seed in SEEDS:
            policy, run = trained(name, seed, **chosen[name])
            runs.append(run)
            print(f"{name} {chosen[name]} seed {seed}: dev {run['best_dev']:.4f}, {run['cpu_seconds']} s", flush=True)
            best = best or policy
    assert best is not None
    variance = {"initial": variances(fresh(), chosen), "trained": variances(best, chosen)}
    print(json.dumps(variance, indent=1))
    parameters = sum(value.numel() for value in fresh().parameters())
    dev = SyntheticDemand(NETWORK, 0, "dev")
    untrained = judge(fresh(), Batch(dev.graph, dev.sample(0, 512, 60)), 30).cost
    content = {
        "parameters": parameters,
        "untrained_dev": untrained,
        "chosen": chosen,
        "variance": variance,
        "runs": runs,
        "tuning": tuning,
    }
    write_text(folder / "estimators.json", json.dumps(content, indent=1) + "\n")
    draw(runs, folder / "curves.svg")


if __name__ == "__main__":
    main()
