"""Environments: Gymnasium's own check, the costs of the rest of the library, many scenarios as one by one, seeds, autoreset."""

import gymnasium
import jaxtyping
import networkx as nx
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import UsageError
from gnn_inventory.policies.base import Desired, Policy
from gnn_inventory.rollout import costs
from gnn_inventory.topology.catalogue import catalogue
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


DEMAND = SyntheticDemand(parse_network(gi.load_network("one_store_lost")), 0, "train")


def test_there_is_nothing_to_render():
    with pytest.raises(UsageError, match=r"render_mode: got 'human'; expected none"):
        gi.InventoryEnvironment("one_store_lost", render_mode="human")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"periods": 1e2}, r"periods: got 100\.0; expected an integer of at least 1"),
        ({"window": "4"}, r"window: got '4'; expected an integer of at least 0"),
        ({"num_envs": True}, r"num_envs: got True; expected an integer of at least 1"),
        ({"largest": "much"}, r"largest: got 'much'; expected a number above 0"),
        ({"stream": "tset"}, r"stream: got 'tset'; expected one of: train, dev, test"),
        ({"stream": "test", "source": DEMAND}, r"stream: got 'test'; expected none beside a source"),
    ],
)
def test_arguments_of_another_kind_are_refused_at_once(arguments, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as where only the library is installed
    with pytest.raises(UsageError, match=message):
        gi.InventoryVectorEnvironment("one_store_lost", **{"num_envs": 2, **arguments})
    gi.InventoryVectorEnvironment("one_store_lost", num_envs=np.int64(2), largest=np.float32(8.0))


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
