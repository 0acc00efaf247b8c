"""A policy of one location written as a table: what a dynamic programme finds."""

import numpy as np
import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy
from gnn_inventory.rollout import costs
from gnn_inventory.types import PerPeriod

__all__ = ["Table", "table_costs"]


class Table(Policy):
    """Orders of one location by (on hand, what arrives after 1, 2, ... L - 1 more periods), in whole units.

    A state beyond the table, as the initial one may be, is taken for its edge; parts of a unit are left out.

    Args:
        orders: [x, z_1, ..., z_{L-1}], whole units.
    """

    def __init__(self, orders: np.ndarray) -> None:
        super().__init__()
        self.orders = torch.nn.Parameter(torch.from_numpy(orders.astype(np.float32)), requires_grad=False)

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        store = int(graph.has_demand.nonzero())
        sizes = torch.tensor(self.orders.shape) - 1

        def decide(seen: Observation) -> Desired:
            state = torch.cat([seen.on_hand[:, [store]], seen.in_transit[:, 0]], dim=1)
            place = (state + 1e-3).floor().long().clamp_min(0).minimum(sizes)
            return Desired(self.orders[tuple(place.t())].unsqueeze(1))

        return decide


@torch.no_grad()
def table_costs(orders: np.ndarray, graph: InventoryGraph, scenarios: Scenarios) -> PerPeriod:
    """Cost of a table of orders per scenario and period [B, T]."""
    return costs(Table(orders), graph, scenarios, whole=True)
