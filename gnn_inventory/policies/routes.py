"""Whom to order from: what a unit has cost, and how soon it may come, by each of several sources."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.policies.linear import Linear
from gnn_inventory.types import Float, LinkPerScenario, LinkValues, NodeValues

__all__ = ["RouteFacts", "Routes", "leant", "shortest"]

COST_OF_TIME = 0.15
"""Of the holding cost of a link's target, per period of lead time: about what a longer lead time adds to the safety stock of a unit."""
SHARPNESS = 4.0
"""How fast the expected share of a source falls with what it is dearer, per tenth of a lost sale."""
LEAST = 0.05
"""Added to every source's weight, so that even the dearest has a unit to order in."""

PREFERENCE = 2.0
"""Of cheaper sources, at the start: by how much the logarithm of a source's share in what is ordered falls with a tenth that it is dearer."""
LARGEST_LEANING = 8.0
"""Of the logarithm of a source's share in what is ordered, from what was expected."""


@dataclass(frozen=True)
class RouteFacts:
    """What sets a link apart from the others into its target, each [b, E].

    Attributes:
        dearer: unit costs from the supplier on by this link, along its cheapest route, beyond the cheapest route to its target, in
            tenths of a lost sale; 0 where no other is cheaper.
        slower: lead times from the supplier on by this link, along its quickest route, beyond the quickest to its target, periods.
        shares: of each link in the flow into its target, as is expected before anything is learnt: a softmax of what its route is
            dearer, lead times counted at `COST_OF_TIME`; equal where nothing sets the sources apart.
    """

    dearer: LinkValues
    slower: LinkValues
    shares: LinkValues

    @classmethod
    def of(cls, graph: InventoryGraph, parameters: Parameters, money: NodeValues) -> "RouteFacts":
        """The facts of a network, in a unit of money of each node [b, N]."""
        tenth, target = money[:, graph.target] / 10, graph.target
        waiting = COST_OF_TIME * parameters.holding_cost[:, target] * parameters.lead_time
        weights = torch.exp(-SHARPNESS * _beyond_least(graph, parameters.unit_cost + waiting) / tenth) + LEAST
        dearer = _beyond_least(graph, parameters.unit_cost) / tenth
        return cls(dearer, _beyond_least(graph, parameters.lead_time), _in_proportion(graph, weights))


def shortest(graph: InventoryGraph, length: LinkValues) -> NodeValues:
    """The length of the shortest route from a supplier to each node [b, N], by the lengths of links [b, E]."""
    least: NodeValues = length.new_zeros(length.shape[0], graph.nodes)
    target = graph.target.expand_as(length)
    for _ in range(int(graph.depth)):
        least = least.scatter_reduce(1, target, length + least.index_select(1, graph.source), "amin", include_self=False)
    return least


def _beyond_least(graph: InventoryGraph, length: LinkValues) -> LinkValues:
    """What each link's shortest route is longer than the shortest of all into its target [b, E]."""
    least = shortest(graph, length)
    return length + least.index_select(1, graph.source) - least.index_select(1, graph.target)


class Routes(nn.Module):
    """What the facts of a link gain from `RouteFacts`, and by how much more than its expected share is ordered on it.

    Facts gain nothing at the start, and dearer sources get still less than is expected of them; no random number is drawn.

    Args:
        width: channels per link.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.facts, self.choice = Linear(2, width, bias=False), Linear(width, 1, bias=False)
        self.preference = Linear(2, 1, bias=False)
        with torch.no_grad():
            self.preference.weight.copy_(torch.tensor([[-PREFERENCE, 0.0]]))

    def forward(self, routes: RouteFacts) -> Tensor:
        """What is added to the facts of each link [E, b, F]."""
        return self.facts(_seen(routes).transpose(0, 1))

    def leaning(
        self, graph: InventoryGraph, routes: RouteFacts, shares: LinkValues
    ) -> Callable[[Float[Tensor, "link scenario channel"]], LinkPerScenario]:
        """Put the choice among sources on a network.

        Args:
            graph: the network.
            routes: its facts.
            shares: of each link in the flow into its target, as expected [b, E].

        Returns:
            link states z after the rounds [E, B, F] -> each link's share in what its target orders over the share expected [B, E]. A
            source may so be left out at any shortage, which what is added to its orders cannot say.
        """
        preferred = self.preference(_seen(routes)).squeeze(-1)

        def of(z: Tensor) -> LinkPerScenario:
            return leant(graph, shares, self.choice(z).squeeze(-1).t() + preferred) / shares

        return of


def leant(graph: InventoryGraph, shares: LinkValues, asked: LinkPerScenario) -> LinkPerScenario:
    """Shares in the flow into each target whose logarithms are moved by what is asked, but by no more than `LARGEST_LEANING`."""
    return _in_proportion(graph, shares * torch.exp(LARGEST_LEANING * torch.tanh(asked / LARGEST_LEANING)))


def _in_proportion(graph: InventoryGraph, weights: LinkValues) -> LinkValues:
    """Weights of links as shares: over the links into a target they sum to 1."""
    total = weights.new_zeros(weights.shape[0], graph.nodes).index_add(1, graph.target, weights)
    return weights / total.index_select(1, graph.target)


def _seen(routes: RouteFacts) -> Float[Tensor, "_ link 2"]:
    """What is learnt from: dearer by tenths of a lost sale, and slower by four periods."""
    return torch.stack(torch.broadcast_tensors(routes.dearer, routes.slower / 4), dim=-1)
