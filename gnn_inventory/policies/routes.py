"""Whom to order from: what a unit has cost, and how soon it may come, by each of several sources."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.types import LinkValues, NodeValues

__all__ = ["RouteFacts", "Routes"]


@dataclass(frozen=True)
class RouteFacts:
    """What sets a link apart from the others into its target, each [b, E], 0 where no other is better.

    Attributes:
        dearer: unit costs from the supplier on by this link, along its cheapest route, beyond the cheapest route to its target, money.
        slower: lead times from the supplier on by this link, along its quickest route, beyond the quickest to its target, periods.
    """

    dearer: LinkValues
    slower: LinkValues

    @classmethod
    def of(cls, graph: InventoryGraph, parameters: Parameters) -> "RouteFacts":
        """The facts of a network."""
        return cls(_beyond_least(graph, parameters.unit_cost), _beyond_least(graph, parameters.lead_time))


def _beyond_least(graph: InventoryGraph, length: LinkValues) -> LinkValues:
    """What each link's shortest route is longer than the shortest of all into its target [b, E]."""
    least: NodeValues = length.new_zeros(length.shape[0], graph.nodes)
    target = graph.target.expand_as(length)
    for _ in range(int(graph.depth)):
        least = least.scatter_reduce(1, target, length + least.index_select(1, graph.source), "amin", include_self=False)
    return length + least.index_select(1, graph.source) - least.index_select(1, graph.target)


class Routes(nn.Module):
    """What a policy makes of `RouteFacts`: the facts of each link, and a preference among sources.

    Training starts at ordering less of a dearer source by what it is dearer, in tenths of a lost sale and units of the mean flow; no
    random number is drawn, and links without an alternative are as they were.

    Args:
        width: channels per link.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.facts = nn.Linear(2, width, bias=False)
        self.preference = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.facts.weight.zero_()
            self.preference.weight.copy_(torch.tensor([[-1.0, 0.0]]))

    def forward(self, facts: RouteFacts, money: LinkValues) -> tuple[Tensor, LinkValues]:
        """What is added to the facts of each link [E, b, F], and to what is wanted on it, in units of its mean flow [b, E].

        Args:
            facts: of the network's links.
            money: unit of money of each link [b, E].
        """
        values = torch.stack(torch.broadcast_tensors(facts.dearer / money * 10, facts.slower / 4), dim=-1)
        return self.facts(values.transpose(0, 1)), self.preference(values).squeeze(-1)
