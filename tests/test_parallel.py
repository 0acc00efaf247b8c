"""Work that is shared out, among threads, processes and checkpoints, gives what one thread alone gives."""

import copy
import os
import subprocess
import sys
import time

import psutil
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies import make_policy
from gnn_inventory.policies.base import UnsupportedNetworkError
from gnn_inventory.rollout import Rollout, costs
from gnn_inventory.simulator import initial_state
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.gradient import gradient, newsvendor_weights
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.machine import Machine, Threads
from gnn_inventory.training.processes import ALONE, Processes
from gnn_inventory.training.run_folder import RunFolder, load_policy

CPU = torch.device("cpu")


def drawn(network, count, length=20):
    source = SyntheticDemand(parse_network(network), 3, "train")
    return Batch(source.graph.to_dtype(torch.float64), source.sample(0, count, length).to(CPU, torch.float64))


def gradients(batch, threads=1, stretch=0, relative=False):
    policy = gi.MessagePassing(width=8).to(torch.float64)
    settings = gi.Training(checkpoint_every=stretch, relative=relative)
    cost = gradient(policy, batch, Machine(CPU, Threads(threads), ALONE), settings).cost
    return cost, [value.grad for value in policy.parameters()]


def test_the_gradient_of_a_batch_is_that_of_the_mean_cost():
    """Against autograd on the whole batch at once, without this library's sharing."""
    network = gi.one_warehouse(stores=3)
    network.nodes["warehouse"]["holding_cost"] = 0.0  # else what it holds at the end is left out
    batch = drawn(network, 8)
    _, found = gradients(batch)
    policy = gi.MessagePassing(width=8).to(torch.float64)
    (costs(policy, batch.graph, batch.scenarios).mean() / 3).backward()
    bought = bool(batch.scenarios.parameters.unit_cost.any())
    assert not bought, "else what is bought too late is left out"
    for value, expected in zip(found, policy.parameters(), strict=True):
        assert torch.allclose(value, torch.zeros_like(value) if expected.grad is None else expected.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("stretch", [1, 3, 20, 50])
def test_checkpoints_change_no_gradient(stretch):
    batch = drawn(gi.one_warehouse(stores=3), 4)
    (cost, one), (again, other) = gradients(batch), gradients(batch, stretch=stretch)
    assert torch.equal(cost, again)
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(one, other, strict=True))


class NoWaiting(TorchDispatchMode):
    """Refuses what would make a GPU's host wait: a number read from a tensor, a size that depends on values."""

    WAITS = ("_local_scalar_dense", "bincount", "nonzero", "unique", "masked_select", "is_nonzero")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert not any(word in str(function) for word in self.WAITS), function
        return function(*args, **(kwargs or {}))


TRAINED = [gi.MessagePassing(width=8), gi.MessagePassing(width=8, window=16), gi.MessagePassing(width=8, window=4, season=20)]
TRAINED += [make_policy(name) for name in ("fully_connected", "published_message_passing", "base_stock", "echelon_base_stock")]


@pytest.mark.parametrize("policy", TRAINED, ids=str)
def test_no_period_waits_for_a_number(policy):
    source = SyntheticDemand(parse_network(gi.one_warehouse(stores=3)), 3, "train")
    scenarios = source.sample(0, 4, 5)
    policy.fit_to(source.graph)
    rollout, state = Rollout.of(policy, source.graph, scenarios), initial_state(scenarios)
    with NoWaiting():
        cost = rollout.period(rollout.period(state, 0).after, 1).outcome.cost
        cost.mean().backward()


@pytest.mark.parametrize("network", ["one_warehouse", "many_warehouses", "one_store_fixed_cost"])
@pytest.mark.parametrize("policy", TRAINED, ids=str)
def test_all_of_a_step_is_on_the_device_of_its_batch(policy, network):
    """What is made without a device would lie on `meta`, which mixes with no other: on a GPU it would lie on the host."""
    source = SyntheticDemand(parse_network(gi.load_network(network)), 3, "train")
    batch = Batch(source.graph, source.sample(0, 4, 12))
    policy = copy.deepcopy(policy)
    try:
        policy.fit_to(source.graph)
    except UnsupportedNetworkError as refused:
        pytest.skip(str(refused))
    parameters = [value for value in policy.parameters() if value.requires_grad]
    with torch.device("meta"):
        weights = newsvendor_weights(batch.graph, batch.scenarios, 1.0, ALONE)
        cost = costs_within(policy, batch.graph, batch.scenarios, stretch=5, serving=True, whole=True).minimised
        found = torch.autograd.grad((cost.mean(1) * weights).sum(), parameters, allow_unused=True)
    assert found
    assert all(value.device == CPU and value.isfinite().all() for value in [cost, *found] if value is not None)


def test_the_shares_of_a_batch_are_all_of_it():
    rows = torch.arange(10)
    shares = [rows[Processes(rank, 3).share] for rank in range(3)]
    assert sorted(torch.cat(shares).tolist()) == list(range(10))
    with pytest.raises(InputError, match=r"training\.networks: got 2; expected at least one for each of the 3 processes"):
        Processes(0, 3).need(2, "training.networks")


def processes(count, *words, **options):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, "-m", "gnn_inventory", *map(str, words)]
    return subprocess.Popen(command, env=environment, text=True, **options)


SMALL = "policy.width=8 training.periods=12 training.warm_up=4 training.epochs=5 training.scenarios=40 training.dtype=float64 "
SMALL += "training.dev_scenarios=8 training.dev_periods=12 training.dev_warm_up=4"
RECIPES = {
    "one_warehouse": f"{SMALL} training.batch=10 training.relative=true",
    "any_one_warehouse": f"{SMALL} training.batch=12 training.networks=3 training.dev_networks=8",
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_processes_train_as_one(tmp_path, recipe):
    """The same global batches: after 20 steps the parameters agree to 1e-5."""
    settings = RECIPES[recipe].split()
    gi.train_recipe(gi.load_recipe(recipe, settings), RunFolder(tmp_path / "run1"))
    words = ["train", recipe, "-o", tmp_path / "run2", *(word for setting in settings for word in ("--set", setting))]
    run = processes(2, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert output.count("best dev cost") == 1, "the first process speaks alone"
    one, two = (load_policy(tmp_path / f"run{count}" / "policy.safetensors") for count in (1, 2))
    for (name, value), other in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(value, other, atol=1e-5), name
    lines = [RunFolder(tmp_path / f"run{count}").metrics() for count in (1, 2)]
    assert [line["train"] for line in lines[0]] == pytest.approx([line["train"] for line in lines[1]], rel=1e-5)
    assert [line["dev"] for line in lines[0]] == pytest.approx([line["dev"] for line in lines[1]], rel=1e-5)


def test_a_dead_process_ends_the_run_which_can_go_on(tmp_path):
    folder = tmp_path / "run"
    settings = [*SMALL.split(), "training.epochs=500"]
    words = ["one_warehouse", "-o", folder, *(word for setting in settings for word in ("--set", setting))]
    run = processes(2, "train", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 240
    try:
        while not (folder / "checkpoint.safetensors").exists():
            assert run.poll() is None, run.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        psutil.Process(run.pid).children()[-1].kill()
        _, errors = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode != 0
    assert "SIGKILL" in errors or "Signal 9" in errors
    done = RunFolder(folder).checkpoint()[1]["epoch"]

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(gi.load_recipe("one_warehouse", settings), RunFolder(folder), resume=True, on_epoch=stop)
    assert RunFolder(folder).checkpoint()[1]["epoch"] == done + 1
