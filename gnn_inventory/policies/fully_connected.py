"""A fully connected network from the whole state to all orders: the field's "vanilla" policy, tied to one network."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError, refuse_settings
from gnn_inventory.policies.linear import Linear, draw_weights

__all__ = ["FullyConnected"]

MOST = 4.0
"""Largest order from a supplier, in units of the link's mean flow."""


class FullyConnected(Policy):
    """State of all nodes and links in, orders out, with `layers` hidden layers (Alvo et al., arXiv 2306.11246, "vanilla").

    Quantities enter in units. What leaves a location is its stock on hand times a softmax over its links and, where it can
    hold stock, over keeping it (a logit of 1); what comes from a supplier is a sigmoid times four times the link's mean
    flow, or, where no location ships on, softplus(output + 1).

    Args:
        width: channels of a hidden layer.
        layers: hidden layers.
        window: periods of past demand that it looks at, W.
        calendar: channels of the calendar that it looks at.
        seed: of the initial weights.
    """

    def __init__(self, width: int = 32, layers: int = 2, window: int = 0, calendar: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config = dict(width=width, layers=layers, window=window, calendar=calendar, seed=seed)
        refuse_settings("fully_connected", self.config)
        self.window, self.calendar = window, calendar
        self.layers = nn.ModuleList()

    def fit_to(self, graph: InventoryGraph) -> None:
        """Make the weights for a network's nodes and links, drawn from the seed."""
        self.places = tuple(graph.places)
        widths = [self._inputs(graph)] + [self.config["width"]] * self.config["layers"] + [graph.links]
        self.layers = nn.ModuleList(Linear(columns, rows) for columns, rows in pairwise(widths))
        draw_weights(self, self.config["seed"])

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        self.refuse_other_places(graph)
        layers = [layer for layer in self.layers if isinstance(layer, Linear)]
        if layers[0].in_features != self._inputs(graph):
            raise UnsupportedNetworkError("policy FullyConnected: got other lead times than it was trained on; train it on these")
        from_supplier = graph.is_supplier[graph.source]
        all_bought = bool(from_supplier.all())
        held = graph.holds_stock.to(known.link_flow.dtype)

        def decide(seen: Observation) -> Desired:
            parts = [seen.on_hand, seen.in_transit.flatten(1)]
            if self.window:
                parts.append(seen.past_demand[:, -self.window :].flatten(1))
            if self.calendar:
                parts.append(seen.calendar.expand(seen.on_hand.shape[0], -1))
            values = torch.cat(parts, dim=-1)
            for layer in layers[:-1]:
                values = functional.elu(layer(values))
            values = layers[-1](values)
            if all_bought:
                return Desired(functional.softplus(values + 1.0))
            bought = torch.sigmoid(values) * MOST * known.link_flow
            shipped = _softmax(graph, values, held) * seen.on_hand.clamp_min(0.0).index_select(1, graph.source)
            return Desired(torch.where(from_supplier, bought, shipped))

        return decide

    def _inputs(self, graph: InventoryGraph) -> int:
        return graph.nodes * (1 + self.window) + graph.links * graph.slots + self.calendar


def _softmax(graph: InventoryGraph, values: Tensor, held: Tensor) -> Tensor:
    """Of each link among the links of its source and, with a logit of 1, what the source keeps where it holds stock [B, E]."""
    highest = torch.where(held > 0, torch.ones_like(held), -torch.inf).expand(values.shape[0], -1)
    highest = highest.scatter_reduce(1, graph.source.expand_as(values), values.detach(), "amax")
    weight = (values - highest.index_select(1, graph.source)).exp()
    kept = torch.where(held > 0, (1.0 - highest).exp(), 0.0)
    total = kept.index_add(1, graph.source, weight)
    return weight / total.index_select(1, graph.source)
