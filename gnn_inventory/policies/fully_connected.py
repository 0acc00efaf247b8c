"""A fully connected network from the whole state to all orders: the field's "vanilla" policy, tied to one network."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError

__all__ = ["FullyConnected"]


class FullyConnected(Policy):
    """State of all nodes and links in, orders and quantities to keep out, with `layers` hidden layers.

    Args:
        width: channels of a hidden layer.
        layers: hidden layers.
        window: periods of past demand that it looks at, W.
        calendar: channels of the calendar that it looks at.
        seed: of the initial weights.
    """

    def __init__(self, width: int = 64, layers: int = 2, window: int = 0, calendar: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config = dict(width=width, layers=layers, window=window, calendar=calendar, seed=seed)
        self.window, self.calendar = window, calendar
        self.layers = nn.ModuleList()

    def fit_to(self, graph: InventoryGraph) -> None:
        """Make the weights for a network's nodes and links, drawn from the seed."""
        inputs = graph.nodes * (1 + self.window) + graph.links * graph.slots + self.calendar
        widths = [inputs] + [self.config["width"]] * self.config["layers"] + [graph.links + graph.nodes]
        layers = [nn.Linear(columns, rows) for columns, rows in pairwise(widths)]
        random = torch.Generator().manual_seed(self.config["seed"])
        with torch.no_grad():
            for layer in layers:
                bound = (1.0 / layer.in_features) ** 0.5
                layer.weight.uniform_(-bound, bound, generator=random)
                layer.bias.fill_(0.5 if layer is layers[-1] else 0.0)
        self.layers = nn.ModuleList(layers)

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        expected = graph.nodes * (1 + self.window) + graph.links * graph.slots + self.calendar
        layers = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        if not layers or layers[0].in_features != expected or layers[-1].out_features != graph.links + graph.nodes:
            raise UnsupportedNetworkError(
                f"policy fully_connected: got a network of {graph.nodes} nodes and {graph.links} links; its weights belong "
                "to the network that it was trained on; train it on this one, or use message_passing"
            )

        def decide(seen: Observation) -> Desired:
            parts = [seen.on_hand / known.node_flow, (seen.in_transit / known.link_flow.unsqueeze(-1)).flatten(1)]
            if self.window:
                past = seen.past_demand[:, -self.window :] / known.node_flow.unsqueeze(1)
                parts.append(past.flatten(1))
            if self.calendar:
                parts.append(seen.calendar.expand(len(seen.on_hand), -1))
            values = torch.cat(parts, dim=-1)
            for layer in layers[:-1]:
                values = functional.silu(layer(values))
            values = functional.softplus(layers[-1](values))
            orders, keep = values.split([graph.links, graph.nodes], dim=-1)
            return Desired(orders * known.link_flow, keep * known.node_flow)

        return decide
