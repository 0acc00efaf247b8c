"""What trained base-stock levels of one backlogged store cost in theory, over the optimum: no simulation, no noise.

The demand of a lead time and one period is convolved on a grid; a level costs h E(S - D)+ + p E(D - S)+.

Usage: python benchmarks/base_stock_levels.py DIR...    (DIR as `gnn-inventory benchmark exact -o DIR` left it)
"""

import json
import sys
from pathlib import Path

import numpy as np

from gnn_inventory.graph import moments
from gnn_inventory.policies.base_stock import BaseStock
from gnn_inventory.references.parameters import demand_grid, link_into, number, shared_only
from gnn_inventory.topology.schema import Location
from gnn_inventory.training.run_folder import RunFolder

CELLS = 80
"""Of the grid, per standard deviation of demand."""


def excess(folder: RunFolder) -> float:
    """Percent of the optimal cost by which the levels of a run cost more."""
    network, policy = folder.recipe().network, folder.policy()
    (name,) = network.customers
    store = network.nodes[name]
    assert isinstance(policy, BaseStock)
    assert isinstance(store, Location)
    assert shared_only(network)
    width, probabilities = demand_grid(store, CELLS)
    held, short = number(store.holding_cost), number(store.underage_cost)
    covered = np.array([1.0])
    for _ in range(int(number(link_into(network, name).lead_time)) + 1):
        covered = np.convolve(covered, probabilities)
    demand = np.arange(len(covered)) * width

    def cost(level: float) -> float:
        return float((held * np.maximum(level - demand, 0) + short * np.maximum(demand - level, 0)) @ covered)

    best = demand[np.searchsorted(np.cumsum(covered), short / (short + held))]
    level = float(policy.levels.detach()[list(network.nodes).index(name)]) * moments(store)[0]
    return 100 * (cost(level) / cost(float(best)) - 1)


def main() -> None:
    paths = sorted(file.parent for folder in sys.argv[1:] for file in Path(folder).glob("runs/*base_stock*/policy.safetensors"))
    found = {path.name: excess(RunFolder(path)) for path in paths}
    if not found:
        sys.exit(f"no trained base stock in {sys.argv[1:]}; expected folders that `gnn-inventory benchmark exact -o DIR` left")
    worst = max(found, key=found.__getitem__)
    print(json.dumps({"runs": len(found), "worst": worst, "percent": round(found[worst], 4)}, indent=1))


if __name__ == "__main__":
    main()
