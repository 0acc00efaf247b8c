"""Exact optima and bounds: code without learning, each with its source and what its value may be off by.

Costs are long-run means per period of the whole network, in the timing of this library's simulator.
"""

from dataclasses import replace
from functools import partial

import networkx as nx
import numpy as np

from gnn_inventory.demand.distributions import cumulative
from gnn_inventory.graph import moments
from gnn_inventory.references.backlogged import chain_of, serial_optimum
from gnn_inventory.references.fixed_cost import fixed_cost_optimum
from gnn_inventory.references.lost_sales import LostSales, optimum
from gnn_inventory.references.parameters import demand_grid, link_into, number, shared_only
from gnn_inventory.references.perfect_information import (
    LINEAR_PROGRAMME,
    PERFECT_INFORMATION,
    perfect_information,
    programme_bound,
)
from gnn_inventory.references.reference import Reference
from gnn_inventory.references.table import table_costs
from gnn_inventory.references.transshipment import transshipment_bound
from gnn_inventory.topology.network import Network, parse_network
from gnn_inventory.topology.schema import Location, Normal

__all__ = [
    "LINEAR_PROGRAMME",
    "PERFECT_INFORMATION",
    "Reference",
    "perfect_information",
    "programme_bound",
    "reference_of",
]

STATES = 3_000_000
"""Most states, with an order each, for which the dynamic programme of lost sales is solved."""
TOLD = 1e-4
"""Of the cost: where bounds of the optimum are further apart, it is not told."""


def reference_of(network: nx.DiGraph | Network, whole_units: bool = False) -> Reference | None:
    """The reference of a network whose optimum or bound is known from its parameters alone; None elsewhere.

    Args:
        network: the network.
        whole_units: whether orders are whole units: the optimum of lost sales is known for these alone; that of backlogged
            normal demand is then a lower bound.

    Raises:
        InputError: the network is not valid.
    """
    network = network if isinstance(network, Network) else parse_network(network)
    locations = [node for node in network.nodes.values() if isinstance(node, Location)]
    if not shared_only(network):
        return None
    if any(link.fixed_cost != 0 for link in network.links.values()):
        return fixed_cost_optimum(network)
    if any(node.unmet_demand == "lost" for node in locations):
        return _lost_sales_optimum(network) if whole_units else None
    found = serial_optimum(network)
    if found is not None and whole_units and any(isinstance(node.distribution, Normal) for node in locations):
        return replace(found, kind="lower_bound", source=f"{found.source}, orders of any size")
    free = all(link.unit_cost == 0 for link in network.links.values()) and all(node.price == 0 for node in locations)
    return found or (transshipment_bound(network) if free else None)


def _lost_sales_optimum(network: Network) -> Reference | None:
    """The optimum of one location with lost sales, discrete demand and whole orders, where its states can be enumerated.

    What is sold is bought, so a lost sale costs p, the price less what the unit would have cost, and all demand costs its purchase less
    its price.
    """
    chain = chain_of(network)
    if chain is None or len(chain) > 1 or cumulative(network.location(chain[0]).distribution) is None:
        return None
    store = network.location(chain[0])
    link = link_into(network, chain[0])
    mean, std = moments(store)
    holding, margin = number(store.holding_cost), number(store.price) - number(link.unit_cost)
    underage, lead_time = number(store.underage_cost) + margin, int(number(link.lead_time))
    if holding == 0 or underage <= 0 or mean == 0 or std == 0:
        return None  # nothing costs anything, nothing is worth selling, or nothing is uncertain
    problem = LostSales(holding, underage, lead_time, demand_grid(store, 1)[1])
    orders = problem.newsvendor_level(1) + 4
    if (
        np.float64(orders) ** (lead_time + 1) > STATES
        or (problem.newsvendor_level(lead_time + 1) + 3) * np.float64(orders) ** lead_time > STATES
    ):
        return None
    found = optimum(problem)
    if found.high - found.low > TOLD * found.low:
        return None
    source = "dynamic programme on the pipeline state, whole units (Zipkin 2008)"
    error = (found.high - found.low) / 2
    return Reference("optimum", found.cost - margin * mean, source, error, twin=partial(table_costs, found.orders))
