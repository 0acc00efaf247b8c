"""The equations of `docs/model.md`, written out in loops, give what the library computes, on random networks of all kinds."""

import math

import networkx as nx
import numpy as np
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.allocation import proportional
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.simulator import State, Timing, step
from gnn_inventory.training.horizon import reach, wait


def random_network(random):
    """Up to six locations with up to three sources each; some sell, some cannot hold stock, some have capacities."""
    while True:
        network = nx.DiGraph()
        network.add_node("supplier", kind="supplier")
        names = [f"location{number}" for number in range(random.integers(1, 7))]
        for number, name in enumerate(names):
            sources = ["supplier", *names[:number]]
            for source in random.choice(sources, size=min(len(sources), random.integers(1, 4)), replace=False):
                network.add_edge(str(source), name, lead_time=int(random.integers(1, 5)), unit_cost=float(random.random()))
        for name in names:
            last = network.out_degree(name) == 0
            holding, underage, price = (float(value) for value in random.random(3) * (1, 9, 2))
            node = {"holding_cost": holding, "underage_cost": underage, "price": price}
            if last or random.random() < 0.3:
                node |= {
                    "demand": {"normal": {"mean": 5.0, "std": 2.0}},
                    "unmet_demand": str(random.choice(["lost", "backlogged"])),
                }
            elif random.random() < 0.3:
                node["holds_stock"] = False
            if node.get("holds_stock", True) and random.random() < 0.3:
                node["capacity"] = float(random.uniform(0.1, 5))
            network.add_node(name, **node)
        for source, _, link in network.edges(data=True):
            if network.nodes[source].get("holds_stock", True) and random.random() < 0.3:
                link["capacity"] = float(random.uniform(0.1, 4))
        if not gi.check_network(network):
            return network


def allocated(graph, on_hand, desired, keep):
    """The section "Allocation"."""
    asked = np.minimum(np.maximum(desired, 0), graph.link_capacity.numpy())
    orders = np.zeros_like(asked)
    for node in range(graph.nodes):
        links = np.flatnonzero(graph.source.numpy() == node)
        total, stock = asked[links].sum(), max(on_hand[node], 0)
        if graph.is_supplier[node]:
            orders[links] = asked[links]
        elif not graph.holds_stock[node]:
            orders[links] = asked[links] * stock / total if total else stock / max(len(links), 1)
        elif total:
            limit = min(1, graph.ship_capacity[node].item() / total)
            orders[links] = limit * min(1, stock / (limit * total + max(keep[node], 0))) * asked[links]
    return orders


def one_period(graph, costs, on_hand, in_transit, orders, demand):
    """The sections "One period" and "Costs": on hand and in transit of the next period, sales, cost."""
    lead_time, lost = costs["lead_time"], graph.lost.numpy()
    left_over = on_hand.copy()
    for link, source in enumerate(graph.source.tolist()):
        left_over[source] -= 0 if graph.is_supplier[source] else orders[link]
    net = left_over - demand
    left, unmet = np.maximum(net, 0), np.maximum(-net, 0)
    after, moved = np.where(lost, left, net), np.zeros_like(in_transit)
    for link, target in enumerate(graph.target.tolist()):
        for slot in range(graph.slots):
            later = in_transit[link, slot + 1] if slot + 1 < graph.slots else 0
            moved[link, slot] = later + orders[link] * (lead_time[link] == slot + 2)
        arrives = in_transit[link, 0] if graph.slots else 0
        after[target] += arrives + orders[link] * (lead_time[link] == 1)
    sales = np.where(lost, demand - unmet, demand + np.maximum(-on_hand, 0) - np.maximum(-after, 0))
    at_nodes = costs["holding_cost"] * left + costs["underage_cost"] * unmet - costs["price"] * sales
    entered = orders[graph.is_supplier.numpy()[graph.source.numpy()]].sum()
    balance = on_hand.sum() + in_transit.sum() + entered - (demand - np.where(lost, unmet, 0)).sum()
    assert after.sum() + moved.sum() == pytest.approx(balance, abs=1e-9)
    return after, moved, sales, at_nodes.sum() + (costs["unit_cost"] * orders).sum()


@pytest.mark.parametrize("seed", range(40))
def test_periods_are_those_of_the_page(seed):
    random = np.random.default_rng(seed)
    graph = InventoryGraph.from_network(random_network(random)).to_dtype(torch.float64)
    parameters = graph.parameters()
    costs = {key: value[0].numpy() for key, value in vars(parameters).items()}
    sells, waits = graph.has_demand.numpy(), (graph.has_demand & ~graph.lost).numpy()
    on_hand = random.normal(3, 4, graph.nodes) * ~graph.is_supplier.numpy()
    on_hand = np.where(waits, on_hand, np.maximum(on_hand, 0))
    in_transit = random.uniform(0, 3, (graph.links, graph.slots)) * (np.arange(graph.slots) < costs["lead_time"][:, None] - 1)
    for _ in range(6):
        desired, keep = random.normal(3, 3, graph.links), random.normal(1, 2, graph.nodes)
        demand = np.maximum(random.normal(5, 2, graph.nodes), 0) * sells
        rows = [torch.tensor(value)[None] for value in (on_hand, in_transit, desired, keep, demand)]
        orders = proportional(graph, rows[0], rows[2], rows[3])
        np.testing.assert_allclose(orders[0], allocated(graph, on_hand, desired, keep), atol=1e-9)
        state, outcome = step(graph, parameters, Timing.of(graph, parameters), State(*rows[:2]), orders, rows[4])
        on_hand, in_transit, sales, cost = one_period(graph, costs, on_hand, in_transit, orders[0].numpy(), demand)
        np.testing.assert_allclose(state.on_hand[0], on_hand, atol=1e-9)
        np.testing.assert_allclose(state.in_transit[0], in_transit, atol=1e-9)
        np.testing.assert_allclose(outcome.sales[0][sells], sales[sells], atol=1e-9)
        assert float(outcome.cost[0]) == pytest.approx(cost, abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_units_bought_too_late_are_those_of_the_page(seed):
    network = random_network(np.random.default_rng(seed))
    graph = InventoryGraph.from_network(network)
    shortest = dict(nx.all_pairs_dijkstra_path_length(network, weight="lead_time"))
    customers = [name for name, node in network.nodes(data=True) if node.get("demand")]
    on = {
        label: min((shortest[label][name] for name in customers if name in shortest[label]), default=math.inf)
        for label in graph.labels
    }
    assert dict(zip(graph.labels, wait(graph, graph.parameters().lead_time)[0].tolist(), strict=True)) == on
    for link, found in zip(graph.edge_index.t().tolist(), reach(graph, graph.parameters().lead_time)[0].tolist(), strict=True):
        source, target = (graph.labels[end] for end in link)
        assert found == network.edges[source, target]["lead_time"] + on[target]
