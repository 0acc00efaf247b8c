"""The loop over periods and what is made of it: who sees what when, whose stock is debited, what an interval says."""

import math
from dataclasses import replace

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory import evaluation
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.policies.base import Desired, Policy, UnsupportedNetworkError
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.judgement import judge


class Recorder(Policy):
    """Orders the same on every link, and keeps what it has seen."""

    def __init__(self, quantity, window=0, calendar=0):
        super().__init__()
        self.quantity, self.window, self.calendar, self.seen = quantity, window, calendar, []

    def start(self, graph, known):
        def decide(seen):
            self.seen.append(seen)
            return Desired(torch.full((len(seen.on_hand), graph.links), self.quantity))

        return decide


def drawn(network, count=4, length=12, seed=3):
    source = SyntheticDemand(parse_network(network), seed, "train")
    return source.graph, source.sample(0, count, length)


def test_a_window_ends_with_the_period_before():
    graph, scenarios = drawn(gi.one_warehouse())
    history = 100 + torch.arange(2.0).reshape(1, 2, 1).expand(4, 2, graph.nodes)
    scenarios = replace(scenarios, history=history, calendar=torch.arange(12.0).unsqueeze(1))
    policy = Recorder(1.0, window=3, calendar=1)
    list(periods(policy, graph, scenarios))
    whole = torch.cat([history, scenarios.demand], 1)
    for period, seen in enumerate(policy.seen):
        assert seen.past_demand.shape == (4, 3, graph.nodes)
        if period >= 1:  # before, the window reaches past the history: there stands the mean
            assert torch.equal(seen.past_demand, whole[:, period - 1 : period + 2])
        assert seen.calendar.tolist() == [float(period)]
        assert seen.past_demand._base is None, "a view of the trajectory, future and all"
    assert torch.equal(policy.seen[0].past_demand[:, 0], scenarios.mean_demand.expand(4, -1))


def test_an_order_is_taken_from_the_warehouse_that_it_names():
    """Per node: what a location has at the start of the next period is what it had, less its own shipments and demand, and
    what arrives on its own links."""
    graph, scenarios = drawn(gi.many_warehouses(), length=8)
    for name in ("warehouse_0", "warehouse_1"):
        scenarios.on_hand[:, graph.labels.index(name)] = 40.0
    states, orders, outcomes = [], [], []
    for number, period in enumerate(periods(Recorder(2.0), graph, scenarios)):
        states.append(period.state)
        orders.append(period.orders)
        outcomes.append(period.outcome)
        if number == 0:
            continue
        before = states[-2].on_hand
        for node, label in enumerate(graph.labels):
            if graph.is_supplier[node]:
                continue
            shipped = sum(orders[-2][:, e] for e, (u, _) in enumerate(graph.edge_index.t().tolist()) if u == node)
            arrived = sum(outcomes[-2].arrivals[:, e] for e, (_, v) in enumerate(graph.edge_index.t().tolist()) if v == node)
            left = before[:, node] - shipped - scenarios.demand[:, number - 1, node]
            if "store" in label:
                left = left.clamp_min(0.0)  # lost sales
            torch.testing.assert_close(period.state.on_hand[:, node], left + arrived)


def test_whole_orders_within_whole_capacities():
    network = gi.one_warehouse(stores=2)
    network.nodes["warehouse"]["capacity"] = 4.5
    network.edges["supplier", "warehouse"]["capacity"] = 2.5
    graph, scenarios = drawn(network, length=4)
    scenarios.on_hand[:] = 20.0
    for period in periods(Recorder(2.9), graph, scenarios, whole=True):
        assert torch.equal(period.orders, period.orders.round())
        inner = ~graph.is_supplier[graph.source]
        assert (period.orders[:, inner].sum(1) == 4).all()
        assert (period.orders[:, ~inner] == 2).all()


class Constant(Recorder):
    """Costs what demand says: nothing is ever ordered."""

    def __init__(self):
        super().__init__(0.0)


def lost_only():
    """Every unit of demand is lost, at 1 each: the cost of a period is its demand."""
    network = gi.one_store()
    network.nodes["store"].update(unmet_demand="lost", underage_cost=1.0, holding_cost=1e-9, initial_stock=0.0)
    network.edges["supplier", "store"]["initial_in_transit"] = 0.0
    return network


def test_costs_intervals_and_streams():
    network = lost_only()
    parsed = parse_network(network)
    result = gi.evaluate(Constant(), network, scenarios=50, periods=10, warm_up=4, seed=9)
    demand = SyntheticDemand(parsed, 9, "test").sample(0, 50, 10).demand.sum(2)[:, 4:].mean(1).double()
    assert result.cost == pytest.approx(float(demand.mean()), rel=1e-6)
    half = 2.009575 * float(demand.std()) / math.sqrt(50)
    assert result.ci95 == (pytest.approx(result.cost - half, rel=1e-6), pytest.approx(result.cost + half, rel=1e-6))


def test_all_policies_face_the_same_scenarios_and_chunks_bound_what_is_held(monkeypatch):
    network, held = lost_only(), []
    parsed = parse_network(network)

    class Watched(SyntheticDemand):
        def sample(self, first, last, length, start=0):
            found = super().sample(first, last, length, start)
            held.append(found.demand.clone())
            return found

    monkeypatch.setattr(evaluation, "CELLS", 8 * 10 * 2)  # 8 scenarios of 10 periods and 2 nodes
    for _ in range(2):
        evaluate_on(Constant(), parsed, Watched(parsed, 0, "test"), 20, 10, 4)
    assert all(demand.numel() <= 160 for demand in held)
    assert torch.equal(torch.cat(held[: len(held) // 2]), torch.cat(held[len(held) // 2 :]))
    with pytest.raises(gi.InputError, match="expected at most 80"):
        gi.evaluate(Constant(), network, scenarios=20, periods=81, warm_up=4)


def test_the_dev_cost_is_of_the_orders_that_will_be_placed():
    """Where whole units are shipped, the policy is chosen by its cost in whole units: 1.4 a period are 1."""
    graph, scenarios = drawn(gi.one_store(), count=6)
    whole = judge(Recorder(1.4), Batch(graph, scenarios), 5, whole_units=True).cost
    assert whole == pytest.approx(judge(Recorder(1.0), Batch(graph, scenarios), 5).cost, rel=1e-6)
    assert whole != pytest.approx(judge(Recorder(1.4), Batch(graph, scenarios), 5).cost, rel=1e-3)


def test_the_dev_cost_leaves_the_warm_up_out():
    graph, scenarios = drawn(lost_only(), count=6)
    expected = float(scenarios.demand[:, 5:].sum(2).double().mean())
    assert judge(Constant(), Batch(graph, scenarios), 5).cost == pytest.approx(expected, rel=1e-6)


def test_just_in_time_orders_on_the_shortest_link_and_goes_on_at_the_end():
    graph, scenarios = drawn(gi.many_warehouses(), length=30)
    run = list(periods(gi.JustInTime(), graph, scenarios))
    used = sum(period.orders.sum(0) for period in run)
    pairs = [tuple(pair) for pair in graph.edge_index.t().tolist()]
    lead_times = dict(zip(pairs, graph.lead_time.tolist(), strict=True))
    for link, (source, target) in enumerate(graph.edge_index.t().tolist()):
        shortest = min(lead for (_, v), lead in lead_times.items() if v == target)
        if lead_times[source, target] > shortest:
            assert float(used[link]) == 0.0
    # the last orders from the supplier are for demand after the end: the last period's goes on
    bought = run[-1].orders[:, graph.is_supplier[graph.source]].sum(1)
    torch.testing.assert_close(bought, scenarios.demand[:, -1].sum(1))


def test_just_in_time_refuses_what_it_cannot_serve():
    limited = gi.one_warehouse()
    limited.nodes["warehouse"]["capacity"] = 5.0
    for network, words in ((gi.serial(), "backlogged"), (limited, "capacity")):
        with pytest.raises(UnsupportedNetworkError, match=words):
            list(periods(gi.JustInTime(), *drawn(network)))
