"""What references ask of a network: values that all scenarios share, the one link into a location, demand on a grid."""

from math import erf, sqrt

import numpy as np

from gnn_inventory.demand.distributions import cumulative
from gnn_inventory.topology.network import Network
from gnn_inventory.topology.schema import Link, Location, Normal, PerScenario

__all__ = ["demand_grid", "link_into", "number", "of_periods", "shared_only"]

DIRECT = 16384
"""Values of a sum of demands up to which it is convolved term by term, to the last digit; beyond, by Fourier transforms."""


def number(value: float | PerScenario | None) -> float:
    """A value that all scenarios share."""
    assert not isinstance(value, PerScenario)
    return float(value or 0.0)


def link_into(network: Network, name: str) -> Link:
    """The one link into a location."""
    return next(found for (_, target), found in network.links.items() if target == name)


def shared_only(network: Network) -> bool:
    """Whether all scenarios share costs and lead times, and nothing limits what is ordered or shipped."""
    locations = [node for node in network.nodes.values() if isinstance(node, Location)]
    links = list(network.links.values())
    values = [value for node in locations for value in (node.holding_cost, node.underage_cost, node.price)]
    values += [value for link in links for value in (link.lead_time, link.unit_cost, link.fixed_cost)]
    limits = [node.capacity for node in locations] + [limit for link in links for limit in (link.capacity, link.minimum_order)]
    return not any(isinstance(value, PerScenario) for value in values) and all(limit is None for limit in limits)


def of_periods(probabilities: np.ndarray, periods: int) -> np.ndarray:
    """The probabilities of the demand of several independent periods."""
    length = (len(probabilities) - 1) * periods + 1
    if length <= DIRECT:
        total = np.array([1.0])
        for _ in range(periods):
            total = np.convolve(total, probabilities)
        return total
    size = 1 << int(np.ceil(np.log2(length + 1)))
    return np.maximum(np.fft.irfft(np.fft.rfft(probabilities, size) ** periods, size)[:length], 0.0)


def demand_grid(store: Location, cells: int) -> tuple[float, np.ndarray]:
    """Width of a cell and the probabilities of demand 0, width, 2 width, ... (or of whole units).

    Args:
        store: with normal demand clipped at 0, or discrete demand.
        cells: per unit of standard deviation of the normal demand.
    """
    distribution = store.distribution
    if isinstance(distribution, Normal):
        std = max(distribution.std, 1e-9)
        step = std / cells
        count = int(np.ceil((distribution.mean + 9 * distribution.std) / step))
        edges = (np.arange(count + 1) + 0.5) * step
        below = np.array([0.5 * (1 + erf((edge - distribution.mean) / std / sqrt(2))) for edge in edges])
        return step, np.diff(below, prepend=0.0) / below[-1]
    table = cumulative(distribution)
    assert table is not None
    probabilities = np.trim_zeros(np.diff(table.numpy(), prepend=0.0), "b")
    return 1.0, probabilities / probabilities.sum()
