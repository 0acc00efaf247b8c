"""Policies: what they may see, what they must not depend on, and what they cannot serve."""

import networkx as nx
import numpy
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies import POLICIES, make_policy
from gnn_inventory.policies.base import Known, Observation, UnsupportedNetworkError
from gnn_inventory.policies.echelon import Cover, echelon_position, flow_shares, newsvendor_cost
from gnn_inventory.references import reference_of
from gnn_inventory.rollout import costs, periods
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.run_folder import load_policy, save_policy


def drawn(network, count=16, length=20, seed=3):
    source = SyntheticDemand(parse_network(network), seed, "train")
    return source.graph, source.sample(0, count, length)


def served(name):
    """A network that the policy serves."""
    return {"equal_fractile": gi.transshipment, "newsvendor_with_returns": gi.one_store}.get(name, gi.one_warehouse)()


def fitted(name):
    """The policy, put on the network that it serves, on which the scenarios are."""
    graph, scenarios = drawn(served(name))
    policy = make_policy(name)
    policy.fit_to(graph)
    policy.prepare(SyntheticDemand(parse_network(served(name)), 3, "train"), 16, 60)
    return policy, graph, scenarios


@pytest.mark.parametrize("name", POLICIES)
def test_the_future_changes_no_decision(name):
    policy, graph, scenarios = fitted(name)
    before = [period.orders for period in periods(policy, graph, scenarios)]
    scenarios.demand[:, 10:] += 5.0
    after = [period.orders for period in periods(policy, graph, scenarios)]
    assert all(torch.equal(a, b) for a, b in zip(before[:11], after[:11], strict=True))
    assert not torch.equal(before[11], after[11])


@pytest.mark.parametrize("name", POLICIES)
def test_a_scenario_changes_no_other(name):
    policy, graph, scenarios = fitted(name)
    before = costs(policy, graph, scenarios)
    scenarios.demand[0] *= 2
    after = costs(policy, graph, scenarios)
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0], after[0])


@pytest.mark.parametrize("name", POLICIES)
def test_making_fitting_running_and_loading_a_policy_draws_nothing_from_the_global_generators(name, tmp_path):
    of_torch, of_numpy = torch.get_rng_state(), numpy.random.get_state()[1].copy()
    policy, graph, scenarios = fitted(name)
    costs(policy, graph, scenarios)
    save_policy(policy, tmp_path / "policy.safetensors")
    load_policy(tmp_path / "policy.safetensors")
    assert torch.equal(torch.get_rng_state(), of_torch)
    assert (numpy.random.get_state()[1] == of_numpy).all()


def relabelled(network, names):
    return nx.relabel_nodes(network, names)


@pytest.mark.parametrize("name", ["message_passing", "published_message_passing", "base_stock", "echelon_base_stock"])
def test_relabelling_permutes_the_orders(name):
    network = gi.one_warehouse()
    names = {"warehouse": "a", "store_0": "z", "store_1": "m", "store_2": "zz", "store_3": "b", "store_4": "c"}
    graph, scenarios = drawn(network, count=1)
    other = gi.InventoryGraph.from_network(relabelled(network, names))
    nodes = torch.tensor([graph.labels.index({v: k for k, v in names.items()}.get(label, label)) for label in other.labels])
    pairs = graph.edge_index.t().tolist()
    links = torch.tensor([pairs.index([int(nodes[u]), int(nodes[v])]) for u, v in other.edge_index.t().tolist()])
    policy = make_policy(name)
    policy.fit_to(graph)
    seen = Observation(scenarios.on_hand, scenarios.in_transit, torch.zeros(1, 0, graph.nodes), torch.zeros(0))
    moved = Observation(seen.on_hand[:, nodes], seen.in_transit[:, links], torch.zeros(1, 0, graph.nodes), torch.zeros(0))
    expected = policy(graph, seen, Known.of(graph, scenarios)).orders[:, links]
    policy.fit_to(other)
    torch.testing.assert_close(policy(other, moved).orders, expected)


def test_a_decision_that_cannot_be_made_is_one_line():
    policy, network = gi.MessagePassing(width=4, window=3, slots=4), gi.one_warehouse(stores=2)
    graph = gi.InventoryGraph.from_network(network)
    fitting = {"on_hand": torch.ones(2, 4), "in_transit": torch.zeros(2, 3, graph.slots), "past_demand": torch.ones(2, 3, 4)}
    assert policy(graph, gi.Observation(**fitting, calendar=torch.zeros(0))).orders.shape == (2, 3)
    for changes, message in (
        (
            {"on_hand": torch.ones(2, 5), "past_demand": torch.ones(2, 3, 5)},
            r"on_hand: got shape \[2, 5\]; expected \[B, 4\] on this network",
        ),
        ({"in_transit": torch.ones(2, 3, 9)}, r"in_transit: got shape \[2, 3, 9\]; expected \[B, 3, 2\]"),
        (
            {"past_demand": torch.ones(2, 2, 4)},
            r"past_demand: got shape \[2, 2, 4\]; expected \[2, at least 3 \(its window\), 4\]",
        ),
    ):
        with pytest.raises(InputError, match=message):
            policy(graph, gi.Observation(**fitting | changes, calendar=torch.zeros(0)))
    looks = gi.MessagePassing(width=4, window=3, slots=4, calendar=2)
    with pytest.raises(InputError, match="calendar: got 0 columns; expected 2"):
        looks(graph, gi.Observation(**fitting, calendar=torch.zeros(0)))


def test_a_decision_without_statistics_of_demand_is_refused():
    """A panel's network states none: the flow that everything is measured by would be 1, and an order for warehouses anything."""
    network = gi.load_network("favorita_one_warehouse")
    graph = gi.InventoryGraph.from_network(network)
    none = torch.zeros(1, 0, graph.nodes)
    seen = gi.Observation(torch.zeros(1, graph.nodes), torch.zeros(1, graph.links, graph.slots), none, torch.zeros(0))
    with pytest.raises(InputError, match=r"got a network that states no demand.*expected known=Known"):
        gi.MessagePassing(width=4)(graph, seen)
    mean = graph.has_demand.to(torch.float32).unsqueeze(0) * 4.0
    known = Known(graph.parameters(), mean, mean / 2, *graph.flows(mean))
    assert bool(gi.MessagePassing(width=4)(graph, seen, known).orders.isfinite().all())


def test_a_union_of_graphs_gives_the_orders_of_each():
    small, large = gi.one_warehouse(stores=3), gi.many_warehouses()
    for store in [node for node in large if "store" in node]:
        large.nodes[store]["underage_cost"] = 90.0  # money is in units of each network's own cost of a lost sale
    graphs = [gi.InventoryGraph.from_network(network) for network in (small, large)]
    union = gi.InventoryGraph.union(graphs)
    policy = gi.MessagePassing(width=8)
    policy.config["seed"] = 1
    slots = union.slots

    def decide(graph, on_hand, transit):
        return policy(graph, Observation(on_hand, transit, torch.zeros(2, 0, graph.nodes), torch.zeros(0))).orders

    random = torch.Generator().manual_seed(0)
    stock = [torch.rand(2, graph.nodes, generator=random) for graph in graphs]
    transit = [torch.rand(2, graph.links, graph.slots, generator=random) for graph in graphs]
    padded = [torch.nn.functional.pad(value, (0, slots - value.shape[-1])) for value in transit]
    together = decide(union, torch.cat(stock, 1), torch.cat(padded, 1))
    alone = torch.cat([decide(*case) for case in zip(graphs, stock, transit, strict=True)], 1)
    torch.testing.assert_close(together, alone)


def test_orders_scale_with_demand():
    """Ten times the demand and the stock: ten times the orders."""
    graph, scenarios = drawn(gi.one_warehouse())
    graph, scenarios = graph.to_dtype(torch.float64), scenarios.to(torch.device("cpu"), torch.float64)
    policy = gi.MessagePassing(width=8).double()
    seen = Observation(scenarios.on_hand, scenarios.in_transit, torch.zeros(16, 0, graph.nodes), torch.zeros(0))
    known = Known.of(graph, scenarios)
    ten = Known(known.parameters, 10 * known.mean_demand, 10 * known.std_demand, 10 * known.node_flow, 10 * known.link_flow)
    larger = Observation(10 * seen.on_hand, 10 * seen.in_transit, seen.past_demand, seen.calendar)
    torch.testing.assert_close(policy(graph, larger, ten).orders, 10 * policy(graph, seen, known).orders)


@pytest.mark.parametrize("name", ["message_passing", "published_message_passing", "fully_connected"])
def test_every_parameter_of_a_network_has_a_gradient(name):
    graph, scenarios = drawn(gi.many_warehouses())
    policy = make_policy(name, width=8, **({} if name == "fully_connected" else {"slots": graph.slots}))
    policy.fit_to(graph)
    costs(policy, graph, scenarios).mean().backward()
    dead = [name for name, value in policy.named_parameters() if value.grad is None or not value.grad.any()]
    assert dead == []


def test_the_same_seed_gives_the_same_weights():
    first, second, other = gi.MessagePassing(seed=1), gi.MessagePassing(seed=1), gi.MessagePassing(seed=2)
    assert torch.equal(first.order.weight, second.order.weight)
    assert not torch.equal(first.order.weight, other.order.weight)


def test_just_in_time_meets_all_demand_and_holds_nothing_once_started():
    network = gi.one_warehouse(stores=2)
    graph, scenarios = drawn(network, length=30)
    scenarios.on_hand.zero_()
    scenarios.in_transit.zero_()
    run = list(periods(gi.JustInTime(), graph, scenarios))
    longest = 3 + 3  # of the supplier's and the stores' lead times
    for period in run[longest:]:
        torch.testing.assert_close(period.outcome.unmet, torch.zeros_like(period.outcome.unmet), atol=1e-4, rtol=0)
        torch.testing.assert_close(period.outcome.left, torch.zeros_like(period.outcome.left), atol=1e-4, rtol=0)


def test_a_network_that_a_policy_cannot_serve_is_named():
    transshipment = gi.InventoryGraph.from_network(gi.transshipment())
    several = gi.InventoryGraph.from_network(gi.many_warehouses())
    with pytest.raises(UnsupportedNetworkError, match=r"'warehouse', which cannot hold stock.*echelon_base_stock"):
        gi.BaseStock().fit_to(transshipment)
    with pytest.raises(UnsupportedNetworkError, match="several sources"):
        gi.EchelonBaseStock().fit_to(several)
    tied, levels = gi.FullyConnected(), gi.BaseStock()
    tied.fit_to(several)
    graph, scenarios = drawn(gi.one_warehouse())
    levels.fit_to(gi.InventoryGraph.from_network(nx.relabel_nodes(gi.one_warehouse(), {"warehouse": "hub"})))
    with pytest.raises(UnsupportedNetworkError, match="differs at 'warehouse'"):
        costs(levels, graph, scenarios)
    with pytest.raises(UnsupportedNetworkError, match="no network yet"):
        gi.evaluate(gi.FullyConnected(), gi.one_warehouse(), scenarios=4)
    with pytest.raises(UnsupportedNetworkError, match="belong to the locations and links"):
        costs(tied, graph, scenarios)
    with pytest.raises(UnsupportedNetworkError, match="lead time of 3; its weights accept at most 2"):
        costs(gi.MessagePassing(slots=1), graph, scenarios)


def test_an_echelon_where_a_location_ships_and_sells():
    """A hub sells 8 and ships 2 of the 10 that flow through it: the leaf's position counts for a fifth."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    costs = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost"}
    network.add_node("hub", **costs, demand={"normal": {"mean": 8.0, "std": 2.0, "clip": False}})
    network.add_node("leaf", **costs, demand={"normal": {"mean": 2.0, "std": 1.5, "clip": False}})
    network.add_edge("supplier", "hub", lead_time=3)
    network.add_edge("hub", "leaf", lead_time=2)
    graph, scenarios = drawn(network)
    known = Known.of(graph, scenarios)
    hub, leaf = graph.labels.index("hub"), graph.labels.index("leaf")
    position = torch.zeros(1, graph.nodes)
    position[0, hub], position[0, leaf] = 20 / 10, 4 / 2  # units over mean flow
    _, out_of = flow_shares(graph, known)
    assert float(echelon_position(graph, position, out_of)[0, hub]) == pytest.approx((20 + 4) / 10)
    cover = Cover.of(graph, known, out_of)
    # goods for its own customers are needed for 3 + 1 periods, a fifth of them for 3 + 2 + 1
    assert float(cover.echelon_periods[0, hub]) == pytest.approx(0.8 * 4 + 0.2 * 6)
    assert float(cover.echelon_periods[0, leaf]) == pytest.approx(3)
    assert float(cover.fractile[0, leaf]) == pytest.approx(torch.special.ndtri(torch.tensor(1.0)).clamp(max=3.0).item(), abs=0.2)
    # on the way to the hub both demands pool, half correlated: (3.5^2 + 2.5^2) / 2 a period; then 2 sqrt(1) for its own
    # customers in that period and 1.5 sqrt(3) for the leaf
    assert float(cover.deviation[0, leaf]) == pytest.approx(1.5 * 3**0.5 / 2)
    assert float(cover.deviation[0, hub]) == pytest.approx((3 * 9.25 + (2 + 1.5 * 3**0.5) ** 2) ** 0.5 / 10)


def without_what_is_learned(policy):
    """The start alone: message passing whose heads see nothing."""
    with torch.no_grad():
        for head in (policy.order, policy.order_of_target, policy.balance, policy.keep):
            head.weight.zero_()
    return policy


def test_the_start_is_near_the_bound_where_a_warehouse_cannot_hold_stock():
    """Equal chances of running out and the level of Eppen and Schrage: a fraction of a percent over Federgruen and Zipkin."""
    start = without_what_is_learned(gi.MessagePassing(width=8))
    for stores in (3, 20):
        found = gi.evaluate(start, gi.transshipment(stores=stores), scenarios=128, periods=200, warm_up=100)
        assert -0.05 < found.gap_percent < 0.2


def test_the_start_is_the_optimum_of_a_backlogged_store():
    start = without_what_is_learned(gi.MessagePassing(width=8))
    found = gi.evaluate(start, build_network(network_mapping("one_store_backlogged")), 128, 300, 100)
    assert abs(found.gap_percent) < 0.1


def test_cover_of_a_serial_network_is_near_the_optimal_levels():
    """The bounds of Shang and Song hold the optimal echelon levels to a few percent."""
    network = gi.serial()
    graph, scenarios = drawn(network)
    known = Known.of(graph, scenarios)
    cover = Cover.of(graph, known, flow_shares(graph, known)[1])
    levels = ((cover.echelon_periods + cover.fractile * cover.deviation) * known.node_flow)[0]
    for name, optimal in reference_of(parse_network(network)).levels.items():
        assert float(levels[graph.labels.index(name)]) == pytest.approx(optimal, rel=0.06)


def test_the_newsvendor_cost_of_a_store_that_orders_from_a_supplier():
    """(h + p) phi(z) sd sqrt(L + 1) with z = Phi^-1(0.9): the cost of the optimal level for normal demand."""
    network = gi.one_store(link={"lead_time": 3})
    network.nodes["store"].update(demand={"normal": {"mean": 10.0, "std": 2.0, "clip": False}})
    graph, scenarios = drawn(network)
    found = newsvendor_cost(graph, Known.of(graph, scenarios))
    assert found.shape == (1,)
    assert float(found) == pytest.approx(10 * 0.17549833 * 2 * 2, rel=1e-4)


def test_a_faster_link_counts_only_what_arrives_in_time():
    """Two sources, L = 1 and 4: with all that is needed on its way but late, the slow link asks for less than the fast one."""
    network = nx.DiGraph()
    network.add_nodes_from(["slow", "fast"], kind="supplier")
    costs_ = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost"}
    network.add_node("store", **costs_, demand={"normal": {"mean": 5.0, "std": 1.0}})
    network.add_edge("slow", "store", lead_time=4)
    network.add_edge("fast", "store", lead_time=1)
    graph, scenarios = drawn(network, count=1)
    policy = without_what_is_learned(gi.MessagePassing(width=8, seed=3))
    slow, fast = graph.link_names.index("slow -> store"), graph.link_names.index("fast -> store")

    def orders(on_hand, late):
        transit = torch.zeros_like(scenarios.in_transit)
        transit[0, slow, 2] = late  # arrives in 3 periods
        stock = torch.zeros(1, graph.nodes)
        stock[0, graph.labels.index("store")] = on_hand
        seen = Observation(stock, transit, torch.zeros(1, 0, graph.nodes), torch.zeros(0))
        return policy(graph, seen, Known.of(graph, scenarios)).orders[0].tolist()

    on_time, too_late = orders(10.0, 15.0), orders(0.0, 25.0)  # the same position: slow asks for the same
    assert on_time[slow] == pytest.approx(too_late[slow])
    assert on_time[fast] == pytest.approx(on_time[slow])  # the 15 units that are late are what those 3 periods need
    # a mean demand of 15 falls in the 3 periods between: 15 late units are as expected, 25 are 10 too many
    assert too_late[fast] - on_time[fast] == pytest.approx(10.0 / 2, rel=0.05)  # each link has half of the flow


def test_a_policy_with_a_calendar_says_that_it_misses_it():
    graph, scenarios = drawn(gi.one_warehouse())
    with pytest.raises(UnsupportedNetworkError, match="calendar of 1 columns; got scenarios with 0"):
        costs(gi.MessagePassing(width=8, calendar=1), graph, scenarios)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (gi.MessagePassing, {"width": 0}),
        (gi.MessagePassing, {"slots": 0}),
        (gi.MessagePassing, {"rounds": -1}),
        (gi.MessagePassing, {"survey_rounds": -1}),
        (gi.PublishedMessagePassing, {"width": 0}),
        (gi.PublishedMessagePassing, {"slots": -1}),
        (gi.FullyConnected, {"width": 5000}),
        (gi.BaseStock, {"window": -3}),
        (POLICIES["newsvendor_quantile"], {"seed": -1}),
    ],
)
def test_settings_of_a_policy_have_bounds(kind, settings):
    ((name, value),) = settings.items()
    with pytest.raises(InputError, match=rf"policy \w+: {name}: got {value}; expected (an integer from|at least) "):
        kind(**settings)


@pytest.mark.parametrize("name", ["base_stock", "message_passing", "newsvendor_quantile", "fully_connected"])
def test_of_a_longer_past_a_policy_sees_its_window_alone(name):
    graph, scenarios = drawn(gi.one_warehouse(), count=4, length=30)
    policy = make_policy(name, window=8)
    policy.fit_to(graph)
    policy.prepare(SyntheticDemand(parse_network(gi.one_warehouse()), 3, "train"), 16, 60)
    shape = (4, graph.links, graph.slots)
    seen = [
        Observation(torch.ones(4, graph.nodes), torch.zeros(shape), scenarios.demand[:, first:30], torch.zeros(0))
        for first in (22, 10)
    ]
    short, long = (policy(graph, one).orders for one in seen)
    assert torch.equal(short, long)


def test_a_seed_of_an_evaluation_is_no_negative_number():
    with pytest.raises(InputError, match="evaluate: seed: got -1; expected an integer >= 0"):
        gi.evaluate(gi.MessagePassing(), gi.one_store(), seed=-1)


def test_weights_drawn_anew_are_those_of_a_fresh_policy():
    fresh, other = (gi.MessagePassing(width=4, lumps=1, routes=1, survey_rounds=1, seed=seed) for seed in (3, 5))
    other.reset_parameters(3)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in fresh.state_dict().items())


def test_with_a_window_orders_scale_with_demand_however_small():
    """Tonnes or grams: only a series without any sale is taken for whole units."""
    cost = {}
    for scale in (1.0, 0.001):
        store = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "lost", "initial_stock": 5.0 * scale}
        store["demand"] = {"normal": {"mean": 5.0 * scale, "std": 1.0 * scale, "clip": True}}
        policy = gi.MessagePassing(width=4, window=8)
        cost[scale] = gi.evaluate(policy, gi.one_store(store=store), scenarios=8, periods=40, warm_up=20).cost / scale
    assert cost[0.001] == pytest.approx(cost[1.0], rel=1e-4)


@pytest.mark.parametrize(("mean", "fixed_cost"), [(mean, cost) for mean in (3.0, 7.0, 11.0, 13.0) for cost in (0.0, 30.0)])
def test_a_location_at_its_reorder_point_orders(mean, fixed_cost):
    """In units of the mean flow s is no round number; at s it orders up to S all the same, and just above it does not."""
    store = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "backlogged", "demand": {"poisson": {"mean": mean}}}
    graph = gi.InventoryGraph.from_network(gi.one_store(store=store, link={"lead_time": 1, "fixed_cost": fixed_cost}))
    policy, place = gi.ReorderPoint().eval(), graph.labels.index("store")
    for point in range(60):
        policy.set_points(graph, {"store": float(point)}, {"store": point + 17.0})
        on_hand = torch.zeros(2, graph.nodes)
        on_hand[:, place] = torch.tensor([float(point), point + 1.0])
        seen = Observation(on_hand, torch.zeros(2, 1, 0), torch.zeros(2, 0, graph.nodes), torch.zeros(0))
        assert policy.eval()(graph, seen).orders[:, 0].tolist() == pytest.approx([17.0, 0.0], abs=1e-3)


def test_demand_without_a_mean_leaves_orders_within_bounds():
    store = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "backlogged", "initial_stock": 0.0}
    store["demand"] = {"normal": {"mean": 0.0, "std": 1.0, "clip": False}}
    network = gi.one_store(store=store, link={"lead_time": 1})
    assert gi.evaluate(gi.MessagePassing(width=4), network, scenarios=16, periods=40, warm_up=20).cost < 15


@pytest.mark.parametrize("name", ["newsvendor_quantile", "fixed_quantile", "transformed_quantile", "newsvendor_with_returns"])
def test_a_forecaster_that_looks_at_nothing_is_refused(name):
    with pytest.raises(InputError, match=r"policy\.window: got 0; expected at least 1"):
        make_policy(name, window=0)
