"""HDPO, hindsight differentiable policy optimisation: the gradient of the mean simulated cost, straight through the simulator.

Alvo, Russo, Kanoria and Lee, arXiv 2306.11246. A run is a pure function of its recipe: batches are drawn from (seed, epoch),
so a run that was stopped goes on bit for bit from its last finished epoch.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Policy
from gnn_inventory.policies.echelon import newsvendor_cost
from gnn_inventory.rollout import costs
from gnn_inventory.training.data import Batch, Data, steps_per_epoch
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.run_folder import RunFolder, save_policy
from gnn_inventory.training.settings import Training

__all__ = ["Result", "choose_device", "hdpo", "mean_cost"]

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
DEV_CHUNK = 512
"""Dev scenarios simulated at once."""


@dataclass(frozen=True)
class Result:
    """What training gives.

    Attributes:
        policy: a copy of the best weights on dev.
        dev_cost: their dev cost, per location with demand and period.
        metrics: one dictionary per epoch.
    """

    policy: Policy
    dev_cost: float
    metrics: list[dict[str, Any]]


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one.

    Raises:
        UsageError: it is not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device: got '{name}'; expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("device: got 'cuda', but this machine has no CUDA device that torch can use; use cpu or auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def hdpo(
    policy: Policy,
    data: Data,
    settings: Training,
    folder: RunFolder | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_step: Callable[[], None] | None = None,
    trained: bool = False,
) -> Result:
    """Train a policy.

    Args:
        policy: changed in place; the best weights come back as a copy.
        data: scenarios.
        settings: of training.
        folder: where checkpoints, metrics and the best policy go; a checkpoint in it is gone on from.
        on_epoch: called with the metrics of each epoch.
        on_step: called after each step.
        trained: whether the policy's weights are good ones already: then they are kept where no epoch is better on dev.

    Raises:
        TrainingError: the gradient is zero in every parameter, or it or the cost is not finite.
    """
    device, dtype = choose_device(settings.device), getattr(torch, settings.dtype)
    policy.to(device, dtype)
    dev = data.dev.to(device, dtype)
    weights = _weights(*dev) if settings.relative else 1.0
    dev_cost_of = partial(mean_cost, batch=dev, warm_up=data.dev_warm_up, weights=weights, whole_units=data.whole_units)
    steps = steps_per_epoch(data.size, settings.batch)
    if not any(value.requires_grad for value in policy.parameters()):
        return _untrained(policy, dev_cost_of(policy), folder, on_epoch)
    optimiser = OPTIMISERS[settings.optimiser](policy.parameters(), lr=settings.learning_rate)
    kept = copy.deepcopy(policy) if settings.average else policy
    best: dict[str, Tensor] = {}
    progress: dict[str, Any] = {"epoch": 0, "step": 0, "best_dev": math.inf, "best_epoch": 0}
    if folder is not None:
        saved = folder.checkpoint(data.fingerprint)
        if saved is not None:
            best, progress = _restore(policy, kept, optimiser, *saved)
        folder.cut_metrics(progress["epoch"])
    if trained and not best:
        best = {name: value.detach().clone() for name, value in policy.state_dict().items()}
        progress["best_dev"] = dev_cost_of(policy)
    metrics = folder.metrics() if folder is not None else []
    for epoch in range(progress["epoch"], settings.epochs):
        if settings.early_stopping and epoch - progress["best_epoch"] >= settings.early_stopping:
            break
        began, train_cost, largest, count = time.perf_counter(), 0.0, 0.0, 0
        policy.train()
        for batch in data.batches(settings, epoch):
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(settings, progress["step"], settings.epochs * steps)
            graph, scenarios = batch.to(device, dtype)
            cost, minimised = (part / graph.demand_locations for part in costs_within(policy, graph, scenarios))
            optimiser.zero_grad(set_to_none=True)
            (minimised.mean(1) * _weights(graph, scenarios) if settings.relative else minimised).mean().backward()
            norm = _checked_norm(policy, float(cost.detach().mean()), settings, epoch)
            optimiser.step()
            progress["step"] += 1
            _average(kept, policy, min(settings.average, progress["step"] / (10 + progress["step"])))
            train_cost += float(cost.detach()[:, data.warm_up :].mean()) * len(scenarios)
            largest, count = max(largest, norm), count + len(scenarios)
            if on_step is not None:
                on_step()
        dev_cost = dev_cost_of(kept)
        if not math.isfinite(dev_cost):
            raise TrainingError(
                f"training: epoch {epoch + 1}: the dev cost is {dev_cost:g}: the policy has left all bounds; "
                "try a smaller training.learning_rate"
            )
        progress["epoch"] = epoch + 1
        if dev_cost < progress["best_dev"]:
            best = {name: value.detach().clone() for name, value in kept.state_dict().items()}
            progress |= {"best_dev": dev_cost, "best_epoch": epoch + 1}
        line = {
            "epoch": epoch + 1,
            "train": train_cost / count,
            "dev": dev_cost,
            "best_dev": progress["best_dev"],
            "gradient_norm": largest,
            "learning_rate": optimiser.param_groups[0]["lr"],
            "seconds": round(time.perf_counter() - began, 3),
        }
        metrics.append(line)
        if folder is not None:
            folder.append_metrics(line)
            chosen = copy.deepcopy(policy)
            chosen.load_state_dict(best)
            save_policy(chosen.cpu(), folder.policy_file)
            folder.save_checkpoint(*_state(policy, kept, optimiser, best, progress), data.fingerprint)
        if on_epoch is not None:
            on_epoch(line)
    chosen = copy.deepcopy(policy)
    chosen.load_state_dict(best)
    if folder is not None and not folder.policy_file.is_file():
        save_policy(chosen.cpu(), folder.policy_file)
    return Result(chosen.cpu(), progress["best_dev"], metrics)


def _untrained(
    policy: Policy, cost: float, folder: RunFolder | None, on_epoch: Callable[[dict[str, Any]], None] | None
) -> Result:
    """The result of a policy that has nothing to train: one line of metrics with its dev cost, and the policy as it is."""
    line = {"epoch": 1, "train": cost, "dev": cost, "best_dev": cost, "seconds": 0.0}
    if folder is not None:
        folder.cut_metrics(0)
        folder.append_metrics(line)
        save_policy(policy.cpu(), folder.policy_file)
    if on_epoch is not None:
        on_epoch(line)
    return Result(policy.cpu(), cost, [line])


@torch.no_grad()
def mean_cost(policy: Policy, batch: Batch, warm_up: int, weights: Tensor | float = 1.0, whole_units: bool = False) -> float:
    """Mean cost per period and location with demand, after the warm-up; `weights` are of the scenarios [B]."""
    graph, scenarios = batch
    policy.eval()
    per_scenario = [
        costs(policy, graph, scenarios[rows], whole_units)[:, warm_up:].double().sum(1)
        for rows in torch.arange(len(scenarios)).split(DEV_CHUNK)
    ]
    total = float((torch.cat(per_scenario) * weights).sum())
    return total / (len(scenarios) * (scenarios.periods - warm_up) * graph.demand_locations)


def _weights(graph: InventoryGraph, scenarios: Scenarios) -> Tensor:
    """Inverse of each scenario's newsvendor cost, their mean 1 [B]."""
    inverse = 1.0 / newsvendor_cost(graph, Known.of(graph, scenarios)).clamp_min(1e-9)
    return (inverse / inverse.mean()).expand(len(scenarios))


def _learning_rate(settings: Training, step: int, steps: int) -> float:
    """One cycle (Smith and Topin 2019): up over the first 30 % of the steps, down to nothing by a cosine."""
    if settings.schedule == "constant":
        return settings.learning_rate
    rise = 0.3 * steps
    if step < rise:
        low, high, part = settings.learning_rate / 25, settings.learning_rate, step / rise
    else:
        low, high, part = settings.learning_rate, settings.learning_rate * 1e-4, (step - rise) / max(steps - 1 - rise, 1)
    return high + (low - high) * (1 + math.cos(math.pi * part)) / 2


def _checked_norm(policy: Policy, cost: float, settings: Training, epoch: int) -> float:
    """Clip the gradient; its norm before, which must be a positive, finite number."""
    norm = float(torch.nn.utils.clip_grad_norm_(policy.parameters(), settings.gradient_clip))
    if not math.isfinite(cost) or not math.isfinite(norm):
        bad = [name for name, value in policy.named_parameters() if value.grad is not None and not value.grad.isfinite().all()]
        raise TrainingError(
            f"training: epoch {epoch + 1}: the gradient exploded (cost {cost:g}, norm {norm:g}, first in '{(bad or ['cost'])[0]}'); "
            "try a smaller training.learning_rate or training.gradient_clip"
        )
    if norm == 0.0:
        raise TrainingError(
            f"training: epoch {epoch + 1}: the gradient is dead: zero in every parameter; no order of this policy changes the "
            "cost (are training.periods longer than the lead times?)"
        )
    return norm


@torch.no_grad()
def _average(kept: Policy, policy: Policy, decay: float) -> None:
    """Move the running mean of the weights, where one is kept, towards the weights."""
    if kept is not policy:
        for mean, value in zip(kept.parameters(), policy.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


def _state(
    policy: Policy, kept: Policy, optimiser: torch.optim.Optimizer, best: dict[str, Tensor], progress: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that a run needs to go on: weights, their mean, best weights, the optimiser's moments, and where it is."""
    tensors = {f"policy.{name}": value.detach().cpu() for name, value in policy.state_dict().items()}
    if kept is not policy:
        tensors |= {f"kept.{name}": value.detach().cpu() for name, value in kept.state_dict().items()}
    tensors |= {f"best.{name}": value.cpu() for name, value in best.items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value.cpu() for key, value in values.items()}
    return tensors, dict(progress)


def _restore(
    policy: Policy,
    kept: Policy,
    optimiser: torch.optim.Optimizer,
    tensors: dict[str, Tensor],
    progress: dict[str, Any],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Put a checkpoint back into policy and optimiser; the best weights and where the run is."""
    parts: dict[str, dict[str, Tensor]] = {"policy": {}, "kept": {}, "best": {}, "optimiser": {}}
    state = optimiser.state_dict()
    try:
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        policy.load_state_dict(parts["policy"])
        if kept is not policy:
            kept.load_state_dict(parts["kept"])
        for name, value in parts["optimiser"].items():
            number, _, key = name.partition(".")
            state["state"].setdefault(int(number), {})[key] = value
        optimiser.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError):
        raise InputError("checkpoint: holds another policy than the recipe says; train anew, in another folder") from None
    device = next(policy.parameters()).device
    return {name: value.to(device) for name, value in parts["best"].items()}, progress
