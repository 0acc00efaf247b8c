"""`InventoryGraph`: against `from_networkx` where that one is right, and by hand for the rest."""

import networkx as nx
import pytest
import torch
from torch_geometric.utils import from_networkx

import gnn_inventory as gi
from gnn_inventory.graph import InventoryGraph, moments
from gnn_inventory.topology.catalogue import catalogue
from gnn_inventory.topology.network import parse_network

FLOAT_FIELDS = ("holding_cost", "underage_cost", "price", "initial_stock", "lead_time", "unit_cost", "initial_in_transit")


def tensors(graph):
    return {key: value for key, value in graph.to_dict().items() if isinstance(value, torch.Tensor)}


def random_network(seed):
    """Layers of nodes whose names sort in the order of insertion, every attribute given, as floats."""
    draw = torch.Generator().manual_seed(seed)

    def uniform():
        return float(torch.rand((), generator=draw)) + 0.5

    network = nx.DiGraph()
    names = [f"n{number:02d}" for number in range(6 + seed)]
    network.add_node(names[0], kind="supplier")
    for name in names[1:]:
        customers = {"unmet_demand": "lost", "demand": {"poisson": {"mean": uniform()}}}
        network.add_node(name, holding_cost=uniform(), underage_cost=uniform(), price=uniform(), **customers)
    for number, name in enumerate(names[1:], start=1):
        for source in sorted({0, *torch.randint(number, (2,), generator=draw).tolist()}):
            lead_time = int(torch.randint(1, 6, (), generator=draw))
            network.add_edge(names[source], name, lead_time=lead_time, unit_cost=uniform())
    return network


def plain(network):
    """The same graph with names of attributes and types that `from_networkx` gets right."""
    copy = nx.DiGraph()
    for node, values in network.nodes(data=True):
        copy.add_node(node, h=float(values.get("holding_cost", 0.0)), p=float(values.get("underage_cost", 0.0)))
    for source, target, values in network.edges(data=True):
        copy.add_edge(source, target, lead=float(values["lead_time"]), unit=float(values.get("unit_cost", 0.0)))
    return copy


def diamond():
    """Two suppliers; a and b each feed z; a also feeds y; the lead time of one link differs by scenario."""
    network = nx.DiGraph()
    network.add_node("s1", kind="supplier")
    network.add_node("s2", kind="supplier")
    for name, mean in (("a", None), ("b", 2.0), ("y", 3.0), ("z", 8.0)):
        demand = {} if mean is None else {"unmet_demand": "lost", "demand": {"poisson": {"mean": mean}}}
        network.add_node(name, holding_cost=1.0, **demand)
    pairs = [("s1", "a", 2), ("s1", "b", 1), ("s2", "b", 3), ("a", "y", 4), ("a", "z", 1), ("b", "z", 5)]
    network.add_weighted_edges_from(pairs, weight="lead_time")
    return network


@pytest.mark.parametrize("seed", range(6))
def test_equals_from_networkx_where_that_one_is_right(seed):
    network = random_network(seed)
    ours, theirs = InventoryGraph.from_network(network), from_networkx(plain(network))
    torch.testing.assert_close(ours.holding_cost, theirs.h, rtol=0, atol=0)
    torch.testing.assert_close(ours.underage_cost, theirs.p, rtol=0, atol=0)
    pairs = list(zip(*theirs.edge_index.tolist(), strict=True))
    assert sorted(pairs) == list(zip(*ours.edge_index.tolist(), strict=True))
    order = sorted(range(len(pairs)), key=pairs.__getitem__)
    torch.testing.assert_close(ours.lead_time, theirs.lead[order], rtol=0, atol=0)
    torch.testing.assert_close(ours.unit_cost, theirs.unit[order], rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_insertion_does_not_matter(seed):
    network = random_network(seed)
    shuffled = nx.DiGraph()
    draw = torch.Generator().manual_seed(seed)
    nodes, edges = list(network.nodes(data=True)), list(network.edges(data=True))
    shuffled.add_edges_from(edges[number] for number in torch.randperm(len(edges), generator=draw).tolist())
    shuffled.add_nodes_from(nodes[number] for number in torch.randperm(len(nodes), generator=draw).tolist())
    first, second = InventoryGraph.from_network(network), InventoryGraph.from_network(shuffled)
    assert first.labels == second.labels == sorted(network)
    for key, value in tensors(first).items():
        assert torch.equal(value, second[key]), key


@pytest.mark.parametrize("name", sorted(catalogue("topologies")))
def test_types_and_shapes(name):
    graph = InventoryGraph.from_network(gi.load_network(name))
    assert graph.edge_index.dtype == torch.int64
    for key, value in tensors(graph).items():
        assert key in ("edge_index", "component", "component_depth", "inbound", "outbound") or value.dtype in (
            torch.float32,
            torch.bool,
        ), key
    assert all(graph[key].dtype == graph[f"{key}_span"].dtype == torch.float32 for key in FLOAT_FIELDS)
    assert all(graph[key].shape == (graph.nodes,) for key in FLOAT_FIELDS[:4])
    assert all(graph[key].shape == (graph.links,) for key in FLOAT_FIELDS[4:])
    assert graph.validate()


def test_integers_and_attributes_left_out():
    """Whole numbers do not become int64, and what is left out has its default: two traps of `from_networkx`."""
    network = nx.DiGraph()
    network.add_node("s", kind="supplier")
    network.add_node("b", holding_cost=2, unmet_demand="lost", demand={"poisson": {"mean": 1}}, price=7)
    network.add_edge("s", "b", lead_time=1)
    graph = InventoryGraph.from_network(network)
    assert (graph.labels, graph.holding_cost.tolist(), graph.price.tolist()) == (["b", "s"], [2.0, 0.0], [7.0, 0.0])
    assert (graph.lead_time.dtype, graph.unit_cost.tolist()) == (torch.float32, [0.0])
    assert (graph.is_supplier.tolist(), graph.has_demand.tolist()) == ([False, True], [True, False])
    assert graph.slots == 0, "goods with a lead time of 1 are never seen on their way"


def test_flows_of_a_diamond_with_two_sources_by_hand():
    graph = InventoryGraph.from_network(diamond())
    node, link = graph.flows(graph.mean_demand.unsqueeze(0))
    # z: 8, half by a and half by b; a: 3 + 4; b: 2 + 4, half from each supplier
    expected = {"a": 7.0, "b": 6.0, "s1": 10.0, "s2": 3.0, "y": 3.0, "z": 8.0}
    assert dict(zip(graph.labels, node[0].tolist(), strict=True)) == expected
    of_link = {"a -> y": 3.0, "a -> z": 4.0, "b -> z": 4.0, "s1 -> a": 7.0, "s1 -> b": 3.0, "s2 -> b": 3.0}
    assert dict(zip(graph.link_names, link[0].tolist(), strict=True)) == of_link


def test_flows_differ_by_scenario_and_zero_is_a_unit():
    graph = InventoryGraph.from_network(diamond())
    mean = torch.stack([graph.mean_demand, 2 * graph.mean_demand, torch.zeros(graph.nodes)])
    node, link = graph.flows(mean)
    torch.testing.assert_close(node[1], 2 * node[0])
    torch.testing.assert_close(link[1], 2 * link[0])
    assert torch.all(node[2] == 1)
    assert torch.all(link[2] == 1)


def test_depth_and_slots_by_hand():
    graph = InventoryGraph.from_network(diamond())
    assert (graph.depth, graph.slots) == (2, 4)
    serial = InventoryGraph.from_network(gi.serial())
    assert (serial.depth, serial.slots) == (4, 3)
    direct = diamond()
    direct.add_edge("b", "a", lead_time=1)
    assert InventoryGraph.from_network(direct).depth == 3, "the longest path, not the shortest"


def test_values_that_differ_by_scenario_have_a_span():
    network = diamond()
    network.edges["a", "y"]["lead_time"] = {"per_scenario": {"integers": [2, 7]}}
    network.nodes["z"]["underage_cost"] = {"per_scenario": {"uniform": [4.0, 9.5]}}
    network.nodes["y"]["initial_stock"] = {"per_scenario": {"uniform": [0.5, 1.0], "times": "mean_flow"}}
    network.edges["b", "z"]["initial_in_transit"] = {"per_scenario": {"uniform": [1, 3]}}
    graph = InventoryGraph.from_network(network)
    first = graph.link_names.index("a -> y")
    assert (graph.lead_time[first], graph.lead_time_span[first], graph.slots) == (2.0, 5.0, 6)
    assert graph.lead_time_span.count_nonzero() == 1
    y, z, last = graph.labels.index("y"), graph.labels.index("z"), graph.link_names.index("b -> z")
    assert (graph.underage_cost[z], graph.underage_cost_span[z]) == (4.0, 5.5)
    assert (graph.initial_stock[y], graph.initial_stock_span[y]) == (0.5, 0.5)
    assert graph.initial_stock_by_flow.nonzero().flatten().tolist() == [y]
    assert (graph.initial_in_transit[last], graph.initial_in_transit_span[last]) == (1.0, 2.0)
    assert not graph.initial_in_transit_by_flow.any()


def test_the_union_is_the_graphs_side_by_side():
    graphs = [InventoryGraph.from_network(network) for network in (diamond(), gi.one_warehouse(), gi.serial(), diamond())]
    union = InventoryGraph.union(graphs)
    offsets = [sum(graph.nodes for graph in graphs[:number]) for number in range(len(graphs))]
    ends = torch.cat([graph.edge_index + offset for graph, offset in zip(graphs, offsets, strict=True)], dim=1)
    assert torch.equal(union.edge_index, ends)
    for key in tensors(graphs[0]):
        if key == "component":
            assert union[key].tolist() == [number for number, graph in enumerate(graphs) for _ in range(graph.nodes)]
        elif key != "edge_index":
            assert torch.equal(union[key], torch.cat([graph[key] for graph in graphs])), key
    assert (union.nodes, union.links) == (sum(g.nodes for g in graphs), sum(g.links for g in graphs))
    assert (union.depth, union.slots) == (4, 4)
    assert union.labels[:2] == ["0/a", "0/b"]
    assert len(set(union.labels)) == union.nodes
    apart = [graph.flows(graph.mean_demand.unsqueeze(0)) for graph in graphs]
    for whole, parts in zip(union.flows(union.mean_demand.unsqueeze(0)), zip(*apart, strict=True), strict=True):
        torch.testing.assert_close(whole, torch.cat(parts, dim=1))


def test_a_precision_is_of_a_copy():
    graph = gi.InventoryGraph.from_network(gi.one_store())
    assert graph.to_dtype(torch.float64).lead_time.dtype == torch.float64
    assert graph.lead_time.dtype == torch.float32


def test_the_moments_of_demand_that_hardly_varies():
    assert moments(location(mean=5.0, std=1e-300)) == (5.0, 1e-300)
    assert moments(location(mean=-5.0, std=1e-300)) == (0.0, 0.0)
    assert moments(location(mean=0.0, std=0.0)) == (0.0, 0.0)
    assert moments(location(mean=40.0, std=1.0)) == (40.0, 1.0)


def location(**normal):
    return parse_network(
        gi.one_store(
            store={
                "holding_cost": 1.0,
                "underage_cost": 9.0,
                "unmet_demand": "lost",
                "demand": {"normal": {**normal, "clip": True}},
            }
        )
    ).location("store")
