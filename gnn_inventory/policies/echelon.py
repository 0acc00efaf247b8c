"""Echelons of any network: positions, and what theory says that they must cover, in units of a node's mean flow."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known
from gnn_inventory.types import Float, LinkValues, NodeValues

__all__ = ["Cover", "echelon_position", "flow_shares", "newsvendor_cost", "root"]

LARGEST_FRACTILE = 3.0
"""Standard deviations beyond which no safety stock goes."""


@dataclass(frozen=True)
class Cover:
    """What the position of a node must cover, in units of its mean flow, each [b, N].

    Attributes:
        longest: lead time of the links into it, periods; 0 at suppliers.
        periods: of mean demand by its own position: its longest lead time and one period of its own customers' share.
        echelon_periods: of mean demand by its echelon's position: the same for it and all it supplies.
        deviation: of the demand below it over these periods.
        fractile: how many such deviations are worth holding.
    """

    longest: NodeValues
    periods: NodeValues
    echelon_periods: NodeValues
    deviation: NodeValues
    fractile: NodeValues

    @classmethod
    def of(cls, graph: InventoryGraph, known: Known, out_of: LinkValues) -> "Cover":
        """The newsvendor bounds of Shang and Song (2003) for serial systems, carried over to any network.

        The fractile of an echelon is Phi^-1((p + H) / (p + h)): p of the customers below, weighted by flow (price and
        underage cost together); H the holding cost of what it orders from, 0 for a supplier; h between its own holding cost
        and that of the customers' locations below. Where demand is lost, p is divided by sqrt(L + 1): midway between p and
        p / (L + 1), the penalties whose backlogged cost bounds the cost of lost sales from above and from below (Huh,
        Janakiraman, Muckstadt and Rusmevichientong 2009). The deviation pools the demands below, taken for half correlated,
        while goods may still go to any of them; after that the deviations add up (Eppen and Schrage 1981).

        Args:
            graph: the network.
            known: what is known before the first period.
            out_of: share of each link in the flow through its source [b, E].
        """
        parameters, lead_time = known.parameters, known.parameters.lead_time
        longest = lead_time.new_zeros(lead_time.shape[0], graph.nodes)
        longest = longest.scatter_reduce(1, graph.target.expand_as(lead_time), lead_time, "amax")
        flow, mean = known.node_flow, known.mean_demand.clamp_min(0.0)
        periods = longest + mean / flow
        echelon_periods = echelon_position(graph, periods, out_of)
        deviation = _deviation(graph, known, longest)
        wait = torch.where(graph.lost, root(periods), 1.0)
        lost = graph.below(mean * (parameters.underage_cost + parameters.price) / wait, known.shares) / flow
        held_below = graph.below(mean * parameters.holding_cost, known.shares) / flow
        own = torch.where(graph.holds_stock, parameters.holding_cost, held_below)
        above = torch.zeros_like(own).scatter_reduce(
            1, graph.target.expand(own.shape[0], -1), own[:, graph.source], "amin", include_self=False
        )
        share = (lost + above) / (lost + (own + held_below) / 2).clamp_min(1e-9)
        fractile = torch.special.ndtri(share.clamp(0.01, 0.999)).clamp(-LARGEST_FRACTILE, LARGEST_FRACTILE)
        return cls(longest, periods, echelon_periods, deviation, fractile)


def _deviation(graph: InventoryGraph, known: Known, longest: NodeValues) -> NodeValues:
    """Of the demand below each node over what its position covers, in units of its flow [b, N].

    Goods on the way to a node are for all below it: over this time their demands pool, taken for half correlated. What has
    left it is for one place: the deviations over the later times add up.
    """
    pooled = longest * (graph.below(known.std_demand, known.shares) ** 2 + graph.below(known.std_demand**2, known.shares)) / 2
    into = known.link_flow / known.node_flow[:, graph.target]
    deviation = root(pooled + known.std_demand**2)
    for step in range(int(graph.depth) - 1):
        below = deviation.index_select(1, graph.target) * into
        apart = known.std_demand.expand(below.shape[0], -1).index_add(1, graph.source, below)
        deviation = torch.where(step + 1 < graph.component_depth, root(pooled + apart**2), deviation)
    return deviation / known.node_flow


def echelon_position(graph: InventoryGraph, position: NodeValues, out_of: LinkValues) -> NodeValues:
    """Inventory position of each node and of all it supplies, in units of its flow [1 or B, N].

    Where several links enter a node, each source counts the node's position by the share of flow that it sends. A supplier's,
    which covers nothing, goes one link less deep than its part of the network, whatever other networks stand beside it.
    """
    echelon = position
    for step in range(int(graph.depth) - 1):
        below = echelon.index_select(1, graph.target) * out_of
        deeper = position.expand(below.shape[0], -1).scatter_add(1, graph.source.expand_as(below), below)
        echelon = torch.where(step + 1 < graph.component_depth, deeper, echelon)
    return echelon


def newsvendor_cost(graph: InventoryGraph, known: Known) -> Float[Tensor, " _"]:
    """What the customers' locations would cost if they ordered from unlimited stock, whole network [b], money per period.

    (h + p) phi(z) sigma with sigma the deviation of demand over lead time and one period, z = Phi^-1(p / (p + h)): of the
    right size for any costs and lead times, not a bound. Price and underage cost count together as p.
    """
    parameters, cover = known.parameters, Cover.of(graph, known, flow_shares(graph, known)[1])
    lost = parameters.underage_cost + parameters.price
    z = torch.special.ndtri((lost / (lost + parameters.holding_cost).clamp_min(1e-9)).clamp(0.01, 0.999))
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    sigma = cover.deviation * known.node_flow
    return ((lost + parameters.holding_cost) * density * sigma * graph.has_demand).sum(1)


def flow_shares(graph: InventoryGraph, known: Known) -> tuple[LinkValues, LinkValues]:
    """The share of each link in the mean flow through its target and through its source [b, E].

    Where a location also sells, the shares of the links out of it and of its own customers sum to 1.
    """
    flow, link_flow = known.node_flow, known.link_flow
    return link_flow / flow[:, graph.target], link_flow / flow[:, graph.source]


def root(value: Tensor) -> Tensor:
    """The square root, with a gradient of 0 at 0 instead of infinity."""
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0).sqrt(), 0.0)
