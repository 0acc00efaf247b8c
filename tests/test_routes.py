"""What message passing sees: several sources of a location and what sets them apart, and quantities far from the usual."""

import math

import networkx as nx
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Observation
from gnn_inventory.policies.features import bounded, unit_of_money
from gnn_inventory.policies.routes import RouteFacts, Routes
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.run_folder import save_policy


def two_ways() -> nx.DiGraph:
    """supplier -> a, b -> store: a is dear and near, b cheap and far."""
    network = nx.DiGraph(name="two_ways")
    network.add_node("supplier", kind="supplier")
    network.add_nodes_from(["a", "b"], holding_cost=0.2)
    demand = {"normal": {"mean": 5.0, "std": 1.0, "clip": True}}
    network.add_node("store", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand=demand)
    network.add_edge("supplier", "a", lead_time=2, unit_cost=1.0)
    network.add_edge("supplier", "b", lead_time=3, unit_cost=0.2)
    network.add_edge("a", "store", lead_time=1)
    network.add_edge("b", "store", lead_time=2, unit_cost=0.5)
    return network


def facts_of(graph):
    known = Known.stated(graph)
    return RouteFacts.of(graph, known.parameters, unit_of_money(graph, known))


def by_link(graph, values):
    ends = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    return {(graph.labels[u], graph.labels[v]): float(value) for (u, v), value in zip(ends, values[0], strict=True)}


def test_what_sets_the_sources_of_a_location_apart():
    graph = InventoryGraph.from_network(parse_network(two_ways()))
    facts = facts_of(graph)
    # a unit in the store has cost 1.0 by a, 0.2 + 0.5 by b; it comes after 2 + 1 periods by a, 3 + 2 by b
    # a lost sale costs 9: 0.3 are 0.3 / 0.9 tenths of it
    dearer = {("supplier", "a"): 0.0, ("supplier", "b"): 0.0, ("a", "store"): 0.3 / 0.9, ("b", "store"): 0.0}
    slower = {("supplier", "a"): 0.0, ("supplier", "b"): 0.0, ("a", "store"): 0.0, ("b", "store"): 2.0}
    assert by_link(graph, facts.dearer) == pytest.approx(dearer, abs=1e-6)
    assert by_link(graph, facts.slower) == pytest.approx(slower)
    # with lead times, 0.15 of the holding cost each: by a 1 + 0.15 (2 x 0.2 + 1), by b 0.7 + 0.15 (3 x 0.2 + 2): 0.12 dearer by a
    weights = math.exp(-4 * 0.12 / 0.9) + 0.05, 1.05
    shares = {("supplier", "a"): 1.0, ("supplier", "b"): 1.0, ("a", "store"): weights[0] / sum(weights)}
    shares["b", "store"] = 1 - shares["a", "store"]
    assert by_link(graph, facts.shares) == pytest.approx(shares)
    known = Known.stated(graph).shared(graph, facts.shares)
    flow = dict(zip(graph.labels, known.node_flow[0].tolist(), strict=True))
    mean = float(Known.stated(graph).mean_demand.sum())
    assert flow["a"] == pytest.approx(mean * shares["a", "store"])
    assert flow["supplier"] == pytest.approx(mean)


def test_a_route_is_the_same_beside_other_networks():
    graph = InventoryGraph.from_network(parse_network(two_ways()))
    deep = InventoryGraph.from_network(parse_network(gi.load_network("serial")))
    union = InventoryGraph.union([deep, graph])
    facts, alone = facts_of(union), facts_of(graph)
    assert torch.equal(facts.dearer[:, deep.links :], alone.dearer)
    assert torch.equal(facts.slower[:, deep.links :], alone.slower)
    assert not facts.dearer[:, : deep.links].any()
    assert not facts.slower[:, : deep.links].any()
    assert torch.equal(facts.shares[:, deep.links :], alone.shares)
    assert (facts.shares[:, : deep.links] == 1.0).all()


def rolled(policy, network):
    source = SyntheticDemand(parse_network(network), 0, "train")
    return source.graph, list(periods(policy, source.graph, source.sample(0, 8, 12)))


@torch.no_grad()
def test_untrained_message_passing_orders_less_by_a_dearer_route():
    graph = InventoryGraph.from_network(parse_network(two_ways()))
    policy = gi.MessagePassing()
    policy.fit_to(graph)
    assert policy.config["routes"] == 1
    blind = gi.MessagePassing(**{**policy.config, "routes": 0})
    ordered = []
    for one in (policy, blind):
        _, seen = rolled(one, two_ways())
        ordered.append(by_link(graph, torch.stack([period.orders.mean(0) for period in seen]).sum(0, keepdim=True)))
    assert ordered[0]["a", "store"] < ordered[1]["a", "store"]
    assert ordered[0]["b", "store"] > ordered[1]["b", "store"]


@torch.no_grad()
def test_what_the_rounds_see_moves_an_order_from_one_source_to_the_others():
    """Shares s become s exp(8 tanh(a / 8)), divided by their sum over the sources of a location; a starts at -2 for what is a tenth dearer."""
    graph = InventoryGraph.from_network(parse_network(two_ways()))
    facts = facts_of(graph)
    routes = Routes(width=1)
    start = by_link(graph, routes.leaning(graph, facts, facts.shares)(torch.ones(graph.links, 3, 1)))
    share = by_link(graph, facts.shares)
    by_a, by_b = share["a", "store"] * math.exp(8 * math.tanh(-2 * 0.3 / 0.9 / 8)), share["b", "store"]
    assert start["a", "store"] == pytest.approx(by_a / (by_a + by_b) / share["a", "store"])
    assert start["supplier", "a"] == pytest.approx(1.0)
    routes.preference.weight.copy_(torch.tensor([[0.0, 1.0]]))  # b is 2 periods slower: 2 / 4 for it
    routes.choice.weight.fill_(1.0)
    asked = {("a", "store"): 2.0, ("b", "store"): -3.0, ("supplier", "a"): 5.0, ("supplier", "b"): -5.0}
    ends = [(graph.labels[u], graph.labels[v]) for u, v in zip(graph.source.tolist(), graph.target.tolist(), strict=True)]
    z = torch.tensor([asked[link] for link in ends]).reshape(-1, 1, 1)
    by_a = share["a", "store"] * math.exp(8 * math.tanh(2 / 8))
    by_b = share["b", "store"] * math.exp(8 * math.tanh((0.5 - 3.0) / 8))
    expected = {("supplier", "a"): 1.0, ("supplier", "b"): 1.0}
    expected["a", "store"] = by_a / (by_a + by_b) / share["a", "store"]
    expected["b", "store"] = by_b / (by_a + by_b) / share["b", "store"]
    assert by_link(graph, routes.leaning(graph, facts, facts.shares)(z)) == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_where_no_location_has_a_choice_routes_change_no_bit():
    network = gi.one_warehouse(stores=3)
    plain = gi.MessagePassing()
    plain.fit_to(InventoryGraph.from_network(parse_network(network)))
    assert plain.routes is None
    assert plain.config["routes"] == 0
    knowing = gi.MessagePassing(**{**plain.config, "routes": 1})
    knowing.routes.facts.weight.fill_(0.3)
    for one, other in zip(rolled(plain, network)[1], rolled(knowing, network)[1], strict=True):
        assert torch.equal(one.orders, other.orders)


def test_what_routes_have_learnt_is_trained_saved_and_read(tmp_path):
    policy = gi.MessagePassing()
    policy.fit_to(InventoryGraph.from_network(parse_network(two_ways())))
    _, seen = rolled(policy, two_ways())
    sum(period.outcome.cost.mean() for period in seen).backward()
    assert policy.routes.facts.weight.grad.abs().sum() > 0
    with torch.no_grad():
        policy.routes.facts.weight.fill_(0.1)
        save_policy(policy, tmp_path / "policy.safetensors")
        read = gi.load_policy(tmp_path / "policy.safetensors")
        for one, other in zip(rolled(policy, two_ways())[1], rolled(read, two_ways())[1], strict=True):
            assert torch.equal(one.orders, other.orders)


def test_a_policy_saved_before_it_had_a_weight_is_refused_by_the_name_of_the_weight(tmp_path):
    policy = gi.MessagePassing(width=4, routes=1)
    del policy.routes.facts
    save_policy(policy, tmp_path / "policy.safetensors")
    with pytest.raises(gi.InputError, match=r"of this version of the library .*Missing key.*routes\.facts\.weight.*; expected"):
        gi.load_policy(tmp_path / "policy.safetensors")


def test_far_out_ever_less_of_more_is_seen():
    seen = torch.tensor([0.0, -3.5, 8.0, 16.0, -24.0, 1e6], dtype=torch.float64, requires_grad=True)
    # as it is up to 8; 8 + 8 / (1 + 8 / 8); -8 - 16 / (1 + 16 / 8); towards 16
    assert bounded(seen).tolist() == pytest.approx([0.0, -3.5, 8.0, 12.0, -8 - 16 / 3, 16.0], abs=1e-4)
    bounded(seen).sum().backward()
    assert seen.grad.tolist() == pytest.approx([1.0, 1.0, 1.0, 1 / 4, 1 / 9, 0.0], abs=1e-6)


@torch.no_grad()
def test_whoever_lacks_much_orders_whatever_was_learnt():
    """Weights that let the rounds order ever less the more is lacking: beyond the bounds the linear term wins."""
    network = nx.DiGraph(name="starved")
    network.add_node("supplier", kind="supplier")
    demand = {"normal": {"mean": 5.0, "std": 1.0, "clip": True}}
    network.add_node("store", holding_cost=1.0, underage_cost=9.0, unmet_demand="backlogged", demand=demand)
    network.add_edge("supplier", "store", lead_time=1)
    policy = gi.MessagePassing(rounds=0)
    policy.node_state.weight.zero_()
    policy.node_state.weight[0, 1] = -1.0  # of the position: what is lacking
    policy.order_of_target.weight.zero_()
    policy.order_of_target.weight[0, 0] = -2.0  # twice what the linear term adds
    graph = InventoryGraph.from_network(parse_network(network))
    seen = Observation(
        on_hand=torch.tensor([[-200.0, 0.0], [-15.0, 0.0]]),
        in_transit=torch.zeros(2, 1, graph.slots),
        past_demand=torch.zeros(2, 0, 2),
        calendar=torch.zeros(0),
    )
    orders = policy(graph, seen, Known.stated(graph)).orders
    assert orders[0, 0] > 5 * orders[1, 0]
    assert orders[0, 0] > 20.0
