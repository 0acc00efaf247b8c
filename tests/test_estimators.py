"""Estimators of the gradient: each has the mean that it claims, counts what it simulates, and trains and resumes like the others."""

from dataclasses import replace

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies import POLICIES, make_policy
from gnn_inventory.policies.base import Policy
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.forward_gradient import slope
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.horizon import Simulated, costs_within
from gnn_inventory.training.loss import Loss
from gnn_inventory.training.machine import Machine, Threads
from gnn_inventory.training.processes import ALONE, Processes
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.score_function import draw_noise

CPU = torch.device("cpu")
ONE_THREAD = Machine(CPU, Threads(1), ALONE)
ESTIMATORS = {
    "pathwise": {},
    "score_function": {"estimator": "score_function", "rollouts": 4, "exploration": 0.3},
    "forward": {"estimator": "forward", "directions": 3},
}


def drawn(network, count, length, share=1.0):
    source = SyntheticDemand(parse_network(network), 3, "train")
    return Batch(source.graph.to_dtype(torch.float64), source.sample(0, count, length).to(CPU, torch.float64), share)


def fitted(policy, batch):
    policy.fit_to(batch.graph.to_dtype(torch.float32))
    return policy.to(torch.float64)


def flat(policy, step=None):
    return torch.cat([value.grad.reshape(-1) for value in policy.parameters()])


def estimates(policy, batch, settings, count):
    """Gradients of so many steps, a row each."""
    rows = []
    for number in range(count):
        gradient(policy, batch, ONE_THREAD, settings, key=(0, number))
        rows.append(flat(policy))
    return torch.stack(rows)


class Noisy(Policy):
    """A policy with given noise on what it asks for, through which its gradient goes: the smoothed cost, made differentiable."""

    def __init__(self, policy, noise, deviation):
        super().__init__()
        self.policy, self.noise, self.deviation, self.period = policy, noise, deviation, 0

    def start(self, graph, known):
        decide = self.policy.start(graph, known)

        def noisy(seen):
            desired, noise = decide(seen), self.noise[self.period] * self.deviation
            self.period += 1
            keep = None if desired.keep is None else desired.keep + noise[:, graph.links :] * known.node_flow
            return replace(desired, orders=desired.orders + noise[:, : graph.links] * known.link_flow, keep=keep)

        return noisy


@pytest.mark.parametrize(
    "policy", [gi.BaseStock(), gi.MessagePassing(width=2, rounds=1, slots=3)], ids=["base_stock", "message_passing"]
)
def test_the_score_function_is_the_gradient_of_the_smoothed_cost(policy):
    """Two independent estimates of the same mean: every parameter within 5 standard errors, the whole within 15 % of its length."""
    batch, deviation, count, rollouts = drawn(gi.one_warehouse(stores=2), 2, 9), 0.5, 50, 256
    policy = fitted(policy, batch)
    settings = gi.Training(estimator="score_function", rollouts=rollouts, exploration=deviation)
    scores = estimates(policy, batch, settings, count)
    random, pathwise = torch.Generator().manual_seed(1), []
    rows = torch.arange(2).repeat_interleave(rollouts)
    for _ in range(count):
        noise = torch.randn(9, len(rows), batch.graph.links + batch.graph.nodes, generator=random, dtype=torch.float64)
        cost = costs_within(Noisy(policy, noise, deviation), batch.graph, batch.scenarios[rows]).minimised
        policy.zero_grad()
        (cost.mean() / 2).backward()
        pathwise.append(
            torch.cat([torch.zeros(v.numel()) if v.grad is None else v.grad.reshape(-1) for v in policy.parameters()])
        )
    other = torch.stack(pathwise)
    error = ((scores.var(0) + other.var(0)) / count).sqrt()
    difference, length = scores.mean(0) - other.mean(0), other.mean(0).norm()
    assert float(error.norm()) < 0.15 * float(length), "else the errors are too large to show anything"
    assert bool((difference.abs() <= 5 * error + 1e-9).all())
    assert float(difference.norm()) < 0.15 * float(length)


def test_common_random_numbers_and_the_baseline_lower_the_variance():
    """The same estimator with costs alone, by hand: advantage = the whole cost of a rollout."""
    batch = drawn(gi.one_store(), 8, 12)
    policy = fitted(gi.BaseStock(), batch)
    settings = gi.Training(estimator="score_function", rollouts=8)
    with_baseline = estimates(policy, batch, settings, 60)
    plain = []
    for number in range(60):
        noise = draw_noise(batch, ONE_THREAD, 8, torch.Generator().manual_seed(number)).flatten(1, 2)
        noisy = Noisy(policy, noise, settings.exploration)
        with torch.no_grad():
            cost = costs_within(noisy, batch.graph, batch.scenarios[torch.arange(8).repeat_interleave(8)]).minimised.mean(1)
        # an order up to the level: its mean's derivative by the level is the flow where something is lacking, as it is here
        plain.append((cost * noise[:, :, 0].sum(0)).mean() / settings.exploration)
    level = batch.graph.labels.index("store")
    assert float(with_baseline[:, level].var()) < 0.1 * float(torch.stack(plain).var())


@pytest.mark.parametrize("name", sorted(name for name in POLICIES if "quantile" not in name and "newsvendor" not in name))
def test_the_slope_along_a_direction_is_that_of_the_gradient(name):
    """Exact, for every policy that has parameters: forward and reverse differentiation give the same number."""
    network = (
        gi.transshipment(stores=2)
        if name == "equal_fractile"
        else gi.one_store()
        if name == "capped_base_stock"
        else gi.one_warehouse(stores=2)
    )
    batch = drawn(network, 5, 9)
    small = {"width": 4} if "width" in make_policy(name).config else {}
    policy = fitted(make_policy(name, **small), batch)
    gradient(policy, batch, ONE_THREAD, gi.Training())
    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = {key: torch.randn(v.shape, generator=random, dtype=v.dtype) for key, v in policy.named_parameters()}
        expected = sum(float((value.grad * direction[key]).sum()) for key, value in policy.named_parameters())
        stores = batch.graph.demand_locations
        loss = Loss(torch.full((5,), 1 / (5 * stores), dtype=torch.float64))
        along, parts = slope(policy, batch, ONE_THREAD, loss, False, direction)
        assert float(along) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert abs(expected) > 0
        assert parts[0].cost.shape == (5, 9)


@pytest.mark.parametrize("name", ["fixed_quantile", "transformed_quantile"])
def test_the_slope_of_a_forecasting_policy_is_that_of_the_gradient(name):
    source = SyntheticDemand(parse_network(gi.one_store()), 3, "train")
    policy, batch = make_policy(name, window=4), Batch(source.graph, source.sample(0, 6, 12))
    policy.prepare(source, 20, 24)
    gradient(policy, batch, ONE_THREAD, gi.Training())
    random = torch.Generator().manual_seed(0)
    direction = {key: torch.randn(v.shape, generator=random) for key, v in policy.named_parameters()}
    expected = sum(float((value.grad * direction[key]).sum()) for key, value in policy.named_parameters())
    along, _ = slope(policy, batch, ONE_THREAD, Loss(torch.full((6,), 1 / 6)), False, direction)
    assert float(along) == pytest.approx(expected, rel=1e-3)
    assert abs(expected) > 0


def test_the_forward_gradient_has_the_pathwise_one_as_its_mean():
    """Its error over n directions is |g| sqrt((P + 1) / n) by theory (E |v v' g|^2 = (P + 2) |g|^2)."""
    batch, count = drawn(gi.one_warehouse(stores=6), 3, 8), 120
    policy = fitted(gi.BaseStock(), batch)
    gradient(policy, batch, ONE_THREAD, gi.Training())
    exact = flat(policy)
    found = estimates(policy, batch, gi.Training(estimator="forward", directions=1), count)
    variance = found.var(0).sum() / exact.square().sum()
    assert len(exact) == 8
    assert float(variance) == pytest.approx(len(exact) + 1, rel=0.3)
    error = (found.mean(0) - exact).norm() / exact.norm()
    assert float(error) < 2 * ((len(exact) + 1) / count) ** 0.5
    along = found @ exact / exact.square().sum()  # v'g g'v / g'g, the square of a standard normal number: mean 1, variance 2
    assert float(along.mean()) == pytest.approx(1.0, abs=4 * (2 / count) ** 0.5)


def test_what_periods_add_to_the_loss_is_the_loss():
    """By hand: weights 0.5 and 0.25 of means over periods 1 and 2, less 3 for each unit served in period 2."""
    cost = torch.tensor([[9.0, 2.0, 4.0], [9.0, 6.0, 0.0]])
    served = torch.tensor([[5.0, 1.0, 1.0], [5.0, 1.0, 0.5]])
    loss = Loss(torch.tensor([0.5, 0.25]), first=1, price=3.0, warm_up=2)
    seen, rows = Simulated(cost, cost, served), torch.arange(2)
    assert float(loss.total(seen, rows)) == pytest.approx(0.5 * 3 + 0.25 * 3 - 3 * 1.5)
    assert loss.by_period(seen, rows).tolist() == [[0, 0.5, 1 - 3], [0, 0.75, -1.5]]


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("relative", [False, True])
def test_two_threads_give_the_gradient_of_one(name, relative):
    batch = drawn(gi.one_warehouse(stores=5), 700, 6)
    found = []
    for threads in (1, 2):
        policy = gi.MessagePassing(width=4, rounds=1).to(torch.float64)
        settings = gi.Training(relative=relative, **ESTIMATORS[name])
        step = gradient(policy, batch, Machine(CPU, Threads(threads), ALONE), settings, key=(3,))
        found.append((step.cost, flat(policy)))
        assert step.cost.shape == (700, 6)
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-12)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_shares_of_two_processes_add_up(name):
    """What each process finds of its scenarios sums to the gradient of the whole batch: noise and directions are the same."""
    whole = drawn(gi.one_warehouse(stores=2), 7, 6)
    settings, found = gi.Training(**ESTIMATORS[name]), []
    for rank, size in ((0, 1), (0, 2), (1, 2)):
        here = Processes(rank, size)
        object.__setattr__(here, "sum", list)  # nothing is sent: the sums are of this process alone
        rows = torch.arange(7)[here.share]
        own = Batch(whole.graph, whole.scenarios[rows], len(rows) / 7)
        policy = gi.MessagePassing(width=4, rounds=1).to(torch.float64)
        gradient(policy, own, Machine(CPU, Threads(1), here), settings, key=(3,))
        found.append(flat(policy))
    assert torch.allclose(found[1] + found[2], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_stopped_and_resumed_it_ends_where_a_whole_run_ends(name, quick, tmp_path):
    changes = [f"training.{key}={value}" for key, value in ESTIMATORS[name].items()]
    recipe = gi.load_recipe(quick, changes)
    whole = gi.train_recipe(recipe, RunFolder(tmp_path / "whole"))

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), on_epoch=stop)
    gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), resume=True)
    for file in ("checkpoint.safetensors", "policy.safetensors"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    factor = {"pathwise": 1, "score_function": 4, "forward": 3}[name]
    assert [line["simulated_periods"] for line in whole.metrics] == [64 * 12 * factor] * 3


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "pathwise"])  # which test_training has
def test_it_learns_the_newsvendor_level(name):
    """As by the pathwise gradient: lead time 1, so the level is the 0.9 quantile of N(10, 2 * 1), 11.81."""
    network = gi.one_store(
        store={
            "holding_cost": 1.0,
            "underage_cost": 9.0,
            "unmet_demand": "backlogged",
            "demand": {"normal": {"mean": 5.0, "std": 1.0}},
            "initial_stock": 5.0,
        },
        link={"lead_time": 1},
    )
    settings = gi.Training(
        scenarios=256, batch=64, epochs=6, learning_rate=0.1, dev_scenarios=256, periods=10, warm_up=5, **ESTIMATORS[name]
    )
    policy = gi.train(gi.BaseStock(), network, settings).policy
    level = float(policy.levels.detach()[gi.InventoryGraph.from_network(network).labels.index("store")]) * 5.0
    assert level == pytest.approx(10 + 1.2815515655446004 * 2**0.5, abs=0.25)


def test_the_score_function_is_refused_where_orders_have_a_fixed_cost():
    with pytest.raises(InputError, match=r"training\.estimator: got score_function on a network with fixed costs"):
        gi.train(gi.BaseStock(), gi.load_network("one_store_fixed_cost"), gi.Training(estimator="score_function", epochs=1))


@pytest.mark.parametrize("name", ["score_function", "forward"])
def test_a_distribution_of_networks_trains_by_it(name, tmp_path):
    size = ["scenarios=8", "batch=8", "epochs=1", "dev_scenarios=4", "networks=2", "dev_networks=2", "periods=12", "warm_up=2"]
    changes = [f"training.{setting}" for setting in size] + [f"training.{key}={value}" for key, value in ESTIMATORS[name].items()]
    result = gi.train_recipe(gi.load_recipe("any_one_warehouse", ["policy.width=4", *changes]), RunFolder(tmp_path / "run"))
    assert result.metrics[0]["gradient_norm"] > 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rollouts": 4}, "rollouts: got 4; expected it with estimator score_function only, not pathwise"),
        ({"estimator": "score_function", "directions": 4}, "directions: got 4; expected it with estimator forward only"),
        ({"estimator": "forward", "exploration": 0.2}, "exploration: got 0.2; expected it with estimator score_function only"),
        ({"estimator": "forward", "checkpoint_every": 5}, "checkpoint_every: got 5; expected 0 with estimator forward"),
        ({"estimator": "score_function", "objective": {"cvar": 0.5}}, "objective: got cvar 0.5 with estimator score_function"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        gi.Training(**settings)


def test_an_unknown_estimator_is_one_line(quick):
    with pytest.raises(
        InputError, match=r"training\.estimator: got 'reinforce'; expected 'pathwise', 'score_function' or 'forward'"
    ):
        gi.load_recipe(quick, ["training.estimator=reinforce"])
