"""What a trajectory says happened, by hand."""

import math

import networkx as nx
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import parse_network
from gnn_inventory.trajectory import Trajectory


def store(unmet: str) -> nx.DiGraph:
    network = nx.DiGraph(name="store")
    network.add_node("supplier", kind="supplier")
    demand = {"normal": {"mean": 6.0, "std": 0.0}}
    network.add_node(
        "store", holding_cost=1.0, underage_cost=4.0, price=2.0, unmet_demand=unmet, demand=demand, initial_stock=10.0
    )
    network.add_edge("supplier", "store", lead_time=1, unit_cost=0.5)
    return network


def happened(unmet: str, level: float, periods: int = 4, warm_up: int = 0, fixed_cost: float = 0.0) -> Trajectory:
    network = store(unmet)
    network.edges["supplier", "store"]["fixed_cost"] = fixed_cost
    policy = gi.BaseStock()
    policy.set_levels(InventoryGraph.from_network(network), {"store": level})
    source = SyntheticDemand(parse_network(network), 0, "test")
    return Trajectory.of(policy, source.graph, source.sample(0, 2, periods), warm_up)


@pytest.mark.parametrize(
    ("unmet", "on_hand", "served"),
    # level 4, demand 6: 10 at first, 4 left; nothing ordered (10 > 4), then the position is 4, then what was lost or owed
    [("lost", [10.0, 4.0, 0.0, 4.0], [6.0, 4.0, 0.0, 4.0]), ("backlogged", [10.0, 4.0, -2.0, -2.0], [6.0, 4.0, 0.0, 0.0])],
)
def test_stock_service_and_costs_by_hand(unmet, on_hand, served):
    found = happened(unmet, 4.0)
    place = found.graph.labels.index("store")
    assert found.on_hand[0, :, place].tolist() == on_hand
    assert found.served[0, :, place].tolist() == served
    assert found.fill_rate[place] == pytest.approx(sum(served) / 24)
    assert found.fill_rate_of_all == pytest.approx(sum(served) / 24)
    assert found.service_level[place] == pytest.approx(0.25), "one period in four"
    assert math.isnan(found.fill_rate[found.graph.labels.index("supplier")])


@pytest.mark.parametrize("fixed_cost", [0.0, 3.0])
def test_who_is_charged_what_by_hand(fixed_cost):
    """As above, lost: 4 left in the first period, then 2, 6 and 2 unmet; 4 are ordered in the third; 6, 4, 0 and 4 sold."""
    found = happened("lost", 4.0, fixed_cost=fixed_cost)
    place = found.graph.labels.index("store")
    expected = [[4, 0, 0, 0, -12], [0, 8, 0, 0, -8], [0, 24, 2, fixed_cost, 0], [0, 8, 0, 0, -8]]
    assert found.costs[0, :, place].tolist() == expected
    assert not found.costs[:, :, found.graph.labels.index("supplier")].any()


@pytest.mark.parametrize("unmet", ["lost", "backlogged"])
def test_costs_by_kind_add_up_to_the_cost_of_the_simulator(unmet):
    network = gi.many_warehouses(store={"holding_cost": 1.0, "underage_cost": 5.0, "price": 3.0, "unmet_demand": unmet,
                                        "demand": {"normal": {"mean": 5.0, "std": 1.5}}})  # fmt: skip
    source = SyntheticDemand(parse_network(network), 1, "test")
    drawn, policy = source.sample(0, 4, 20), gi.MessagePassing(slots=5)
    found = Trajectory.of(policy, source.graph, drawn, 5)
    with torch.no_grad():
        expected = costs(policy, source.graph, drawn)
    torch.testing.assert_close(found.costs.sum((2, 3)), expected, rtol=1e-5, atol=1e-3)
    assert float(found.mean_costs.sum()) == pytest.approx(float(expected[:, 5:].mean()), rel=1e-5)


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_service_and_bullwhip_do_not_depend_on_the_unit(unit):
    demand = torch.tensor([5.0, 7.0, 6.0, 3.0]).reshape(1, 4, 1) * unit
    graph = InventoryGraph.from_network(parse_network(store("lost")))
    place = graph.labels.index("store")
    at = torch.zeros(1, 4, 2)
    at[..., place] = 1.0
    served = torch.minimum(demand, torch.tensor(6.0 * unit)) * (1 - 1e-7)  # what single precision leaves is no shortage
    orders = torch.tensor([2.0, 8.0, 2.0, 8.0]).reshape(1, 4, 1) * unit
    found = Trajectory(graph, 0, at, at * demand, at * served, at, at, orders, torch.zeros(1, 4, 2, 5))
    assert float(found.service_level[place]) == 0.75
    assert float(found.order_variance_ratio[place]) == pytest.approx(12.0 / (8.75 / 3), rel=1e-5)


def test_where_nothing_was_asked_all_of_it_was_served():
    graph = InventoryGraph.from_network(parse_network(store("lost")))
    nothing = torch.zeros(1, 4, 2)
    found = Trajectory(graph, 0, nothing, nothing, nothing, nothing, nothing, torch.zeros(1, 4, 1), torch.zeros(1, 4, 2, 5))
    assert found.fill_rate_of_all == 1.0


def test_base_stock_passes_the_variance_of_demand_on():
    network = gi.one_store()
    policy = gi.BaseStock()
    graph = InventoryGraph.from_network(network)
    policy.set_levels(graph, dict.fromkeys(set(graph.labels) - {"supplier"}, 100.0))
    source = SyntheticDemand(parse_network(network), 0, "test")
    found = Trajectory.of(policy, source.graph, source.sample(0, 64, 200), 50)
    ratio = found.order_variance_ratio[found.graph.labels.index("store")]
    assert float(ratio) == pytest.approx(1.0, abs=0.02), "what was sold is what is ordered, a period later"
