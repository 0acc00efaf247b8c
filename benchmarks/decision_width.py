"""What the width of the order decision's gradient does to a trained (s, S), in theory: no simulation, no noise.

A straight-through gradient is biased: training comes to rest where it is zero, not where the cost is least, and where that is
depends on the width of the smoothed decision. Each line: a problem, the optimal (s, S), and for each width the pair at which
training ends and the percent by which it costs more. The last weights are judged, not the best ones on dev.

Usage: python benchmarks/decision_width.py [WIDTH...]
"""

import math
import sys

import numpy as np
import torch

import gnn_inventory as gi
from gnn_inventory.policies import lumps
from gnn_inventory.policies.reorder_point import ReorderPoint
from gnn_inventory.references.fixed_cost import FixedCost
from gnn_inventory.references.parameters import demand_grid
from gnn_inventory.training.hdpo import hdpo
from gnn_inventory.training.train import prepared

PROBLEMS = ((10, 64, 2, 9), (5, 20, 1, 4), (20, 200, 4, 19), (5, 64, 1, 9))
"""Mean of the Poisson demand, fixed cost, lead time, underage cost; the holding cost is 1."""
WIDTHS = (0.1, 0.2, 0.4)
"""As parts of S - s."""
SIZES = ("training.scenarios=2048", "training.dev_scenarios=512")


def cost(problem: FixedCost, reorder: float, level: float) -> float:
    """Exact mean cost of (s, S) in parts of a unit: positions are S, S - 1, ...; G is linear between whole units."""
    renewals = problem.renewals(math.ceil(level - reorder - 1e-6))
    positions = level - np.arange(len(renewals))
    lower = np.floor(positions).astype(int)
    charged = problem.charged(lower) + (positions - lower) * (problem.charged(lower + 1) - problem.charged(lower))
    return float((problem.fixed_cost + renewals @ charged) / renewals.sum())


def trained(settings: list[str], mean: float, lump: float) -> tuple[float, float]:
    """(s, S) at the end of a training that starts at mean demand over lead time and period, and the economic order quantity above."""
    recipe = gi.load_recipe("one_store_fixed_cost_reorder_point", [*SIZES, *settings])
    policy, data = prepared(recipe)
    assert isinstance(policy, ReorderPoint)
    with torch.no_grad():
        policy.gaps.fill_(lump)
        policy.levels.add_(lump)
    hdpo(policy, data, recipe.training)
    level, gap = (float(value[0].detach()) * mean for value in (policy.levels, policy.gaps))
    return level - gap, level


def main() -> None:
    widths = [float(text) for text in sys.argv[1:]] or list(WIDTHS)
    for mean, fixed, lead_time, underage in PROBLEMS:
        store, link = "network.store", "network.link"
        settings = [f"{store}.demand.poisson.mean={mean}", f"{store}.underage_cost={underage}"]
        settings += [f"{link}.fixed_cost={fixed}", f"{link}.lead_time={lead_time}"]
        location = gi.load_recipe("one_store_fixed_cost", settings).network.location("store")
        problem = FixedCost(1.0, underage, fixed, lead_time, demand_grid(location, 1)[1])
        reorder, level, best = problem.optimum()
        print(f"mean {mean}, K {fixed}, L {lead_time}, p {underage}: optimum ({reorder}, {level}) {best:.3f}", flush=True)
        for width in widths:
            lumps.SMOOTHING = width
            found = trained(settings, mean, math.sqrt(2 * fixed / mean * (1 + 1 / underage)))
            percent = 100 * (cost(problem, *found) / best - 1)
            print(f"  width {width:g}: ({found[0]:.1f}, {found[1]:.1f}) {percent:.2f} %", flush=True)


if __name__ == "__main__":
    main()
