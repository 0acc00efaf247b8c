"""The catalogue against the published instances, draws, families, and YAML there and back."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.topology.catalogue import catalogue
from gnn_inventory.topology.network import check_network, parse_network
from gnn_inventory.topology.schema import Normal, Supplier

NAMES = sorted(catalogue("topologies"))
MEANS = [3.743, 4.75, 4.555, 3.801, 6.852, 3.425, 2.598, 7.266, 5.902, 4.933]
LEAD_TIMES = [[0, 0, 6, 6, 6, 0, 6, 5, 6, 0], [2, 1, 2, 2, 1, 2, 0, 2, 2, 2]]
LARGER = [
    [0, 0, 6, 6, 6, 0, 0, 5, 6, 0, 6, 5, 0, 6, 0, 6, 0, 0, 6, 0],
    [2, 2, 2, 2, 2, 2, 1, 0, 2, 1, 2, 2, 2, 2, 1, 0, 0, 2, 0, 2],
    [5, 0, 5, 6, 6, 6, 0, 6, 6, 6, 4, 6, 0, 5, 6, 5, 6, 5, 6, 0],
]
FAVORITA = "615 615 615 015 614 506 525 525 515 525 505 500 505 506 015 615 615 615 615 514 525"  # store by store
TWO_STORES = """
name: two_stores                  # topologies/two_stores.yaml
source: where the numbers come from
demand: {correlation: 0.5}        # between locations; each location's distribution stands at the location
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


def assert_same(first, second):
    for field in ("name", "nodes", "links", "customers"):
        assert getattr(first, field) == getattr(second, field), field
    assert list(first.nodes) == list(second.nodes)
    assert list(first.links) == list(second.links)
    np.testing.assert_array_equal(first.correlation, second.correlation)


def stores_of(network):
    return [network.location(name) for name in network.customers]


def lead_time_matrix(network, warehouses, stores):
    pairs = [[(f"warehouse_{u}", f"store_{v:0{len(str(stores - 1))}d}") for v in range(stores)] for u in range(warehouses)]
    return [[network.links[pair].lead_time if pair in network.links else 0 for pair in row] for row in pairs]


def test_the_catalogue_is_not_empty():
    assert {"one_store_backlogged", "one_store_lost", "serial", "transshipment", "one_warehouse", "favorita"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_the_catalogue_loads_and_parses(name):
    graph = gi.load_network(name)
    assert isinstance(graph, nx.DiGraph)
    assert check_network(graph) == []
    network = parse_network(graph)
    assert network.name == name
    assert graph.graph["source"], "where the numbers come from"
    assert network.customers
    assert any(isinstance(node, Supplier) for node in network.nodes.values())
    assert list(network.nodes) == sorted(network.nodes)
    assert list(network.links) == sorted(network.links)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_is_the_same_network(name, tmp_path):
    graph, path = gi.load_network(name), tmp_path / "copy.yaml"
    gi.save_network(graph, path)
    assert_same(parse_network(gi.load_network(path)), parse_network(graph))
    assert gi.load_network(path).graph["source"] == graph.graph["source"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_network(name):
    first, second = gi.load_network(name), gi.load_network(name)
    assert dict(first.nodes) == dict(second.nodes)
    assert nx.utils.edges_equal(first.edges(data=True), second.edges(data=True), directed=True)
    assert_same(parse_network(first), parse_network(second))


def test_another_seed_draws_another_network_within_the_bounds():
    template = dict(holding_cost={"uniform": [0.7, 1.3], "seed": 74}, unmet_demand="lost", demand={"poisson": {"mean": 5.0}})
    drawn, usual = (parse_network(gi.one_warehouse(**change)) for change in ({"store": template}, {}))
    costs, others = ([store.holding_cost for store in stores_of(network)] for network in (drawn, usual))
    assert all(0.7 <= cost <= 1.3 for cost in costs)
    assert not set(costs) & set(others)
    assert costs == pytest.approx(np.random.RandomState(74).uniform(0.7, 1.3, 5), abs=1e-15)


def test_one_warehouse_is_the_published_instance():
    network = parse_network(gi.one_warehouse())
    stores = stores_of(network)
    assert network.customers == tuple(f"store_{number}" for number in range(5))
    assert [store.distribution.mean for store in stores] == MEANS[:5]
    assert [store.distribution.std for store in stores] == [1.765, 2.124, 1.622, 1.405, 1.714]
    underage, holding = [store.underage_cost for store in stores], [store.holding_cost for store in stores]
    assert underage == pytest.approx([10.2367, 9.3307, 6.9748, 8.4470, 10.5191], abs=5e-5)
    assert holding == pytest.approx([1.0856, 1.0232, 1.0071, 1.0662, 0.9958], abs=5e-5)
    assert [network.links["warehouse", name].lead_time for name in network.customers] == [2, 3, 2, 2, 2]
    assert network.links["supplier", "warehouse"].lead_time == 3
    assert network.location("warehouse").holding_cost == 0.3
    assert all(store.unmet_demand == "lost" and store.distribution.clip for store in stores)
    np.testing.assert_array_equal(network.correlation, np.full((5, 5), 0.5) + 0.5 * np.eye(5))


def test_transshipment_of_ten_stores_is_the_published_instance():
    network = parse_network(gi.transshipment(stores=10))
    stores = stores_of(network)
    assert [store.distribution.mean for store in stores] == MEANS
    stds = [1.765, 2.124, 1.622, 1.405, 1.714, 1.59, 0.879, 2.701, 2.127, 2.391]
    assert [store.distribution.std for store in stores] == stds
    assert all(store.unmet_demand == "backlogged" and not store.distribution.clip for store in stores)
    assert not network.location("warehouse").holds_stock


@pytest.mark.parametrize("build", [gi.one_warehouse, gi.transshipment])
def test_fifty_stores(build):
    network = parse_network(build(stores=50))
    assert len(network.customers) == 50
    assert (len(network.nodes), len(network.links)) == (52, 51)
    assert network.correlation.shape == (50, 50)
    assert list(network.customers) == sorted(network.customers), "sorting by name keeps the order of the draws"
    means = [store.distribution.mean for store in stores_of(network)]
    assert means == np.round(np.random.RandomState(33).uniform(2.5, 7.5, 50), 3).tolist()


@pytest.mark.parametrize("matrix", [LEAD_TIMES, LARGER], ids=["2x10", "3x20"])
def test_many_warehouses_follow_the_matrix(matrix):
    rows, columns = len(matrix), len(matrix[0])
    costs = {"warehouse": {"holding_cost": [0.3, 0.4, 0.2][:rows]}}
    outside = {"warehouse_link": {"lead_time": 3, "unit_cost": [0.5, 1.5, 0.7][:rows]}}
    network = parse_network(gi.many_warehouses(lead_times=matrix, **costs, **outside))
    assert len(network.links) == rows + int(np.count_nonzero(matrix))
    assert lead_time_matrix(network, rows, columns) == matrix
    bought = [network.links["supplier", f"warehouse_{number}"] for number in range(rows)]
    assert [link.unit_cost for link in bought] == [0.5, 1.5, 0.7][:rows]
    assert {link.lead_time for link in bought} == {3}


def test_many_warehouses_of_the_catalogue_is_the_smallest_published_instance():
    assert lead_time_matrix(parse_network(gi.many_warehouses()), 2, 10) == LEAD_TIMES


def test_favorita_follows_the_published_lead_times():
    network = parse_network(gi.load_network("favorita"))
    expected = [[int(store[row]) for store in FAVORITA.split()] for row in range(3)]
    assert lead_time_matrix(network, 3, 21) == expected
    prices = [store.price for store in stores_of(network)]
    assert prices == pytest.approx(np.random.RandomState(28).uniform(6.3, 11.7, 21), abs=1e-12)
    assert {store.underage_cost for store in stores_of(network)} == {0.0}


def test_a_draw_over_the_lead_time_makes_what_is_sooner_dearer():
    link = {"unit_cost": {"uniform": [0, 2], "seed": 7, "over": "lead_time"}, "lead_time": {"integers": [1, 4], "seed": 8}}
    network = parse_network(gi.one_warehouse(stores=6, store_link=link))
    lead_times = np.random.RandomState(8).randint(1, 5, 6)
    costs = np.random.RandomState(7).uniform(0, 2, 6) / lead_times
    links = [network.links["warehouse", f"store_{number}"] for number in range(6)]
    assert [link.lead_time for link in links] == lead_times.tolist()
    assert [link.unit_cost for link in links] == pytest.approx(costs.tolist())


def test_serial_is_a_row():
    network = parse_network(gi.serial())
    row = ["supplier", "echelon0", "echelon1", "warehouse", "store"]
    assert set(network.links) == set(pairwise(row))
    assert network.location("store").distribution == Normal(mean=5.0, std=2.0, clip=True)


def test_the_file_of_the_design_loads(tmp_path):
    path = tmp_path / "two_stores.yaml"
    path.write_text(TWO_STORES)
    network = parse_network(gi.load_network(path))
    assert (network.name, network.customers) == ("two_stores", ("north", "south"))
    assert [network.links["warehouse", store].lead_time for store in network.customers] == [2, 1]
    assert network.links["supplier", "warehouse"].unit_cost == 0.5
    assert [network.location(store).unmet_demand for store in network.customers] == ["lost", "backlogged"]
    np.testing.assert_array_equal(network.correlation, [[1.0, 0.5], [0.5, 1.0]])


STORE = {"unmet_demand": "lost", "demand": {"poisson": {"mean": 2.0}}}


def test_numbers_of_numpy_are_numbers(tmp_path):
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("store", holding_cost=np.float64(1.5), unmet_demand="lost", demand={"poisson": {"mean": np.float64(2)}})
    network.add_edge("supplier", "store", lead_time=np.int64(2))
    gi.save_network(network, tmp_path / "numpy.yaml")
    assert_same(parse_network(gi.load_network(tmp_path / "numpy.yaml")), parse_network(network))


def test_sizes_draws_and_matrices_may_be_of_numpy():
    made = gi.one_warehouse(stores=np.int64(2), demand={"correlation": np.array([[1.0, 0.5], [0.5, 1.0]])})
    stated = gi.one_warehouse(stores=2, demand={"correlation": [[1.0, 0.5], [0.5, 1.0]]})
    assert_same(parse_network(made), parse_network(stated))
    drawn = gi.one_store(store={**STORE, "holding_cost": {"uniform": np.array([1, 2]), "seed": np.int64(3)}})
    plain = gi.one_store(store={**STORE, "holding_cost": {"uniform": [1, 2], "seed": 3}})
    assert_same(parse_network(drawn), parse_network(plain))


def test_names_in_yaml_are_what_is_written(tmp_path):
    """In YAML 1.1 NO is a truth value and 0042 is 34; here both are names, and what is no text is to be put in quotes."""
    text = "nodes:\n  0042: {kind: supplier}\n  NO: {holding_cost: 1e-3, unmet_demand: lost, demand: {poisson: {mean: 2}}}\n"
    (tmp_path / "named.yaml").write_text(text + "links:\n  - {from: 0042, to: NO, lead_time: 1}\n")
    network = gi.load_network(tmp_path / "named.yaml")
    assert parse_network(network).location("NO").holding_cost == 0.001
    gi.save_network(nx.relabel_nodes(network, {"0042": "1e3", "NO": "true"}), tmp_path / "saved.yaml")
    assert list(parse_network(gi.load_network(tmp_path / "saved.yaml")).nodes) == ["1e3", "true"]
    (tmp_path / "named.yaml").write_text(text.replace("NO", "1.50") + "links:\n  - {from: 0042, to: true, lead_time: 1}\n")
    with pytest.raises(InputError) as mistakes:
        gi.load_network(tmp_path / "named.yaml")
    assert "node 1.5: got no text as its name; write the name in quotes" in str(mistakes.value)
    assert "link 1: to: got True; expected the name of a node, in quotes" in str(mistakes.value)


def test_what_is_not_valid_is_not_saved(tmp_path):
    network = gi.one_store()
    network.edges["supplier", "store"]["from"] = "supplier"
    with pytest.raises(InputError, match="unknown key 'from'"):
        gi.save_network(network, tmp_path / "network.yaml")
    assert not (tmp_path / "network.yaml").exists()


def test_a_network_is_saved_under_a_name_by_which_it_is_read(tmp_path):
    with pytest.raises(UsageError, match=r"ending: got '\.json'; expected one of: \.yaml, \.yml"):
        gi.save_network(gi.one_store(), tmp_path / "network.json")
    with pytest.raises(InputError, match="stores: got 100000000; expected at most 1000000"):
        gi.one_warehouse(stores=100_000_000)
