"""Wall time from the start of a training (drawing its scenarios included) to a dev cost.

Usage: python benchmarks/time_to_quality.py [RECIPE...]   (one_warehouse and serial where none is named)

Recipes are the catalogue's with fewer epochs and smaller batches, for a good policy soon rather than the best one late. Prints the
time to each target, to 1 % above the best of this training and, where the optimum is known, to 1 % above what the optimal policy
costs on the same dev scenarios. Dev is judged after every epoch, so a time is that of the first epoch whose end shows it.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch

import gnn_inventory as gi
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.training.data import data_of
from gnn_inventory.training.recipe import Recipe
from gnn_inventory.training.run_folder import RunFolder

SETTINGS = {
    "one_warehouse": ["training.epochs=10", "training.batch=256"],
    "serial": ["training.epochs=10", "training.batch=256"],
}
TARGETS = {"one_warehouse": [5.34, 5.15]}


def optimal_on_dev(recipe: Recipe) -> float | None:
    """What the optimal policy costs on the recipe's dev scenarios, per period and location with demand; None where unknown."""
    reference, data = gi.reference_of(build_network(recipe.mapping)), data_of(recipe)
    if reference is None or reference.twin is None:
        return None
    cost = reference.twin(data.dev.graph, data.dev.scenarios)[:, data.dev_warm_up :]
    return float(cost.double().mean()) / data.dev.graph.demand_locations


def main() -> None:
    for name in sys.argv[1:] or ["one_warehouse", "serial"]:
        recipe = gi.load_recipe(name, SETTINGS.get(name, ()))
        optimum = optimal_on_dev(recipe)
        seen: list[tuple[float, float]] = []
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            result = gi.train_recipe(
                recipe,
                RunFolder(Path(folder) / "run"),
                on_epoch=lambda line, began=began, seen=seen: seen.append((time.perf_counter() - began, line["dev"])),
            )
        print(
            f"{name}: {len(seen)} epochs, {seen[-1][0]:.0f} s, best dev {result.dev_cost:.4f}, {torch.get_num_threads()} threads"
        )
        targets = {f"dev {target}": target for target in TARGETS.get(name, [])}
        targets["1 % above the best of this training"] = 1.01 * result.dev_cost
        if optimum is not None:
            targets[f"1 % above the optimal policy's {optimum:.4f}"] = 1.01 * optimum
        for text, target in targets.items():
            when = next((seconds for seconds, dev in seen if dev <= target), None)
            print(f"  {text}: {'not reached' if when is None else f'{when:.1f} s'}")


if __name__ == "__main__":
    main()
