"""The message-passing architecture of the paper behind this method, as faithful as its description and code allow."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy, UnsupportedNetworkError, refuse_settings
from gnn_inventory.policies.linear import Linear, draw_weights

__all__ = ["PublishedMessagePassing"]

FACTS = 6
"""What is known of a node."""
HIDDEN = 2
"""Hidden layers of each of its networks."""


class PublishedMessagePassing(Policy):
    """Node, edge, update and output networks of Alvo, Russo, Kanoria and Lee (arXiv 2306.11246).

    Nodes are the locations, with stock on hand, what arrives in each of the next periods, costs, what a unit costs from the
    cheapest supplier, and mean and standard deviation of demand, in units and money as they are. Edges are links, an edge to each
    location's customers and a loop at each location that ships on, each with its lead time; suppliers and customers are nodes
    whose embeddings are zero. In each round, with weights shared by all,

        x_v' = x_v + U([x_v, Σ_in z_e / √d_in(v), Σ_out z_e / √d_out(v)])
        z_e' = z_e + V([z_e, x_u', x_v'])

    with sums over the edges into and out of v, and d their number.

    An output network gives the order of each link and, from the loop, what a location keeps: both compete for its stock in
    proportion. There are as many rounds as links on the longest path between locations of a connected part, at least one, and two
    where a location has several sources. All networks have two hidden layers and ELU after every layer; the output's last layer starts
    at a bias of 5 under a softplus.

    Args:
        width: channels of all hidden and embedding layers.
        slots: periods until arrival that it tells apart, at least the largest lead time minus 1.
        window: periods of past demand that it looks at, W.
        calendar: channels of the calendar that it looks at.
        seed: of the initial weights.
    """

    def __init__(self, width: int = 32, slots: int = 8, window: int = 0, calendar: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config = dict(width=width, slots=slots, window=window, calendar=calendar, seed=seed)
        refuse_settings("published_message_passing", self.config)
        self.slots, self.window, self.calendar = slots, window, calendar
        self.initial_node = _network(1 + FACTS + slots + window + calendar, width, width)
        self.initial_edge = _network(2 * width + 1, width, width)
        self.node_update = _network(3 * width, width, width)
        self.edge_update = _network(3 * width, width, width)
        self.output = _network(width, width, 1, nn.Softplus())
        draw_weights(self, seed)
        with torch.no_grad():
            self.output[-2].bias.fill_(5.0)  # type: ignore[union-attr,operator]

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        if graph.slots > self.slots:
            raise UnsupportedNetworkError(
                f"policy published_message_passing: got a lead time of {graph.slots + 1}; its weights accept at most "
                f"{self.slots + 1}; train with policy.slots={graph.slots}"
            )
        nodes, links, slots = graph.nodes, graph.links, graph.slots
        customers = graph.has_demand.nonzero().squeeze(1)
        shipping = torch.zeros_like(graph.is_supplier).index_fill(0, graph.source, True) & ~graph.is_supplier
        loops = shipping.nonzero().squeeze(1)
        outside = torch.full_like(customers, nodes)  # one more node stands for all customers
        source = torch.cat([graph.source, customers, loops])
        target = torch.cat([graph.target, outside, loops])
        dtype = known.node_flow.dtype
        inside = torch.cat([~graph.is_supplier, torch.zeros_like(graph.is_supplier[:1])]).to(dtype).unsqueeze(-1)
        degree_in = torch.bincount(target, minlength=nodes + 1).clamp_min(1).to(dtype).rsqrt().unsqueeze(-1)
        degree_out = torch.bincount(source, minlength=nodes + 1).clamp_min(1).to(dtype).rsqrt().unsqueeze(-1)
        lead_time = torch.nn.functional.pad(known.parameters.lead_time, (0, len(source) - links)).unsqueeze(-1)
        parameters = known.parameters
        bought = parameters.unit_cost.masked_fill(~graph.is_supplier[graph.source], torch.inf)
        bought = bought.new_full((len(bought), nodes), torch.inf).scatter_reduce(
            1, graph.target.expand_as(bought), bought, "amin"
        )
        bought = bought.masked_fill(bought.isinf(), 0.0)
        costs = (parameters.holding_cost, parameters.underage_cost, parameters.price, bought)
        facts = (*costs, known.mean_demand, known.std_demand)
        rounds = _rounds(graph)  # of networks side by side, each has its own
        going_on = [torch.nn.functional.pad(rounds > done, (0, 1)).to(dtype).unsqueeze(-1) for done in range(int(rounds.max()))]
        moves = [(inside * on, on[source]) for on in going_on]  # nodes and edges that a round changes

        def aggregate(edges: Tensor, at: Tensor, scale: Tensor) -> Tensor:
            total = edges.new_zeros(edges.shape[0], nodes + 1, edges.shape[2]).index_add(1, at, edges)
            return total * scale

        def decide(seen: Observation) -> Desired:
            size = seen.on_hand.shape[0]
            inbound = seen.in_transit.new_zeros(size, nodes, slots).index_add(1, graph.target, seen.in_transit)
            parts = [seen.on_hand.unsqueeze(-1), torch.nn.functional.pad(inbound, (0, self.slots - slots))]
            parts += [value.expand(size, -1).unsqueeze(-1) for value in facts]
            if self.window:
                parts.append(seen.past_demand[:, -self.window :].transpose(1, 2))
            if self.calendar:
                parts.append(seen.calendar.expand(size, nodes, -1))
            features = torch.nn.functional.pad(torch.cat(parts, dim=-1), (0, 0, 0, 1))
            x = self.initial_node(features) * inside
            z = self.initial_edge(
                torch.cat([x.index_select(1, source), x.index_select(1, target), lead_time.expand(size, -1, -1)], dim=-1)
            )
            for node_moves, edge_moves in moves:
                heard = [x, aggregate(z, target, degree_in), aggregate(z, source, degree_out)]
                x = x + self.node_update(torch.cat(heard, dim=-1)) * node_moves
                ends = [x.index_select(1, source), x.index_select(1, target)]
                z = z + self.edge_update(torch.cat([z, *ends], dim=-1)) * edge_moves
            values = self.output(z).squeeze(-1)
            keep = values.new_zeros(size, nodes).index_add(1, loops, values[:, links + len(customers) :])
            return Desired(values[:, :links], keep)

        return decide

    def __repr__(self) -> str:
        return f"PublishedMessagePassing({', '.join(f'{key}={value}' for key, value in self.config.items())})"


def _rounds(graph: InventoryGraph) -> Tensor:
    """Rounds of the connected part of the network that each node belongs to [N]."""
    several = torch.zeros_like(graph.component).index_add(0, graph.component, (graph.inbound > 1).long())[graph.component] > 0
    return torch.maximum(graph.component_depth - 1, 1 + several.long())


def _network(inputs: int, width: int, outputs: int, last: nn.Module | None = None) -> nn.Sequential:
    """Two hidden layers, ELU after every layer (or `last` after the last)."""
    widths = [inputs] + [width] * HIDDEN + [outputs]
    layers: list[nn.Module] = []
    for columns, rows in pairwise(widths):
        layers += [Linear(columns, rows), nn.ELU()]
    return nn.Sequential(*layers[:-1], last or nn.ELU())
