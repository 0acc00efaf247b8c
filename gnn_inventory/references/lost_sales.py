"""One location, lost sales, whole units: the optimum by dynamic programming, base-stock policies by exact distribution.

A state is what is on hand at the start of a period, arrivals included, and what arrives at the start of each of the next
L - 1 periods: (x, z_1, ..., z_{L-1}). After an order q and demand D the next one is ((x - D)+ + z_1, z_2, ..., z_{L-1}, q);
with L = 1 it is (x - D)+ + q. Zipkin (2008), Old and new methods for lost-sales inventory systems, Operations Research 56(5).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from gnn_inventory.errors import InputError
from gnn_inventory.references.parameters import of_periods

__all__ = ["LostSales", "Optimum", "best_base_stock", "best_capped_base_stock", "optimum", "stationary_cost"]

ITERATIONS = 100_000
"""Most of value iteration."""
RARE = 1e-6
"""A chance that does not matter."""
FLAT = 1e-7
"""Of a cost: what is no difference between a policy and the next."""
Orders = Callable[[np.ndarray], np.ndarray]
"""Whole orders [n] of states [n, L]."""


@dataclass(frozen=True)
class LostSales:
    """A location that orders from unlimited stock.

    Attributes:
        holding_cost: h, money per unit left and period.
        underage_cost: p, money per unit of lost demand.
        lead_time: L, periods.
        probabilities: of demand 0, 1, 2, ... per period; they sum to 1.
    """

    holding_cost: float
    underage_cost: float
    lead_time: int
    probabilities: np.ndarray

    def newsvendor_level(self, periods: int) -> int:
        """Smallest y with P(demand of `periods` periods <= y) >= p / (p + h): the base-stock level if demand waited."""
        total = of_periods(self.probabilities, periods)
        fractile = self.underage_cost / (self.underage_cost + self.holding_cost)
        return int(np.searchsorted(total.cumsum(), fractile))

    def leftover(self, most: int) -> np.ndarray:
        """P((x - D)+ = y) for x and y up to `most` [x, y]."""
        found = np.zeros((most + 1, most + 1))
        for x in range(most + 1):
            sold = self.probabilities[:x]
            found[x, x - np.arange(len(sold))] = sold
            found[x, 0] = 1.0 - sold.sum() if x else 1.0
        return found

    def period_cost(self, most: int) -> np.ndarray:
        """Expected holding and underage cost of a period that starts with x on hand, x up to `most` [x]."""
        net = np.arange(most + 1)[:, None] - np.arange(len(self.probabilities))
        cost = self.holding_cost * np.maximum(net, 0) + self.underage_cost * np.maximum(-net, 0)
        return cost @ self.probabilities


@dataclass(frozen=True)
class Optimum:
    """The optimal policy and what it costs.

    Attributes:
        cost: mean per period, money: the middle of the bounds.
        low, high: bounds of value iteration (MacQueen 1966): the optimal cost of the truncated problem lies between; as wide as asked,
            or wider where `ITERATIONS` do not suffice, since demand is so small that stock hardly ever leaves.
        orders: the optimal order in each state [x, z_1, ..., z_{L-1}].
    """

    cost: float
    low: float
    high: float
    orders: np.ndarray


def optimum(problem: LostSales, tolerance: float = 1e-7) -> Optimum:
    """The optimal policy by relative value iteration on the pipeline state.

    Nothing is ordered beyond where a backlogged location would never go (orders up to the level for L + 1 periods are an
    upper bound, Zipkin 2008), and orders are cut off where none as large is optimal in any state; the cut is widened until that is so.

    Args:
        problem: the location.
        tolerance: difference of the bounds at which iteration ends, as a share of the cost.
    """
    most = problem.newsvendor_level(problem.lead_time + 1) + 2
    largest = problem.newsvendor_level(1) + 1
    while True:
        found = _value_iteration(problem, most, min(largest, most), tolerance)
        if found.orders.max() < largest or largest >= most:
            return found
        largest += 2


def _value_iteration(problem: LostSales, most: int, largest: int, tolerance: float) -> Optimum:
    lead_time = problem.lead_time
    leftover, cost = problem.leftover(most), problem.period_cost(most)
    shape = (most + 1,) + (largest + 1,) * (lead_time - 1)
    # what is on hand after an arrival a_1 on top of y left over; beyond `most` it is taken for `most`, where no policy from 0 on comes
    arrived = np.minimum(np.arange(most + 1)[:, None] + np.arange(largest + 1), most)
    ordered = np.indices((*shape, largest + 1))
    beyond = (ordered.sum(0) > most) & (ordered[-1] > 0)  # stock that could never have been bought would be given away there
    value = np.zeros(shape)
    cost = cost.reshape(-1, *(1,) * (lead_time - 1))
    low, high = -np.inf, np.inf
    for _ in range(ITERATIONS):
        after = value[arrived]  # [y, a_1, a_2, ..., a_L]
        expected = np.where(beyond, np.inf, (leftover @ after.reshape(most + 1, -1)).reshape(*after.shape))
        new = cost + expected.min(-1)
        change = new - value
        low, high = float(change.min()), float(change.max())
        value = new - new.flat[0]
        if high - low <= tolerance * abs(high):
            break
    return Optimum((low + high) / 2, low, high, expected.argmin(-1))


def stationary_cost(problem: LostSales, orders: Orders, start: int, tolerance: float = 1e-12) -> float:
    """Exact mean cost per period of a policy, by the stationary distribution of the states that it reaches.

    Args:
        problem: the location.
        orders: the policy: whole orders of states.
        start: units on hand in the first state, with nothing on its way.
        tolerance: change of the distribution, summed over states, at which iteration ends.

    Raises:
        InputError: more states than whole numbers of 64 bits can tell apart.
    """
    base = 4 * (start + len(problem.probabilities))
    if base**problem.lead_time > 2**62:
        raise InputError(
            f"stationary cost: got lead time {problem.lead_time} at levels up to {start}; expected a shorter one, whose states can be numbered"
        )
    place = base ** np.arange(problem.lead_time)
    known = np.array([start])  # codes of the states reached so far
    frontier = known
    transitions = []
    while len(frontier):
        states = frontier[:, None] // place % base
        placed = orders(states)
        most = int(states[:, 0].max())
        leftover = problem.leftover(most)
        rows, left = np.nonzero(leftover[states[:, 0]])
        moved = np.concatenate([states[:, 1:], placed[:, None]], axis=1)[rows]
        moved[:, 0] += left
        targets = moved @ place
        transitions.append((frontier[rows], targets, leftover[states[rows, 0], left]))
        frontier = np.setdiff1d(targets, known)
        known = np.union1d(known, frontier)
    sources, targets, weights = (np.concatenate(part) for part in zip(*transitions, strict=True))
    sources, targets = np.searchsorted(known, sources), np.searchsorted(known, targets)
    distribution = np.full(len(known), 1.0 / len(known))
    while True:
        new = np.bincount(targets, weights * distribution[sources], minlength=len(known))
        new = (new + distribution) / 2  # a lazy chain has the same distribution and no period
        if np.abs(new - distribution).sum() < tolerance:
            on_hand = known % base
            return float(problem.period_cost(int(on_hand.max()))[on_hand] @ new)
        distribution = new


def best_base_stock(problem: LostSales) -> tuple[int, float]:
    """The best base-stock level and its exact cost."""

    def cost(level: int) -> float:
        return stationary_cost(problem, lambda states: level - states.sum(1), level)

    level = problem.newsvendor_level(problem.lead_time + 1)
    best = cost(level)
    while level > 0 and (lower := cost(level - 1)) < best:  # lost sales need no higher level than waiting demand
        level, best = level - 1, lower
    return level, best


def best_capped_base_stock(problem: LostSales) -> tuple[int, int, float]:
    """The best pair of level and cap on the order (Xin 2021), and its exact cost.

    For each cap, from one that cuts next to no order (base stock orders what was sold) down to 1, the level is sought from that of the cap
    before, up and down as long as costs fall by more than `FLAT` of them: with a cap below mean demand they may fall for ever, ever less.
    """
    level, _ = best_base_stock(problem)
    best = level, max(level, 1), np.inf
    largest = int(np.searchsorted(problem.probabilities.cumsum(), 1 - RARE))
    for cap in range(max(largest, 1), 0, -1):

        @cache
        def cost(level: int, cap: int = cap) -> float:
            return stationary_cost(problem, lambda states: np.minimum(level - states.sum(1), cap), level)

        for way in (-1, 1):
            while level + way >= 0 and cost(level + way) < cost(level) * (1 - FLAT):
                level += way
        if cost(level) < best[2] * (1 - FLAT):
            best = level, min(cap, max(level, 1)), cost(level)  # a cap above the level cuts nothing
    return best
