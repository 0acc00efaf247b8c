"""What no other test would miss: numbers of a few periods, each worked out by hand."""

import math

import networkx as nx
import numpy as np
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.allocation import feasible
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import NewsvendorQuantile
from gnn_inventory.policies.base import Desired, Known, Observation, Policy
from gnn_inventory.policies.echelon import Cover, flow_shares
from gnn_inventory.policies.forecast import QuantileForecaster
from gnn_inventory.policies.supply_conv import SupplyConv
from gnn_inventory.references import programme_bound, reference_of
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.machine import Machine, Threads
from gnn_inventory.training.processes import ALONE
from gnn_inventory.training.service import next_price
from gnn_inventory.trajectory import Trajectory

ONE_THREAD = Machine(torch.device("cpu"), Threads(1), ALONE)
SURE = {"holding_cost": 1.0, "underage_cost": 4.0, "demand": {"normal": {"mean": 2.0, "std": 0.0}}}


def store(lead_time=1, link=None, **changes):
    """supplier -> store, whose demand is 2 in every period."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("store", **{**SURE, "unmet_demand": "lost", **changes})
    network.add_edge("supplier", "store", lead_time=lead_time, **(link or {}))
    return network


def drawn(network, count, length):
    source = SyntheticDemand(parse_network(network), 0, "test")
    return source.graph, source.sample(0, count, length)


class Asks(Policy):
    """Asks for the same on every link, whatever happens; counts its decisions."""

    def __init__(self, units):
        super().__init__()
        self.units, self.decisions, self.config = torch.nn.Parameter(torch.tensor(units)), 0, {}

    def start(self, graph, known):
        def decide(seen):
            self.decisions += 1
            return Desired(self.units * torch.ones(len(seen.on_hand), graph.links))

        return decide


@pytest.mark.parametrize("objective", ["mean", {"cvar": 0.5}])
def test_training_in_whole_units_sees_whole_orders(objective):
    """2.7 asked for, 3 ordered, there a period later: 2 lost of the first period's demand, then 1, 2, 3 left."""
    batch = Batch(*drawn(store(), 2, 4))
    whole = gi.Training(whole_units="straight_through", objective=objective)
    step = gradient(Asks(2.7), batch, ONE_THREAD, whole)
    assert step.cost.tolist() == [[8.0, 1.0, 2.0, 3.0]] * 2
    parts = gradient(Asks(2.7), batch, ONE_THREAD, gi.Training(objective=objective))
    torch.testing.assert_close(parts.cost, torch.tensor([[8.0, 0.7, 1.4, 2.1]] * 2))


def test_a_checkpoint_decides_again_when_the_gradient_is_due():
    batch, plain, twice = Batch(*drawn(store(), 2, 12)), Asks(2.0), Asks(2.0)
    gradient(plain, batch, ONE_THREAD, gi.Training())
    gradient(twice, batch, ONE_THREAD, gi.Training(checkpoint_every=3))
    assert (plain.decisions, twice.decisions) == (12, 24)


def test_what_is_held_too_late_for_any_customer_is_left_out_of_each_location():
    """a is 2 + 2 periods from the customers, b 2: of the last 4 and 2 of 12 periods their holding costs do not count."""
    network = gi.serial(echelons=3, upstream={"holding_cost": [0.2, 0.5]}, upstream_link={"lead_time": [1, 2]})
    network.edges[list(network.edges)[-1]]["lead_time"] = 2
    assert sorted(link["lead_time"] for *_, link in network.edges(data=True)) == [1, 2, 2]
    graph, scenarios = drawn(network, 2, 12)
    policy = gi.MessagePassing(width=4)
    chain = [name for name in nx.topological_sort(network) if name != "supplier"]
    on = {chain[0]: 4, chain[1]: 2, chain[2]: 0}
    expected = []
    for number, period in enumerate(periods(policy, graph, scenarios)):
        late = [place for place, name in enumerate(graph.labels) if on.get(name, -99) + number >= 12]
        held = period.outcome.left * scenarios.parameters.holding_cost
        expected.append(period.outcome.cost - held[:, late].sum(1))
    found = costs_within(policy, graph, scenarios)
    torch.testing.assert_close(found.minimised, torch.stack(expected, 1))
    assert bool((found.minimised < found.cost).any())


def test_of_several_minimum_orders_only_those_with_room_are_placed():
    """Seven units and three links of at least 4, asked for 3 each: the first is raised to 4, then 3 are left, which is too little."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("hub", holding_cost=1.0)
    network.add_edge("supplier", "hub", lead_time=1)
    for name in "abc":
        network.add_node(name, **SURE, unmet_demand="lost")
        network.add_edge("hub", name, lead_time=1, minimum_order=4.0)
    graph = InventoryGraph.from_network(network)
    stock = torch.tensor([[7.0 if name == "hub" else 0.0 for name in graph.labels]])
    asked = torch.tensor([[3.0 if name.startswith("hub") else 0.0 for name in graph.link_names]])
    orders = dict(zip(graph.link_names, feasible(graph, stock, asked)[0].tolist(), strict=True))
    assert [orders[f"hub -> {name}"] for name in "abc"] == [4.0, 0.0, 0.0]


def test_the_programme_by_hand():
    """c = 1, p = 4, demand 2 a period."""
    bought = {"unit_cost": 1.0}
    # two units arrive in the second period, and what is ordered at once in the third: 2 lost, 0, 2 bought
    graph, scenarios = drawn(store(2, {**bought, "initial_in_transit": 2.0}), 2, 3)
    assert (programme_bound(graph, scenarios, 0) * 3).tolist() == pytest.approx([10.0, 10.0])
    # sold at 3: 2 lost, then twice 2 bought and sold: 8 + 4 - 12
    graph, scenarios = drawn(store(1, bought, price=3.0), 2, 3)
    assert (programme_bound(graph, scenarios, 0) * 3).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    # nothing can be there before the end: 2 wait, and nothing is sold
    graph, scenarios = drawn(store(2, bought, price=3.0, unmet_demand="backlogged"), 2, 1)
    assert programme_bound(graph, scenarios, 0).tolist() == pytest.approx([8.0, 8.0])


def test_a_round_of_message_passing_as_its_docstring_says():
    """On a diamond, link by link and node by node."""
    graph = InventoryGraph(edge_index=torch.tensor([[0, 0, 1, 2], [1, 2, 3, 3]]), num_nodes=4)
    draw = torch.Generator().manual_seed(0)
    layer = SupplyConv(3)
    with torch.no_grad():
        for value in layer.parameters():
            value.normal_(generator=draw)
    x, z = torch.randn(4, 1, 3, generator=draw), torch.randn(4, 1, 3, generator=draw)
    into, out_of = torch.rand(4, 1, 1, generator=draw), torch.rand(4, 1, 1, generator=draw)
    found_x, found_m = layer.on(graph)(x, z, into, out_of)
    own, inbound, outbound = layer.update_node.weight[:, :3], layer.update_node.weight[:, 3:6], layer.update_node.weight[:, 6:]

    def silu(value):
        return value / (1 + torch.exp(-value))

    links, messages = graph.edge_index.t().tolist(), []
    for place, (u, v) in enumerate(links):
        heard = layer.from_source.weight @ x[u, 0] + layer.from_target.weight @ x[v, 0]
        messages.append(silu(heard + layer.from_link.weight @ z[place, 0] + layer.from_link.bias))
        torch.testing.assert_close(found_m[place, 0], messages[-1])
    for node in range(4):
        before = own @ x[node, 0] + layer.update_node.bias
        for place, (u, v) in enumerate(links):
            if v == node:
                before = before + inbound @ (into[place, 0] * messages[place])
            if u == node:
                before = before + outbound @ (out_of[place, 0] * messages[place])
        torch.testing.assert_close(found_x[node, 0], x[node, 0] + silu(before))


def fractile(network, name):
    graph, scenarios = drawn(network, 1, 2)
    known = Known.of(graph, scenarios)
    return float(Cover.of(graph, known, flow_shares(graph, known)[1]).fractile[0, graph.labels.index(name)])


def test_fractiles_by_hand():
    """Lost, L = 3: p falls from 9 to 9 / 2, and Phi^-1(4.5 / 5.5) = 0.9085; above a backlogged store, h = 0.2: Phi^-1(9 / 9.6) = 1.534."""
    uneven = {"demand": {"normal": {"mean": 5.0, "std": 1.0}}, "underage_cost": 9.0}
    assert fractile(store(3, **uneven), "store") == pytest.approx(0.9085, abs=1e-4)
    network = gi.serial(echelons=2, upstream={"holding_cost": [0.2]}, upstream_link={"lead_time": [2]})
    (customers,) = parse_network(network).customers
    network.nodes[customers].update(holding_cost=1.0, underage_cost=9.0)
    (above,) = network.predecessors(customers)
    assert fractile(network, above) == pytest.approx(1.5341, abs=1e-4)


def test_a_newsvendor_warehouse_counts_all_that_lies_below_it():
    """100 forecast everywhere; 30 in the warehouse, 20 in the store, 10 on their way to it: 100 - 60 and 100 - 30."""

    class Hundred(QuantileForecaster):
        def __init__(self):
            pass

        def predict(self, past, calendar, length):
            return torch.full((len(past), 99), 100.0)

    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("warehouse", holding_cost=0.5)
    network.add_node("store", holding_cost=1.0, price=9.0, unmet_demand="lost", demand={"poisson": {"mean": 20.0}})
    network.add_edge("supplier", "warehouse", lead_time=1)
    network.add_edge("warehouse", "store", lead_time=2)
    graph = InventoryGraph.from_network(network)
    policy = NewsvendorQuantile(window=8)
    policy._fitted = Hundred()
    stock = torch.tensor([[{"warehouse": 30.0, "store": 20.0}.get(name, 0.0) for name in graph.labels]])
    transit = torch.zeros(1, graph.links, graph.slots)
    transit[0, graph.link_names.index("warehouse -> store"), 0] = 10.0
    seen = Observation(stock, transit, torch.ones(1, 8, graph.nodes), torch.zeros(0))
    orders = dict(zip(graph.link_names, policy(graph, seen).orders[0].tolist(), strict=True))
    assert orders == pytest.approx({"supplier -> warehouse": 40.0, "warehouse -> store": 70.0})


def test_clipped_demand_is_drawn_clipped():
    """N(1, 3), none below 0: its mean is Phi(1/3) + 3 phi(1/3) = 1.763."""
    graph, scenarios = drawn(store(demand={"normal": {"mean": 1.0, "std": 3.0}}), 64, 100)
    demand = scenarios.demand[:, :, graph.labels.index("store")]
    assert float(demand.min()) == 0.0
    expected = 0.5 * (1 + math.erf(1 / 3 / 2**0.5)) + 3 * math.exp(-1 / 18) / (2 * math.pi) ** 0.5
    assert abs(float(demand.mean()) - expected) < 5 * float(demand.std()) / 80


def test_no_reference_is_claimed_beyond_what_theory_covers():
    for changes in ({"holding_cost": 2.0}, {"underage_cost": 20.0}):  # of one of the stores
        network = gi.transshipment(stores=3)
        assert reference_of(network).kind == "lower_bound"
        network.nodes["store_1"].update(changes)
        assert reference_of(network) is None
    network = gi.transshipment(stores=3)
    network.edges["warehouse", "store_1"]["lead_time"] += 1
    assert reference_of(network) is None
    network = gi.transshipment(stores=3)
    network.edges["supplier", "warehouse"]["unit_cost"] = 1.0
    assert reference_of(network) is None
    chain = gi.serial()
    assert reference_of(chain).kind == "optimum"
    (customers,) = parse_network(chain).customers
    (above,) = chain.predecessors(customers)
    chain.nodes[customers]["holding_cost"] = chain.nodes[above]["holding_cost"] / 2  # cheaper to hold nearer to the customers
    assert reference_of(chain) is None
    chain = gi.serial()
    chain.nodes[above].clear()
    chain.nodes[above]["holds_stock"] = False
    assert reference_of(chain) is None


def test_the_optimum_of_whole_orders_is_shown_where_orders_are_whole():
    network = store(demand={"poisson": {"mean": 2.0}})
    policy, sizes = gi.MessagePassing(width=4), {"scenarios": 4, "periods": 12, "warm_up": 2}
    assert gi.evaluate(policy, network, **sizes, whole_units=True).reference.kind == "optimum"
    assert gi.evaluate(policy, network, **sizes).reference is None


def test_just_in_time_uses_what_is_there_first_and_the_cheaper_of_two_sources():
    """L = 2, 3 on hand, 4 there a period later: the fourth period lacks 1, ordered in the second, all later ones 2."""
    network = store(2, {"initial_in_transit": 4.0}, initial_stock=3.0)
    graph, scenarios = drawn(network, 1, 6)
    orders = [float(period.orders.sum()) for period in periods(gi.JustInTime(), graph, scenarios)]
    assert orders == [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    network = store(1, {"unit_cost": 2.0})
    network.add_node("another", kind="supplier")
    network.add_edge("another", "store", lead_time=1, unit_cost=1.0)
    graph, scenarios = drawn(network, 1, 3)
    for period in periods(gi.JustInTime(), graph, scenarios):
        assert dict(zip(graph.link_names, period.orders[0].tolist(), strict=True)) == {
            "another -> store": 2.0,
            "supplier -> store": 0.0,
        }


def test_just_in_time_buys_where_it_is_cheapest_to_buy_and_bring():
    """Both warehouses lie a period from the store; units at b cost 0.5 + 0.2, at a 1.5: all come through b, though a has the first name."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    for name, price, carriage in (("a", 1.5, 0.0), ("b", 0.5, 0.2)):
        network.add_node(name, holding_cost=0.5)
        network.add_edge("supplier", name, lead_time=1, unit_cost=price)
        network.add_edge(name, "store", lead_time=1, unit_cost=carriage)
    network.add_node("store", **SURE, unmet_demand="lost")
    graph, scenarios = drawn(network, 1, 6)
    ordered = sum(period.orders[0] for period in periods(gi.JustInTime(), graph, scenarios))
    by_name = dict(zip(graph.link_names, ordered.tolist(), strict=True))
    assert by_name["a -> store"] == by_name["supplier -> a"] == 0.0
    assert by_name["b -> store"] > 0.0


def test_bullwhip_and_fill_rate_of_a_warehouse_and_its_store():
    """Both order 2, 8, 2, 8 (variance 12), customers 5, 7, 6, 3 (8.75 / 3)."""

    class Script(Policy):
        config = {}

        def start(self, graph, known):
            script = iter([2.0, 8.0, 2.0, 8.0])
            return lambda seen: Desired(torch.full((len(seen.on_hand), graph.links), next(script)))

    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("warehouse", holding_cost=0.5, initial_stock=100.0)
    network.add_node("store", **SURE, unmet_demand="lost", initial_stock=10.0)
    network.add_edge("supplier", "warehouse", lead_time=1)
    network.add_edge("warehouse", "store", lead_time=1)
    graph, scenarios = drawn(network, 1, 4)
    place = graph.labels.index("store")
    scenarios.demand[0, :, place] = torch.tensor([5.0, 7.0, 6.0, 3.0])
    found = Trajectory.of(Script(), graph, scenarios, 0)
    for name in ("warehouse", "store"):
        assert float(found.order_variance_ratio[graph.labels.index(name)]) == pytest.approx(12 / (8.75 / 3))
    # 10, then 5 + 2, 0 + 8, 2 + 2: all is served; from 5, then 0 + 2, 0 + 8, 2 + 2: 5, 2, 6 and 3
    assert float(found.fill_rate[place]) == 1.0
    scenarios.on_hand[0, place] = 5.0
    assert float(Trajectory.of(Script(), graph, scenarios, 0).fill_rate[place]) == pytest.approx(16 / 21)
    assert float(Trajectory.of(Script(), graph, scenarios, 1).fill_rate[place]) == pytest.approx(11 / 16)


def test_what_the_next_step_pays_for_service():
    """Multiplier 2, a rate of 10, 0.1 missing: damped thirtyfold, 2 + 30 x 10 x 0.1; never below 0."""
    settings = gi.Training(fill_rate=0.9, multiplier_rate=10.0)
    assert next_price(2.0, settings, 0.8) == pytest.approx(32.0)
    assert next_price(2.0, settings, 1.0) == 0.0


def test_nothing_touches_the_global_seeds():
    def states():
        return torch.initial_seed(), str(np.random.get_state())

    before = states()
    network = gi.one_warehouse(stores=2)
    sizes = {"scenarios": 4, "periods": 12, "warm_up": 2}
    settings = gi.Training(**sizes, batch=2, epochs=2, dev_scenarios=4, dev_periods=12, dev_warm_up=2)
    gi.evaluate(gi.train(gi.MessagePassing(width=4), network, settings).policy, network, **sizes)
    gi.load_network("random_acyclic")
    assert states() == before
