"""Environments: panels and demand of one's own, calls that make no sense, and learners: what they see, and how they are judged."""

import importlib
import sys

import numpy as np
import pytest
import torch
from test_environment import demands

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import SalesPanel
from gnn_inventory.errors import UsageError
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.policies.base import UnsupportedNetworkError
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.network import parse_network

PANEL = build_network(
    {
        "name": "two_shops",
        "nodes": {
            "port": {"kind": "supplier"},
            "east": {
                "holding_cost": 1.0,
                "price": {"per_scenario": {"uniform": [4.0, 9.0]}},
                "unmet_demand": "lost",
                "demand": "panel",
            },
            "west": {"holding_cost": 1.0, "price": 5.0, "unmet_demand": "lost", "demand": "panel"},
        },
        "links": [
            {"from": "port", "to": "east", "lead_time": {"per_scenario": {"integers": [1, 3]}}},
            {"from": "port", "to": "west", "lead_time": 1},
        ],
    }
)


def panel(stream="train"):
    """Sales of six items, a calendar of two columns; 16 periods can be simulated in training."""
    random = torch.Generator().manual_seed(0)
    sales = SalesPanel(torch.poisson(torch.full((6, 2, 60), 4.0), generator=random), ("east", "west"), "sales")
    windows = Windows(train=(0, 20), dev=(16, 40), test=(36, 60), history=4, warm_up=2)
    calendar = torch.rand(60, 2, generator=random)
    return PanelDemand(parse_network(PANEL), sales, windows, stream, 0, calendar)


def test_a_panel_gives_its_items_with_what_differs_and_the_calendar():
    source = panel()
    environment = gi.InventoryEnvironment(PANEL, periods=15, window=2, money=2.0, source=source)
    assert environment.vectors.names[-4:] == ("price: east", "lead time: port -> east", "calendar: 0", "calendar: 1")
    drawn = source.sample(0, 6, 16)
    seen, _ = environment.reset(seed=0, options={"scenario": 4})
    price, lead_time = drawn.parameters.price[4, 0], drawn.parameters.lead_time[4, 0]
    np.testing.assert_allclose(seen[-4:], [price / 2.0, lead_time, *drawn.calendar[0]], rtol=1e-6)
    shops = [0, 2]  # beside the port
    past = drawn.history[4, -2:, shops] / drawn.mean_demand[4, shops]
    np.testing.assert_allclose(seen[-8:-4], past.flatten(), rtol=1e-6)
    played = {environment.reset(seed=0)[1]["scenario"]} | {environment.reset()[1]["scenario"] for _ in range(60)}
    assert played == set(range(6))
    many = gi.InventoryVectorEnvironment(PANEL, 8, periods=15, source=source)
    numbers = many.reset(seed=1)[1]["scenario"]
    assert many.reset(seed=1)[1]["scenario"].tolist() == numbers.tolist()
    np.testing.assert_array_equal(demands(many, seed=1).swapaxes(0, 1), drawn.demand[numbers, :15])


def test_demand_of_ones_own_gives_any_of_its_scenarios():
    source = SyntheticDemand(parse_network(gi.serial()), 3, "dev")
    environment = gi.InventoryEnvironment("serial", periods=6, source=source)
    expected = source.sample(5, 6, 6).demand[0].numpy()
    np.testing.assert_array_equal(demands(environment, options={"scenario": 5}), expected)
    number = environment.reset(seed=8)[1]["scenario"]
    assert environment.reset()[1]["scenario"] != number
    assert environment.reset(seed=8)[1]["scenario"] == number
    np.testing.assert_array_equal(demands(environment, seed=8), source.sample(number, number + 1, 6).demand[0].numpy())


def order_up_to(level):
    """Actions that bring the one store's position to a level, in units of the mean flow, when 1 orders ten times the flow."""
    return lambda seen: np.clip(np.maximum(level - seen.sum(1, keepdims=True), 0.0) / 5.0 - 1.0, -1.0, 1.0)


def test_a_learner_is_judged_as_every_policy():
    """Base stock from vectors costs what the library's base stock does, on every scenario."""
    network = gi.one_store()
    environment = gi.InventoryEnvironment(network, largest=10.0)
    flow = float(environment.vectors.graph.mean_demand.sum())
    learner = gi.EnvironmentPolicy(environment.vectors, order_up_to(28.0 / flow))
    known = gi.BaseStock()
    known.set_levels(environment.vectors.graph, {"store": 28.0})
    found, expected = (gi.evaluate(policy, network, 64, 60, 20) for policy in (learner, known))
    torch.testing.assert_close(found.per_scenario, expected.per_scenario, rtol=1e-4, atol=1e-4)
    assert found.policy == "EnvironmentPolicy"
    assert found.gap_percent == pytest.approx(expected.gap_percent, abs=1e-2)
    with pytest.raises(UnsupportedNetworkError, match="parameters belong"):
        gi.evaluate(learner, gi.serial(), 4, 10, 2)
    slower = gi.load_network("one_store_backlogged", link={"lead_time": 6})
    with pytest.raises(UnsupportedNetworkError, match="observation differs at 'in transit"):
        gi.evaluate(learner, slower, 4, 10, 2)


def test_a_learner_sees_in_evaluation_what_it_saw_in_its_environment():
    source, kept = panel("test"), []
    environment = gi.InventoryVectorEnvironment(PANEL, 6, periods=10, window=3, source=source)
    actions = np.random.default_rng(0).uniform(-1, 1, (10, 6, 2)).astype(np.float32)

    def predict(seen):
        kept.append(seen)
        return actions[len(kept) - 1]

    result = evaluate_on(gi.EnvironmentPolicy(environment.vectors, predict), parse_network(PANEL), source, 6, 10, 2)
    seen, _ = environment.reset(options={"scenario": 0})
    rewards = []
    for number in range(10):
        np.testing.assert_array_equal(seen, kept[number])
        seen, reward, *_ = environment.step(actions[number])
        rewards.append(reward)
    assert -np.mean(rewards[2:]) == pytest.approx(result.cost_per_store, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"network": PANEL}, "two_shops: demand is a panel of sales; expected its scenarios, source=PanelDemand"),
        ({"network": "sirial"}, "sirial: no such file, nor a name of the catalogue; did you mean 'serial'"),
        ({"network": "serial", "periods": 0}, "periods: got 0; expected an integer of at least 1"),
        ({"network": "serial", "window": -1}, "window: got -1; expected an integer of at least 0"),
        ({"network": "serial", "money": 0.0, "largest": np.nan}, "largest: got nan; expected a number above 0\n.*money: got 0.0"),
        ({"network": "serial", "stream": "training"}, "stream: got 'training'; expected one of: train, dev, test"),
        ({"network": "serial", "source": panel()}, "got scenarios of another network; expected those of 'serial'"),
        ({"network": PANEL, "source": panel(), "periods": 16}, "periods: got 16; expected less than the 16 of the source"),
    ],
)
def test_settings_that_make_no_sense(settings, words):
    for kind in (gi.InventoryEnvironment, gi.InventoryVectorEnvironment):
        with pytest.raises(gi.InputError, match=words):
            kind(**settings)


def test_calls_that_make_no_sense():
    environment = gi.InventoryEnvironment("serial", periods=2)
    with pytest.raises(UsageError, match="step: called before reset"):
        environment.step(np.zeros(4, dtype=np.float32))
    with pytest.raises(UsageError, match="unknown option 'scenaro'; did you mean 'scenario'"):
        environment.reset(options={"scenaro": 1})
    with pytest.raises(UsageError, match="scenario: got -1; expected an integer from 0"):
        environment.reset(options={"scenario": -1})
    environment.reset(seed=0)
    with pytest.raises(gi.InputError, match=r"action: got shape \(3,\); expected a number per link, \(4,\)"):
        environment.step(np.zeros(3, dtype=np.float32))
    for bad in (np.nan, 1.5):
        with pytest.raises(gi.InputError, match=f"link 'echelon1 -> warehouse': got {bad}; expected a number from -1 to 1"):
            environment.step(np.array([0.0, bad, 0.0, 0.0], dtype=np.float32))
    environment.step(np.zeros(4, dtype=np.float32))
    environment.step(np.zeros(4, dtype=np.float32))
    with pytest.raises(UsageError, match="called after the 2 periods of the episode; expected reset first"):
        environment.step(np.zeros(4, dtype=np.float32))
    many = gi.InventoryVectorEnvironment("serial", 3)
    many.reset(seed=0)
    with pytest.raises(gi.InputError, match=r"got shape \(3,\); expected a row per scenario with 4 links"):
        many.step(np.zeros(3, dtype=np.float32))
    with pytest.raises(gi.InputError, match="got 2 rows; expected one per scenario, 3"):
        many.step(np.zeros((2, 4), dtype=np.float32))
    with pytest.raises(UsageError, match="autoreset_mode: got 'never'; expected one of: NextStep, SameStep, Disabled"):
        gi.InventoryVectorEnvironment("serial", 3, autoreset_mode="never")


@pytest.mark.parametrize(
    ("package", "module", "words"),
    [
        ("gymnasium", "environment", r"pip install 'gnn_inventory\[gym\]'"),
        ("stable_baselines3.common.vec_env", "stable_baselines", "pip install stable-baselines3"),
    ],
)
def test_without_the_package_one_line_says_what_to_install(monkeypatch, package, module, words):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"gnn_inventory.{module}", raising=False)
    with pytest.raises(UsageError, match=words):
        importlib.import_module(f"gnn_inventory.{module}")


def test_stable_baselines_learns_from_one_and_from_many():
    stable_baselines = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines

    single = gi.InventoryEnvironment("serial", periods=8)
    check_for_stable_baselines(single)
    many = gi.StableBaselinesEnvironment("serial", 4, periods=8)
    for environment in (single, many):
        model = stable_baselines.PPO("MlpPolicy", environment, n_steps=8, batch_size=8, n_epochs=2, seed=0, device="cpu")
        before = [values.detach().clone() for values in model.policy.parameters()]
        model.learn(64)
        assert model.num_timesteps == 64
        assert any(not torch.equal(old, new) for old, new in zip(before, model.policy.parameters(), strict=True))
        policy = gi.EnvironmentPolicy(environment.vectors, lambda seen, model=model: model.predict(seen, deterministic=True)[0])
        assert gi.evaluate(policy, gi.serial(), 8, 20, 5).gap_percent > 0


def test_stable_baselines_gets_last_observations_and_is_told_to_look_beyond_them():
    pytest.importorskip("stable_baselines3")
    learner = gi.StableBaselinesEnvironment("serial", 3, periods=2, window=1)
    plain = gi.InventoryVectorEnvironment("serial", 3, periods=2, window=1)
    learner.seed(9)
    seen, (expected, _) = learner.reset(), plain.reset(seed=9)
    np.testing.assert_array_equal(seen, expected)
    actions = np.zeros((3, 4), dtype=np.float32)
    for number in range(4):
        seen, rewards, ended, infos = learner.step(actions)
        last, expected_rewards, *_ = plain.step(actions)
        np.testing.assert_allclose(rewards, expected_rewards, rtol=1e-6)
        assert ended.tolist() == [number % 2 == 1] * 3
        if number % 2 == 1:
            np.testing.assert_array_equal([info["terminal_observation"] for info in infos], last)
            assert all(info["TimeLimit.truncated"] for info in infos)
            first, *_ = plain.step(actions)  # next-step autoreset: the first of the next episode
            np.testing.assert_array_equal(seen, first)
        else:
            assert infos == [{}, {}, {}]
            np.testing.assert_array_equal(seen, last)
