"""What a policy was trained with, and what of a network lies beyond it: said before its costs are believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.topology.schema import NegativeBinomial, Normal, Panel, Poisson
from gnn_inventory.training.data import training_networks
from gnn_inventory.training.recipe import Recipe

__all__ = ["Coverage", "longest_way", "sizes_of"]

DRAWN = 256
"""Networks of a distribution, the first that training draws, by which it is known what the distribution covers."""

SLACK = 0.02
"""Of a range: what a sample of the networks may have missed of its ends."""

KINDS = {"normal": Normal, "Poisson": Poisson, "negative binomial": NegativeBinomial, "panel": Panel}
"""Of demand."""
UNIT_COST, FIXED_COST = "unit cost (in costs of a lost sale)", "fixed cost (in holding costs of a period's demand)"
CAPACITY, MINIMUM_ORDER = "capacity (in mean flows)", "minimum order (in mean flows)"
SAID_BY = {UNIT_COST: "unit costs", FIXED_COST: "fixed costs", CAPACITY: "capacities", MINIMUM_ORDER: "minimum orders"}
"""The trait that says it where a range was never seen."""


@dataclass(frozen=True)
class Coverage:
    """What networks hold that a policy's weights depend on.

    Attributes:
        ranges: sizes, lead times, costs -> smallest and largest value.
        traits: what a network has or has not -> which of both was seen.
    """

    ranges: dict[str, tuple[float, float]]
    traits: dict[str, frozenset[bool]]

    @classmethod
    def of_network(cls, network: nx.DiGraph | Network) -> "Coverage":
        """Of one network, with all that its scenarios may draw.

        Raises:
            InputError: the network is not valid.
        """
        network = network if isinstance(network, Network) else parse_network(network)
        graph = InventoryGraph.from_network(network)
        sells, held = graph.has_demand, graph.holding_cost.clamp_min(1e-9)
        ranges = {name: (float(size), float(size)) for name, size in sizes_of(graph).items()}
        ranges["sources of a location"] = (float(graph.inbound.max()),) * 2
        ranges["lead times from a supplier on"] = (float(longest_way(graph)),) * 2
        ranges["lead time"] = float(graph.lead_time.min()), float((graph.lead_time + graph.lead_time_span).max())
        deviations = (graph.std_demand / graph.mean_demand.clamp_min(0.0))[sells]  # infinite where demand deviates from none
        if not bool(deviations.isnan().all()):
            ranges["deviation of demand (in means)"] = _range(deviations[~deviations.isnan()])
        known = sells & (graph.mean_demand > 0)
        if bool(known.any()):
            ranges["mean demand (in that of the mean store)"] = _range(graph.mean_demand[known] / graph.mean_demand[known].mean())
            node_flow, link_flow = (flow[0] for flow in graph.flows(graph.mean_demand.unsqueeze(0)))
            capacity = torch.cat([graph.ship_capacity / node_flow, graph.link_capacity / link_flow])
            if bool(capacity.isfinite().any()):
                ranges[CAPACITY] = _range(capacity[capacity.isfinite()])
            if bool((graph.minimum_order > 0).any()):
                ranges[MINIMUM_ORDER] = _range((graph.minimum_order / link_flow)[graph.minimum_order > 0])
        lost, most = graph.underage_cost + graph.price, graph.underage_cost_span + graph.price_span
        low, high = lost / (held + graph.holding_cost_span), (lost + most) / held
        ranges["cost of a lost sale (in holding costs)"] = _range(low[sells])[0], _range(high[sells])[1]
        bought = graph.unit_cost + graph.unit_cost_span > 0
        if bool(bought.any()) and bool((lost[sells] > 0).any()):
            least, dearest = graph.unit_cost / (lost + most)[sells].mean(), (graph.unit_cost + graph.unit_cost_span)
            ranges[UNIT_COST] = float(least[bought].min()), float(dearest.max() / lost[sells].mean())
        if len(network.customers) > 1 and not is_panel(network):
            apart = ~np.eye(len(network.customers), dtype=bool)
            correlation = np.zeros((1,)) if network.correlation is None else network.correlation[apart]
            ranges["correlation of demand"] = float(correlation.min()), float(correlation.max())
        upstream = graph.holds_stock & ~graph.is_supplier & ~sells
        if bool(upstream.any()):
            unit = held[sells].mean()
            low, high = graph.holding_cost[upstream], (graph.holding_cost + graph.holding_cost_span)[upstream]
            ranges["holding cost upstream (in that of the stores)"] = float(low.min() / unit), float(high.max() / unit)
        fixed = graph.fixed_cost + graph.fixed_cost_span > 0
        if bool(fixed.any()) and bool(known.any()):
            flow = graph.flows(graph.mean_demand.unsqueeze(0))[1][0]
            demand, more = held[graph.target] * flow, graph.holding_cost_span[graph.target] * flow
            low, high = graph.fixed_cost / (demand + more), (graph.fixed_cost + graph.fixed_cost_span) / demand
            ranges[FIXED_COST] = _range(low[fixed])[0], _range(high[fixed])[1]
        demands = [network.location(name).distribution for name in network.customers]
        traits = {
            "lost demand": graph.lost & sells,
            "backlogged demand": ~graph.lost & sells,
            **{
                f"{kind} demand": torch.tensor([isinstance(demand, model) for demand in demands]) for kind, model in KINDS.items()
            },
            "demand that may be negative": torch.tensor([isinstance(demand, Normal) and not demand.clip for demand in demands]),
            "prices": graph.price + graph.price_span > 0,
            "unit costs": graph.unit_cost + graph.unit_cost_span > 0,
            "fixed costs": fixed,
            "minimum orders": graph.minimum_order > 0,
            "locations with several sources": graph.inbound > 1,
            "locations that ship and sell": sells & (torch.bincount(graph.source, minlength=graph.nodes) > 0),
            "locations that cannot hold stock": ~graph.holds_stock & ~graph.is_supplier,
            "capacities": torch.cat([graph.ship_capacity, graph.link_capacity]).isfinite(),
        }
        return cls(ranges, {name: frozenset({bool(truth.any())}) for name, truth in traits.items()})

    @classmethod
    def of_recipe(cls, recipe: Recipe) -> "Coverage":
        """Of what a recipe trains on: its network, or the first of the networks that it draws."""
        if recipe.networks is None:
            return cls.of_network(recipe.network)
        distribution, settings = recipe.networks, recipe.training
        epochs = (training_networks(distribution, settings, epoch) for epoch in range(settings.epochs))
        return cls.merged(cls.of_network(draw()) for _, draw in islice(chain.from_iterable(epochs), DRAWN))

    @classmethod
    def merged(cls, parts: Iterable["Coverage"]) -> "Coverage":
        """Of all of these."""
        ranges: dict[str, tuple[float, float]] = {}
        traits: dict[str, frozenset[bool]] = {}
        for part in parts:
            for name, (low, high) in part.ranges.items():
                before = ranges.get(name, (low, high))
                ranges[name] = min(low, before[0]), max(high, before[1])
            traits |= {name: seen | traits.get(name, frozenset()) for name, seen in part.traits.items()}
        return cls(ranges, traits)

    def beyond(self, network: nx.DiGraph | Network) -> list[str]:
        """What of a network lies beyond, in words; none where all of it lies within."""
        other, found = Coverage.of_network(network), []
        for name, (low, high) in other.ranges.items():
            if name not in self.ranges:
                if name not in SAID_BY or True in self.traits[SAID_BY[name]]:
                    found.append(f"{name} {_words(low, high)}, never seen")
                continue
            least, most = self.ranges[name]
            slack = 1e-6 * abs(most) + SLACK * (most - least)
            if low < least - slack or high > most + slack:
                found.append(f"{name} {_words(low, high)}, trained on {_words(least, most)}")
        for name, seen in other.traits.items():
            if not seen <= self.traits[name]:
                has = True in seen
                found.append(f"{name}, never seen" if has else f"no {name}, always seen")
        return found


def sizes_of(graph: InventoryGraph) -> dict[str, int]:
    """Stores, depth (links on the longest path from a supplier) and degree (most links at one location)."""
    degree = torch.bincount(graph.edge_index.flatten(), minlength=graph.nodes)
    return {"stores": graph.demand_locations, "depth": int(graph.depth), "degree": int(degree[~graph.is_supplier].max())}


def _range(values: Tensor) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _words(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def longest_way(graph: InventoryGraph) -> int:
    """The largest sum of lead times from a supplier to a customer, periods."""
    lead_time = (graph.lead_time + graph.lead_time_span).unsqueeze(0)
    wait = lead_time.new_zeros(1, graph.nodes)
    for _ in range(int(graph.depth)):
        wait = wait.scatter_reduce(1, graph.source.unsqueeze(0), lead_time + wait[:, graph.target], "amax")
    return int(wait.max())
