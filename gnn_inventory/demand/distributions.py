"""Scenarios from distributions: normal, Poisson and negative binomial, correlated by a Gaussian copula."""

import copy
import math

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import BLOCK, STREAMS, Scenarios, ScenarioSource, blocks, checked, generator, initial_values
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network, is_panel
from gnn_inventory.topology.schema import NegativeBinomial, Normal, Poisson

__all__ = ["SyntheticDemand", "cumulative"]

TAIL = 1e-12
"""Probability beyond the largest value of a discrete distribution's table."""


class SyntheticDemand(ScenarioSource):
    """Draws demand, independent over periods, as the network's locations state it.

    The same seed and stream give the same scenarios, whatever the number drawn at once; more periods extend them.

    Args:
        network: the network.
        seed: of the scenarios, an integer >= 0.
        stream: "train", "dev" or "test": the same seed gives other scenarios in each.

    Raises:
        InputError: the network is not valid, or its demand is a panel of sales; no such stream or seed.
    """

    def __init__(self, network: nx.DiGraph | Network, seed: int, stream: str) -> None:
        network = checked(network, stream, seed)
        if is_panel(network):
            raise InputError(
                f"{network.name}: demand is a panel of sales; name it in a recipe of that network, or by transfer --set demand.panel=FILE (and demand.windows where the recipe has none)"
            )
        self.graph = InventoryGraph.from_network(network)
        self._key = (seed, STREAMS[stream])
        column = {name: number for number, name in enumerate(network.nodes)}
        self._columns = torch.tensor([column[name] for name in network.customers], dtype=torch.int64)
        groups: dict[object, list[int]] = {}
        for number, name in enumerate(network.customers):
            groups.setdefault(network.location(name).distribution, []).append(number)
        normal = [(number, item) for item, numbers in groups.items() if isinstance(item, Normal) for number in numbers]
        self._normal = torch.tensor([number for number, _ in normal], dtype=torch.int64)
        self._mean, self._std = (
            torch.tensor([getattr(item, field) for _, item in normal], dtype=torch.float64) for field in ("mean", "std")
        )
        self._lowest = torch.tensor([0.0 if item.clip else -math.inf for _, item in normal], dtype=torch.float64)
        tables = [(cumulative(item), torch.tensor(numbers)) for item, numbers in groups.items()]
        self._discrete = [(table, numbers) for table, numbers in tables if table is not None]
        correlation = network.correlation
        self._factor = None if correlation is None else torch.tensor(np.linalg.cholesky(correlation), dtype=torch.float64)

    def seeded(self, seed: int) -> "SyntheticDemand":
        """The same demand and stream, drawn from another seed."""
        other = copy.copy(self)
        other._key = (seed, self._key[1])
        return other

    def sample(self, first: int, last: int, periods: int, start: int = 0) -> Scenarios:
        """Scenarios `first` to `last - 1` over `periods` periods from period `start` on."""
        size = last - first
        demand = torch.zeros(size, periods, self.graph.nodes)
        for row_block, rows, in_rows in blocks(first, last):
            for period_block, columns, in_columns in blocks(start, start + periods):
                random = generator(*self._key, 0, row_block, period_block)
                # the first rows of a block: torch fills a tensor from the front
                noise = torch.randn(in_rows.stop, BLOCK, len(self._columns), dtype=torch.float64, generator=random)
                drawn = self._values(noise[in_rows, in_columns])
                demand[rows, columns, self._columns] = drawn
        mean = self.graph.mean_demand.unsqueeze(0)
        on_hand, in_transit, parameters = initial_values(self.graph, *self._key, first, last, mean)
        return Scenarios(
            demand=demand,
            mean_demand=mean,
            std_demand=self.graph.std_demand.unsqueeze(0),
            on_hand=on_hand,
            in_transit=in_transit,
            parameters=parameters,
            history=torch.zeros(size, 0, self.graph.nodes),
            calendar=torch.zeros(periods, 0),
        )

    def _values(self, noise: Tensor) -> Tensor:
        """Demand [.., C] from independent standard normal variables [.., C]."""
        if self._factor is not None:
            noise = noise @ self._factor.t()
        values = torch.empty(noise.shape, dtype=torch.float32)
        normal = torch.maximum(self._mean + self._std * noise[..., self._normal], self._lowest)
        values[..., self._normal] = normal.to(torch.float32)
        for table, columns in self._discrete:  # locations of the same distribution together
            chances = torch.special.ndtr(noise[..., columns]).contiguous()
            values[..., columns] = torch.searchsorted(table, chances).to(torch.float32)
        return values


def cumulative(distribution: object) -> Tensor | None:
    """Cumulative probabilities P(D <= 0), P(D <= 1), ... of a discrete distribution, up to a tail of `TAIL`."""
    if isinstance(distribution, Poisson):
        mean, std = distribution.mean, math.sqrt(distribution.mean)
    elif isinstance(distribution, NegativeBinomial):
        mean = distribution.successes * (1 - distribution.probability) / distribution.probability
        std = math.sqrt(mean / distribution.probability)
    else:
        return None
    size = 64
    while True:
        values = torch.arange(size, dtype=torch.float64)
        if isinstance(distribution, Poisson):
            log = torch.xlogy(values, torch.tensor(mean, dtype=torch.float64)) - mean - torch.lgamma(values + 1)
        else:
            successes = torch.tensor(distribution.successes, dtype=torch.float64)
            log = torch.lgamma(values + successes) - torch.lgamma(successes) - torch.lgamma(values + 1)
            log = log + successes * math.log(distribution.probability)
            log = log + torch.xlogy(values, torch.tensor(1 - distribution.probability, dtype=torch.float64))
        cumulative = log.exp().cumsum(0)
        if 1 - float(cumulative[-1]) < TAIL or size > mean + 60 * std + 64:
            return cumulative
        size *= 2
