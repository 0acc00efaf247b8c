"""Fixed costs and minimum orders: what is charged, what is feasible, what policies make of them, the exact (s, S)."""

from dataclasses import replace
from math import exp, lgamma, log

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_simulator import STORE, chain, simulate

import gnn_inventory as gi
from gnn_inventory.allocation import proportional, whole_units, with_whole_limits, without_small_orders
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Desired, Known, Observation, Policy, UnsupportedNetworkError
from gnn_inventory.policies.lumps import LumpSizes, decided
from gnn_inventory.references import reference_of
from gnn_inventory.references.fixed_cost import FixedCost
from gnn_inventory.rollout import periods
from gnn_inventory.simulator import State, Timing, step
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.coverage import Coverage
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.run_folder import save_policy


def poisson(mean, most=200):
    """Probabilities of 0, 1, ... by the formula."""
    values = np.array([exp(-mean + count * log(mean) - lgamma(count + 1)) for count in range(most)])
    return values / values.sum()


def store(fixed_cost=64.0, lead_time=2, **attributes):
    """supplier -> store, with Poisson demand of mean 10, backlogged."""
    network = nx.DiGraph(name="fixed")
    network.add_node("supplier", kind="supplier")
    values = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "backlogged", "demand": {"poisson": {"mean": 10.0}}}
    network.add_node("store", **{**values, **attributes})
    network.add_edge("supplier", "store", lead_time=lead_time, fixed_cost=fixed_cost)
    return network


def test_costs_by_hand():
    network = chain("lost", lead_time=1)
    network.edges["supplier", "store"].update(fixed_cost=7.0, unit_cost=0.5)
    graph = InventoryGraph.from_network(network)  # nodes: store, supplier
    orders = torch.tensor([[[4.0], [0], [1]], [[0.0], [0], [2]]])
    demand = torch.tensor([[[3.0, 0], [2, 0], [9, 0]]]).repeat(2, 1, 1)
    _, outcomes = simulate(graph, torch.tensor([[5.0, 0], [5, 0]]), orders, demand)
    # scenario 0: 2 left + 7 + 4 / 2 = 11;  2 + 4 - 2 = 4 left, no order: 4;  4 - 9, 5 lost at 4: 20 + 7 + 0.5 = 27.5
    # scenario 1: 2 left: 2;                 2 - 2 = 0: 0;                      9 lost: 36 + 7 + 1 = 44
    assert torch.stack([outcome.cost for outcome in outcomes]).t().tolist() == [[11, 4, 27.5], [2, 0, 44]]


def test_fixed_costs_differ_by_scenario_and_draw_nothing_that_was_drawn_before():
    before, after = store(0.0), store({"per_scenario": {"uniform": [10, 20]}})
    for network in (before, after):
        network.nodes["store"]["initial_stock"] = {"per_scenario": {"uniform": [0, 1], "times": "mean_flow"}}
        network.nodes["store"]["underage_cost"] = {"per_scenario": {"uniform": [4, 9]}}
    first, second = (SyntheticDemand(parse_network(network), 3, "train").sample(0, 100, 5) for network in (before, after))
    fixed = second.parameters.fixed_cost
    assert fixed.shape == (100, 1)
    assert 10 <= float(fixed.min()) < 11 < 19 < float(fixed.max()) <= 20
    assert torch.equal(first.demand, second.demand)
    assert torch.equal(first.on_hand, second.on_hand)
    assert torch.equal(first.parameters.underage_cost, second.parameters.underage_cost)
    assert torch.equal(second.parameters[torch.tensor([7])].fixed_cost, fixed[7:8])


def test_graphs_side_by_side_keep_their_fixed_costs_and_minimum_orders():
    network = store(5.0)
    network.edges["supplier", "store"]["minimum_order"] = 3.0
    union = InventoryGraph.union([InventoryGraph.from_network(item) for item in (network, gi.one_store(), store(8.0))])
    assert union.fixed_cost.tolist() == [5, 0, 8]
    assert union.minimum_order.tolist() == [3, 0, 0]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"fixed_cost": -1.0}, r"link 'supplier' -> 'store': fixed_cost: got -1\.0; expected a number >= 0"),
        ({"minimum_order": 0}, r"minimum_order: got 0; expected a number > 0"),
        ({"minimum_order": 5.0, "capacity": 4.0}, r"minimum_order: got 5; expected at most the link's capacity, 4"),
        ({"fixed_costs": 1.0}, r"unknown key 'fixed_costs'; did you mean 'fixed_cost'"),
    ],
)
def test_mistakes_are_one_line_each(link, message):
    network = store()
    network.edges["supplier", "store"].update(link)
    with pytest.raises(gi.InputError, match=message):
        parse_network(network)


def test_minimum_orders_that_no_location_can_ship():
    network = gi.one_warehouse(stores=2)
    network.nodes["warehouse"]["capacity"] = 4.0
    network.edges["warehouse", "store_0"]["minimum_order"] = 5.0
    with pytest.raises(gi.InputError, match=r"minimum_order: got 5\.0; expected at most the capacity of 'warehouse', 4"):
        parse_network(network)
    network = gi.transshipment(stores=2)
    network.edges["warehouse", "store_0"]["minimum_order"] = 5.0
    with pytest.raises(gi.InputError, match="'warehouse' cannot hold stock and ships everything; expected no minimum_order"):
        parse_network(network)


def hub(minimum, stock, asked, capacity=None):
    """Orders of a, b and c, each of at least `minimum` on its link, when their hub has `stock`."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("hub", holding_cost=1.0, **({"capacity": capacity} if capacity else {}))
    network.add_edge("supplier", "hub", lead_time=1)
    for name, least in zip("abc", minimum, strict=True):
        network.add_node(name, **STORE, unmet_demand="lost")
        network.add_edge("hub", name, lead_time=1, **({"minimum_order": least} if least else {}))
    graph = InventoryGraph.from_network(network)  # nodes: a, b, c, hub, supplier
    on_hand = torch.tensor([[0.0, 0, 0, stock, 0]])
    feasible = proportional(graph, on_hand, torch.tensor([[*asked, 0.0]]))
    return without_small_orders(graph, on_hand, feasible, graph.links)[0, :3].tolist()


def test_small_orders_by_hand():
    assert hub((4, 4, 0), 20, (5, 3, 1)) == [5, 4, 1]  # b: three quarters of the minimum, and there is room: raised
    assert hub((4, 4, 0), 20, (5, 1.9, 1)) == [5, 0, 1]  # b: less than half: not placed
    assert hub((4, 4, 0), 9.5, (5, 3, 1)) == [5, 0, 1]  # b: 6 of 9.5 stand, 3.5 are left: no room
    assert hub((4, 4, 4), 7, (3, 3, 1)) == [4, 0, 0]  # a raised first: 3 left, no room for b; c below half
    assert hub((10, 5, 0), 8, (5, 3, 0)) == [0, 5, 0]  # a: no room; what it is not given is there for b
    assert hub((4, 4, 0), 6, (8, 4, 0)) == [4, 0, 0]  # the cut in proportion makes 4 and 2; b: half of it, 2 left, no room
    assert hub((4, 4, 0), 20, (5, 3, 1), capacity=9) == [5, 0, 1]  # capacity leaves 3
    assert hub((4, 4, 0), -3, (5, 3, 1)) == [0, 0, 0]


@st.composite
def shops(draw):
    """supplier -> hub -> 1 to 4 stores, some links with minimum orders, with capacities that allow them."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("hub", holding_cost=1.0, **({"capacity": 40.0} if draw(st.booleans()) else {}))
    network.add_edge("supplier", "hub", lead_time=1, minimum_order=draw(st.sampled_from([0.5, 3.0, 12.3])))
    for number in range(draw(st.integers(1, 4))):
        network.add_node(f"store_{number}", **STORE, unmet_demand=draw(st.sampled_from(["lost", "backlogged"])))
        limits = {"minimum_order": draw(st.sampled_from([0.7, 4.0, 9.0, 20.0])), "capacity": draw(st.sampled_from([21.0, 33.5]))}
        chosen = draw(st.sets(st.sampled_from(sorted(limits))))
        network.add_edge("hub", f"store_{number}", lead_time=draw(st.integers(1, 3)), **{key: limits[key] for key in chosen})
    return network


def on_shops(test):
    return settings(max_examples=40, deadline=None, derandomize=True)(given(shops(), st.integers(0, 2**31), st.booleans())(test))


@on_shops
def test_orders_are_nothing_or_the_minimum_and_feasible(network, seed, whole):
    graph = InventoryGraph.from_network(network)
    random = torch.Generator().manual_seed(seed)
    on_hand = 60 * torch.rand(64, graph.nodes, generator=random) - 10
    orders = proportional(graph, on_hand, 25 * torch.rand(64, graph.links, generator=random))
    limits = with_whole_limits(graph) if whole else graph
    if whole:
        orders = whole_units(limits, on_hand, orders)
    found = without_small_orders(limits, on_hand, orders, graph.links)
    least = limits.minimum_order
    assert ((found == 0) | (found >= least * (1 - 1e-6))).all()
    assert (found <= limits.link_capacity).all()
    leaves = torch.zeros(64, graph.nodes).index_add(1, graph.source, found)
    most = on_hand.clamp_min(0).minimum(limits.ship_capacity).masked_fill(graph.is_supplier, torch.inf)
    assert (leaves <= most * (1 + 1e-6)).all()
    assert (~whole) or torch.equal(found, found.round())
    stands = orders >= least
    assert torch.equal(found[stands], orders[stands])
    bought = graph.is_supplier[graph.source]  # from unlimited stock: the nearer of nothing and the minimum
    near = torch.where(orders >= least, orders, torch.where(orders >= least / 2, least, 0.0))
    assert torch.equal(found[:, bought], near[:, bought])
    torch.testing.assert_close(without_small_orders(limits, on_hand, found, graph.links), found)


class Asks(Policy):
    """Orders what is on a list, period by period, times a parameter."""

    def __init__(self, orders):
        super().__init__()
        self.factor, self.orders = torch.nn.Parameter(torch.ones(())), orders

    def start(self, graph, known):
        clock = iter(range(self.orders.shape[1]))
        return lambda seen: Desired(self.orders[:, next(clock)] * self.factor)


@on_shops
def test_goods_change_by_purchases_and_sales(network, seed, whole):
    parsed = parse_network(network)
    source = SyntheticDemand(parsed, 1, "train")
    graph, scenarios = source.graph, source.sample(0, 3, 8)
    random = torch.Generator().manual_seed(seed)
    scenarios = replace(scenarios, on_hand=(20 * torch.rand(3, graph.nodes, generator=random) * ~graph.is_supplier).round())
    policy = Asks(25 * torch.rand(3, 8, graph.links, generator=random))
    bought = graph.is_supplier[graph.source]
    for period in periods(policy, graph, scenarios, whole):
        goods = [state.on_hand.clamp_min(0).sum(1) + state.in_transit.sum((1, 2)) for state in (period.state, period.after)]
        change = period.orders[:, bought].sum(1) - period.outcome.sales.sum(1)
        torch.testing.assert_close(goods[1] - goods[0], change, rtol=0, atol=1e-3)
        shipped = torch.zeros_like(period.state.on_hand).index_add(1, graph.source, period.orders)
        assert (shipped <= period.state.on_hand.clamp_min(0) + 1e-4)[:, ~graph.is_supplier].all()


@pytest.mark.parametrize("minimum", [None, 6.0])
def test_whole_units_and_minimum_orders_let_the_gradient_through(minimum):
    """Orders of 2.7 x 2 are 5 of them rounded; with a minimum of 6 they are 6; the cost moves as if by 2.7 each period."""
    network = store(0.0, lead_time=1)
    if minimum:
        network.edges["supplier", "store"]["minimum_order"] = minimum
    source = SyntheticDemand(parse_network(network), 0, "train")
    scenarios = replace(source.sample(0, 1, 3), on_hand=torch.tensor([[100.0, 0.0]]))
    policy = Asks(torch.full((1, 3, 1), 5.4))
    orders = [period.orders.item() for period in periods(policy, source.graph, scenarios, whole=True)]
    assert orders == [6.0 if minimum else 5.0] * 3
    simulated = costs_within(policy, source.graph, scenarios, whole=True)
    cost, minimised = simulated.cost, simulated.minimised
    assert torch.equal(cost, minimised)
    (gradient,) = torch.autograd.grad(minimised.sum(), policy.factor)
    assert float(gradient) == pytest.approx(5.4 * (2 + 1))  # stock is ample: the first order is held twice, the second once


def test_stock_that_ends_at_nothing_counts_both_sides():
    """5 on hand, demand 5: a unit more is held for 1, a unit less is lacking for 4: the derivative is their mean, (1 - 4) / 2."""
    graph = InventoryGraph.from_network(chain("lost"))
    for whole, expected in ((True, (1 - 4) / 2), (False, 1 - 4)):  # in parts of a unit, stock is never exactly at 0
        on_hand = torch.tensor([[5.0, 0.0]], requires_grad=True)
        timing = Timing.of(graph, graph.parameters(), whole)
        state, orders, demand = State(on_hand, torch.zeros(1, 1, 1)), torch.zeros(1, 1), torch.tensor([[5.0, 0.0]])
        cost = step(graph, graph.parameters(), timing, state, orders, demand)[1].cost
        assert cost.tolist() == [0.0]
        assert float(torch.autograd.grad(cost.sum(), on_hand)[0][0, 0]) == expected


def test_the_decision_is_made_and_has_the_gradient_of_a_probability():
    lacking, gap = torch.tensor([[-5.0, 2.9, 3.0, 3.2, 9.0]], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    placed = decided(lacking, gap)
    assert placed.tolist() == [[0, 0, 1, 1, 1]]
    by_lacking, by_gap = torch.autograd.grad(placed.sum(), (lacking, gap))
    width = 0.2 * 3 + 0.1
    chance = torch.sigmoid((lacking.detach() - 3) / width)
    torch.testing.assert_close(by_lacking, chance * (1 - chance) / width)
    torch.testing.assert_close(by_gap, -by_lacking.sum(1))


POLICIES = {"message_passing": gi.MessagePassing(width=8, rounds=1, slots=3), "reorder_point": gi.ReorderPoint()}


def put_on(name, network, count=32, length=30):
    """A fresh policy on a network, and scenarios."""
    source = SyntheticDemand(parse_network(network), 0, "train")
    policy = type(POLICIES[name])(**POLICIES[name].config)
    policy.fit_to(source.graph)
    return policy, source.graph, source.sample(0, count, length)


@pytest.mark.parametrize("name", POLICIES)
def test_orders_come_in_lumps_and_the_decision_learns(name):
    policy, graph, scenarios = put_on(name, store())
    for mode in (policy.train, policy.eval):
        mode()
        orders = torch.cat([period.orders for period in periods(policy, graph, scenarios)], 1)
        assert ((orders == 0) | (orders > 4)).float().mean() > 0.98
        assert 0.02 < float((orders > 0).float().mean()) < 0.98
    named = {key: value for key, value in policy.named_parameters() if len(value)}
    gradients = torch.autograd.grad(costs_within(policy.train(), graph, scenarios).minimised.mean(), list(named.values()))
    named = dict(zip(named, gradients, strict=True))
    assert all(value.isfinite().all() for value in gradients)
    for key in ("lumps.of_link.weight", "lumps.of_target.weight") if name == "message_passing" else ("gaps",):
        assert float(named[key].abs().sum()) > 0


@pytest.mark.parametrize("name", POLICIES)
def test_a_fixed_cost_is_paid_for_the_orders_that_are_shipped(name):
    """Also where a policy gives its decision a gradient: the cost is that of an equal network without, and K per order."""
    policy, graph, scenarios = put_on(name, store())
    free = replace(scenarios, parameters=replace(scenarios.parameters, fixed_cost=torch.zeros(1, 1)))
    paid = list(periods(policy, graph, scenarios))
    again = list(periods(Asks(torch.stack([period.orders for period in paid], 1)), graph, free))
    for one, other in zip(paid, again, strict=True):
        torch.testing.assert_close(one.outcome.cost, other.outcome.cost + 64.0 * (one.orders > 0).sum(1))


def test_a_warehouse_without_stock_ships_nothing_and_charges_nothing():
    network = gi.one_warehouse(stores=2)
    for edge in network.edges:
        network.edges[edge]["fixed_cost"] = 5.0
    policy, graph, scenarios = put_on("message_passing", network, length=4)
    scenarios.on_hand[:] = 0.0
    scenarios.in_transit[:] = 0.0
    first = next(iter(periods(policy, graph, scenarios)))
    inner = ~graph.is_supplier[graph.source]
    assert (first.orders[:, inner] == 0).all()
    assert torch.equal(first.outcome.placed, (first.orders > 0).float())


def test_a_warehouse_that_cannot_hold_stock_pays_for_what_it_ships_on():
    network = gi.transshipment(stores=2)
    for edge in network.edges:
        network.edges[edge]["fixed_cost"] = 500.0
    policy, graph, scenarios = put_on("message_passing", network, length=4)
    scenarios.on_hand[:] = 50.0  # far too much for an order
    first = next(iter(periods(policy, graph, scenarios)))
    inner = ~graph.is_supplier[graph.source]
    assert (first.orders[:, inner] > 0).all()
    assert torch.equal(first.outcome.placed, (first.orders > 0).float())
    assert (first.outcome.placed[:, ~inner] == 0).all()


def test_the_economic_order_quantity_of_message_passing():
    graph = InventoryGraph.from_network(store())
    sizes = LumpSizes.of(graph, Known.stated(graph))
    # Q = sqrt(2 K mean (h + p) / (h p)) = sqrt(2 64 10 10 / 9) = 37.7 units, 3.77 periods; 9 / 10 of it above the base stock
    assert float(sizes.size) == pytest.approx((2 * 64 * 10 * 10 / 9) ** 0.5 / 10)
    assert float(sizes.above) == pytest.approx(0.9)


@pytest.mark.parametrize("limits", [{"minimum_order": 3.2, "capacity": 3.9}, {"capacity": 0.9}])
def test_a_link_that_no_whole_order_fits_is_named(limits):
    network = gi.one_store(link={"lead_time": 1, **limits})
    assert gi.evaluate(gi.MessagePassing(width=4), network, scenarios=4, periods=12, warm_up=4).cost > 0
    with pytest.raises(
        InputError, match=r"link 'supplier -> store': in whole units got orders of at least .*expected room for a whole order"
    ):
        gi.evaluate(gi.MessagePassing(width=4), network, scenarios=4, periods=12, warm_up=4, whole_units=True)


def test_what_a_network_without_fixed_costs_sees_of_all_this():
    """The same weights, the same random numbers, the same orders, whether or not there is a head for lumps."""
    network = gi.one_warehouse(stores=3)
    plain, graph, scenarios = put_on("message_passing", network)
    assert plain.lumps is None
    assert plain.config["lumps"] == 0
    lumpy = gi.MessagePassing(**{**plain.config, "lumps": 1})
    assert {key for key in lumpy.state_dict() if not key.startswith("lumps")} == set(plain.state_dict())
    for key, value in plain.state_dict().items():
        assert torch.equal(value, lumpy.state_dict()[key])
    for one, other in zip(periods(plain, graph, scenarios), periods(lumpy, graph, scenarios), strict=True):
        assert torch.equal(one.orders, other.orders)
        assert torch.equal(one.outcome.cost, other.outcome.cost)


def test_a_policy_with_lumps_is_saved_and_read(tmp_path):
    policy, graph, scenarios = put_on("message_passing", store())
    with torch.no_grad():
        policy.lumps.of_link.bias.fill_(0.3)
    save_policy(policy, tmp_path / "policy.safetensors")
    read = gi.load_policy(tmp_path / "policy.safetensors")
    seen = Observation(scenarios.on_hand, scenarios.in_transit, scenarios.demand[:, :0], torch.zeros(0))
    known = Known.of(graph, scenarios)
    assert torch.equal(policy(graph, seen, known).orders, read(graph, seen, known).orders)


def test_orders_placed_too_late_for_any_customer_are_left_out_of_what_is_minimised():
    network = store(64.0, lead_time=3)
    source = SyntheticDemand(parse_network(network), 0, "train")
    simulated = costs_within(Asks(torch.ones(2, 6, 1)), source.graph, source.sample(0, 2, 6))
    cost, minimised = simulated.cost, simulated.minimised
    assert (cost - minimised).tolist() == [[0, 0, 0, 64, 64, 64]] * 2


# K = 64, h = 1, p = 9, an order there at once, as in Zheng and Federgruen (1991); values of stockpyl.ss.s_s_discrete_exact (1.0.2)
TABLE = [
    (10, 6, 40, 35.0215553),
    (15, 10, 49, 42.6978189),
    (20, 14, 62, 49.1730357),
    (25, 19, 56, 54.2621667),
    (75, 67, 86, 79.5538465),
]


@pytest.mark.parametrize(("mean", "reorder", "level", "cost"), TABLE)
def test_the_optima_of_stockpyl(mean, reorder, level, cost):
    assert FixedCost(1.0, 9.0, 64.0, 0, poisson(mean)).optimum() == (reorder, level, pytest.approx(cost, abs=1e-6))


def test_the_documented_example_of_stockpyl():
    """`s_s_discrete_exact(holding_cost=1, stockout_cost=4, fixed_cost=5, use_poisson=True, demand_mean=6)` of its documentation."""
    assert FixedCost(1.0, 4.0, 5.0, 0, poisson(6)).optimum() == (4, 10, pytest.approx(8.034111561471642, rel=1e-10))


def value_iteration(problem, low, high):
    """Optimal mean cost by relative value iteration over positions, every order allowed: no (s, S) assumed."""
    positions = np.arange(low, high + 1)
    charged = problem.charged(positions)
    value = np.zeros(len(positions))
    place = np.maximum(np.arange(len(positions))[:, None] - np.arange(len(problem.probabilities)), 0)
    while True:
        kept = charged + value[place] @ problem.probabilities  # of a position after ordering
        best_above = np.minimum.accumulate(kept[::-1])[::-1]  # of ordering up to any position from here on
        new = np.minimum(kept, problem.fixed_cost + best_above)
        change = new - value
        if change.max() - change.min() < 1e-9:
            return change.mean()
        value = new - new[0]


@pytest.mark.parametrize(
    ("mean", "lead_time", "fixed", "underage"), [(3, 1, 20.0, 4.0), (2, 3, 1.0, 9.0), (5, 2, 64.0, 9.0), (1, 0, 0.0, 3.0)]
)
def test_value_iteration_over_all_policies_finds_nothing_cheaper(mean, lead_time, fixed, underage):
    problem = FixedCost(1.0, underage, fixed, lead_time, poisson(mean, 40))
    reorder, level, cost = problem.optimum()
    assert problem.cost(reorder, level) == pytest.approx(cost, rel=1e-12)
    assert value_iteration(problem, -60, 120) == pytest.approx(cost, rel=1e-8)


def test_charges_by_hand():
    problem = FixedCost(1.0, 4.0, 3.0, 1, np.array([0.5, 0.0, 0.5]))  # two periods: 0, 2, 4 with 1/4, 1/2, 1/4
    assert problem.charged(np.array([-1, 0, 2, 5])).tolist() == pytest.approx([12, 8, 0.25 * 2 + 0.25 * 8, 3])
    # order up to 2 once at 0: a cycle is the wait for a demand of 2, two periods of 2.5 on average: (3 + 2 x 2.5) / 2
    assert problem.cost(0, 2) == pytest.approx(4.0)


def test_the_reference_is_attained_by_its_twin_on_a_simulated_network():
    network = store()
    reference = reference_of(network)
    assert (reference.kind, reference.levels) == ("optimum", {"store": 62.0})
    source = SyntheticDemand(parse_network(network), 5, "test")
    cost = reference.twin(source.graph, source.sample(0, 1024, 300))[:, 100:].double().mean(1)
    error = float(cost.std()) / 32
    assert abs(float(cost.mean()) - reference.value) < 3 * error
    assert error < 0.002 * reference.value


def test_the_twin_orders_up_to_62_at_26_or_below():
    """Against the rule written out: also where stock starts at parts of a unit."""
    network = store(initial_stock={"per_scenario": {"uniform": [0, 90]}})
    source = SyntheticDemand(parse_network(network), 5, "test")
    scenarios = source.sample(0, 16, 60)
    expected = np.zeros((16, 60))
    for row in range(16):
        on_hand, arriving = float(scenarios.on_hand[row, 0]), [0.0]  # of an order of the period before: L = 2
        for period, demand in enumerate(scenarios.demand[row, :, 0].tolist()):
            position = on_hand + sum(arriving)
            arriving.append(62 - position if position <= 26.5 else 0.0)  # where it starts at a part of a unit, 26.5 decides
            net = on_hand - demand
            expected[row, period] = 64 * (arriving[-1] > 0) + max(net, 0) + 9 * max(-net, 0)
            on_hand = net + arriving.pop(0)
    found = reference_of(network).twin(source.graph, scenarios)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_no_optimum_is_claimed_where_none_is_known():
    lost, serial, minimum, limited = store(unmet_demand="lost"), gi.serial(), store(0.0), store()
    serial.edges["supplier", next(iter(serial.successors("supplier")))]["fixed_cost"] = 3.0
    minimum.edges["supplier", "store"]["minimum_order"] = 3.0
    limited.edges["supplier", "store"]["capacity"] = 30.0
    normal = store(demand={"normal": {"mean": 5.0, "std": 1.0}})
    for network in (lost, serial, minimum, limited, normal, store({"per_scenario": {"uniform": [1, 2]}})):
        assert reference_of(network) is None
        assert reference_of(network, whole_units=True) is None
    assert reference_of(store(0.0)).source.startswith("base stock")


def test_without_a_fixed_cost_the_optimum_is_base_stock():
    reorder, level, cost = FixedCost(1.0, 9.0, 0.0, 2, poisson(10)).optimum()
    base_stock = reference_of(store(0.0))
    assert (reorder + 1, cost) == (level, pytest.approx(base_stock.value, rel=1e-6))
    assert level == base_stock.levels["store"]


def test_coverage_says_what_was_never_seen():
    plain, fixed, small = gi.one_store(), gi.one_store(), gi.one_store()
    fixed.edges["supplier", "store"]["fixed_cost"] = 10.0
    small.edges["supplier", "store"]["minimum_order"] = 10.0
    seen = Coverage.of_network(plain)
    assert "fixed costs, never seen" in seen.beyond(fixed)
    assert "minimum orders, never seen" in seen.beyond(small)
    assert seen.beyond(plain) == []
    fixed.edges["supplier", "store"]["fixed_cost"] = 20.0
    other = Coverage.of_network(fixed)
    fixed.edges["supplier", "store"]["fixed_cost"] = 10.0  # of 5 units a period, held for 1 each
    (line,) = other.beyond(fixed)
    assert line.startswith("fixed cost (in holding costs of a period's demand) 2, trained on 4")
    fixed.nodes["store"]["demand"] = "panel"  # whose mean nobody knows yet
    assert not any("fixed cost" in line for line in other.beyond(fixed))


def test_just_in_time_refuses():
    source = SyntheticDemand(parse_network(store(unmet_demand="lost")), 0, "test")
    with pytest.raises(UnsupportedNetworkError, match="got a fixed cost or a minimum order"):
        list(periods(gi.JustInTime(), source.graph, source.sample(0, 2, 5)))


def test_a_recipe_that_trains_in_whole_units_is_judged_in_whole_units():
    with pytest.raises(gi.InputError, match=r"training\.whole_units: got 'straight_through'; expected evaluation\.whole_units"):
        gi.load_recipe("one_store_backlogged", ["training.whole_units=straight_through"])
    with pytest.raises(gi.InputError, match=r"training\.whole_units: got 'round'"):
        gi.load_recipe("one_store_lost", ["training.whole_units=round"])
    assert gi.load_recipe("one_store_lost", ["training.whole_units=straight_through"]).training.whole_units == "straight_through"
