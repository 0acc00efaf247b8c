"""Whether to order at all: what a fixed cost per order asks of a policy, decided in use and in training alike."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn_inventory.allocation import straight_through
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known
from gnn_inventory.policies.echelon import root
from gnn_inventory.policies.linear import Linear
from gnn_inventory.types import Float, LinkPerScenario, LinkValues

__all__ = ["LumpSizes", "Lumps", "decided"]

SMOOTHING = 0.2
"""Width of the decision's gradient, as a part of S - s."""
LEAST = 0.1
"""Added to it, in units of the mean flow: it is not nothing where S - s is."""
ROUNDING = 1e-5
"""Of S - s and of the mean flow: what a position in units of the mean flow may seem to be above s that is at it."""
LARGEST = 100.0
"""Periods of mean demand beyond which no order goes, where next to nothing is charged for holding."""


def decided(lacking: Float[Tensor, "scenario _"], gap: Tensor) -> Float[Tensor, "scenario _"]:
    """1 where an order is placed, since S - s or more is lacking of S; else 0. The gradient goes straight through: it is that of
    the probability sigmoid((lacking - gap) / width) (Bengio, Leonard and Courville 2013).

    The width is a part of S - s: the gradient that a decision passes on to earlier states is (S - s) / (4 width) at the most,
    and grows from order to order where that is well above 1.

    Args:
        lacking: of S, in units of the mean flow, per node or link.
        gap: S - s, in the same units.
    """
    width = SMOOTHING * gap.detach() + LEAST
    enough = lacking >= gap - ROUNDING * (1.0 + gap)
    return straight_through(enough.to(lacking.dtype), torch.sigmoid((lacking - gap) / width))


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
        lost = graph.below(mean * (parameters.underage_cost + parameters.price), known.shares) / flow
        held_below = graph.below(mean * parameters.holding_cost, known.shares) / flow
        held = torch.where(graph.holds_stock, parameters.holding_cost, held_below)
        lost, held = lost.clamp_min(1e-9)[:, graph.target], held.clamp_min(1e-9)[:, graph.target]
        size = root(2 * parameters.fixed_cost / known.link_flow * (1 / held + 1 / lost))
        return cls(size.clamp_max(LARGEST), lost / (lost + held))


class Lumps(nn.Module):
    """The decision to order on links with a fixed cost, beside a policy that says what is lacking of a base-stock level.

    With Q and a as `LumpSizes` has them, S is that level and a Q, s is S less Q: so training starts, and no random number is
    drawn. What is learnt moves each of them by no more than Q, smoothly: wherever stock may have gone, an order brings it back.

    S is learnt from the state too, s from what is known of the network alone. Where the decision could see its own position, it
    would learn to be undecided: just below s a straight-through gradient asks not to order, for the last unit of a large order
    saves nothing, and just above s to order, for its first unit saves much. Only both together say where s should go.

    Args:
        width: channels per node and link.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.facts = Linear(1, width, bias=False)
        self.of_link = Linear(width, 1)
        self.of_target = Linear(width, 1, bias=False)

    def on_links(self, sizes: LumpSizes) -> Tensor:
        """What the size of orders adds to the facts of each link [E, b, F]."""
        return self.facts((sizes.size / 4).t().unsqueeze(-1))

    def forward(
        self,
        graph: InventoryGraph,
        sizes: LumpSizes,
        theory: LinkPerScenario,
        lacking: LinkPerScenario,
        of_nodes: Tensor,
        of_links: Tensor,
    ) -> tuple[LinkPerScenario, LinkPerScenario]:
        """What is lacking of S, and whether to order it.

        Args:
            graph: the network.
            sizes: of its orders.
            theory: what is lacking of the base-stock level of theory, in units of the link's mean flow [B, E].
            lacking: the same, as the policy has learnt it [B, E].
            of_nodes: what is known of each node [N, b, F].
            of_links: what is known of each link [E, b, F].

        Returns:
            lacking of S [B, E] and `decided` [B, E]; as it is and 1 where there is no fixed cost.
        """
        fixed = sizes.size > 0
        most = torch.where(fixed, sizes.size, 1.0)
        of_target = self.of_target(functional.silu(of_nodes)).index_select(0, graph.target)
        learnt = self.of_link(functional.silu(of_links)) + of_target
        of_level = theory + most * torch.tanh((lacking - theory) / most) + sizes.above * sizes.size
        of_point_and_size = theory + sizes.size * (sizes.above - torch.tanh(learnt.squeeze(-1).t()))  # lacking of s + Q
        placed = decided(of_point_and_size, sizes.size)
        return torch.where(fixed, of_level, lacking), torch.where(fixed, placed, 1.0)
