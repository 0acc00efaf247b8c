"""One location, backlogged demand in whole units, a fixed cost per order: the optimal (s, S), exact.

Orders go up to S whenever the position (on hand and on its way, less backlog) is at s or below. A period that starts with
position y after ordering is charged G(y), the expected holding and underage cost at the end of the period in which an order of
now arrives: it covers the demand of L + 1 periods. Zheng and Federgruen (1991), Finding optimal (s, S) policies is about as
simple as evaluating a single policy, Operations Research 39(4), with their L = 0 where an order is there before the demand of
its own period.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from math import sqrt

import numpy as np
import torch

from gnn_inventory.demand.distributions import cumulative
from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.reorder_point import ReorderPoint
from gnn_inventory.references.backlogged import chain_of, traded
from gnn_inventory.references.parameters import demand_grid, link_into, number, of_periods
from gnn_inventory.references.reference import Reference
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import Network
from gnn_inventory.types import PerPeriod

__all__ = ["FixedCost", "fixed_cost_optimum"]

SOURCE = "(s, S) of Zheng and Federgruen (1991)"
UNITS = 20_000
"""Most units between s and S, or in the demand over a lead time, for which it is computed."""


@dataclass(frozen=True)
class FixedCost:
    """A location that orders from unlimited stock; what is not served waits.

    Attributes:
        holding_cost: h, money per unit left and period; above 0.
        underage_cost: p, money per unit that waits and period; above 0.
        fixed_cost: K, money per order.
        lead_time: L, periods; 0 = an order is there before the demand of its own period.
        probabilities: of demand 0, 1, 2, ... per period; they sum to 1, that of 0 is below 1.
    """

    holding_cost: float
    underage_cost: float
    fixed_cost: float
    lead_time: int
    probabilities: np.ndarray

    @cached_property
    def covered(self) -> np.ndarray:
        """Probabilities of the demand of L + 1 periods."""
        return of_periods(self.probabilities, self.lead_time + 1)

    @cached_property
    def _tails(self) -> tuple[np.ndarray, np.ndarray]:
        """P(demand <= x) and E[demand; demand <= x] for x = 0, 1, ..."""
        return self.covered.cumsum(), (np.arange(len(self.covered)) * self.covered).cumsum()

    def charged(self, positions: np.ndarray) -> np.ndarray:
        """G: expected holding and underage cost of positions after ordering, whole units [n]."""
        below, part = self._tails
        place = np.clip(positions, 0, len(below) - 1)
        left = np.where(positions < 0, 0.0, positions * below[place] - part[place])
        return self.holding_cost * left + self.underage_cost * (part[-1] - positions + left)

    @cached_property
    def newsvendor_level(self) -> int:
        """The position at which G is smallest."""
        fractile = self.underage_cost / (self.underage_cost + self.holding_cost)
        return int(np.searchsorted(self._tails[0], fractile))

    def renewals(self, count: int) -> np.ndarray:
        """m(0), ..., m(count - 1): expected periods that start j units below S between two orders (their equation 3)."""
        demand = self.probabilities
        found = np.zeros(count)
        for units in range(count):
            most = min(units, len(demand) - 1)
            before = demand[1 : most + 1] @ found[units - most : units][::-1]
            found[units] = (before + (units == 0)) / (1.0 - demand[0])
        return found

    def cost(self, reorder: int, level: int) -> float:
        """Mean cost per period of (s, S), s below S: that of a cycle from order to order over its length (their equation 4)."""
        return self._cost(self.renewals(level - reorder), level)

    def _cost(self, renewals: np.ndarray, level: int) -> float:
        charged = self.charged(level - np.arange(len(renewals)))
        return float((self.fixed_cost + renewals @ charged) / renewals.sum())

    def optimum(self) -> tuple[int, int, float]:
        """The optimal s and S and their mean cost per period (the algorithm of their section 2)."""
        renewals = self.renewals(64)

        def cost(reorder: int, level: int) -> float:
            nonlocal renewals
            while len(renewals) < level - reorder:
                renewals = self.renewals(2 * len(renewals))
            return self._cost(renewals[: level - reorder], level)

        def charged(position: int) -> float:
            return float(self.charged(np.array([position]))[0])

        level = self.newsvendor_level
        reorder = level - 1
        while cost(reorder, level) > charged(reorder):
            reorder -= 1
        best, candidate = cost(reorder, level), level + 1
        while charged(candidate) <= best:
            if cost(reorder, candidate) < best:
                level = candidate
                while cost(reorder, level) <= charged(reorder + 1):
                    reorder += 1
                best = cost(reorder, level)
            candidate += 1
        return reorder, level, best


def fixed_cost_optimum(network: Network) -> Reference | None:
    """The optimum of one location with backlogged demand in whole units and a fixed cost per order; None elsewhere.

    Orders in parts of a unit cost no less: between whole units G is linear.
    """
    chain = chain_of(network)
    if chain is None or len(chain) > 1 or network.location(chain[0]).unmet_demand != "backlogged":
        return None
    store, link = network.location(chain[0]), link_into(network, chain[0])
    table = cumulative(store.distribution)
    holding, underage = number(store.holding_cost), number(store.underage_cost)
    if table is None or holding == 0 or underage == 0:
        return None
    probabilities, lead_time = demand_grid(store, 1)[1], int(number(link.lead_time))
    mean = float(np.arange(len(probabilities)) @ probabilities)
    between = sqrt(2 * number(link.fixed_cost) * mean * (1 / holding + 1 / underage))  # about S - s: economic order quantity
    if mean == 0 or max(between, len(probabilities) * (lead_time + 1)) > UNITS:
        return None
    reorder, level, cost = FixedCost(holding, underage, number(link.fixed_cost), lead_time, probabilities).optimum()
    points, levels = {chain[0]: reorder + 0.5}, {chain[0]: float(level)}  # between two units: no rounding error decides
    cost += traded(network, mean)
    return Reference("optimum", cost, SOURCE, levels=levels, twin=partial(_optimal_costs, points, levels))


@torch.no_grad()
def _optimal_costs(points: dict[str, float], levels: dict[str, float], graph: InventoryGraph, scenarios: Scenarios) -> PerPeriod:
    policy = ReorderPoint()
    policy.set_points(graph, points, levels)
    return costs(policy.eval(), graph, scenarios)
