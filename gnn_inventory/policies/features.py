"""What a policy on any network sees of it, without units: facts of nodes and links, and quantities kept within bounds."""

import torch
from torch import Tensor

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known
from gnn_inventory.policies.echelon import Cover
from gnn_inventory.types import Float, NodeValues

__all__ = ["LINK_FACTS", "NODE_FACTS", "bounded", "link_features", "node_features", "unit_of_money"]

NODE_FACTS, LINK_FACTS = 13, 4
USUAL = 8.0
"""Stock, orders on their way and positions, in units of the mean flow or deviations: within this they are seen as they are."""


def bounded(seen: Tensor) -> Tensor:
    """What the rounds see of a quantity: itself up to `USUAL`, beyond that ever less more, twice `USUAL` at the most.

    Far out, what the rounds have learnt would else grow as the linear term does that brings stock back, and might outweigh it: a
    location that lacks a hundred periods of demand would order nothing, and no gradient would ever say so.
    """
    within = seen.clamp(-USUAL, USUAL)
    beyond = seen - within
    return within + beyond / (1.0 + beyond.abs() / USUAL)


def node_features(graph: InventoryGraph, known: Known, cover: Cover) -> Float[Tensor, "_ node channel"]:
    """What is known of each node, without scale [b, N, F]."""
    parameters, flow = known.parameters, known.node_flow
    money = unit_of_money(graph, known)
    mean = torch.where(known.mean_demand > 0, known.mean_demand, flow)  # demand may be negative, and 0 in the mean
    variation = known.std_demand / mean * graph.has_demand
    values = [
        parameters.holding_cost / money * 10,
        parameters.underage_cost / money,
        parameters.price / money,
        (known.mean_demand / flow) * graph.has_demand,
        variation,
        graph.lost.to(flow.dtype).unsqueeze(0),
        graph.has_demand.to(flow.dtype).unsqueeze(0),
        graph.holds_stock.to(flow.dtype).unsqueeze(0),
        graph.is_supplier.to(flow.dtype).unsqueeze(0),
        1.0 / graph.inbound.clamp_min(1).to(flow.dtype).unsqueeze(0),
        cover.fractile,
        cover.deviation,
        cover.echelon_periods / 10,
    ]
    return torch.stack(torch.broadcast_tensors(*values), dim=-1)


def link_features(graph: InventoryGraph, known: Known) -> Float[Tensor, "_ link channel"]:
    """What is known of each link, without scale [b, E, F]."""
    parameters = known.parameters
    values = [
        parameters.lead_time / 4,
        parameters.unit_cost / unit_of_money(graph, known)[:, graph.target] * 10,
        known.link_flow / known.node_flow[:, graph.target],
        graph.is_supplier[graph.source].to(known.link_flow.dtype).unsqueeze(0),
    ]
    return torch.stack(torch.broadcast_tensors(*values), dim=-1)


def unit_of_money(graph: InventoryGraph, known: Known) -> NodeValues:
    """The unit of money: mean underage cost and price over the customers' locations of a node's network [b, N]; 1 where 0."""
    lost = (known.parameters.underage_cost + known.parameters.price) * graph.has_demand
    parts = lost.new_zeros(lost.shape[0], graph.nodes)  # as many as there may be: to count them would make a GPU wait
    total = parts.index_add(1, graph.component, lost)
    count = parts.index_add(1, graph.component, graph.has_demand.to(lost.dtype).expand(lost.shape[0], -1))
    unit = (total / count.clamp_min(1.0))[:, graph.component]
    return torch.where(unit > 0, unit, 1.0)
