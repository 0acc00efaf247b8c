"""Environments: Gymnasium's own check, the costs of the rest of the library, many scenarios as one by one, seeds, learners."""

import importlib
import sys

import gymnasium
import networkx as nx
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.demand.panel import PanelDemand, Windows
from gnn_inventory.demand.panel_files import SalesPanel
from gnn_inventory.errors import UsageError
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.policies.base import Desired, Policy, UnsupportedNetworkError
from gnn_inventory.rollout import costs
from gnn_inventory.topology.catalogue import build_network, catalogue
from gnn_inventory.topology.network import is_panel, parse_network

STATED = [name for name in catalogue("topologies") if not is_panel(parse_network(gi.load_network(name)))]
IN_ROWS = ("cost", "orders", "demand", "sales", "unmet", "left")


def one_store(**store):
    """supplier -> store with two periods of lead time and a demand of exactly 5."""
    network = nx.DiGraph(name="certain")
    network.add_node("supplier", kind="supplier")
    demand = {"normal": {"mean": 5.0, "std": 0.0}}
    values = dict(holding_cost=1.0, underage_cost=9.0, unmet_demand="backlogged", demand=demand, initial_stock=7.0)
    network.add_node("store", **values | store)
    network.add_edge("supplier", "store", lead_time=2, unit_cost=0.5, initial_in_transit=3.0)
    return network


@pytest.mark.parametrize("name", STATED)
def test_gymnasium_accepts_every_network_of_the_catalogue(name):
    """Warnings are errors in these tests, and Gymnasium's are warnings of Python."""
    made = gymnasium.make("gnn_inventory.environment:gnn_inventory/Inventory-v0", network=name, periods=12, window=2)
    assert made.unwrapped.spec is not None  # else the checker leaves the determinism of seeds out
    check_env(made.unwrapped)


def test_what_gymnasium_finds_is_an_error_here():
    made = gi.InventoryEnvironment("serial")
    made.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, made.observation_space.shape, np.float32)
    with pytest.raises(UserWarning, match="infinity"):
        check_env(made, skip_render_check=True)


def test_four_periods_by_hand():
    """Actions 0, -1, 1 and 0 order 5, 0, 10 and 5; the last demand but one is met late, by what is ordered at 1."""
    environment = gi.InventoryEnvironment(one_store(), periods=4, window=1, money=2.0)
    assert environment.vectors.names == (
        "on hand: store",
        "in transit: supplier -> store, on hand in 1",
        "demand: store, 1 before",
    )
    seen, info = environment.reset(seed=0)
    assert info == {"scenario": 0}
    np.testing.assert_allclose(seen, [7 / 5, 3 / 5, 1])  # what was sold before is not known: there stands the mean
    expected = [
        (0.0, 5.0, [1, 1, 1], 2.0 + 2.5, 2.0, 0.0, 5.0),  # 7 - 5 left; 3 arrive
        (-1.0, 0.0, [1, 0, 1], 0.0, 0.0, 0.0, 5.0),
        (1.0, 10.0, [0, 2, 1], 5.0, 0.0, 0.0, 5.0),
        (0.0, 5.0, [1, 1, 1], 45.0 + 2.5, 0.0, 5.0, 5.0),  # all is short, and is handed over from the 10 that arrive
    ]
    for number, (action, order, after, cost, left, unmet, sold) in enumerate(expected):
        seen, reward, terminated, truncated, info = environment.step(np.array([action], dtype=np.float32))
        np.testing.assert_allclose(seen, after, atol=1e-6)
        assert info["orders"].tolist() == [order]
        assert (info["cost"], reward) == (cost, -cost / 2)
        assert [float(info[name][0]) for name in ("left", "unmet", "sales", "demand")] == [left, unmet, sold, 5.0]
        assert not terminated
        assert truncated is (number == 3)


def test_what_lies_far_out_is_seen_at_the_edge_of_the_space():
    environment = gi.InventoryEnvironment(one_store(initial_stock=1e9))
    seen, _ = environment.reset(seed=0)
    assert seen[0] == environment.observation_space.high[0] == 1e6
    assert seen in environment.observation_space


class Recorded(Policy):
    """Orders what is written down, period after period [T, E], units."""

    def __init__(self, orders):
        super().__init__()
        self.orders = orders

    def start(self, graph, known):
        rest = iter(self.orders)
        return lambda seen: Desired(next(rest).expand(len(seen.on_hand), -1))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["one_warehouse", "many_warehouses", "tree", "one_store_lost", "serial"])
def test_rewards_are_the_costs_of_the_same_orders(name, whole):
    network, length = gi.load_network(name), 30
    environment = gi.InventoryEnvironment(name, periods=length, largest=3.0, money=4.0, whole_units=whole)
    environment.reset(seed=5, options={"scenario": 3})
    graph = environment.vectors.graph
    _, flow = graph.flows(graph.mean_demand.unsqueeze(0))
    actions = torch.rand(length, graph.links, generator=torch.Generator().manual_seed(1)) * 2 - 1
    played = [environment.step(action.numpy()) for action in actions]
    drawn = SyntheticDemand(parse_network(network), 5, "train").sample(3, 4, length)
    expected = costs(Recorded((actions + 1) / 2 * 3.0 * flow), graph, drawn, whole)[0].double().numpy()
    np.testing.assert_allclose([info["cost"] for *_, info in played], expected, rtol=1e-5, atol=1e-4)
    stores = len(parse_network(network).customers)
    np.testing.assert_allclose([reward for _, reward, *_ in played], -expected / stores / 4.0, rtol=1e-5, atol=1e-4)
    if whole:
        assert all((info["orders"] == info["orders"].round()).all() for *_, info in played)


def test_many_scenarios_are_one_by_one():
    settings = dict(periods=9, window=3, largest=3.0)
    many = gi.InventoryVectorEnvironment("many_warehouses", 5, autoreset_mode=AutoresetMode.DISABLED, **settings)
    singles = [gi.InventoryEnvironment("many_warehouses", **settings) for _ in range(5)]
    seen, info = many.reset(seed=7)
    assert info["scenario"].tolist() == [0, 1, 2, 3, 4]
    firsts = [single.reset(seed=7, options={"scenario": row})[0] for row, single in enumerate(singles)]
    np.testing.assert_array_equal(seen, firsts)
    assert len({first.tobytes() for first in firsts}) == 5
    many.action_space.seed(0)
    for number in range(9):
        actions = many.action_space.sample()
        seen, rewards, terminations, truncations, info = many.step(actions)
        rows = [single.step(action) for single, action in zip(singles, actions, strict=True)]
        np.testing.assert_allclose(seen, [row[0] for row in rows], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(rewards, [row[1] for row in rows], rtol=1e-5, atol=1e-5)
        assert (terminations.tolist(), truncations.tolist()) == ([False] * 5, [number == 8] * 5)
        for name in IN_ROWS:
            assert info[f"_{name}"].all()
            np.testing.assert_allclose(info[name], [row[4][name] for row in rows], rtol=1e-5, atol=1e-4)
    with pytest.raises(UsageError, match="after the 9 periods"):
        many.step(actions)


def demands(environment, **reset):
    """Demand of an episode [T, N], nothing being ordered."""
    environment.reset(**reset)
    nothing = -np.ones(environment.action_space.shape, dtype=np.float32)
    found = []
    while True:
        *_, truncated, info = environment.step(nothing)
        found.append(info["demand"])
        if np.all(truncated):
            return np.array(found)


@pytest.mark.parametrize("stream", ["train", "test"])
def test_seeds_give_the_scenarios_of_the_rest_of_the_library(stream):
    environment = gi.InventoryEnvironment("one_warehouse", periods=70, stream=stream)
    source = SyntheticDemand(parse_network(gi.one_warehouse()), 11, stream)
    expected = source.sample(0, 3, 70).demand.numpy()
    found = [demands(environment, seed=11), demands(environment), demands(environment)]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(demands(environment, options={"scenario": 2}), expected[2])
    np.testing.assert_array_equal(demands(environment, seed=11), expected[0])
    many = gi.InventoryVectorEnvironment("one_warehouse", 2, periods=70, stream=stream)
    episodes = np.concatenate([demands(many, seed=11), demands(many)], axis=1).swapaxes(0, 1)
    np.testing.assert_array_equal(episodes, source.sample(0, 4, 70).demand.numpy())


def test_without_a_seed_the_environments_generator_draws_one():
    environments = [gi.InventoryEnvironment("serial", periods=5) for _ in range(3)]
    for environment in environments[:2]:
        environment.np_random = np.random.default_rng(3)
    first, same, other = (demands(environment) for environment in environments)
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, demands(environments[0]))


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_autoreset_is_that_of_gymnasiums_own_vector_environment(mode):
    settings = dict(network="serial", periods=3, window=1)
    ours = gi.InventoryVectorEnvironment(num_envs=1, autoreset_mode=mode.value, **settings)
    theirs = SyncVectorEnv([lambda: gi.InventoryEnvironment(**settings)], autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)
    assert (ours.single_observation_space, ours.single_action_space) == (
        theirs.single_observation_space,
        theirs.single_action_space,
    )
    same(ours.reset(seed=4), theirs.reset(seed=4))
    ours.action_space.seed(2)
    ended = 0
    for _ in range(11):
        actions = ours.action_space.sample()
        found = ours.step(actions)
        same(found, theirs.step(actions))
        ended += int(found[3].all())
    assert ended == 3  # after steps 3, 6, 9, or 3, 7, 11


def same(one, two):
    """The same nested values, types and keys included."""
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            same(one[key], two[key])
    elif isinstance(one, tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            same(left, right)
    else:
        assert (one.dtype, one.shape) == (two.dtype, two.shape)
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_made_by_gymnasium_as_a_vector():
    name = "gnn_inventory.environment:gnn_inventory/Inventory-v0"
    made = gymnasium.make_vec(name, 3, vectorization_mode="vector_entry_point", network="serial", periods=4)
    assert made.reset(seed=0)[0].shape == (3, made.single_observation_space.shape[0])


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
