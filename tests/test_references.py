"""References against values computed elsewhere by two independent methods, and the simulator against both."""

import json
import statistics
from math import exp, factorial, inf
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import stats
from test_simulator import on_random_networks

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.intervals import relative_gap, student
from gnn_inventory.references import programme_bound, reference_of
from gnn_inventory.references.lost_sales import LostSales, best_base_stock, best_capped_base_stock, optimum
from gnn_inventory.references.parameters import of_periods
from gnn_inventory.references.perfect_information import perfect_information
from gnn_inventory.rollout import costs
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
    found = reference_of(parse_network(one_store(row)))
    assert found.value == pytest.approx(row["optimal_cost"], rel=1e-4)
    assert found.levels["store"] == pytest.approx(row["base_stock_level"], abs=1.6 / 80)  # a cell of the grid


@needs_optima
@pytest.mark.parametrize("row", rows("serial"), ids=str)
def test_serial_optimum(row):
    found = reference_of(parse_network(serial(row)))
    assert found.value == pytest.approx(row["optimal_cost"], rel=1e-4)
    assert found.levels == pytest.approx(row["echelon_base_stock_levels"], abs=2.0 / 80)  # a cell of the grid


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


@pytest.mark.parametrize(
    ("demand", "underage_cost", "of_two_periods"),
    [
        ({"poisson": {"mean": 0.001}}, 2000.0, stats.poisson(0.002)),
        ({"negative_binomial": {"successes": 0.05, "probability": 0.005}}, 1e5, stats.nbinom(0.1, 0.005)),
        ({"negative_binomial": {"successes": 0.05, "probability": 0.01}}, 1e4, stats.nbinom(0.1, 0.01)),
    ],
)
def test_the_level_of_what_hardly_ever_sells_is_the_newsvendors(demand, underage_cost, of_two_periods):
    """Lead time 1: the fractile of demand over two periods, many deviations above its mean."""
    store = {"holding_cost": 1.0, "underage_cost": underage_cost, "unmet_demand": "backlogged", "demand": demand}
    found = reference_of(parse_network(gi.one_store(store={**store, "initial_stock": 1.0}, link={"lead_time": 1})))
    level, values = of_two_periods.ppf(underage_cost / (underage_cost + 1.0)), np.arange(20_000)
    cost = np.where(values < level, level - values, underage_cost * (values - level)) @ of_two_periods.pmf(values)
    assert found.levels["store"] == level
    assert found.value == pytest.approx(cost, rel=1e-5)


def test_a_rare_seller_at_the_end_of_a_chain_has_a_unit_in_stock():
    """One unit at the store, none upstream: it costs its holding but for the demand of two periods, after which it is replaced."""
    network = gi.serial(
        echelons=2,
        upstream={"holding_cost": 0.5},
        store={
            "holding_cost": 1.0,
            "underage_cost": 2000.0,
            "unmet_demand": "backlogged",
            "demand": {"poisson": {"mean": 0.001}},
        },
        upstream_link={"lead_time": 1},
        store_link={"lead_time": 1},
    )
    found = reference_of(parse_network(network))
    assert found.levels == {"warehouse": 1.0, "store": 1.0}
    gone = 3 * 0.001  # the chance that the unit was sold within the periods until the next is there
    assert found.value == pytest.approx(1.0 - gone + 2000.0 * gone**2 / 2, rel=1e-3)


def poisson(mean):
    """Probabilities of 0, 1, ... 39, by the formula."""
    values = np.array([exp(-mean) * mean**count / factorial(count) for count in range(40)])
    return values / values.sum()


@pytest.mark.parametrize("periods", [20, 20_000])
def test_the_demand_of_several_periods(periods):
    """Of 0 or 1 each: binomial. Few values are convolved, many transformed."""
    found = of_periods(np.array([0.7, 0.3]), periods)
    assert found == pytest.approx(stats.binom.pmf(np.arange(periods + 1), periods, 0.3), rel=1e-9, abs=1e-14)


def lost_sales(row):
    return LostSales(1.0, row["underage_cost"], row["lead_time"], poisson(5.0))


@needs_optima
@pytest.mark.parametrize("row", rows("one_store_lost"), ids=str)
def test_lost_sales(row):
    found = optimum(lost_sales(row))
    assert found.cost == pytest.approx(row["optimal_cost"], rel=1e-6)
    assert found.low - 5e-7 <= row["optimal_cost"] <= found.high + 5e-7  # of six printed decimals
    level, cost = best_base_stock(lost_sales(row))
    assert (level, cost) == (row["best_base_stock"]["level"], pytest.approx(row["best_base_stock"]["cost"], rel=1e-6))
    level, cap, cost = best_capped_base_stock(lost_sales(row))
    best = row["best_capped_base_stock"]
    assert (level, cap, cost) == (best["level"], best["cap"], pytest.approx(best["cost"], rel=1e-6))


@pytest.mark.parametrize("lead_time", [1, 2, 3])
def test_lost_sales_that_cost_much_are_as_good_as_waiting_ones(lead_time):
    """Lost sales cost no more than waiting ones, and the ratio goes to 1 as p grows (Huh et al. 2009)."""
    ratios = []
    for underage in (4.0, 40.0, 4000.0):
        network = gi.one_store(link={"lead_time": lead_time})
        network.nodes["store"].update(underage_cost=underage, demand={"poisson": {"mean": 5.0}})
        waiting = reference_of(parse_network(network)).value
        ratios.append(optimum(LostSales(1.0, underage, lead_time, poisson(5.0))).cost / waiting)
    assert ratios == sorted(ratios)
    assert 0.97 < ratios[-1] <= 1.0


@pytest.mark.parametrize(("lead_time", "most"), [(1, 60), (2, 40)])
def test_lost_sales_of_lumpy_demand(lead_time, most):
    """Nothing or ten units: by value iteration that orders anything up to 30 and stocks up to `most`, far from where it matters."""
    chances, largest = {0: 0.7, 10: 0.3}, 30
    problem = LostSales(1.0, 9.0, lead_time, np.array([0.7] + [0.0] * 9 + [0.3]))
    value = np.zeros((most + 1,) + (largest + 1,) * (lead_time - 1))
    for _ in range(4000):
        after = np.zeros((most + 1,) + (largest + 1,) * lead_time)
        for demand, chance in chances.items():
            left = np.maximum(np.arange(most + 1) - demand, 0)
            lost = np.maximum(demand - np.arange(most + 1), 0)
            there = np.minimum(left[:, None] + np.arange(largest + 1), most)
            cost = (left + 9.0 * lost).reshape(-1, *(1,) * lead_time)
            after = after + chance * (cost + value[there])
        new = after.min(-1)
        change, value = new - value, new - new.flat[0]
    assert change.max() - change.min() < 1e-9
    assert optimum(problem).cost == pytest.approx(change.mean(), rel=1e-6)


def test_the_best_level_may_be_none_at_all():
    """Held for as much as a lost sale costs and sold once in twenty periods: nothing is stocked, 0.05 lost per period."""
    problem = LostSales(1.0, 1.0, 1, poisson(0.05))
    assert best_base_stock(problem) == (0, pytest.approx(0.05))
    level, _, cost = best_capped_base_stock(problem)
    assert (level, cost) == (0, pytest.approx(0.05))


def test_a_location_where_stock_costs_no_less_than_below_passes_everything_on():
    """So it adds nothing but its lead time: 2 + 4 periods in one link."""
    four = gi.serial(upstream={"holding_cost": [0.2, 0.2, 0.5]}, upstream_link={"lead_time": [2, 4, 3]})
    three = gi.serial(echelons=3, upstream={"holding_cost": [0.2, 0.5]}, upstream_link={"lead_time": [6, 3]})
    assert reference_of(four).value == pytest.approx(reference_of(three).value, rel=1e-6)
    result = gi.evaluate(optimal(four), four, scenarios=1024, periods=450, warm_up=200)
    assert abs(result.cost - result.reference.value) < 1.6 * (result.ci95[1] - result.ci95[0])


def optimal(network):
    policy = gi.EchelonBaseStock()
    policy.set_levels(gi.InventoryGraph.from_network(network), reference_of(network).levels)
    return policy


def test_unit_costs_of_a_backlogged_chain_are_paid_for_all_demand():
    """Poisson demand of 5, units at 2 and 0.5 on two links: 12.5 a period more, and the same levels."""
    plain, bought = gi.serial(), gi.serial()
    for network in (plain, bought):
        network.nodes["store"]["demand"] = {"poisson": {"mean": 5.0}}
    for link, cost in zip(bought.edges, (2.0, 0.5), strict=False):
        bought.edges[link]["unit_cost"] = cost
    first, second = reference_of(plain), reference_of(bought)
    assert second.value - first.value == pytest.approx(12.5, rel=1e-9)
    assert second.levels == first.levels
    result = gi.evaluate(optimal(bought), bought, scenarios=512, periods=450, warm_up=200)
    assert abs(result.cost - second.value) < 1.6 * (result.ci95[1] - result.ci95[0])


def test_newsvendor_without_a_pipeline():
    """One location, L = 1, waiting demand: the level is a quantile of two periods' demand, the cost an expectation."""
    network = gi.one_store(link={"lead_time": 1})
    network.nodes["store"].update(underage_cost=9.0, demand={"poisson": {"mean": 5.0}})
    two = np.convolve(poisson(5.0), poisson(5.0))
    level = int(np.searchsorted(two.cumsum(), 0.9))
    net = level - np.arange(len(two))
    cost = (np.maximum(net, 0) + 9.0 * np.maximum(-net, 0)) @ two
    found = reference_of(parse_network(network))
    assert (found.levels["store"], found.value) == (pytest.approx(level), pytest.approx(cost, rel=1e-9))


def lost_network(row):
    network = gi.load_network("one_store_lost")
    network.nodes["store"]["underage_cost"] = row["underage_cost"]
    network.edges["supplier", "store"]["lead_time"] = row["lead_time"]
    return network


TWINS = {
    "one store": gi.one_store,
    "serial": gi.serial,
    "transshipment": lambda: gi.transshipment(stores=4),
    "lost sales": lambda: lost_network({"underage_cost": 4.0, "lead_time": 3}),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_twin_costs_what_the_reference_says(name):
    """Two ways to the same number: the formula or dynamic programme, and the mean over simulated scenarios."""
    network = parse_network(TWINS[name]())
    reference, source = reference_of(network, whole_units=True), SyntheticDemand(network, 5, "test")
    found = reference.twin(source.graph, source.sample(0, 2048, 400))[:, 200:].double().mean(1)
    error = float(found.std()) / len(found) ** 0.5
    assert abs(float(found.mean()) - reference.value) < 3 * error
    assert error < 0.01 * reference.value


def test_a_gap_measured_against_the_twin_is_narrow_and_right():
    """One unit above the optimal level cost what the convex newsvendor cost says, and the interval holds it."""
    network, policy = gi.one_store(), gi.BaseStock()
    reference = reference_of(parse_network(network))
    policy.set_levels(gi.InventoryGraph.from_network(network), {"store": reference.levels["store"] + 1.0})
    result = gi.evaluate(policy, network, scenarios=512, periods=300, warm_up=100)
    random = np.random.RandomState(0)
    five = np.maximum(random.normal(5.0, 1.6, size=(1_000_000, 5)), 0.0).sum(1)  # demand of L + 1 periods
    net = reference.levels["store"] + 1.0 - five
    truth = 100 * ((np.maximum(net, 0) + 9 * np.maximum(-net, 0)).mean() / reference.value - 1)
    low, high = result.gap_ci95
    assert low - 0.5 < truth < high + 0.5  # 0.5: three errors of the million draws
    assert high - low < 0.8 * 100 * (result.ci95[1] - result.ci95[0]) / reference.value


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_interval_of_a_gap_over_a_sampled_reference(sign):
    """Items of very different size: the interval of the ratio of two means holds the truth nineteen times of twenty."""
    random = np.random.RandomState(0)
    held, widths = 0, []
    for _ in range(400):
        size = np.exp(random.normal(0.0, 1.0, 300))
        over = 0.2 * size * (1 + 0.1 * random.normal(size=300))  # the truth: 20 %
        percent, (low, high) = relative_gap(torch.from_numpy(over), torch.from_numpy(sign * size))
        assert percent == pytest.approx(100 * over.mean() / size.mean())
        held += low < 20 < high
        widths.append(high - low)
    assert 0.90 < held / 400 < 0.98
    constant = relative_gap(torch.tensor([1.0, 2.0, 3.0]), -4.0)
    assert constant == (50.0, (pytest.approx(50 - 430.2653 / 4 / 3**0.5), pytest.approx(50 + 430.2653 / 4 / 3**0.5)))


def test_an_optimum_in_any_units_is_a_bound_where_orders_are_whole():
    assert [reference_of(gi.one_store(), whole).kind for whole in (False, True)] == ["optimum", "lower_bound"]
    whole = gi.one_store(
        store={"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "backlogged", "demand": {"poisson": {"mean": 5.0}}}
    )
    assert [reference_of(whole, units).kind for units in (False, True)] == ["optimum", "optimum"]


def test_the_programme_by_hand():
    """L = 1, nothing in stock, demand 2 2 2, h = 1, p = 4: the first demand is lost, the others are bought for c each."""
    for unit_cost, expected in ((1.0, (4 * 2 + 1 * 2 + 1 * 2) / 3), (5.0, 4 * 2)):
        network = gi.one_store(link={"lead_time": 1, "unit_cost": unit_cost})
        network.nodes["store"].update(underage_cost=4.0, unmet_demand="lost", initial_stock=0.0)
        source = SyntheticDemand(parse_network(network), 0, "test")
        drawn = source.sample(0, 1, 3)
        drawn.demand[:] = 2.0 * source.graph.has_demand
        assert float(programme_bound(source.graph, drawn, 0)) == pytest.approx(expected)


def test_the_programme_counts_only_after_the_warm_up():
    """As above; the first period's loss is not counted, and what it buys for the second is free."""
    network = gi.one_store(link={"lead_time": 1, "unit_cost": 1.0})
    network.nodes["store"].update(underage_cost=4.0, unmet_demand="lost", initial_stock=0.0)
    source = SyntheticDemand(parse_network(network), 0, "test")
    drawn = source.sample(0, 1, 3)
    drawn.demand[:] = 2.0 * source.graph.has_demand
    # 2 for the second period and 2 for the third are bought in the first: the latter wait one period, for 2 h
    # or are bought in the second, for 2 c: the same; so the two counted periods cost 2 together
    assert float(programme_bound(source.graph, drawn, 1)) == pytest.approx(2.0 / 2)


@pytest.mark.parametrize(("capacity", "expected"), [(inf, 14.0), (3.0, 18.0)])
@pytest.mark.parametrize("where", ["link", "location"])
def test_the_programme_of_a_backlog_by_hand(capacity, expected, where):
    """L = 1, nothing in stock, demand 2 2 2, h = 1, p = 4, c = 1. The first 2 wait: 8. Then 4 and 2 are bought, 6; or, where 3 is the
    most that can be, one waits once more, 4, and 3 are bought twice, 6. The limit stands at the link, or at a dock before it."""
    network = gi.one_store(link={"lead_time": 1, "unit_cost": 1.0})
    network.nodes["store"].update(underage_cost=4.0, unmet_demand="backlogged", initial_stock=0.0)
    if capacity < inf and where == "link":
        network.edges["supplier", "store"]["capacity"] = capacity
    if capacity < inf and where == "location":
        network.add_node("dock", holding_cost=0.0, initial_stock=100.0, capacity=capacity)
        network.add_edge("supplier", "dock", lead_time=1)
        network.add_edge("dock", "store", **network.edges["supplier", "store"])
        network.remove_edge("supplier", "store")
    source = SyntheticDemand(parse_network(network), 0, "test")
    drawn = source.sample(0, 1, 3)
    drawn.demand[:] = 2.0 * source.graph.has_demand
    assert float(programme_bound(source.graph, drawn, 0)) == pytest.approx(expected / 3)


def test_perfect_information_by_hand():
    """x buys by a (1.0 + 0.5) or b (0.2 + 0.6) and sells for 3: 0.8 - 3 a unit. y would pay 1.0 + 1.0, and refuses at 0.5."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    demand = {"poisson": {"mean": 1.0}}
    for name in "ab":
        network.add_node(name, holding_cost=0.1)
    network.add_node("x", holding_cost=1.0, price=3.0, unmet_demand="lost", demand=demand)
    network.add_node("y", holding_cost=1.0, underage_cost=0.5, unmet_demand="lost", demand=demand)
    for source, target, cost in (
        ("supplier", "a", 1.0),
        ("supplier", "b", 0.2),
        ("a", "x", 0.5),
        ("b", "x", 0.6),
        ("a", "y", 1.0),
    ):
        network.add_edge(source, target, lead_time=1, unit_cost=cost)
    drawn_from = SyntheticDemand(parse_network(network), 0, "test")
    drawn = drawn_from.sample(0, 2, 4)
    sold = {"x": 4.0, "y": 2.0}
    drawn.demand[:] = torch.tensor([sold.get(name, 0.0) for name in drawn_from.graph.labels])
    drawn.demand[:, 0] = 100.0  # in the warm-up
    torch.testing.assert_close(
        perfect_information(drawn_from.graph, drawn, 1), torch.full((2,), 4 * (0.8 - 3) + 2 * 0.5).double()
    )


@on_random_networks
def test_no_policy_costs_less_than_the_programme(network, seed):
    for node in network:
        if network.nodes[node].get("demand"):
            network.nodes[node].update(underage_cost=4.0, price=3.0, initial_stock=3.0)
    for pair in network.edges:
        network.edges[pair]["unit_cost"] = 0.5
        if network.nodes[pair[0]].get("holds_stock", True):
            network.edges[pair]["capacity"] = 3.0 + seed % 5
            if network.nodes[pair[0]].get("kind") != "supplier":
                network.nodes[pair[0]]["capacity"] = 4.0
    source = SyntheticDemand(parse_network(network), seed, "test")
    drawn = source.sample(0, 2, 12)
    policy = gi.MessagePassing(width=4, rounds=1, seed=seed % 1000)
    for warm_up in (0, 5):
        cost = costs(policy, source.graph, drawn)[:, warm_up:].double().mean(1).detach()
        assert (programme_bound(source.graph, drawn, warm_up) <= cost + 1e-4).all()


def test_an_evaluation_in_python_has_a_bound_where_it_is_asked_for():
    result = gi.evaluate(gi.MessagePassing(width=4, slots=3), gi.one_warehouse(stores=2), 4, periods=20, warm_up=0, bound=True)
    assert result.reference.kind == "lower_bound"
    assert 0 < result.reference.value < result.cost


def test_the_programme_lets_half_a_unit_lie_where_orders_are_whole():
    """5.5 units at a location that cannot hold stock: whole orders leave half a unit there, and the bound may not ship it."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("dock", holds_stock=False, holding_cost=0.0, initial_stock=5.5)
    network.add_node("store", holding_cost=1.0, underage_cost=0.0, unmet_demand="lost", demand={"poisson": {"mean": 0.001}})
    network.add_edge("supplier", "dock", lead_time=1)
    network.add_edge("dock", "store", lead_time=1)
    source = SyntheticDemand(parse_network(network), 0, "test")
    drawn = source.sample(0, 4, 2)
    policy = gi.EchelonBaseStock()
    policy.set_levels(source.graph, {"dock": 0.0, "store": 0.0})
    with torch.no_grad():
        cost = {whole: costs(policy, source.graph, drawn, whole)[:, 1].double() for whole in (False, True)}
    torch.testing.assert_close(cost[False], torch.full((4,), 5.5, dtype=torch.float64))
    torch.testing.assert_close(cost[True], torch.full((4,), 5.0, dtype=torch.float64))
    assert (programme_bound(source.graph, drawn, 1) > cost[True]).all()
    assert (programme_bound(source.graph, drawn, 1, whole_units=True) <= cost[True] + 1e-9).all()


def test_the_programme_is_reached_by_just_in_time():
    """Costly shortage, no initial stock, one source each: the oracle serves all that can be served and holds nothing."""
    network = gi.one_warehouse(stores=2)
    source = SyntheticDemand(parse_network(network), 0, "test")
    drawn = source.sample(0, 3, 40)
    drawn.on_hand.zero_()
    drawn.in_transit.zero_()
    cost = costs(gi.JustInTime(), source.graph, drawn)[:, 10:].double().mean(1)
    torch.testing.assert_close(programme_bound(source.graph, drawn, 10), cost, atol=1e-3, rtol=0)


def store_of(unmet: str, mean: float) -> nx.DiGraph:
    costs = {"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": unmet}
    return gi.one_store(store={**costs, "demand": {"poisson": {"mean": mean}}}, link={"lead_time": 1})


def test_the_optimum_of_large_poisson_demand():
    """Beyond a table of `DIRECT` values sums of demand go by Fourier transforms; the newsvendor's normal limit is near."""
    mean, fractile = 2 * 20_000.0, 0.9
    z = statistics.NormalDist().inv_cdf(fractile)
    expected = (1.0 + 9.0) * statistics.NormalDist().pdf(z) * mean**0.5
    assert gi.reference_of(store_of("backlogged", 20_000.0)).value == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("mean", [0.0, 1e-6])
def test_no_optimum_is_told_where_stock_hardly_ever_leaves(mean, monkeypatch):
    """Bounds of value iteration then stay apart: no reference, rather than no end."""
    monkeypatch.setattr("gnn_inventory.references.lost_sales.ITERATIONS", 100)
    assert gi.reference_of(store_of("lost", mean), whole_units=True) is None


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_the_quantile_of_t(degrees, quantile):
    """Student's table."""
    assert student(degrees) == pytest.approx(quantile, rel=2e-3)


def test_no_reference_where_there_is_nothing_to_optimise():
    for change in (
        {"demand": {"poisson": {"mean": 0.0}}},
        {"demand": {"normal": {"mean": 5.0, "std": 0.0}}},
        {"demand": {"normal": {"mean": 1e4, "std": 1e-3}}},
        {"underage_cost": 0.0},
        {"holding_cost": 0.0},
    ):
        network = gi.one_store()
        network.nodes["store"].update(change)
        assert reference_of(parse_network(network)) is None
    for change in (
        {"underage_cost": 0.0},
        {"holding_cost": 0.0},
        {"demand": {"normal": {"mean": 5.0, "std": 0.0, "clip": False}}},
    ):
        network = gi.transshipment(stores=2)
        for store in ("store_0", "store_1"):
            network.nodes[store].update(change)
        assert reference_of(parse_network(network)) is None
    network = gi.transshipment(stores=2)
    network.add_edge("supplier", "store_0", lead_time=1)  # a way round the warehouse
    assert reference_of(parse_network(network)) is None


@pytest.mark.parametrize("underage", [4.0, 9.0, 19.0, 39.0, 199.0])
def test_the_optimum_of_normal_demand_is_within_its_error_of_the_closed_form(underage):
    """Demand that is surely positive, clipped or not, over two periods: (h + p) phi(z) sqrt(2) sd."""
    normal, network = statistics.NormalDist(), gi.one_store(link={"lead_time": 1})
    expected = (1 + underage) * normal.pdf(normal.inv_cdf(underage / (1 + underage))) * 2**0.5 * 10.0
    for clip in (True, False):
        network.nodes["store"].update(underage_cost=underage, demand={"normal": {"mean": 100.0, "std": 10.0, "clip": clip}})
        found = reference_of(parse_network(network))
        assert abs(found.value - expected) < found.error < 2e-4 * expected
    network.nodes["store"]["demand"]["normal"]["mean"] = 20.0
    assert reference_of(parse_network(network)) is None  # one period in fifty would bring goods back


@pytest.mark.parametrize("underage", [0.2, 0.15])
def test_an_optimal_level_of_0_is_within_its_error_of_the_closed_form(underage):
    """Two periods without a customer are likelier than p / (h + p): nothing is held, and all demand waits. Cost has a kink there."""
    normal, network = statistics.NormalDist(), gi.one_store(link={"lead_time": 1})
    assert normal.cdf(-0.2) ** 2 > underage / (1 + underage)
    expected = underage * 2 * (0.2 * normal.cdf(0.2) + normal.pdf(0.2))
    network.nodes["store"].update(underage_cost=underage, demand={"normal": {"mean": 0.2, "std": 1.0, "clip": True}})
    found = reference_of(parse_network(network))
    assert found.levels == {"store": 0.0}
    assert abs(found.value - expected) < found.error < 5e-4 * expected


def test_what_is_sold_and_bought_moves_the_optimum_of_backlogged_demand_by_a_constant():
    """All demand is met in the end, 5 a period: bought for 2, sold for 7."""
    demand = {"poisson": {"mean": 5.0}}
    for fixed_cost in (0.0, 64.0):
        plain, traded = (
            gi.one_store(
                store={"holding_cost": 1.0, "underage_cost": 9.0, "unmet_demand": "backlogged", "demand": demand},
                link={"lead_time": 2, "fixed_cost": fixed_cost},
            )
            for _ in range(2)
        )
        traded.nodes["store"]["price"], traded.edges["supplier", "store"]["unit_cost"] = 7.0, 2.0
        first, second = reference_of(plain), reference_of(traded)
        assert second.value - first.value == pytest.approx(-25.0, rel=1e-9)
        assert second.levels == first.levels


def test_what_is_sold_and_bought_is_a_part_of_what_a_lost_sale_costs():
    """Bought for 2, sold for 7, 1 for each customer sent away: a sale that is lost costs 6, and 5 units a period would earn 25."""
    network = lost_network({"underage_cost": 1.0, "lead_time": 3})
    network.nodes["store"]["price"], network.edges["supplier", "store"]["unit_cost"] = 7.0, 2.0
    found = reference_of(network, whole_units=True)
    assert found.value == pytest.approx(optimum(LostSales(1.0, 6.0, 3, poisson(5.0))).cost - 25.0, rel=1e-6)
    source = SyntheticDemand(parse_network(network), 0, "test")
    simulated = found.twin(source.graph, source.sample(0, 512, 400))[:, 100:].double().mean(1)
    assert abs(float(simulated.mean()) - found.value) < 3 * float(simulated.std()) / 512**0.5
    network.edges["supplier", "store"]["unit_cost"] = 8.0
    assert reference_of(network, whole_units=True) is None  # every sale would cost more than to send the customer away


def cost_of_capped(level, cap, chances, underage):
    """Of a store with lost sales and lead time 2, from the distribution of what is on hand and on its way, period after period."""
    states = {(level, 0): 1.0}
    for _ in range(600):
        after, cost = {}, 0.0
        for (on_hand, coming), weight in states.items():
            order = max(min(level - on_hand - coming, cap), 0)
            for demand, chance in chances.items():
                left = max(on_hand - demand, 0)
                cost += weight * chance * (left + underage * max(demand - on_hand, 0))
                after[left + coming, order] = after.get((left + coming, order), 0.0) + weight * chance
        states = {state: (weight + states.get(state, 0.0)) / 2 for state, weight in after.items()}  # no period
        total = sum(states.values())
        states = {state: weight / total for state, weight in states.items() if weight > 1e-12}
    return cost


def test_the_best_capped_base_stock_of_all_pairs():
    """Nothing or four units: a chain of better neighbours may end before the best pair."""
    chances, underage = {0: 0.5, 4: 0.5}, 2.0
    costs = {(level, cap): cost_of_capped(level, cap, chances, underage) for level in range(1, 13) for cap in range(1, level + 1)}
    problem = LostSales(1.0, underage, 2, np.array([0.5, 0.0, 0.0, 0.0, 0.5]))
    level, cap, cost = best_capped_base_stock(problem)
    assert cost == pytest.approx(min(costs.values()), rel=1e-5)
    assert costs[level, cap] == pytest.approx(cost, rel=1e-5)
    lumpy = LostSales(1.0, underage, 2, np.array([0.5, *[0.0] * 8, 0.5]))
    assert best_capped_base_stock(lumpy)[2] <= best_base_stock(lumpy)[1] == pytest.approx(6.75, rel=1e-6)


def test_a_graph_made_in_python_has_its_reference():
    assert gi.reference_of(gi.serial()) == reference_of(parse_network(gi.serial()))


def test_no_reference_where_none_is_known():
    assert reference_of(parse_network(gi.one_warehouse())) is None
    assert reference_of(parse_network(gi.load_network("one_store_lost"))) is None  # for orders in parts of a unit
