"""Exact optima and bounds: code without learning, each with its source.

Costs are long-run means per period of the whole network, in the timing of this library's simulator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import erf, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from gnn_inventory.demand.distributions import cumulative
from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import Link, Location, NegativeBinomial, Normal, PerScenario, Poisson, Supplier

__all__ = ["PERFECT_INFORMATION", "Reference", "perfect_information", "reference_of", "serial_optimum", "transshipment_bound"]

PERFECT_INFORMATION = "perfect information on these scenarios: sells all, holds nothing, buys on the cheapest path"


@dataclass(frozen=True)
class Reference:
    """A yardstick.

    Attributes:
        kind: `optimum`, `lower_bound` (no policy can cost less) or `best_known`.
        value: cost per period of the whole network, money.
        source: where the method comes from.
        levels: echelon base-stock levels by location, where the optimum has them [units].
    """

    kind: Literal["optimum", "lower_bound", "best_known"]
    value: float
    source: str
    levels: dict[str, float] | None = None


def reference_of(network: Network) -> Reference | None:
    """The reference of a network whose optimum or bound is known from its parameters alone; None elsewhere."""
    locations = [node for node in network.nodes.values() if isinstance(node, Location)]
    links = list(network.links.values())
    values = [value for node in locations for value in (node.holding_cost, node.underage_cost, node.price)]
    values += [value for link in links for value in (link.lead_time, link.unit_cost)]
    capacities = [node.capacity for node in locations] + [link.capacity for link in links]
    if any(isinstance(value, PerScenario) for value in values) or any(c is not None for c in capacities):
        return None
    if any(node.price != 0 or node.unmet_demand == "lost" for node in locations) or any(link.unit_cost != 0 for link in links):
        return None
    chain = _chain(network)
    if chain is not None:
        holding = [0.0, *(_number(network.location(name).holding_cost) for name in chain)]
        demand = network.location(chain[-1]).distribution
        known = isinstance(demand, Poisson | NegativeBinomial) or (isinstance(demand, Normal) and demand.clip)
        if not known or any(below <= above for above, below in pairwise(holding)):
            return None  # stock costs more the closer it is to customers: only then is an echelon policy optimal
        return serial_optimum(network, chain)
    if len(locations) == len(network.customers) + 1:
        return transshipment_bound(network)
    return None


def serial_optimum(network: Network, chain: list[str], cells: int = 40) -> Reference:
    """Optimal cost and echelon levels of a serial system with backlogging (Clark and Scarf 1960), on a grid.

    With echelon holding costs h_j (installation cost minus that of the location upstream), G_1 is built from the customer
    upwards: G_j(y) = E[h_j (y - D_{L_j + 1}) + penalty_j(y - D_{L_j})], its minimum is the level S_j, and what falls short
    of S_j is the penalty of the location above: G_j(min(y, S_j)) - G_j(S_j). A location pays for what is left after shipments,
    that is the echelon stock at the end of the period, of itself and all below, goods in transit left out.

    Args:
        network: serial, backlogged, no unit costs.
        chain: its locations, the customer's last.
        cells: grid cells per unit of demand's standard deviation.
    """
    store = network.location(chain[-1])
    step, probabilities = _demand_grid(store, cells)
    mean = float(np.arange(len(probabilities)) @ probabilities * step)
    lead_times = [int(_number(_into(network, name).lead_time)) for name in chain]
    holding = [_number(network.location(name).holding_cost) for name in chain]
    total = sum(lead_times) + len(chain) + 1
    spread = float(np.sqrt((np.arange(len(probabilities)) * step - mean) ** 2 @ probabilities))
    high = mean * total + 12 * spread * np.sqrt(total)
    low = -mean * total - 12 * spread * np.sqrt(total) - len(probabilities) * step
    position = np.arange(np.floor(low / step), np.ceil(high / step)) * step
    penalty = np.zeros_like(position)
    levels, value, constant = {}, 0.0, 0.0
    for place in range(len(chain) - 1, -1, -1):
        above = holding[place - 1] if place else 0.0
        lead_time = lead_times[place]
        at_end = _after(probabilities, lead_time + 1)
        before = _after(probabilities, lead_time)
        if place == len(chain) - 1:
            backlog_cost = _number(store.underage_cost) + holding[place]
            cost = at_end((holding[place] - above) * position + backlog_cost * np.maximum(-position, 0.0))
        else:
            cost = at_end((holding[place] - above) * position) + before(penalty)
        best = int(np.argmin(cost))
        levels[chain[place]] = float(position[best])
        value = float(cost[best])
        penalty = np.where(np.arange(len(position)) < best, cost - value, 0.0)
        constant += value
    # goods in transit to the next location are in the echelon of the ones above, but nobody is charged for them
    transit = sum(holding[place] * mean * lead_times[place + 1] for place in range(len(chain) - 1))
    source = "Clark and Scarf (1960), on a grid" if len(chain) > 1 else "base stock by numeric convolution (Arrow et al. 1951)"
    return Reference("optimum", constant - transit, source, levels)


def transshipment_bound(network: Network) -> Reference | None:
    """Lower bound of Federgruen and Zipkin (1984): stores are pooled after the warehouse that cannot hold stock.

    (h + p) phi(z) tau with z = Phi^-1(p / (p + h)), tau^2 = (L_store + 1) (sum of sd)^2 + L_warehouse Var(total demand). For
    normal demand that is not clipped, equal costs and lead times; None elsewhere.
    """
    hubs = [name for name, node in network.nodes.items() if isinstance(node, Location) and node.demand is None]
    hub = hubs[0]
    stores = [network.location(name) for name in network.customers]
    links = [network.links.get((hub, name)) for name in network.customers]
    normal = [store.distribution for store in stores if isinstance(store.distribution, Normal) and not store.distribution.clip]
    if network.location(hub).holds_stock or len(normal) < len(stores):
        return None
    if (
        None in links
        or len({(s.holding_cost, s.underage_cost) for s in stores}) > 1
        or len({k.lead_time for k in links if k}) > 1
    ):
        return None
    deviations = np.array([item.std for item in normal])
    variance = float(deviations @ network.correlation @ deviations)
    store_lead_time, hub_lead_time = (
        _number(network.links[hub, network.customers[0]].lead_time),
        _number(_into(network, hub).lead_time),
    )
    tau = np.sqrt((store_lead_time + 1) * deviations.sum() ** 2 + hub_lead_time * variance)
    holding, underage = _number(stores[0].holding_cost), _number(stores[0].underage_cost)
    quantile = NormalDist().inv_cdf(underage / (underage + holding))
    value = (holding + underage) * NormalDist().pdf(quantile) * tau
    return Reference("lower_bound", float(value), "Federgruen and Zipkin (1984) relaxation")


def perfect_information(graph: InventoryGraph, scenarios: Scenarios, warm_up: int) -> float:
    """What no policy can beat: every unit of demand is served from the cheapest path, or refused where that costs less.

    Nothing is held and nothing comes late. Per unit sold: unit costs along the cheapest path minus price; per unit refused:
    the underage cost once. Mean over scenarios and the periods after the warm-up. Valid for the long run: what is in the
    system at the start of the counted periods has been paid before.
    """
    parameters = scenarios.parameters
    path = parameters.unit_cost.new_zeros(max(len(parameters.unit_cost), 1), graph.nodes)
    for _ in range(int(graph.depth)):
        offer = path[:, graph.source] + parameters.unit_cost
        index = graph.target.expand_as(offer)
        path = path.scatter_reduce(1, index, offer, "amin", include_self=False)
    per_unit = (path - parameters.price).minimum(parameters.underage_cost)
    cost = (scenarios.demand[:, warm_up:] * per_unit.unsqueeze(1)).sum(2).double()
    return float(cost.mean())


def _chain(network: Network) -> list[str] | None:
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


def _number(value: float | PerScenario | None) -> float:
    """A value that all scenarios share."""
    assert not isinstance(value, PerScenario)
    return float(value or 0.0)


def _into(network: Network, name: str) -> Link:
    return next(found for (_, target), found in network.links.items() if target == name)


def _demand_grid(store: Location, cells: int) -> tuple[float, np.ndarray]:
    """Width of a cell and the probabilities of demand 0, width, 2 width, ... (or of whole units)."""
    distribution = store.distribution
    if isinstance(distribution, Normal):
        step = max(distribution.std, 1e-9) / cells
        count = int(np.ceil((distribution.mean + 9 * distribution.std) / step))
        edges = (np.arange(count + 1) + 0.5) * step
        cdf = np.array([0.5 * (1 + erf((edge - distribution.mean) / max(distribution.std, 1e-9) / sqrt(2))) for edge in edges])
        return step, np.diff(cdf, prepend=0.0) / cdf[-1]
    table = cumulative(distribution)
    assert table is not None
    probabilities = np.diff(table.numpy(), prepend=0.0)
    return 1.0, probabilities / probabilities.sum()


def _after(probabilities: np.ndarray, periods: int) -> Callable[[np.ndarray], np.ndarray]:
    """The operator f -> E[f(position - demand of `periods` periods)] on the grid, its ends continued linearly."""
    total = np.array([1.0])
    for _ in range(periods):
        total = np.convolve(total, probabilities)
    last = len(total) - 1

    def expect(values: np.ndarray) -> np.ndarray:
        slope = values[1] - values[0]
        extended = np.concatenate([values[0] - slope * np.arange(last, 0, -1), values])
        size = 1 << int(np.ceil(np.log2(len(extended) + len(total))))
        product = np.fft.irfft(np.fft.rfft(extended, size) * np.fft.rfft(total, size), size)
        return product[last : last + len(values)]

    return expect
