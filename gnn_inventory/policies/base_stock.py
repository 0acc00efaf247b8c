"""Base stock, local and echelon: one level per location, trained by the same gradient or set by hand."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gnn_inventory.errors import InputError, nearest
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError, refuse_settings
from gnn_inventory.types import NodePerScenario, NodeValues

__all__ = ["BaseStock", "EchelonBaseStock"]


class BaseStock(Policy):
    """Every location orders up to its level: what it lacks of S in on hand + in transit (Arrow, Harris and Marschak 1951).

    Levels are parameters in units of the mean flow, so that one level serves every item of a panel. Where several links
    enter a location, they share its order by weights that are trained as well.

    Args:
        window: periods of past demand, W, whose mean is then the mean demand, as the window moves; 0: what is known beforehand.
    """

    _kind = "base_stock"

    def __init__(self, window: int = 0) -> None:
        super().__init__()
        self.config: dict[str, int] = {"window": window}
        refuse_settings(self._kind, self.config)
        if window == 1:
            raise InputError(f"policy {self._kind}: got window 1; expected 0, or at least 2")
        self.window = window
        self.levels = nn.Parameter(torch.zeros(0))
        self.shares = nn.Parameter(torch.zeros(0))

    def fit_to(self, graph: InventoryGraph) -> None:
        """Start at the mean demand over lead time and review period; sources share orders equally."""
        self._refuse(graph)
        self.places = tuple(graph.places)
        self.levels = nn.Parameter(self._start(graph))
        self.shares = nn.Parameter(torch.zeros(graph.links if bool((graph.inbound > 1).any()) else 0))

    def set_levels(self, graph: InventoryGraph, levels: Mapping[str, float]) -> None:
        """Set the level of each location by name [S, units], on a graph whose mean demand is known.

        Raises:
            InputError: a location without a level, or a level of what is no location, or that is no finite number; demand that the
                network does not state, as with a panel of sales.
        """
        given = self._in_flows(graph, levels, "level")
        self.fit_to(graph)
        self.levels = nn.Parameter(given)

    def _in_flows(self, graph: InventoryGraph, given: Mapping[str, float], what: str) -> Tensor:
        """What is given of each location by name [units], in units of the mean flow, in the graph's order; 0 for suppliers."""
        flow, _ = graph.flows(graph.mean_demand.unsqueeze(0))
        unknown = graph.has_demand & (graph.mean_demand == 0)
        if bool(unknown.any()):
            where = graph.labels[int(unknown.nonzero()[0])]
            raise InputError(
                f"policy {self._kind}: {what}: location '{where}' states no mean demand, as on a panel of sales, and parameters are in "
                "units of it; train the policy"
            )
        return self._by_name(graph, given, what).to(flow.dtype) / flow.squeeze(0)

    def _by_name(self, graph: InventoryGraph, given: Mapping[str, float], what: str) -> Tensor:
        """What is given of each location by name, in the graph's order; 0 for suppliers."""
        suppliers = graph.is_supplier.tolist()
        locations = [label for label, supplier in zip(graph.labels, suppliers, strict=True) if not supplier]
        where = f"policy {self._kind}: {what}"
        problems = [f"{where}: unknown location '{name}'; {nearest(name, locations)}" for name in set(given) - set(locations)]
        problems += [f"{where}: missing for location '{label}'" for label in locations if label not in given]
        problems += [
            f"{where}: location '{name}': got {value}; expected a finite number"
            for name, value in given.items()
            if not math.isfinite(value)
        ]
        if problems:
            raise InputError(sorted(problems))
        return torch.tensor([given.get(label, 0.0) for label in graph.labels])

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        self._refuse(graph)
        self.refuse_other_places(graph)
        fixed, most = None if self.window else self.levels * known.node_flow, self._most(known)
        if len(self.shares):
            weights = self.shares.exp()
            total = weights.new_zeros(graph.nodes).index_add(0, graph.target, weights)
            share = weights / total[graph.target]
        else:
            share = torch.ones_like(graph.lead_time)

        def decide(seen: Observation) -> Desired:
            levels = self.levels * known.from_past(graph, seen.past_demand).node_flow if fixed is None else fixed
            lacking = (levels - self._position(graph, seen)).clamp_min(0.0)
            lacking = lacking if most is None else lacking.minimum(most)
            return Desired(lacking[:, graph.target] * share)

        return decide

    def _most(self, known: Known) -> NodeValues | None:
        """The most that each location orders in a period [1 or B, N], units; None where nothing limits it."""
        return None

    def _start(self, graph: InventoryGraph) -> Tensor:
        lead_time = torch.zeros(graph.nodes).scatter_reduce(0, graph.target, graph.lead_time, "amax")
        return lead_time + 1.0

    def _refuse(self, graph: InventoryGraph) -> None:
        if not bool(graph.holds_stock.all()):
            names = [graph.labels[node] for node in (~graph.holds_stock).nonzero().flatten().tolist()]
            raise UnsupportedNetworkError(
                f"policy {self._kind}: got location '{names[0]}', which cannot hold stock, so its own position says nothing; "
                "use echelon_base_stock"
            )

    def _own_position(self, graph: InventoryGraph, seen: Observation) -> NodePerScenario:
        """On hand and on its way to each location."""
        return seen.on_hand.index_add(1, graph.target, seen.in_transit.sum(-1))

    def _position(self, graph: InventoryGraph, seen: Observation) -> NodePerScenario:
        """What is held against the level."""
        return self._own_position(graph, seen)


class EchelonBaseStock(BaseStock):
    """Every location orders up to an echelon level: the position of itself and all it supplies (Clark and Scarf 1960)."""

    _kind = "echelon_base_stock"

    def _start(self, graph: InventoryGraph) -> Tensor:
        """Mean demand over the time that goods need from order to the customers below, and one period for each with demand."""
        level = torch.zeros(graph.nodes)
        for _ in range(int(graph.depth)):
            below = torch.zeros(graph.nodes).scatter_reduce(0, graph.source, level[graph.target], "amax")
            own = torch.zeros(graph.nodes).scatter_reduce(0, graph.target, graph.lead_time, "amax")
            level = below + own + graph.has_demand
        return level

    def _refuse(self, graph: InventoryGraph) -> None:
        if bool((graph.inbound > 1).any()):
            name = graph.labels[int((graph.inbound > 1).nonzero()[0])]
            raise UnsupportedNetworkError(
                f"policy {self._kind}: got location '{name}' with several sources, whose stock then belongs to no "
                "one echelon; expected one link into each location; use base_stock or message_passing"
            )

    def _position(self, graph: InventoryGraph, seen: Observation) -> NodePerScenario:
        own = self._own_position(graph, seen)
        echelon = own
        for _ in range(int(graph.depth) - 1):
            echelon = own.index_add(1, graph.source, echelon[:, graph.target])
        return echelon
