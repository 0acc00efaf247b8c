"""Base stock with a cap on every order: what is near the best for lost sales and long lead times."""

from collections.abc import Mapping

import torch
from torch import nn

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known
from gnn_inventory.policies.base_stock import BaseStock
from gnn_inventory.types import NodeValues

__all__ = ["CappedBaseStock"]


class CappedBaseStock(BaseStock):
    """Every location orders up to its level S, but no more than its cap r in a period: min((S - position)+, r) (Xin 2021); of all
    its sources together.

    Level and cap are parameters in units of the mean flow.
    """

    _kind = "capped_base_stock"

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.caps = nn.Parameter(torch.zeros(0))

    def fit_to(self, graph: InventoryGraph) -> None:
        """Start at the mean demand over lead time and review period, and a cap of one and a half times the mean."""
        super().fit_to(graph)
        self.caps = nn.Parameter(torch.full((graph.nodes,), 1.5))

    def set_caps(self, graph: InventoryGraph, caps: Mapping[str, float]) -> None:
        """Set the cap of each location by name [r, units], after its level: `set_levels` starts them anew.

        Raises:
            InputError: as `set_levels`.
        """
        given = self._in_flows(graph, caps, "cap")
        self.refuse_other_places(graph)
        self.caps = nn.Parameter(given)

    def _most(self, known: Known) -> NodeValues:
        return self.caps.clamp_min(0.0) * known.node_flow
