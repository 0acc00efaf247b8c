"""Whether to order at all: what a fixed cost per order asks of a policy, decided in use and in training alike."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnn_inventory.allocation import straight_through
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known
from gnn_inventory.types import Float, LinkPerScenario, LinkValues

__all__ = ["LumpSizes", "Lumps", "decided"]

SMOOTHING = 0.7
"""Width of the decision's gradient, in units of the mean flow: most of what a position loses in a period."""
LARGEST = 100.0
"""Periods of mean demand beyond which no order goes, where next to nothing is charged for holding."""


def decided(lacking: Float[Tensor, "scenario _"]) -> Float[Tensor, "scenario _"]:
    """1 where an order is placed, since what is lacking of the reorder point is at least 0; else 0. The gradient goes straight
    through: that of the probability sigmoid(lacking / width) (Bengio, Leonard and Courville 2013).

    Args:
        lacking: reorder point less position, in units of the mean flow, per node or link.
    """
    return straight_through((lacking >= 0).to(lacking.dtype), torch.sigmoid(lacking / SMOOTHING))


@dataclass(frozen=True)
class LumpSizes:
    """What theory says of orders with a fixed cost, each [b, E].

    Attributes:
        size: economic order quantity with waiting demand, sqrt(2 K / flow (1 / h + 1 / p)), in units of the link's mean flow
            (Harris 1913); 0 where there is no fixed cost. p and price count together, of the customers below, weighted by flow.
        above: part of it by which S lies above the base-stock level, p / (p + h); s lies below it by the rest.
    """

    size: LinkValues
    above: LinkValues

    @classmethod
    def of(cls, graph: InventoryGraph, known: Known) -> "LumpSizes":
        """The sizes on a network."""
        parameters, mean, flow = known.parameters, known.mean_demand.clamp_min(0.0), known.node_flow
        lost = graph.below(mean * (parameters.underage_cost + parameters.price)) / flow
        held = torch.where(graph.holds_stock, parameters.holding_cost, graph.below(mean * parameters.holding_cost) / flow)
        lost, held = lost.clamp_min(1e-9)[:, graph.target], held.clamp_min(1e-9)[:, graph.target]
        size = (2 * parameters.fixed_cost / known.link_flow * (1 / held + 1 / lost)).sqrt()
        return cls(size.clamp_max(LARGEST), lost / (lost + held))


class Lumps(nn.Module):
    """The decision to order on links with a fixed cost, beside a policy that says what is lacking of a base-stock level.

    An order of what is lacking of S is placed once that level less (1 - a) Q, changed by what this learns, is reached: s. S is
    the level and a Q, with Q and a as `LumpSizes` has them. Training starts there; no random number is drawn.

    Args:
        width: channels per node and link.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.facts = nn.Linear(1, width, bias=False)
        self.of_link = nn.Linear(width, 1)
        self.of_target = nn.Linear(width, 1, bias=False)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def on_links(self, sizes: LumpSizes) -> Tensor:
        """What the size of orders adds to the facts of each link [E, b, F]."""
        return self.facts((sizes.size / 4).t().unsqueeze(-1))

    def forward(
        self, graph: InventoryGraph, sizes: LumpSizes, lacking: LinkPerScenario, x: Tensor, z: Tensor
    ) -> tuple[LinkPerScenario, LinkPerScenario]:
        """What is lacking of S, and whether to order it.

        Args:
            graph: the network.
            sizes: of its orders.
            lacking: of the base-stock level, in units of the link's mean flow [B, E].
            x: nodes [N, B, F].
            z: links [E, B, F].

        Returns:
            lacking of S [B, E] and `decided` [B, E]; as it is and 1 where there is no fixed cost.
        """
        learnt = (self.of_link(z) + self.of_target(x).index_select(0, graph.target)).squeeze(-1).t()
        placed = decided(lacking - (1 - sizes.above) * sizes.size + learnt)
        return lacking + sizes.above * sizes.size, torch.where(sizes.size > 0, placed, 1.0)
