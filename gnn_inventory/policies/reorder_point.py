"""(s, S): order up to S once the position is at s or below; the decision to order is smoothed so that it has a gradient."""

from collections.abc import Mapping

import torch
from torch import nn

from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation
from gnn_inventory.policies.base_stock import BaseStock
from gnn_inventory.policies.lumps import ROUNDING, decided

__all__ = ["ReorderPoint"]

SMOOTHING = 0.1
"""Width of the smoothed decision, in units of the mean flow."""


class ReorderPoint(BaseStock):
    """Every location whose position is at or below s orders up to S (Arrow, Harris and Marschak 1951; Scarf 1960).

    In training the decision to order is a probability, sigmoid((s - position) / width), that multiplies the order; in use it
    is made: the order is placed where that is at least one half. On a network with fixed costs, where half an order for half the
    cost would be worth having, it is made in training too, and its gradient goes straight through (`decided`). S and S - s are
    parameters in units of the mean flow.
    """

    _kind = "reorder_point"

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.gaps = nn.Parameter(torch.zeros(0))

    def fit_to(self, graph: InventoryGraph) -> None:
        """Start at the mean demand over lead time and review period, ordering once half a period's demand is lacking."""
        super().fit_to(graph)
        self.gaps = nn.Parameter(torch.full((graph.nodes,), 0.5))

    def set_points(self, graph: InventoryGraph, points: Mapping[str, float], levels: Mapping[str, float]) -> None:
        """Set the reorder point s and the level S of each location by name [units], on a graph whose mean demand is known.

        Raises:
            InputError: as `set_levels`; a point above its level.
        """
        gaps = self._in_flows(graph, levels, "level") - self._in_flows(graph, points, "point")
        above = [name for name in points if points[name] > levels[name]]
        if above:
            raise InputError(
                f"policy {self._kind}: location '{name}': got s {points[name]}, S {levels[name]}; expected s at most S"
                for name in above
            )
        self.set_levels(graph, levels)
        self.gaps = nn.Parameter(gaps)

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        up_to_level = super().start(graph, known)
        gaps = self.gaps.clamp_min(0.0)
        points = self.levels - gaps
        fixed_costs = bool((known.parameters.fixed_cost != 0).any())

        def decide(seen: Observation) -> Desired:
            position, orders = self._position(graph, seen) / known.node_flow, up_to_level(seen).orders
            if fixed_costs:
                placed = decided(self.levels - position, gaps)[:, graph.target]
                return Desired(orders * placed, placed=placed)
            below = points - position
            at_most = below >= -ROUNDING * (1.0 + gaps)
            placed = torch.sigmoid(below / SMOOTHING) if self.training else at_most.to(below.dtype)
            return Desired(orders * placed[:, graph.target])

        return decide
