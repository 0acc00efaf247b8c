"""Gap of trained runs to the exact optimum of their serial network, on the same scenarios as the optimal levels.

Usage: python benchmarks/gap_to_optimum.py RUN...
"""

import sys
from pathlib import Path

from gnn_inventory.evaluation import gap_to_optimal_levels
from gnn_inventory.training.recipe import scenario_source
from gnn_inventory.training.run_folder import RunFolder

SCENARIOS, PERIODS, WARM_UP = 2048, 1000, 300


def main() -> None:
    for run in sys.argv[1:]:
        folder = RunFolder(Path(run))
        recipe = folder.recipe()
        source = scenario_source(recipe, "test", seed=0)
        gap, low, high = gap_to_optimal_levels(folder.policy(), recipe.network, source, SCENARIOS, PERIODS, WARM_UP)
        print(f"{run}: {gap:.4f} % over the optimum (95 % interval {low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main()
