"""Risk and service: trained levels and prices agree with theory and with independent computations."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.rollout import costs, periods
from gnn_inventory.simulator import State, Timing, served_at_once, step
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.judgement import ONE_THREAD, Judgement, judge
from gnn_inventory.training.machine import Machine, Threads
from gnn_inventory.training.processes import Processes
from gnn_inventory.training.risk import conditional_value_at_risk, tail_weights
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Training
from gnn_inventory.training.state import TrainingState

CPU = torch.device("cpu")


def store(unmet, mean, std, initial, **costs):
    demand = {"normal": {"mean": mean, "std": std, "clip": True}}
    return {"unmet_demand": unmet, "demand": demand, "initial_stock": initial, **costs}


def level_of(policy, network, mean):
    return float(policy.levels.detach()[gi.InventoryGraph.from_network(network).labels.index("store")]) * mean


@pytest.mark.parametrize("level", [0.0001, 0.3, 0.75, 0.9, 0.95])
def test_the_weights_are_the_minimum_of_rockafellar_and_uryasev(level):
    """min over c of c + E(X - c)+ / (1 - a), by scipy, where (1 - a) B is whole and where it is not, with ties."""
    values = torch.tensor(
        [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 9.0, 9.0, 7.0, -2.0, 8.0, 4.0, 6.0, 9.0, 2.0, 0.5, 3.0, 3.0]
    ).double()
    x = values.numpy()
    best = min(float(c + np.maximum(x - c, 0).mean() / (1 - level)) for c in x)  # convex and piecewise linear: at a scenario
    expected = best if len(x) * (1 - level) >= 1 else x.max()
    assert conditional_value_at_risk(values, level) == pytest.approx(expected, rel=1e-9)
    weights = tail_weights(values, level)
    assert float(weights.sum()) == pytest.approx(1.0)
    assert bool((weights >= 0).all())


def test_risk_of_normal_costs():
    """Mean + deviation x density(quantile) / (1 - a), here 2 + 3 x phi(1.645) / 0.05 = 8.188."""
    draws = 2 + 3 * torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = 2 + 3 * stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert expected == pytest.approx(8.188, abs=1e-3)
    assert conditional_value_at_risk(draws, 0.95) == pytest.approx(expected, abs=0.05)


def newsvendor_risk(stock, level, holding, underage, mean, std):
    """CVaR of h (S - D)+ + p (D - S)+ by quadrature over the quantiles of the cost, which is solved for by root finding."""
    demand = stats.norm(mean, std)

    def above(value):
        return demand.cdf(stock - value / holding) + demand.sf(stock + value / underage)

    threshold = optimize.brentq(lambda value: above(value) - (1 - level), 0.0, 100 * std) if above(0.0) > 1 - level else 0.0
    tail, _ = integrate.quad(above, threshold, threshold + 60 * std, limit=200)
    return threshold + tail / (1 - level)


def test_the_newsvendor_against_risk_finds_its_level():
    """The trained level against the closed form (Gotoh and Takano 2007), which quadrature and scipy's minimiser confirm."""
    holding, underage, level, mean, std = 1.0, 4.0, 0.8, 10.0, 2.0
    low, high = ((1 - level) * underage / (holding + underage), (underage + level * holding) / (holding + underage))
    inverse = stats.norm(mean, std).ppf
    expected = (holding * inverse(low) + underage * inverse(high)) / (holding + underage)
    found = optimize.minimize_scalar(
        newsvendor_risk, bounds=(5, 20), args=(level, holding, underage, mean, std), method="bounded", options={"xatol": 1e-6}
    )
    assert expected == pytest.approx(found.x, abs=1e-3)
    assert expected - inverse(underage / (holding + underage)) > 0.5, "else the mean's level would do"
    network = gi.one_store(
        store=store("lost", mean, std, 0.0, holding_cost=holding, underage_cost=underage), link={"lead_time": 1}
    )
    settings = gi.Training(
        scenarios=32768, batch=4096, epochs=12, periods=2, warm_up=1, dev_periods=2, dev_warm_up=1, dev_scenarios=8192,
        learning_rate=0.1, objective={"cvar": level},
    )  # fmt: skip
    result = gi.train(gi.BaseStock(), network, settings)
    assert level_of(result.policy, network, mean) == pytest.approx(expected, abs=0.15)
    assert result.dev_cost == pytest.approx(found.fun, rel=0.02)
    tail = math.ceil((1 - level) * 4096)  # 819.2: all are simulated once to know the worst, these once more for the gradient
    assert result.metrics[0]["simulated_periods"] == 8 * 2 * (4096 + tail)


def test_the_gradient_of_risk_is_that_of_the_worst_scenarios():
    """Against autograd on the mean of the costliest quarter, without this library's weights."""
    network = gi.one_warehouse(stores=2)
    network.nodes["warehouse"]["holding_cost"] = 0.0  # else what it holds at the end is left out
    source = SyntheticDemand(parse_network(network), 3, "train")
    batch = Batch(source.graph.to_dtype(torch.float64), source.sample(0, 12, 14).to(CPU, torch.float64))
    policy = gi.MessagePassing(width=4, rounds=1).to(torch.float64)
    step = gradient(policy, batch, ONE_THREAD, Training(objective={"cvar": 0.75}, batch=12), warm_up=4)
    found = [value.grad for value in policy.parameters()]
    policy.zero_grad(set_to_none=True)
    mean = costs(policy, batch.graph, batch.scenarios)[:, 4:].mean(1) / 2
    worst = mean.topk(3).values.mean()
    worst.backward()
    assert step.train == pytest.approx(float(worst.detach()), rel=1e-9)
    for value, other in zip(found, policy.parameters(), strict=True):
        assert torch.allclose(value, torch.zeros_like(value) if other.grad is None else other.grad, rtol=1e-9, atol=1e-12)
    assert judge(policy, batch, 4, level=0.75).cost == pytest.approx(float(worst.detach()), rel=1e-9)


def test_goods_that_come_back_are_not_served():
    """N(-1, 0) unclipped: everybody brings back, nobody asks, and nothing is served."""
    network = gi.one_store(
        store={
            "holding_cost": 1.0,
            "underage_cost": 9.0,
            "unmet_demand": "lost",
            "demand": {"normal": {"mean": -1.0, "std": 0.0, "clip": False}},
        }
    )
    source = SyntheticDemand(parse_network(network), 0, "test")
    drawn = source.sample(0, 2, 3)
    found = costs_within(gi.MessagePassing(width=4), source.graph, drawn, serving=True)
    assert found.served.abs().max() == 0.0


def test_units_served_at_once_by_hand():
    """lost: 10 on hand, demand 7, 8, 2; backlogged: the same, then an arrival of 6 that serves who waited."""
    for unmet, expected in (("lost", [7, 3, 2]), ("backlogged", [7, 3, 1])):
        network = nx.DiGraph()
        network.add_node("supplier", kind="supplier")
        network.add_node("store", holding_cost=1.0, underage_cost=4.0, unmet_demand=unmet, demand={"poisson": {"mean": 4.0}})
        network.add_edge("supplier", "store", lead_time=2)
        graph = gi.InventoryGraph.from_network(network)
        state = State(torch.tensor([[10.0, 0.0]]), torch.zeros(1, 1, 1))
        timing, found = Timing.of(graph, graph.parameters()), []
        for order, demand in zip((6.0, 0.0, 5.0), (7.0, 8.0, 2.0), strict=True):
            asked = torch.tensor([[demand, 0.0]])
            after, outcome = step(graph, graph.parameters(), timing, state, torch.tensor([[order]]), asked)
            found.append(float(served_at_once(state, outcome, asked).sum()))
            state = after
        # backlogged: 10 - 7 = 3; 3 of 8; 3 - 8 + 6 = 1 on hand, of 2 demanded 1
        assert found == expected


def test_a_constrained_base_stock_finds_its_level_and_the_price_of_service():
    """Backlogged normal demand, by scipy: level from the loss function, price = d cost / d fill rate by finite differences."""
    mean, std, lead_time, holding, underage, asked = 10.0, 2.5, 2, 1.0, 0.5, 0.9

    def short(stock, count):
        demand = stats.norm(mean * count, std * math.sqrt(count))
        return integrate.quad(demand.sf, stock, stock + 20 * std * math.sqrt(count))[0]

    def served(stock):
        return 1 - (short(stock, lead_time + 1) - short(stock, lead_time)) / mean

    def cost(stock):
        backlog = short(stock, lead_time + 1)
        return holding * (stock - mean * (lead_time + 1) + backlog) + underage * backlog

    expected = optimize.brentq(lambda stock: served(stock) - asked, 0, 100)
    price = (cost(expected + 1e-3) - cost(expected - 1e-3)) / (served(expected + 1e-3) - served(expected - 1e-3))
    network = gi.one_store(
        store=store("backlogged", mean, std, 30.0, holding_cost=holding, underage_cost=underage), link={"lead_time": lead_time}
    )
    settings = gi.Training(
        scenarios=4096, batch=256, epochs=12, periods=12, warm_up=4, dev_scenarios=1536, dev_periods=30, dev_warm_up=6,
        learning_rate=0.05, fill_rate=asked, multiplier_rate=30.0,
    )  # fmt: skip
    result = gi.train(gi.BaseStock(), network, settings)
    assert level_of(result.policy, network, mean) == pytest.approx(expected, abs=0.15)
    assert result.fill_rate == pytest.approx(asked, abs=0.003)
    assert result.dev_cost == pytest.approx(cost(expected), rel=0.03)
    assert result.metrics[-1]["multiplier"] == pytest.approx(price, rel=0.08)
    free = optimize.minimize_scalar(cost, bounds=(10, 60), method="bounded").x
    assert served(free) < asked - 0.1, "else the constraint asks for nothing"


def test_a_constraint_that_asks_for_nothing_costs_nothing():
    """The unconstrained optimum serves far more than is asked: the multiplier stays at 0."""
    network = gi.one_store(
        store=store("backlogged", 10.0, 2.5, 30.0, holding_cost=1.0, underage_cost=19.0), link={"lead_time": 2}
    )
    settings = gi.Training(
        scenarios=512, batch=128, epochs=6, periods=16, warm_up=4, dev_scenarios=128, dev_periods=30, dev_warm_up=10,
        learning_rate=0.05, fill_rate=0.3,
    )  # fmt: skip
    result = gi.train(gi.BaseStock(), network, settings)
    assert [line["multiplier"] for line in result.metrics] == [0.0] * 6
    assert result.fill_rate > 0.9


def test_the_constraint_comes_before_the_cost():
    settings = Training(fill_rate=0.9, epochs=1)
    policy = gi.BaseStock()
    policy.fit_to(gi.InventoryGraph.from_network(gi.one_store()))
    state, kept = TrainingState(policy, settings, 8), []
    for epoch, (cost, served) in enumerate(
        [(9.0, 0.5), (5.0, 0.4), (9.5, 0.8), (12.0, 0.9), (11.0, 0.8995), (10.0, 0.898), (13.0, 0.99)], 1
    ):
        state.epoch = epoch
        state.judge(Judgement(cost, served))
        kept.append(state.best_epoch)
    # while none reaches 0.899 the closest one; then the cheapest of those that do
    assert kept == [1, 1, 3, 4, 5, 5, 5]


CHANGES = {
    "cvar": ["training.objective={cvar: 0.75}"],
    "both": ["training.objective={cvar: 0.75}", "training.fill_rate=0.95", "training.relative=true"],
    "score_function": ["training.fill_rate=0.95", "training.estimator=score_function", "training.rollouts=2"],
    "forward": [
        "training.objective={cvar: 0.75}",
        "training.fill_rate=0.95",
        "training.estimator=forward",
        "training.directions=2",
    ],
}


@pytest.mark.parametrize("name", CHANGES)
def test_stopped_and_resumed_it_ends_where_a_whole_run_ends(name, quick, tmp_path):
    recipe = gi.load_recipe(quick, CHANGES[name])
    whole = gi.train_recipe(recipe, RunFolder(tmp_path / "whole"))

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), on_epoch=stop)
    parts = gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), resume=True)
    for file in ("checkpoint.safetensors", "policy.safetensors"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert parts.fill_rate == whole.fill_rate
    seen = {"cvar": 1 + 0.25, "both": 1 + 1, "score_function": 2, "forward": 1 + 2}[name]
    assert [line["simulated_periods"] for line in whole.metrics] == [64 * 12 * seen] * 3
    if name != "cvar":
        assert whole.metrics[-1]["multiplier"] > 0
        assert 0 < whole.metrics[-1]["fill_rate"] < 1


class Recording(Processes):
    """One of several processes: what it would send is kept, and what the others sent is added."""

    def sum(self, values):
        self.sent.append([value.clone() for value in values])
        others = [box.pop(0) for box in self.others]
        return [value + sum(other[number] for other in others) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    "settings", [{"objective": {"cvar": 0.6}}, {"fill_rate": 0.9}, {"objective": {"cvar": 0.6}, "fill_rate": 0.9}]
)
def test_two_processes_see_the_batch_of_one(settings):
    """Run in turns: the first alone to learn what it sends, then the second with that, then the first with what came back."""
    source = SyntheticDemand(parse_network(gi.one_warehouse(stores=2)), 3, "train")
    graph, whole = source.graph.to_dtype(torch.float64), source.sample(0, 9, 12).to(CPU, torch.float64)
    trained = Training(batch=9, **settings)

    def run(rank, size, others):
        here = Recording(rank, size)
        object.__setattr__(here, "sent", [])
        object.__setattr__(here, "others", [list(box) for box in others])
        rows = torch.arange(9)[here.share]
        policy = gi.MessagePassing(width=4, rounds=1).to(torch.float64)
        step = gradient(policy, Batch(graph, whole[rows], len(rows) / 9), Machine(CPU, Threads(1), here), trained, 4, price=20.0)
        return step, torch.cat([value.grad.reshape(-1) for value in policy.parameters()]), here.sent

    one, expected, _ = run(0, 1, [])
    boxes = [[], []]
    for _ in range(4):  # messages that depend on earlier ones settle one by one
        for rank in (0, 1):
            other = boxes[1 - rank]
            padded = [*other, *[[0.0] * 99] * (6 - len(other))]
            boxes[rank] = run(rank, 2, [padded])[2]
    (first, found, _), (second, again, _) = run(0, 2, [boxes[1]]), run(1, 2, [boxes[0]])
    assert torch.equal(found, again)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert first.train + second.train == pytest.approx(one.train, rel=1e-9)
    assert first.simulated_periods + second.simulated_periods == one.simulated_periods
    assert first.fill_rate == pytest.approx(one.fill_rate) if trained.fill_rate else one.fill_rate is None


def test_the_fill_rate_on_dev_is_counted_by_hand():
    source = SyntheticDemand(parse_network(gi.one_warehouse(stores=2)), 3, "dev")
    scenarios, policy = source.sample(0, 5, 12), gi.MessagePassing(width=4, rounds=1)
    served = demanded = 0.0
    with torch.no_grad():
        for number, period in enumerate(periods(policy, source.graph, scenarios)):
            if number >= 4:  # lost demand: sold of demanded
                served += float(period.outcome.sales.sum())
                demanded += float(scenarios.demand[:, number].sum())
    found = judge(policy, Batch(source.graph, scenarios), 4, serving=True).fill_rate
    assert found == pytest.approx(served / demanded, rel=1e-6)
    assert 0.1 < found < 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (["training.objective=median"], r"training\.objective: got 'median'; expected 'mean'"),
        (["training.objective={cvar: 1.5}"], r"training\.objective\.cvar: got 1\.5; expected a number < 1"),
        (["training.objective={var: 0.5}"], "training: objective: unknown key 'var'"),
        (["training.fill_rate=1.2"], r"training\.fill_rate: got 1\.2; expected a number < 1"),
        (["training.multiplier_rate=3.0"], "multiplier_rate: got 3.0; expected it with a fill_rate only"),
    ],
)
def test_what_cannot_be_asked_is_one_line(changes, text, quick):
    with pytest.raises(InputError, match=text):
        gi.load_recipe(quick, changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (["training.objective={cvar: 0.99}"], "cvar 0.99 with batch 32"),
        (
            ["training.objective={cvar: 0.95}", "training.scenarios=21", "training.batch=20"],
            "cvar 0.95 with batch 10",
        ),  # 11 and 10
        (["training.objective={cvar: 0.95}", "training.dev_scenarios=19"], "cvar 0.95 with dev_scenarios 19"),
    ],
)
def test_a_tail_without_a_scenario_is_refused(changes, text, quick, tmp_path):
    with pytest.raises(InputError, match=rf"training\.objective: got {text}, less than one scenario in the tail; expected more"):
        gi.train_recipe(gi.load_recipe(quick, changes), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("level", [95, 0.0, -1.0])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(InputError, match="expected a number between 0 and 1"):
        gi.conditional_value_at_risk(torch.arange(10.0), level)
    with pytest.raises(InputError, match="costs: got none"):
        gi.conditional_value_at_risk(torch.zeros(0), 0.5)


@pytest.mark.parametrize("change", ["training.objective={cvar: 0.75}", "training.fill_rate=0.95"])
def test_many_networks_at_once_have_no_common_risk_or_service(change):
    with pytest.raises(InputError, match="expected it with one network only; got a distribution of networks"):
        gi.load_recipe("any_one_warehouse", [change])


def test_the_command_line_says_whether_the_fill_rate_is_reached(quick, tmp_path, capsys, monkeypatch):
    from gnn_inventory.cli import main

    for asked, text in (
        ("0.999", "asked 0.999: not reached; train longer, or raise training.multiplier_rate"),
        ("0.1", "asked 0.1\n"),
    ):
        words = ["train", str(quick), "-o", str(tmp_path / asked), "--set", f"training.fill_rate={asked}"]
        monkeypatch.setattr("sys.argv", ["gnn-inventory", *words, "--set", "training.objective={cvar: 0.5}"])
        with pytest.raises(SystemExit):
            main()
        out = capsys.readouterr().out
        assert "per store (conditional value at risk at 0.5)" in out
        assert text in out
