"""Scenarios: what happens to a network, drawn beforehand, so that every policy can face the same."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gnn_inventory.errors import InputError, nearest
from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.topology.network import Network, parse_network
from gnn_inventory.types import Float, NodePerScenario, NodeValues, Past, Transit, Window

__all__ = [
    "BLOCK",
    "STREAMS",
    "ScenarioSource",
    "Scenarios",
    "checked",
    "generator",
    "initial_values",
    "mean_seen",
    "side_by_side",
]

BLOCK = 64
"""Scenarios, and periods, that are drawn at once; a scenario's values do not depend on what is drawn beside it."""
STREAMS = {"train": 0, "dev": 1, "test": 2}
"""The same seed gives different scenarios in each of these."""


@dataclass(frozen=True)
class Scenarios:
    """A batch of sampled paths.

    Attributes:
        demand: D, units per period [B, T, N]; 0 at nodes without demand.
        mean_demand: what is known of the mean beforehand, units per period [1 or B, N].
        std_demand: what is known of the standard deviation beforehand [1 or B, N].
        on_hand: initial stock [B, N].
        in_transit: initially on the way [B, E, L].
        parameters: costs and lead times.
        history: demand before the first period [B, W, N], oldest first.
        calendar: what the calendar says of each period [T, F].
    """

    demand: Window
    mean_demand: NodeValues
    std_demand: NodeValues
    on_hand: NodePerScenario
    in_transit: Transit
    parameters: Parameters
    history: Past
    calendar: Float[Tensor, "period channel"]

    def __len__(self) -> int:
        return len(self.demand)

    @property
    def periods(self) -> int:
        """T."""
        return self.demand.shape[1]

    def __getitem__(self, rows: Tensor) -> "Scenarios":
        """Some of the scenarios."""
        return replace(
            self,
            demand=self.demand[rows],
            mean_demand=self.mean_demand if len(self.mean_demand) == 1 else self.mean_demand[rows],
            std_demand=self.std_demand if len(self.std_demand) == 1 else self.std_demand[rows],
            on_hand=self.on_hand[rows],
            in_transit=self.in_transit[rows],
            parameters=self.parameters[rows],
            history=self.history[rows],
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> "Scenarios":
        """The same scenarios on a device and in a precision."""
        moved = {name: value.to(device, dtype) for name, value in vars(self).items() if isinstance(value, Tensor)}
        parameters = Parameters(**{name: value.to(device, dtype) for name, value in vars(self.parameters).items()})
        return Scenarios(**moved, parameters=parameters)


def side_by_side(parts: Sequence[Scenarios]) -> Scenarios:
    """Equally many scenarios of several networks as scenarios of their union (`InventoryGraph.union`), B of each beside B of
    the others; without a calendar, and equally long.
    """
    slots = max(part.in_transit.shape[2] for part in parts)
    size = len(parts[0])

    def joined(values: Iterable[Tensor], axis: int = 1) -> Tensor:
        tensors = list(values)
        rows = max(map(len, tensors))
        return torch.cat([tensor.expand(rows, *tensor.shape[1:]) for tensor in tensors], axis)

    names = vars(parts[0].parameters)
    return Scenarios(
        demand=joined((part.demand for part in parts), 2),
        mean_demand=joined(part.mean_demand for part in parts),
        std_demand=joined(part.std_demand for part in parts),
        on_hand=joined(part.on_hand for part in parts),
        in_transit=joined(functional.pad(part.in_transit, (0, slots - part.in_transit.shape[2])) for part in parts),
        parameters=Parameters(**{name: joined(getattr(part.parameters, name) for part in parts) for name in names}),
        history=torch.zeros(size, 0, sum(part.demand.shape[2] for part in parts)),
        calendar=torch.zeros(parts[0].periods, 0),
    )


def checked(network: nx.DiGraph | Network, stream: str, seed: int) -> Network:
    """The parsed network of a source, whose stream and seed there are.

    Raises:
        InputError: the network is not valid; no such stream or seed.
    """
    if stream not in STREAMS:
        raise InputError(f"stream: got {stream!r}; {nearest(stream, STREAMS)}")
    if seed < 0:
        raise InputError(f"seed: got {seed}; expected an integer >= 0")
    return network if isinstance(network, Network) else parse_network(network)


class ScenarioSource(ABC):
    """Where scenarios come from.

    Attributes:
        graph: the network that they happen to.
        count: how many scenarios there are; None where they can be drawn without end.
        periods: how many can be simulated; None where they go on without end.
        fingerprint: of the data that a recipe names but does not hold; empty where there are none.
    """

    graph: InventoryGraph
    count: int | None = None
    periods: int | None = None
    fingerprint: str = ""

    @abstractmethod
    def sample(self, first: int, last: int, periods: int, start: int = 0) -> Scenarios:
        """Scenarios `first` to `last - 1` over `periods` periods from period `start` on."""


def generator(*key: int) -> torch.Generator:
    """An explicit generator for a key of integers; different keys give independent streams (numpy's SeedSequence).

    torch's generator takes 32 bits of a seed: any two of n keys have the same stream with a chance of about n² / 2³³.
    """
    words = np.random.SeedSequence(key).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 31 ^ int(words[1]))


def mean_seen(past: Past, has_demand: Tensor) -> NodeValues:
    """Mean of past demand [B, N]; a series without a sale gets the smallest mean of whole units that could have been seen, 1 / periods."""
    periods = max(past.shape[1], 1)
    mean = past.sum(1) / periods
    return torch.where(mean > 0, mean, 1.0 / periods) * has_demand


def initial_values(
    graph: InventoryGraph, seed: int, stream: int, first: int, last: int, mean_demand: NodeValues
) -> tuple[NodePerScenario, Transit, Parameters]:
    """Initial stock, initial goods in transit and parameters of scenarios `first` to `last - 1`.

    What all scenarios share is not drawn; what a scenario draws depends on seed, stream and its number alone.
    """
    size, slots = last - first, graph.slots
    node_flow, link_flow = graph.flows(mean_demand)
    unit_stock = torch.where(graph.initial_stock_by_flow, node_flow, 1.0)
    unit_transit = torch.where(graph.initial_in_transit_by_flow, link_flow, 1.0)
    stock, lead = torch.empty(size, graph.nodes), torch.empty(size, graph.links)
    transit = torch.empty(size, graph.links, slots)
    costs = {name: torch.empty(size, graph.nodes) for name in ("holding_cost", "underage_cost", "price")}
    unit_cost, fixed_cost = torch.empty(size, graph.links), torch.zeros(size, graph.links)
    fixed_costs_differ = bool(graph.fixed_cost_span.any())
    for block, rows, inside in blocks(first, last):
        random = generator(seed, stream, 1, block)
        stock[rows] = torch.rand(BLOCK, graph.nodes, generator=random)[inside]
        transit[rows] = torch.rand(BLOCK, graph.links, slots, generator=random)[inside]
        lead[rows] = torch.rand(BLOCK, graph.links, generator=random)[inside]
        unit_cost[rows] = torch.rand(BLOCK, graph.links, generator=random)[inside]
        for value in costs.values():
            value[rows] = torch.rand(BLOCK, graph.nodes, generator=random)[inside]
        if fixed_costs_differ:
            fixed_cost[rows] = torch.rand(BLOCK, graph.links, generator=random)[inside]
    stock = _drawn(graph, "initial_stock", stock) * unit_stock
    shared = graph.parameters()
    parameters = Parameters(
        **{name: _parameter(graph, name, draw) for name, draw in costs.items()},
        unit_cost=_parameter(graph, "unit_cost", unit_cost),
        fixed_cost=_parameter(graph, "fixed_cost", fixed_cost),
        lead_time=shared.lead_time
        if not graph.lead_time_span.any()
        else graph.lead_time + ((graph.lead_time_span + 1) * lead).floor().clamp(max=graph.lead_time_span),
    )
    before_arrival = torch.arange(slots) < parameters.lead_time.unsqueeze(-1) - 1
    transit = _drawn(graph, "initial_in_transit", transit) * unit_transit.unsqueeze(-1) * before_arrival
    return stock, transit, parameters


def _drawn(graph: InventoryGraph, name: str, draw: Tensor) -> Tensor:
    """Values of an attribute from uniform draws in [0, 1]: [B, N], [B, E] or [B, E, L]."""
    shape = (-1,) + (1,) * (draw.dim() - 2)
    low, span, log = (getattr(graph, f"{name}{part}").reshape(shape) for part in ("", "_span", "_log"))
    ratio = torch.where(log, (low + span) / low, 1.0)
    return torch.where(log, low * ratio**draw, low + span * draw)


def _parameter(graph: InventoryGraph, name: str, draw: Tensor) -> Tensor:
    """The same; one row where all scenarios share the values."""
    return _drawn(graph, name, draw if getattr(graph, f"{name}_span").any() else draw[:1])


def blocks(first: int, last: int) -> list[tuple[int, slice, slice]]:
    """The blocks that hold `first` to `last - 1`: number, where its part goes, and which part of the block that is."""
    found = []
    for block in range(first // BLOCK, -(-last // BLOCK)):
        low, high = max(first, block * BLOCK), min(last, (block + 1) * BLOCK)
        found.append((block, slice(low - first, high - first), slice(low - block * BLOCK, high - block * BLOCK)))
    return found
