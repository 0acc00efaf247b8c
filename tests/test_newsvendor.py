"""The newsvendor family: what it forecasts against theory, what it orders by hand, what it refuses."""

import networkx as nx
import pandas as pd
import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.benchmark.results import Results
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import SalesPanel
from gnn_inventory.policies import FixedQuantile, NewsvendorQuantile, NewsvendorWithReturns, TransformedQuantile
from gnn_inventory.policies.base import Known, UnsupportedNetworkError
from gnn_inventory.policies.forecast import QUANTILES, QuantileForecaster
from gnn_inventory.policies.newsvendor import _interpolated
from gnn_inventory.rollout import periods
from gnn_inventory.topology.catalogue import network_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import load_recipe
from gnn_inventory.training.run_folder import load_policy, save_policy
from gnn_inventory.training.settings import Evaluation


def shops(count=1, **node):
    """supplier -> shops with Poisson demand of 20 and a lead time of 2."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    for number in range(count):
        demand = {"poisson": {"mean": 20.0}}
        network.add_node(f"shop_{number}", holding_cost=1.0, price=9.0, unmet_demand="lost", demand=demand, **node)
        network.add_edge("supplier", f"shop_{number}", lead_time=2)
    return network


def drawn(network, count, length, stream="train"):
    source = SyntheticDemand(parse_network(network), 0, stream)
    return source.graph, source.sample(0, count, length)


@pytest.fixture(scope="module")
def prepared():
    source = SyntheticDemand(parse_network(shops()), 0, "train")
    policy = NewsvendorQuantile(window=8)
    policy.prepare(source, 400, 80)
    return policy, source.graph


def test_forecasts_are_the_quantiles_of_the_total(prepared):
    """Three periods of Poisson demand of 20 are Poisson 60: its quantiles, and the share of totals below the forecast."""
    policy, graph = prepared
    _, fresh = drawn(shops(), 2000, 11, "test")
    shop = graph.labels.index("shop_0")
    past, total = fresh.demand[:, :8, shop], fresh.demand[:, 8:, shop].sum(1)
    found = policy._fitted.predict(past, torch.zeros(2000, 0), torch.full((2000,), 3.0))
    for column, quantile in enumerate(QUANTILES):
        covered = float((total <= found[:, column]).float().mean())
        assert covered == pytest.approx(quantile, abs=0.06), quantile
    assert float(found[:, QUANTILES.index(0.9)].mean()) == pytest.approx(70.0, rel=0.05)  # Poisson(60): P(D <= 70) = 0.910


def test_the_forecaster_is_the_same_on_however_many_threads_it_was_fitted(prepared):
    """Its text is part of the weights: a run goes on, and has the same bits, on a machine with other cores."""
    threads = torch.get_num_threads()
    source, again = SyntheticDemand(parse_network(shops()), 0, "train"), NewsvendorQuantile(window=8)
    try:
        torch.set_num_threads(threads + 1)
        again.prepare(source, 400, 80)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(again.forecaster, prepared[0].forecaster)


def test_all_that_a_policy_makes_is_on_the_device_of_its_batch(prepared):
    """What is made without a device would lie on `meta`, which mixes with no other: on a GPU it would lie on the host."""
    fitted, (graph, scenarios) = prepared[0], drawn(shops(), 4, 12)
    policies = [TransformedQuantile(window=8), FixedQuantile(window=8), NewsvendorWithReturns(window=8)]
    for policy in policies:
        policy.forecaster = fitted.forecaster
        with torch.device("meta"):
            cost = torch.stack([period.outcome.cost for period in periods(policy, graph, scenarios)])
        assert cost.device == torch.device("cpu")
        assert cost.isfinite().all()


def test_quantiles_between_those_that_are_known():
    values, grid = torch.tensor([[10.0, 20.0, 40.0]]).repeat(4, 1), torch.tensor([0.1, 0.5, 0.9])
    at = torch.tensor([[0.5], [0.3], [0.8], [0.99]])
    torch.testing.assert_close(_interpolated(values, grid, at), torch.tensor([20.0, 15.0, 35.0, 40.0]))


def test_orders_up_to_the_quantile_and_returns_what_is_too_much(prepared):
    policy, graph = prepared
    returns = NewsvendorWithReturns(window=8)
    returns._fitted = policy._fitted
    scenarios = drawn(shops(), 3, 10, "test")[1]
    shop = graph.labels.index("shop_0")
    scenarios.on_hand[:, shop] = torch.tensor([0.0, 60.0, 900.0])
    scenarios.in_transit.zero_()
    first, back = (next(iter(periods(kind, graph, scenarios))).orders[:, 0] for kind in (policy, returns))
    level = first[0]  # nothing in stock: the order is the level, the quantile 9 / (9 + 1) of about Poisson(60)
    assert float(level) == pytest.approx(70.0, rel=0.1)
    torch.testing.assert_close(first, torch.stack([level, level - 60, torch.tensor(0.0)]))
    torch.testing.assert_close(back, torch.stack([level, level - 60, level - 900]))


def test_the_horizon_of_an_echelon_is_the_way_to_its_customers():
    network = gi.one_warehouse(stores=2, warehouse_link={"lead_time": 3}, store_link={"lead_time": [2, 4]})
    graph, scenarios = drawn(network, 2, 5)
    horizon = NewsvendorQuantile()._horizon(graph, Known.of(graph, scenarios))[0]
    found = dict(zip(graph.labels, horizon.tolist(), strict=True))
    assert (found["store_0"], found["store_1"], found["warehouse"]) == (3, 5, 8)


def test_it_trains_and_comes_back_from_its_file(tmp_path):
    settings = gi.Training(scenarios=32, batch=16, epochs=2, learning_rate=0.05, dev_scenarios=8, dev_periods=40, dev_warm_up=20)
    for policy in (FixedQuantile(window=8), TransformedQuantile(window=8), NewsvendorQuantile(window=8)):
        result = gi.train(policy, shops(2), settings)
        save_policy(result.policy, tmp_path / "policy.safetensors")
        loaded = load_policy(tmp_path / "policy.safetensors")
        numbers = [gi.evaluate(p, shops(2), scenarios=4, periods=20, warm_up=5).cost for p in (result.policy, loaded)]
        assert numbers[0] == numbers[1]
        if policy.state_dict().keys() - {"forecaster"}:
            names = policy.state_dict().keys() - {"forecaster"}
            assert any(not torch.equal(policy.state_dict()[name], loaded.state_dict()[name]) for name in names)


def test_a_series_that_begins_to_sell_sets_no_quantile_of_the_others():
    """4 of 4000 series sell nothing for 8 periods and then 300 a period, 2400 times the mean that stands for nothing; all others are
    Poisson 20, whose 0.98 quantile over three periods is 77 (Poisson 60: P(D <= 76) = 0.980)."""
    random = torch.Generator().manual_seed(0)
    demand = torch.poisson(torch.full((4000, 11), 20.0), generator=random)
    demand[:4, :8], demand[:4, 8:] = 0.0, 300.0
    model = QuantileForecaster.fit(demand[:, :8], torch.zeros(4000, 0), torch.full((4000,), 3.0), demand[:, 8:].sum(1), seed=0)
    fresh = torch.poisson(torch.full((2000, 8), 20.0), generator=random)
    found = model.predict(fresh, torch.zeros(2000, 0), torch.full((2000,), 3.0))[:, QUANTILES.index(0.98)]
    assert float(found.mean()) == pytest.approx(77.0, rel=0.05)
    assert float(found.max()) < 120.0


def test_the_forecaster_is_fitted_to_the_training_weeks_alone():
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("shop", holding_cost=1.0, price=9.0, unmet_demand="lost", demand="panel")
    network.add_edge("supplier", "shop", lead_time=2)
    windows = Windows(train=(0, 40), dev=(32, 52), test=(44, 64), history=8, warm_up=4)
    sales = torch.poisson(torch.full((40, 1, 64), 20.0), generator=torch.Generator().manual_seed(0))

    def fitted(values):
        policy = NewsvendorQuantile(window=8)
        policy.prepare(PanelDemand(network, SalesPanel(values, None, "sales"), windows, "train", 0), 40, 32)
        return policy.forecaster

    later, last = sales.clone(), sales.clone()
    later[..., 40:] *= 10.0
    last[..., 39] *= 10.0
    assert torch.equal(fitted(later), fitted(sales))
    assert not torch.equal(fitted(last), fitted(sales))


def test_what_it_cannot_serve(prepared):
    policy, _ = prepared
    with pytest.raises(UnsupportedNetworkError, match="several sources"):
        gi.evaluate(policy, gi.many_warehouses(), scenarios=2, periods=10, warm_up=2)
    with pytest.raises(UnsupportedNetworkError, match="returns go to suppliers alone"):
        gi.evaluate(NewsvendorWithReturns(), gi.one_warehouse(), scenarios=2, periods=10, warm_up=2)
    with pytest.raises(UnsupportedNetworkError, match="not fitted"):
        gi.evaluate(NewsvendorQuantile(), shops(), scenarios=2, periods=10, warm_up=2)


def test_a_yardstick_that_may_return_goods_is_no_rival_in_a_table(prepared, tmp_path):
    gi.save_network(shops(), tmp_path / "shops.yaml")
    mapping, results = network_mapping(str(tmp_path / "shops.yaml")), Results(tmp_path / "results")
    results.claim("suite", {}, [])
    for kind, rival in ((NewsvendorQuantile, True), (NewsvendorWithReturns, False)):
        policy = kind(window=8)
        policy._fitted = prepared[0]._fitted
        asked = Evaluation(scenarios=2, periods=10, warm_up=2)
        outcome = results.measure("cell", load_recipe("one_store_backlogged"), policy, mapping, asked, {})
        assert outcome["admissible"] is rival


def test_a_yardstick_that_may_return_goods_gives_no_orders_to_place(prepared):
    returns, rows = NewsvendorWithReturns(window=8), [("on_hand", "shop_0", "", 900)]
    returns._fitted = prepared[0]._fitted
    rows += [("demand", "shop_0", -1 - ago, 20) for ago in range(8)]
    table = pd.DataFrame(rows, columns=["record", "location", "when", "units"])
    with pytest.raises(UnsupportedNetworkError, match=r"newsvendor_with_returns: may return goods.*expected another policy"):
        gi.order_list(returns, shops(), table)
