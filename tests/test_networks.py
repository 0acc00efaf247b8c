"""Networks: the catalogue against published numbers, YAML and back, and one clear line for each mistake."""

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.utils import from_networkx

import gnn_inventory as gi
from gnn_inventory.errors import InputError
from gnn_inventory.topology.catalogue import catalogue
from gnn_inventory.topology.network import check_network, parse_network

STORES = [f"store_{number}" for number in range(5)]
GOOD = """
demand: {correlation: 0.5}
nodes:
  supplier: {kind: supplier}
  warehouse: {holding_cost: 0.3}
  north: {holding_cost: 1.0, underage_cost: 9.0, unmet_demand: lost, demand: {normal: {mean: 5.0, std: 1.6, clip: true}}}
  south: {holding_cost: 1.1, underage_cost: 7.0, unmet_demand: backlogged, demand: {poisson: {mean: 4.0}}}
links:
  - {from: supplier, to: warehouse, lead_time: 3, unit_cost: 0.5}
  - {from: warehouse, to: north, lead_time: 2}
  - {from: warehouse, to: south, lead_time: 1}
"""
BAD = {  # what is replaced, by what, and what the error says
    "unknown key": (
        "underage_cost: 9.0",
        "underage_csot: 9.0",
        "node 'north': unknown key 'underage_csot'; did you mean 'underage_cost'?",
    ),
    "missing lead time": (", lead_time: 2}", "}", "link 'warehouse' -> 'north': lead_time: missing"),
    "missing unmet demand": ("unmet_demand: lost, ", "", "node 'north': unmet_demand: missing; expected 'lost' or 'backlogged'"),
    "missing end": ("to: south, ", "", "link 3: to: missing"),
    "cycle": ("links:", "links:\n  - {from: north, to: warehouse, lead_time: 1}", "cycle 'warehouse' -> 'north' -> 'warehouse'"),
    "unreachable": (
        "links:",
        "  west: {holding_cost: 1, demand: {poisson: {mean: 1}}, unmet_demand: lost}\nlinks:",
        "node 'west': cannot be reached",
    ),
    "link into a supplier": (
        "links:",
        "links:\n  - {from: warehouse, to: supplier, lead_time: 1}",
        "a supplier orders from nobody",
    ),
    "self-loop": ("links:", "links:\n  - {from: north, to: north, lead_time: 1}", "cannot order from itself"),
    "duplicate node": (
        "  warehouse: {holding_cost: 0.3}",
        "  north: {holding_cost: 0.3}\n  warehouse: {holding_cost: 0.3}",
        "line 7",
    ),
    "duplicate link": (
        "links:",
        "links:\n  - {from: warehouse, to: north, lead_time: 1}",
        "link 'warehouse' -> 'north': stands twice",
    ),
    "unknown node": ("to: south", "to: sout", "unknown node 'sout'; did you mean 'south'?"),
    "lead time 0": ("lead_time: 2", "lead_time: 0", "lead_time: got 0; expected a number >= 1"),
    "lead time negative": ("lead_time: 2", "lead_time: -2", "lead_time: got -2; expected a number >= 1"),
    "lead time 2.5": ("lead_time: 2", "lead_time: 2.5", "lead_time: got 2.5; expected an integer"),
    "negative cost": ("holding_cost: 1.1", "holding_cost: -1.1", "node 'south': holding_cost: got -1.1; expected a number >= 0"),
    "not a number": ("holding_cost: 1.1", "holding_cost: .nan", "node 'south': holding_cost: got nan; expected a finite number"),
    "truth value": ("holding_cost: 1.1", "holding_cost: yes", "holding_cost: got True; expected a number"),
    "probability": (
        "poisson: {mean: 4.0}",
        "negative_binomial: {successes: 2, probability: 1.5}",
        "probability: got 1.5; expected a number <= 1",
    ),
    "correlation": (
        "correlation: 0.5",
        "correlation: -1",
        "demand.correlation: got -1.0; expected a correlation that is positive definite",
    ),
    "correlation matrix": ("correlation: 0.5", "correlation: [[1, 0.9], [0.1, 1]]", "positive definite, symmetric"),
    "correlation too large": ("correlation: 0.5", "correlation: 1.5", "got 1.5; expected a number <= 1"),
    "two distributions": ("poisson: {mean: 4.0}", "poisson: {mean: 4.0}, normal: {mean: 1, std: 1}", "exactly one distribution"),
    "no demand, no links": (
        "links:",
        "  west: {holding_cost: 1}\nlinks:\n  - {from: warehouse, to: west, lead_time: 1}",
        "has no demand and ships nowhere",
    ),
    "not YAML": ("nodes:", "nodes: [", "line "),
    "no supplier": ("{kind: supplier}", "{holding_cost: 1}", "got no supplier"),
    "draw without seed": ("holding_cost: 1.1", "holding_cost: {uniform: [0, 1]}", "holding_cost.seed: got None"),
}


@pytest.fixture
def network_file(tmp_path):
    def write(text):
        path = tmp_path / "two_stores.yaml"
        path.write_text(text)
        return path

    return write


def test_the_documented_file_is_valid(network_file):
    network = parse_network(gi.load_network(network_file(GOOD)))
    assert list(network.nodes) == ["north", "south", "supplier", "warehouse"]
    assert np.array_equal(network.correlation, [[1, 0.5], [0.5, 1]])


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_a_line_that_says_what_and_where(case, network_file):
    old, new, expected = BAD[case]
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        parse_network(gi.load_network(network_file(GOOD.replace(old, new, 1))))
    assert any(expected in line for line in str(caught.value).splitlines()), str(caught.value)


def test_all_mistakes_at_once(network_file):
    text = (
        GOOD.replace("0.3", "-0.3")
        .replace("lead_time: 2", "lead_time: 0")
        .replace("mean: 4.0", "mean: -4")
        .replace("9.0", ".inf")
    )
    with pytest.raises(InputError) as caught:
        parse_network(gi.load_network(network_file(text)))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("path", "expected"),
    [("absent.yaml", "no such file"), (".", "is a folder"), ("one_warehous", "did you mean 'one_warehouse'?")],
)
def test_a_file_that_is_not_there(path, expected):
    with pytest.raises(InputError, match=expected):
        gi.load_network(path)


def test_an_empty_network():
    assert "nodes: got none" in check_network(nx.DiGraph())[0]
    with pytest.raises(InputError, match=r"expected a networkx\.DiGraph"):
        parse_network(nx.Graph())


def test_parameters_are_drawn_as_published():
    network = gi.one_warehouse()
    demand = [network.nodes[store]["demand"]["normal"] for store in STORES]
    assert [values["mean"] for values in demand] == [3.743, 4.75, 4.555, 3.801, 6.852]
    assert [values["std"] for values in demand] == [1.765, 2.124, 1.622, 1.405, 1.714]
    underage = [network.nodes[store]["underage_cost"] for store in STORES]
    assert underage == pytest.approx([10.2367, 9.3307, 6.9748, 8.4470, 10.5191], abs=1e-4)
    holding = [network.nodes[store]["holding_cost"] for store in STORES]
    assert holding == pytest.approx([1.0856, 1.0232, 1.0071, 1.0662, 0.9958], abs=1e-4)
    assert [network.edges["warehouse", store]["lead_time"] for store in STORES] == [2, 3, 2, 2, 2]
    ten = gi.transshipment(stores=10)
    means = [ten.nodes[f"store_{number}"]["demand"]["normal"]["mean"] for number in range(10)]
    assert means == [3.743, 4.75, 4.555, 3.801, 6.852, 3.425, 2.598, 7.266, 5.902, 4.933]


@pytest.mark.parametrize("name", sorted(catalogue("topologies")))
def test_written_and_read_again_a_network_is_the_same(name, tmp_path):
    network = gi.load_network(name)
    gi.save_network(network, tmp_path / "again.yaml")
    again = parse_network(gi.load_network(tmp_path / "again.yaml"))
    first = parse_network(network)
    assert (again.name, again.nodes, again.links, again.customers) == (first.name, first.nodes, first.links, first.customers)
    assert np.array_equal(again.correlation, first.correlation)


def test_sizes_and_matrices():
    assert len(parse_network(gi.one_warehouse(stores=50)).customers) == 50
    assert list(parse_network(gi.serial(echelons=2, upstream={"holding_cost": 0.5}, upstream_link={"lead_time": 1})).nodes) == [
        "store",
        "supplier",
        "warehouse",
    ]
    links = parse_network(gi.many_warehouses()).links
    assert len(links) == 2 + 6 + 9
    assert links["warehouse_0", "store_7"].lead_time == 5
    assert ("warehouse_1", "store_6") not in links
    with pytest.raises(InputError, match="one value, or a list of 4 values"):
        gi.serial(echelons=5)


def test_the_graph_is_that_of_from_networkx_where_that_one_is_right():
    """Nodes inserted in sorted order, the same attributes everywhere, more links than nodes: none of its traps."""
    network = nx.DiGraph()
    network.add_node("a", kind="supplier")
    for name in "bcd":
        network.add_node(name, holding_cost=ord(name) / 7, unmet_demand="lost", demand={"poisson": {"mean": 1.0}})
    for pair in ("ab", "ac", "ad", "bc", "bd", "cd"):
        network.add_edge(*pair, lead_time=float(ord(pair[1]) - ord(pair[0])), unit_cost=ord(pair[0]) / 9)
    plain = nx.DiGraph()
    plain.add_nodes_from((name, {"cost": values.get("holding_cost", 0.0)}) for name, values in network.nodes(data=True))
    plain.add_edges_from(
        (u, v, {"lead": values["lead_time"], "unit": values["unit_cost"]}) for u, v, values in network.edges(data=True)
    )
    theirs, ours = from_networkx(plain), gi.InventoryGraph.from_network(network)
    assert torch.equal(ours.edge_index, theirs.edge_index)
    torch.testing.assert_close(ours.holding_cost, theirs.cost)
    torch.testing.assert_close(ours.lead_time, theirs.lead)
    torch.testing.assert_close(ours.unit_cost, theirs.unit)
    assert all(
        value.dtype == torch.float32 for key, value in ours if isinstance(value, torch.Tensor) and value.is_floating_point()
    )
    shuffled = nx.DiGraph()
    shuffled.add_nodes_from(reversed(list(network.nodes(data=True))))
    shuffled.add_edges_from(reversed(list(network.edges(data=True))))
    again = gi.InventoryGraph.from_network(shuffled)
    assert again.labels == ours.labels
    assert all(torch.equal(again[key], value) for key, value in ours if isinstance(value, torch.Tensor))


def test_flows_depth_and_slots_of_a_diamond_by_hand():
    network = nx.DiGraph()
    network.add_node("s", kind="supplier")
    for name in "uv":
        network.add_node(name, holding_cost=1.0)
        network.add_edge("s", name, lead_time=4)
        network.add_edge(name, "z", lead_time=2)
    network.add_node("z", holding_cost=1.0, unmet_demand="lost", demand={"poisson": {"mean": 6.0}})
    graph = gi.InventoryGraph.from_network(network)
    node_flow, link_flow = graph.flows(graph.mean_demand.unsqueeze(0))
    assert dict(zip(graph.labels, node_flow[0].tolist(), strict=True)) == {"s": 6.0, "u": 3.0, "v": 3.0, "z": 6.0}
    assert link_flow[0].tolist() == [3.0, 3.0, 3.0, 3.0]
    assert (graph.depth, graph.slots, graph.link_names[0]) == (2, 3, "s -> u")


def test_the_union_of_graphs_is_the_graphs_side_by_side():
    first, second = (gi.InventoryGraph.from_network(network) for network in (gi.one_store(), gi.serial()))
    union = gi.InventoryGraph.union([first, second])
    assert torch.equal(union.edge_index, torch.cat([first.edge_index, second.edge_index + first.nodes], dim=1))
    assert torch.equal(union.lead_time, torch.cat([first.lead_time, second.lead_time]))
    assert (union.nodes, union.links, union.depth) == (7, 5, 4)
    mean = torch.cat([first.mean_demand, second.mean_demand]).unsqueeze(0)
    apart = torch.cat([graph.flows(graph.mean_demand.unsqueeze(0))[0] for graph in (first, second)], dim=1)
    torch.testing.assert_close(union.flows(mean)[0], apart)


def test_a_precision_is_of_a_copy():
    graph = gi.InventoryGraph.from_network(gi.one_store())
    assert graph.to_dtype(torch.float64).lead_time.dtype == torch.float64
    assert graph.lead_time.dtype == torch.float32
