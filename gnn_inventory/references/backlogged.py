"""Backlogged demand at one location or at the end of a row of them: base stock and echelon base stock, exact, on a grid."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph, moments
from gnn_inventory.policies.base_stock import EchelonBaseStock
from gnn_inventory.references.parameters import demand_grid, link_into, number, of_periods
from gnn_inventory.references.reference import Reference
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import NegativeBinomial, Normal, Poisson, Supplier
from gnn_inventory.types import PerPeriod

__all__ = ["chain_of", "serial_optimum", "traded"]

CELLS = 80
"""Cells of the grid per unit of standard deviation of normal demand."""
POINTS = 4_000_000
"""Most points of a grid."""
FLAT = 1e-12
"""Of the largest cost on the grid: what is no difference. Of 1: what is no chance."""
SURELY_POSITIVE = 6
"""Standard deviations by which the mean of normal demand exceeds 0, where one period in 10^9 has less: clipped or not is then the same."""
BELOW = 8
"""Points of the grid below 0."""


def serial_optimum(network: Network) -> Reference | None:
    """The optimum of a backlogged serial network, of one or more locations; None where no echelon policy is optimal.

    That is where stock costs less the closer it is to customers, or where demand may well be negative. The error is estimated
    by the change when the cells of the grid are made half as wide, plus the most that levels between its points might save; whole units
    need no grid and have none.
    """
    chain = chain_of(network)
    if chain is None:
        return None
    holding = [0.0, *(number(network.location(name).holding_cost) for name in chain)]
    demand = network.location(chain[-1]).distribution
    positive = isinstance(demand, Normal) and (demand.clip or demand.mean >= SURELY_POSITIVE * demand.std)
    if not (isinstance(demand, Poisson | NegativeBinomial) or positive) or any(
        below < above for above, below in pairwise(holding)
    ):
        return None
    mean, std = moments(network.location(chain[-1]))
    if number(network.location(chain[-1]).underage_cost) == 0 or holding[-1] == 0 or mean == 0 or std == 0:
        return None  # nothing costs anything, or nothing is uncertain
    periods = sum(number(link_into(network, name).lead_time) for name in chain) + 1
    if isinstance(demand, Normal) and periods * (demand.mean + 9 * demand.std) * CELLS / demand.std > POINTS:
        return None  # the grid would not fit into memory
    found = clark_scarf(network, chain, CELLS)
    if found is None:
        return None
    value, levels, between = found
    error = 0.0
    if isinstance(demand, Normal):
        coarse = clark_scarf(network, chain, CELLS // 2)
        assert coarse is not None  # half as many points
        error = abs(value - coarse[0]) + between
    source = "Clark and Scarf (1960), on a grid" if len(chain) > 1 else "base stock by numeric convolution (Arrow et al. 1951)"
    return Reference("optimum", value + traded(network, mean), source, error, levels, partial(_optimal_costs, levels))


@torch.no_grad()
def _optimal_costs(levels: dict[str, float], graph: InventoryGraph, scenarios: Scenarios) -> PerPeriod:
    policy = EchelonBaseStock()
    policy.set_levels(graph, levels)
    return costs(policy, graph, scenarios)


def traded(network: Network, mean: float) -> float:
    """What the demand of a chain's customers, of this mean, costs to buy less what it is sold for: all of it is met, whatever the policy."""
    bought = sum(number(link.unit_cost) for link in network.links.values())
    return mean * (bought - sum(number(network.location(name).price) for name in network.customers))


def clark_scarf(network: Network, chain: list[str], cells: int) -> tuple[float, dict[str, float], float] | None:
    """Optimal cost and echelon levels of a serial system with backlogging (Clark and Scarf 1960), on a grid, and the most that levels between
    its points might save; None where the grid would have more than `POINTS` points.

    With echelon holding costs h_j (installation cost minus that of the location upstream), G_1 is built from the customer
    upwards: G_j(y) = E[h_j (y - D_{L_j + 1}) + penalty_j(y - D_{L_j})], its minimum is the level S_j, and what falls short
    of S_j is the penalty of the location above: G_j(min(y, S_j)) - G_j(S_j). A location pays for what is left after shipments,
    that is the echelon stock at the end of the period, of itself and all below, goods in transit left out.

    All G_j are linear below 0, so the grid begins there. It ends where no level can lie higher: G_j' is at least h_j less the
    penalty and the holding cost of the customer's location times the chance that demand until goods are there exceeds y.

    Args:
        network: serial, backlogged; unit costs and prices are left out.
        chain: its locations, the customer's last.
        cells: grid cells per unit of demand's standard deviation.
    """
    store = network.location(chain[-1])
    step, probabilities = demand_grid(store, cells)
    mean = float(np.arange(len(probabilities)) @ probabilities * step)
    lead_times = [int(number(link_into(network, name).lead_time)) for name in chain]
    holding = [number(network.location(name).holding_cost) for name in chain]
    backlog_cost = number(store.underage_cost) + holding[-1]
    if len(probabilities) * (sum(lead_times) + 1) > POINTS:
        return None
    echelon = [below - above for above, below in pairwise([0.0, *holding])]
    exceeded = of_periods(probabilities, sum(lead_times) + 1)[::-1].cumsum()[::-1]  # P(demand >= y)
    highest = int((exceeded > max(min(echelon) / backlog_cost, FLAT)).sum()) + 1
    position = np.arange(-BELOW, highest + 1) * step
    penalty = np.zeros_like(position)
    levels, value, constant, between = {}, 0.0, 0.0, 0.0
    for place in range(len(chain) - 1, -1, -1):
        above = holding[place - 1] if place else 0.0
        lead_time = lead_times[place]
        at_end = _after(probabilities, lead_time + 1)
        before = _after(probabilities, lead_time)
        if place == len(chain) - 1:
            cost = at_end((holding[place] - above) * position + backlog_cost * np.maximum(-position, 0.0))
        else:
            cost = at_end((holding[place] - above) * position) + before(penalty)
        best = int(np.argmax(cost <= cost.min() + FLAT * np.abs(cost).max()))  # the lowest, where any above costs the same
        levels[chain[place]] = float(position[best])
        value = float(cost[best])
        between += _saved_between(cost, best)
        penalty = np.where(np.arange(len(position)) < best, cost - value, 0.0)
        constant += value
    # goods in transit to the next location are in the echelon of the ones above, but nobody is charged for them
    transit = sum(holding[place] * mean * lead_times[place + 1] for place in range(len(chain) - 1))
    return constant - transit, levels, between


def _saved_between(cost: np.ndarray, best: int) -> float:
    """The most that a level between the best point and its neighbours may save: a convex cost lies above the lines of both gaps beside its own."""
    around = np.pad(cost, 2, mode="reflect", reflect_type="odd")[best : best + 5] - cost[best]  # linear beyond the grid
    saved = 0.0
    for low, high, before, after in ((1, 2, 0, 3), (2, 3, 1, 4)):
        falls, rises = around[low] - around[before], around[after] - around[high]
        if falls < 0 < rises:
            where = (around[high] - rises - around[low]) / (falls - rises)  # the lines meet, from the gap's low end
            saved = max(saved, -float(around[low] + falls * where))
    return saved


def chain_of(network: Network) -> list[str] | None:
    """The locations of a serial network, the customer's last; None where it is not serial."""
    after = dict(network.links.keys())
    suppliers = [name for name, node in network.nodes.items() if isinstance(node, Supplier)]
    if len(after) < len(network.links) or len(suppliers) != 1 or len(network.customers) != 1:
        return None
    chain, node = [], suppliers[0]
    while node in after:
        node = after[node]
        chain.append(node)
    serial = len(chain) == len(network.nodes) - 1 == len(network.links) and chain[-1] == network.customers[0]
    return chain if serial and all(network.location(name).holds_stock for name in chain) else None


def _after(probabilities: np.ndarray, periods: int) -> Callable[[np.ndarray], np.ndarray]:
    """The operator f -> E[f(position - demand of `periods` periods)] on the grid, its ends continued linearly."""
    total = of_periods(probabilities, periods)
    last = len(total) - 1

    def expect(values: np.ndarray) -> np.ndarray:
        slope = values[1] - values[0]
        extended = np.concatenate([values[0] - slope * np.arange(last, 0, -1), values])
        size = 1 << int(np.ceil(np.log2(len(extended) + len(total))))
        product = np.fft.irfft(np.fft.rfft(extended, size) * np.fft.rfft(total, size), size)
        return product[last : last + len(values)]

    return expect
