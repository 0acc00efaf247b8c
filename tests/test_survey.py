"""The rounds over what is known: how far a location hears, how sources share the flow, and that both are learnt."""

from dataclasses import replace

import networkx as nx
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Observation
from gnn_inventory.policies.echelon import root
from gnn_inventory.policies.survey import Survey
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.run_folder import save_policy


def graph_of(network):
    return InventoryGraph.from_network(parse_network(gi.load_network(network)))


def rolled(policy, network, count=12):
    source = SyntheticDemand(parse_network(gi.load_network(network)), 0, "train")
    return list(periods(policy, source.graph, source.sample(0, 8, count)))


def observed(graph, scenarios=1):
    return Observation(
        on_hand=torch.where(graph.is_supplier, 0.0, 5.0).expand(scenarios, -1),
        in_transit=torch.zeros(scenarios, graph.links, graph.slots),
        past_demand=torch.zeros(scenarios, 0, graph.nodes),
        calendar=torch.zeros(0),
    )


@pytest.mark.parametrize(("rounds", "hears"), [(3, False), (4, True)])
def test_facts_go_one_link_further_in_each_round(rounds, hears):
    graph = graph_of("serial")  # four links from the supplier to the store
    random = torch.Generator().manual_seed(0)
    x = torch.randn(graph.nodes, 1, 4, generator=random, requires_grad=True)
    z, shares = torch.randn(graph.links, 1, 4, generator=random), torch.ones(graph.links, 1, 1)
    survey = gi.MessagePassing(width=4, survey_rounds=rounds).survey  # its weights are drawn
    told, _ = survey(graph, x, z, (shares, shares))
    told[graph.labels.index("supplier")].sum().backward()
    assert bool(x.grad[graph.has_demand].any()) is hears


@torch.no_grad()
def test_planned_shares_are_the_expected_ones_at_the_start_and_move_with_what_the_rounds_say():
    graph = graph_of("many_warehouses")
    random = torch.Generator().manual_seed(0)
    expected = torch.rand(1, graph.links, generator=random)
    total = torch.zeros(1, graph.nodes).index_add(1, graph.target, expected)
    expected = expected / total[:, graph.target]
    survey, z = Survey(1, 1), torch.randn(graph.links, 1, 1, generator=random)
    survey.choice.weight.zero_()
    sources = graph.inbound[graph.target]
    assert torch.allclose(survey.shares(graph, expected, z), (expected + 0.01) / (1 + 0.01 * sources))
    survey.choice.weight.fill_(1.0)
    planned, target = survey.shares(graph, expected, z)[0], graph.target.tolist()
    for place in set(target):
        into = [link for link in range(graph.links) if target[link] == place]
        weights = [float(expected[0, link]) * torch.exp(8 * torch.tanh(z[link, 0, 0] / 8)).item() for link in into]
        by_hand = [(weight / sum(weights) + 0.01) / (1 + 0.01 * len(into)) for weight in weights]
        assert planned[into].tolist() == pytest.approx(by_hand, rel=1e-5)
        assert float(planned[into].sum()) == pytest.approx(1.0)


@torch.no_grad()
def test_a_network_is_surveyed_the_same_beside_others():
    network, other = (parse_network(gi.load_network(name)) for name in ("shortcuts", "serial"))
    policy = gi.MessagePassing(survey_rounds=3, slots=8)
    graph = InventoryGraph.from_network(network)
    policy.fit_to(graph)
    policy.survey.choice.weight.fill_(0.2)
    union = InventoryGraph.union([InventoryGraph.from_network(other), graph])
    seen = observed(graph), observed(union)
    alone, beside = (policy(put, one, Known.stated(put)).orders for put, one in zip((graph, union), seen, strict=True))
    assert torch.allclose(beside[:, -graph.links :], alone, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("planned", [0.9, 0.1])
def test_orders_follow_the_planned_shares(planned, monkeypatch):
    """Two warehouses alike, and a store that orders from both: a plan of nine to one either way is what is ordered."""
    network = nx.DiGraph(name="twins")
    network.add_node("supplier", kind="supplier")
    network.add_nodes_from(["a", "b"], holding_cost=0.2)
    demand = {"normal": {"mean": 5.0, "std": 1.0, "clip": True}}
    network.add_node("store", holding_cost=1.0, underage_cost=9.0, unmet_demand="backlogged", demand=demand)
    network.add_edges_from([("supplier", "a"), ("supplier", "b"), ("a", "store"), ("b", "store")], lead_time=2)
    source = SyntheticDemand(parse_network(network), 0, "train")
    graph = source.graph
    policy = gi.MessagePassing(survey_rounds=1)
    policy.fit_to(graph)
    link = {ends: place for place, ends in enumerate(graph.link_names)}
    shares = torch.ones(1, graph.links)
    shares[0, link["a -> store"]], shares[0, link["b -> store"]] = planned, 1 - planned
    monkeypatch.setattr(policy.survey, "shares", lambda graph, expected, z: shares)
    orders = torch.stack([period.orders.mean(0) for period in periods(policy, graph, source.sample(0, 16, 60))])[30:].mean(0)
    for above, below in (("a -> store", "b -> store"), ("supplier -> a", "supplier -> b")):
        one, other = float(orders[link[above]]), float(orders[link[below]])
        assert one / (one + other) == pytest.approx(planned, abs=0.05)


@pytest.mark.parametrize("network", ["many_warehouses", "shortcuts"])
def test_shares_are_learnt(network):
    graph = graph_of(network)
    policy = gi.MessagePassing(survey_rounds=2)
    policy.fit_to(graph)
    sum(period.outcome.cost.mean() for period in rolled(policy, network)).backward()
    assert policy.survey.choice.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in policy.parameters())


def test_a_surveying_policy_of_a_chain_trains_and_is_read_back(tmp_path):
    settings = gi.Training(scenarios=32, periods=40, warm_up=10, batch=16, epochs=1, dev_scenarios=16, optimiser="adam")
    trained = gi.train(gi.MessagePassing(width=4, survey_rounds=2), gi.load_network("serial"), settings).policy
    assert trained.config["survey_rounds"] == 2
    with torch.no_grad():
        save_policy(trained, tmp_path / "policy.safetensors")
        read = gi.load_policy(tmp_path / "policy.safetensors")
        for one, other in zip(rolled(trained, "serial"), rolled(read, "serial"), strict=True):
            assert torch.equal(one.orders, other.orders)


@torch.no_grad()
def test_with_a_window_too_each_scenario_is_decided_as_if_it_were_alone():
    """Shares of the flow that differ by scenario, and past demand that does."""
    graph, random = graph_of("shortcuts"), torch.Generator().manual_seed(2)
    known, policy = Known.stated(graph), gi.MessagePassing(width=4, survey_rounds=2, routes=1, window=4)
    policy.survey.choice.weight.fill_(0.3)
    prices, past = torch.rand(3, graph.links, generator=random), 9 * torch.rand(3, 4, graph.nodes, generator=random)
    found = []
    for rows in (slice(None), *(slice(row, row + 1) for row in range(3))):
        put = replace(known, parameters=replace(known.parameters, unit_cost=prices[rows]))
        seen = replace(observed(graph, len(prices[rows])), past_demand=past[rows] * graph.has_demand)
        found.append(policy(graph, seen, put).orders)
    torch.testing.assert_close(found[0], torch.cat(found[1:]))
    assert not torch.allclose(found[1], found[2])


@torch.no_grad()
@pytest.mark.parametrize("cost", ["unit_cost", "fixed_cost"])
def test_links_that_cost_something_else_in_each_scenario_are_surveyed_as_each_is_alone(cost):
    graph = graph_of("shortcuts")
    known, policy = Known.stated(graph), gi.MessagePassing(width=4, survey_rounds=2, routes=1, lumps=1)
    policy.survey.choice.weight.fill_(0.3)
    costs = torch.rand(3, graph.links, generator=torch.Generator().manual_seed(1))
    of = [replace(known, parameters=replace(known.parameters, **{cost: value})) for value in (costs, *costs.split(1))]
    together, *alone = (policy(graph, observed(graph, len(getattr(put.parameters, cost))), put).orders for put in of)
    torch.testing.assert_close(together, torch.cat(alone))
    assert not torch.allclose(alone[0], alone[1])


def test_the_root_of_nothing_has_no_gradient():
    value = torch.tensor([0.0, 4.0], requires_grad=True)
    root(value).sum().backward()
    assert root(value).tolist() == [0.0, 2.0]
    assert value.grad.tolist() == [0.0, 0.25]  # 1 / (2 sqrt 4)
