"""What no policy can beat, since it knows all demand beforehand: a bound in closed form and one by linear programme.

Both leave out fixed costs of orders, which are not below 0, and let orders be as small as they like: with fixed costs and
minimum orders they are bounds still, looser ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.errors import UsageError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.types import PerScenario

__all__ = ["LINEAR_PROGRAMME", "PERFECT_INFORMATION", "perfect_information", "programme_bound"]

PERFECT_INFORMATION = (
    "perfect information on these scenarios: sells all, holds nothing, buys on the cheapest path; a bound in the long run, "
    "since goods bought before the counted periods are not charged in them"
)
LINEAR_PROGRAMME = "linear programme with perfect information on these scenarios, uncounted periods free; loose: no policy knows demand beforehand"


def perfect_information(graph: InventoryGraph, scenarios: Scenarios, warm_up: int) -> PerScenario:
    """What no policy can beat in the long run: every unit of demand is served from the cheapest path, or refused where that costs less.

    Nothing is held and nothing comes late. Per unit sold: unit costs along the cheapest path minus price; per unit refused:
    the underage cost once. Mean cost of each scenario over the periods after the warm-up [B], whole network. Not valid for
    few periods: what is in the system when they start has been paid before.
    """
    parameters = scenarios.parameters
    path = parameters.unit_cost.new_zeros(max(len(parameters.unit_cost), 1), graph.nodes)
    for _ in range(int(graph.depth)):
        offer = path[:, graph.source] + parameters.unit_cost
        index = graph.target.expand_as(offer)
        path = path.scatter_reduce(1, index, offer, "amin", include_self=False)
    per_unit = (path - parameters.price).minimum(parameters.underage_cost)
    return (scenarios.demand[:, warm_up:] * per_unit.unsqueeze(1)).sum(2).double().mean(1)


def programme_bound(graph: InventoryGraph, scenarios: Scenarios, warm_up: int, whole_units: bool = False) -> PerScenario:
    """A lower bound on the cost of every policy on each scenario, by linear programme (HiGHS, through scipy).

    Orders, what is left and what is unmet are free in all periods within the simulator's equations; the cost of the periods
    after the warm-up is minimised. What is shipped while there is backlog at the source, and whether a customer is served
    where stock is left, are relaxed. Every policy's trajectory is feasible, so its counted cost is no less.

    Args:
        graph: the network.
        scenarios: what happens.
        warm_up: first periods that are not counted.
        whole_units: also of policies whose orders are rounded to whole units: then a location that cannot hold stock may keep part of one.

    Returns:
        mean cost per counted period of the whole network, a bound for each scenario [B].

    Raises:
        UsageError: scipy is not installed.
    """
    try:
        from scipy.optimize import linprog
    except ModuleNotFoundError:
        raise UsageError("the bound by linear programme needs scipy: pip install 'gnn_inventory[programme]'") from None
    found = torch.empty(len(scenarios), dtype=torch.float64)
    for row in range(len(scenarios)):
        programme = _Programme.of(graph, scenarios[torch.tensor([row])], warm_up, whole_units)
        equal, bounded = programme.matrices()
        result = linprog(
            programme.cost,
            A_eq=equal,
            b_eq=programme.equal_to,
            A_ub=bounded,
            b_ub=programme.at_most,
            bounds=np.stack([np.zeros(len(programme.cost)), programme.upper], axis=1),
            method="highs",
        )
        assert result.status == 0, f"the linear programme has no optimum: {result.message}"
        found[row] = (result.fun + programme.constant) / (scenarios.periods - warm_up)
    return found


Entries = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Rows, columns and values of a sparse matrix, in parts."""


@dataclass
class _Programme:
    """Minimise cost @ v over 0 <= v <= upper with equal(v) = equal_to and bounded(v) <= at_most.

    The variables v, each for all periods: orders on links [T, E]; per node what is left, what is unmet, what is on hand and
    what waits at the start of the next period [T, N].
    """

    cost: np.ndarray
    upper: np.ndarray
    equal: Entries
    equal_to: np.ndarray
    bounded: Entries
    at_most: np.ndarray
    constant: float

    @classmethod
    def of(cls, graph: InventoryGraph, scenario: Scenarios, warm_up: int, whole_units: bool) -> "_Programme":
        """The programme of one scenario."""
        total, nodes, links = scenario.periods, graph.nodes, graph.links
        price, holding, underage, unit_cost, lead_time = (
            _array(value[0])
            for value in (
                scenario.parameters.price,
                scenario.parameters.holding_cost,
                scenario.parameters.underage_cost,
                scenario.parameters.unit_cost,
                scenario.parameters.lead_time,
            )
        )
        demand, location = _array(scenario.demand[0]), ~graph.is_supplier.numpy()
        backlogged = (graph.has_demand & ~graph.lost).numpy()
        lost = (graph.has_demand & graph.lost).numpy()
        source, target = graph.source.numpy(), graph.target.numpy()
        counted = (np.arange(total) >= warm_up)[:, None]
        orders = np.arange(total * links).reshape(total, links)
        left, unmet, on_hand, waiting = (orders.size + np.arange(4 * total * nodes)).reshape(4, total, nodes)

        # money: h left + p unmet + c orders - price sales; sales = demand - unmet (lost), or demand and backlog served
        cost = np.zeros(waiting[-1, -1] + 1)
        cost[orders] = unit_cost * counted
        cost[left] = holding * counted
        cost[unmet] = (underage + price * lost) * counted
        constant = -float((price * demand * counted).sum())
        if warm_up > 0:
            cost[waiting[warm_up - 1]] -= price * backlogged
        else:
            constant -= float((price * backlogged * np.maximum(-_array(scenario.on_hand[0]), 0.0)).sum())
        cost[waiting[-1]] += price * backlogged

        upper = np.full(len(cost), np.inf)
        upper[orders] = _array(graph.link_capacity)
        upper[left[:, ~graph.holds_stock.numpy()]] = 1.0 if whole_units else 0.0
        upper[unmet[:, lost]] = np.maximum(demand[:, lost], 0.0)
        for values, present in ((left, location), (unmet, lost | backlogged), (on_hand, location), (waiting, backlogged)):
            upper[values[:, ~present]] = 0.0

        # left - unmet = on hand - waiting - shipped - demand, at the end of each period
        row = np.arange(total * nodes).reshape(total, nodes)
        one = np.ones_like
        equal: Entries = [(row, left, one(row)), (row, unmet, -one(row))]
        equal += [(row[1:], on_hand[:-1], -one(row[1:])), (row[1:], waiting[:-1], one(row[1:]))]
        inside = location[source]
        equal.append((row[:, source[inside]], orders[:, inside], one(orders[:, inside])))
        equal_to = [-demand]
        equal_to[0][0] += _array(scenario.on_hand[0])
        equal_to[0][:, ~location] = 0.0
        # on hand - waiting of the next period = left - unmet (where it waits) + arrivals
        after = row + row.size
        equal += [(after, on_hand, one(row)), (after, waiting, -one(row)), (after, left, -one(row))]
        equal.append((after[:, backlogged], unmet[:, backlogged], one(after[:, backlogged])))
        arriving = np.zeros((total, nodes))
        transit = _array(scenario.in_transit[0])
        for link in range(links):
            in_time = max(total - int(lead_time[link]) + 1, 0)  # orders that arrive before the end
            equal.append((after[total - in_time :, target[link]], orders[:in_time, link], -np.ones(in_time)))
            slots = min(transit.shape[1], total)
            arriving[:slots, target[link]] += transit[link, :slots]
        arriving[:, ~location] = 0.0
        equal_to.append(arriving)

        # no more waits than waited before and is demanded now; arrivals only serve what waits; locations ship within capacity
        bounded: Entries = []
        at_most = []
        start, number = np.maximum(-_array(scenario.on_hand[0]), 0.0), 0
        if backlogged.any():
            size = total * int(backlogged.sum())
            row = np.arange(size).reshape(total, -1)
            bounded += [(row, unmet[:, backlogged], one(row)), (row[1:], waiting[:-1, backlogged], -one(row[1:]))]
            limit = np.maximum(demand[:, backlogged], 0.0)
            limit[0] += start[backlogged]
            bounded += [(row + size, waiting[:, backlogged], one(row)), (row + size, unmet[:, backlogged], -one(row))]
            at_most += [limit.ravel(), np.zeros(size)]
            number = 2 * size
        capacity = _array(graph.ship_capacity)
        limited = np.isfinite(capacity[source])
        if limited.any():
            nodes_limited = np.flatnonzero(np.isfinite(capacity))
            row = number + np.arange(total * len(nodes_limited)).reshape(total, -1)
            place = np.searchsorted(nodes_limited, source[limited])
            bounded.append((row[:, place], orders[:, limited], one(row[:, place])))
            at_most.append(np.tile(capacity[nodes_limited], total))
        return cls(
            cost,
            upper,
            equal,
            np.concatenate([part.ravel() for part in equal_to]),
            bounded,
            np.concatenate(at_most) if at_most else np.zeros(0),
            constant,
        )

    def matrices(self) -> tuple[object, object]:
        """The sparse matrices of the equalities and of the bounds; None where there is no bound."""
        equal = _sparse(self.equal, len(self.equal_to), len(self.cost))
        return equal, _sparse(self.bounded, len(self.at_most), len(self.cost)) if len(self.at_most) else None


def _sparse(parts: Entries, rows: int, columns: int) -> object:
    from scipy.sparse import csr_array

    row, column, value = (np.concatenate([part[place].ravel() for part in parts]) for place in range(3))
    return csr_array((value.astype(float), (row, column)), shape=(rows, columns))


def _array(values: Tensor) -> np.ndarray:
    return values.double().numpy().copy()
