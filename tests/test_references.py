"""References against values computed elsewhere by two independent methods, and the simulator against both."""

import json
from pathlib import Path

import pytest

import gnn_inventory as gi
from gnn_inventory.references import reference_of
from gnn_inventory.topology.network import parse_network

OPTIMA = Path(__file__).parents[2] / "shared" / "reference" / "optima.json"
needs_optima = pytest.mark.skipif(not OPTIMA.exists(), reason="the file of exact optima is not part of the project")


def rows(problem):
    return json.loads(OPTIMA.read_text())[problem]["rows"] if OPTIMA.exists() else []


def one_store(row):
    network = gi.one_store()
    network.nodes["store"]["underage_cost"] = row["underage_cost"]
    network.edges["supplier", "store"]["lead_time"] = row["lead_time"]
    return network


def serial(row):
    network = gi.serial()
    network.nodes["store"]["underage_cost"] = row["underage_cost"]
    network.edges["warehouse", "store"]["lead_time"] = row["lead_time"]
    return network


@needs_optima
@pytest.mark.parametrize("row", rows("one_store_backlogged"), ids=str)
def test_one_store_optimum(row):
    assert reference_of(parse_network(one_store(row))).value == pytest.approx(row["optimal_cost"], rel=1e-4)


@needs_optima
@pytest.mark.parametrize("row", rows("serial"), ids=str)
def test_serial_optimum(row):
    assert reference_of(parse_network(serial(row))).value == pytest.approx(row["optimal_cost"], rel=1e-4)


@needs_optima
@pytest.mark.parametrize("row", rows("transshipment"), ids=str)
def test_transshipment_bound(row):
    network = gi.transshipment(stores=row["stores"], demand={"correlation": row["correlation"]})
    for store in [name for name in network if "store" in name]:
        network.nodes[store]["underage_cost"] = row["underage_cost"]
        network.edges["warehouse", store]["lead_time"] = row["store_lead_time"]
    assert reference_of(parse_network(network)).value / row["stores"] == pytest.approx(row["lower_bound"], rel=1e-6)


def assert_cost(policy, network, expected):
    """The simulated cost is within three standard errors of the exact one."""
    result = gi.evaluate(policy, network, scenarios=2048, periods=400, warm_up=200)
    error = (result.ci95[1] - result.ci95[0]) / (2 * 1.96)
    assert abs(result.cost_per_store - expected) < 3 * error
    assert error < 0.01 * expected  # else the line above would say nothing


@needs_optima
@pytest.mark.parametrize("row", rows("one_store_backlogged")[::5], ids=str)
def test_the_simulator_gives_the_optimal_cost_of_the_optimal_level(row):
    network, policy = one_store(row), gi.BaseStock()
    policy.set_levels(gi.InventoryGraph.from_network(network), {"store": row["base_stock_level"]})
    assert_cost(policy, network, row["optimal_cost"])


@needs_optima
@pytest.mark.parametrize("row", rows("one_store_lost")[::5], ids=str)
def test_the_simulator_gives_the_exact_cost_of_the_best_base_stock_with_lost_sales(row):
    network, policy = gi.load_network("one_store_lost"), gi.BaseStock()
    network.nodes["store"]["underage_cost"] = row["underage_cost"]
    network.edges["supplier", "store"]["lead_time"] = row["lead_time"]
    policy.set_levels(gi.InventoryGraph.from_network(network), {"store": row["best_base_stock"]["level"]})
    assert_cost(policy, network, row["best_base_stock"]["cost"])


@needs_optima
@pytest.mark.parametrize("row", rows("serial")[::5], ids=str)
def test_the_simulator_gives_the_optimal_cost_of_the_optimal_echelon_levels(row):
    network, policy = serial(row), gi.EchelonBaseStock()
    policy.set_levels(gi.InventoryGraph.from_network(network), row["echelon_base_stock_levels"])
    assert_cost(policy, network, row["optimal_cost"])


def test_no_reference_where_none_is_known():
    assert reference_of(parse_network(gi.one_warehouse())) is None
    assert reference_of(parse_network(gi.load_network("one_store_lost"))) is None
