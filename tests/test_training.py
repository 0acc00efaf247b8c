"""HDPO: it learns, it is reproducible, it resumes bit for bit, and it reports a gradient that is of no use."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.files import lock
from gnn_inventory.policies.base import Known
from gnn_inventory.policies.echelon import newsvendor_cost
from gnn_inventory.rollout import costs, periods
from gnn_inventory.topology.catalogue import catalogue
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.gradient import gradient, newsvendor_weights
from gnn_inventory.training.hdpo import Result, _checked_norm
from gnn_inventory.training.horizon import costs_within, reach
from gnn_inventory.training.judgement import judge
from gnn_inventory.training.machine import ROWS, Machine, Threads
from gnn_inventory.training.processes import ALONE
from gnn_inventory.training.run_folder import RunFolder, load_policy, save_policy
from gnn_inventory.training.train import prepared

RESTLESS = ["policy={name: base_stock}", "training.learning_rate=0.7", "training.schedule=constant"]
"""Levels that jump about: the best epoch is not the last."""
KILLED = """
import os, signal, sys
from itertools import count
import gnn_inventory as gi
from gnn_inventory.training.run_folder import RunFolder

last, recipe, folder, *settings = sys.argv[1:]
steps = count(1)
kill = lambda: next(steps) == int(last) and os.kill(os.getpid(), signal.SIGKILL)
gi.train_recipe(gi.load_recipe(recipe, settings), RunFolder(folder), on_step=kill)
"""
KILLED = [sys.executable, "-c", KILLED]
"""Trains, and kills itself after a step: `STEP RECIPE FOLDER SETTING...`."""


def files(folder):
    return {name: (folder / name).read_bytes() for name in ("policy.safetensors", "checkpoint.safetensors", "recipe.yaml")}


def without_seconds(folder):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in RunFolder(folder).metrics()]


def test_the_same_recipe_gives_the_same_bits(quick, tmp_path):
    for name in ("a", "b"):
        gi.train_recipe(gi.load_recipe(quick), RunFolder(tmp_path / name))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    other = gi.load_recipe(quick, ["training.seed=1"])
    gi.train_recipe(other, RunFolder(tmp_path / "c"))
    assert files(tmp_path / "a")["policy.safetensors"] != files(tmp_path / "c")["policy.safetensors"]


def test_killed_in_mid_epoch_and_resumed_gives_the_bits_of_an_uninterrupted_run(quick, tmp_path):
    """Five steps an epoch; the process kills itself after the 17th, in the fourth epoch."""
    settings = ["training.epochs=6", "training.scenarios=160", "training.average=0.9"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    assert subprocess.run([*KILLED, "17", quick, killed, *settings], env=environment).returncode == -signal.SIGKILL
    assert [line["epoch"] for line in RunFolder(killed).metrics()] == [1, 2, 3]
    recipe = gi.load_recipe(quick, settings)
    gi.train_recipe(recipe, RunFolder(killed), resume=True)
    gi.train_recipe(recipe, RunFolder(whole))
    assert files(killed) == files(whole)
    assert without_seconds(killed) == without_seconds(whole)


@pytest.mark.parametrize("more", ['{"epoch": 3, "dev": 0.0}\n', '{"epoch": 3, "de'])
def test_metrics_of_an_epoch_without_a_checkpoint_are_cut(more, quick, tmp_path):
    """A kill between the two leaves such a line, or half of it."""
    recipe = gi.load_recipe(quick)

    def stop(line):
        if line["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), on_epoch=stop)
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write(more)
    gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), resume=True)
    gi.train_recipe(recipe, RunFolder(tmp_path / "whole"))
    assert without_seconds(tmp_path / "parts") == without_seconds(tmp_path / "whole")


def test_the_best_weights_are_a_copy(quick, tmp_path):
    """With a rate that lets the levels jump about, the policy kept is the one of the best epoch."""
    recipe = gi.load_recipe(quick, [*RESTLESS, "training.epochs=20"])
    result = gi.train_recipe(recipe, RunFolder(tmp_path / "run"))
    dev = [line["dev"] for line in result.metrics]
    assert dev.index(min(dev)) < len(dev) - 1, "the last epoch is the best: this shows nothing"
    tensors, _ = RunFolder(tmp_path / "run").checkpoint()
    kept = load_policy(tmp_path / "run" / "policy.safetensors").state_dict()
    assert all(torch.equal(kept[name], tensors[f"best.{name}"]) for name in kept)
    assert any(not torch.equal(kept[name], tensors[f"policy.{name}"]) for name in kept)


def test_base_stock_finds_the_newsvendor_level():
    """Lead time 1, uniform costs: the level is the quantile p / (p + h) of demand over two periods (here N(10, 2 * 1))."""
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
    sizes = {
        "scenarios": 1024,
        "batch": 128,
        "periods": 20,
        "warm_up": 5,
        "dev_scenarios": 256,
        "dev_periods": 20,
        "dev_warm_up": 5,
    }
    result = gi.train(gi.BaseStock(), network, gi.Training(epochs=12, learning_rate=0.05, **sizes))
    level = float(result.policy.levels.detach()[gi.InventoryGraph.from_network(network).labels.index("store")]) * 5.0
    quantile = 1.2815515655446004  # of the standard normal distribution at 0.9
    assert level == pytest.approx(10 + quantile * 2**0.5, abs=0.1)


def test_a_short_training_beats_ordering_the_mean_demand():
    network = gi.one_warehouse()
    before = gi.evaluate(gi.MessagePassing(width=8), network, scenarios=64, periods=100, warm_up=60)
    settings = gi.Training(scenarios=192, batch=32, epochs=4, learning_rate=1e-2, dev_scenarios=32)
    after = gi.evaluate(gi.train(gi.MessagePassing(width=8), network, settings).policy, network, 64, 100, 60)
    assert after.cost_per_store < 6.5  # ordering up to the mean over the lead time costs about 7
    assert after.cost_per_store < before.cost_per_store


def test_a_dead_gradient_is_reported():
    """Nothing costs anything: nothing can be learned."""
    store = {"holding_cost": 0.0, "underage_cost": 0.0, "unmet_demand": "backlogged", "demand": {"poisson": {"mean": 4.0}}}
    with pytest.raises(TrainingError, match=r"gradient is dead.*does stock cost anything"):
        gi.train(gi.BaseStock(), gi.one_store(store=store), gi.Training(scenarios=8, batch=8, epochs=1, periods=8, warm_up=0))


def test_a_location_whose_orders_come_too_late_for_the_training_is_named():
    """Lead times 1 and 9: in 9 periods nothing that is ordered for the second store is sold."""
    network = gi.one_warehouse(stores=2, store_link={"lead_time": [1, 9]}, warehouse_link={"lead_time": 2})
    short = gi.Training(scenarios=8, batch=8, epochs=1, periods=9, warm_up=0)
    with pytest.raises(InputError, match=r"training\.periods: got 9; expected more than 9: what 'store_1' orders"):
        gi.train(gi.BaseStock(), network, short)
    gi.train(gi.BaseStock(), network, short.model_copy(update={"periods": 10}))


def test_a_gradient_that_dies_on_the_way_is_no_matter_of_the_periods():
    policy = gi.FullyConnected(width=2)
    policy.fit_to(gi.InventoryGraph.from_network(gi.one_store()))
    for value in policy.parameters():
        value.grad = torch.zeros_like(value)
    with pytest.raises(TrainingError, match=r"epoch 3: the gradient is dead.*\(try a smaller training\.learning_rate\)"):
        _checked_norm(policy, 1.0, gi.Training(), 2)


def test_an_exploding_gradient_is_reported():
    policy = gi.MessagePassing(width=8)
    with torch.no_grad():
        policy.order.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="gradient exploded"):
        gi.train(policy, gi.one_warehouse(), gi.Training(scenarios=8, batch=8, epochs=1))


def test_a_step_whose_gradient_is_not_finite_is_left_out_and_said(monkeypatch):
    """Two of forty steps may be: the weights are then those of the others; with a third the training ends."""
    real, calls = gradient, []

    def poisoned(policy, *args, **kwargs):
        calls.append(1)
        step = real(policy, *args, **kwargs)
        if len(calls) in bad:
            next(policy.parameters()).grad.fill_(float("nan"))
        return step

    monkeypatch.setattr("gnn_inventory.training.hdpo.gradient", poisoned)
    settings = gi.Training(scenarios=40, batch=1, epochs=1, periods=12, warm_up=4, dev_scenarios=4, dev_periods=12, dev_warm_up=4)
    bad = [3, 20]
    result = gi.train(gi.MessagePassing(width=4), gi.one_warehouse(stores=2), settings)
    assert result.metrics[0]["skipped_steps"] == 2
    assert all(bool(value.isfinite().all()) for value in result.policy.parameters())
    calls.clear()
    bad = [3, 20, 21]
    with pytest.raises(TrainingError, match=r"epoch 1: the gradient exploded"):
        gi.train(gi.MessagePassing(width=4), gi.one_warehouse(stores=2), settings)
    assert len(calls) == 21


def test_early_stopping_ends_before_the_last_epoch(quick, tmp_path):
    changes = [*RESTLESS, "training.epochs=50", "training.early_stopping=2"]
    result = gi.train_recipe(gi.load_recipe(quick, changes), RunFolder(tmp_path / "run"))
    dev = [line["dev"] for line in result.metrics]
    assert len(dev) == dev.index(min(dev)) + 1 + 2


@pytest.mark.parametrize("name", sorted(catalogue("training")))
def test_every_recipe_of_the_catalogue_runs(name, tiny, tmp_path):
    assert len(gi.train_recipe(tiny(name), RunFolder(tmp_path / "run")).metrics) == 1


def test_a_dev_cost_out_of_all_bounds_is_reported():
    settings = gi.Training(scenarios=64, batch=64, epochs=3, learning_rate=1e30, dev_scenarios=8)
    with pytest.raises(TrainingError, match=r"dev cost is (nan|inf).*smaller training.learning_rate|exploded"):
        gi.train(gi.MessagePassing(width=8), gi.one_warehouse(), settings)


@pytest.mark.parametrize("relative", [False, True])
def test_train_and_dev_costs_have_one_unit(relative):
    """The cost that a step reports is what the same scenarios cost on dev."""
    network = gi.one_store()
    network.nodes["store"]["underage_cost"] = {"per_scenario": {"log_uniform": [4, 40]}}
    source = SyntheticDemand(parse_network(network), 0, "train")
    batch, policy = Batch(source.graph, source.sample(0, 64, 20)), gi.MessagePassing(width=4)
    one = Machine(torch.device("cpu"), Threads(1), ALONE)
    step = gradient(policy, batch, one, gi.Training(relative=relative), warm_up=5)
    weights = newsvendor_weights(batch.graph, batch.scenarios, 1.0, ALONE) if relative else 1.0
    assert step.train == pytest.approx(judge(policy, batch, 5, weights).cost, rel=1e-5)


def test_relative_weights_are_the_inverse_of_the_newsvendor_cost():
    """Two kinds of scenarios, the second with all costs ten times as high: they count alike, and the weights' mean is 1."""
    network = gi.one_store()
    network.nodes["store"]["underage_cost"] = {"per_scenario": {"log_uniform": [4, 40]}}
    source = SyntheticDemand(parse_network(network), 0, "train")
    scenarios = source.sample(0, 64, 5)
    weights = newsvendor_weights(source.graph, scenarios, 1.0, ALONE)
    sizes = newsvendor_cost(source.graph, Known.of(source.graph, scenarios))
    assert float(weights.mean()) == pytest.approx(1.0)
    products = weights * sizes
    torch.testing.assert_close(products, products[0].expand(64))
    assert float(sizes.max() / sizes.min()) > 1.5
    shared = SyntheticDemand(parse_network(gi.one_store()), 0, "train")
    assert newsvendor_weights(shared.graph, shared.sample(0, 4, 5), 1.0, ALONE).tolist() == [1.0] * 4


def test_a_scenario_that_costs_next_to_nothing_does_not_count_alone():
    """Newsvendor costs c, c, c and next to 0: the last counts as 0.01 x 3/4 c, 133.3 times each other; the mean is 1."""
    source = SyntheticDemand(parse_network(gi.one_store()), 0, "train")
    scenarios, size = source.sample(0, 4, 5), torch.tensor([1.0, 1.0, 1.0, 1e-6])
    money = {name: getattr(scenarios.parameters, name) * size.unsqueeze(-1) for name in ("holding_cost", "underage_cost")}
    scenarios = replace(scenarios, parameters=replace(scenarios.parameters, **money))
    weights = newsvendor_weights(source.graph, scenarios, 1.0, ALONE)
    assert weights.tolist() == pytest.approx([4 / 136.333] * 3 + [4 * 133.333 / 136.333], rel=1e-4)


def test_dev_costs_build_no_graph_of_gradients_on_any_thread():
    seen = []

    class Watched(gi.MessagePassing):
        def start(self, graph, known):
            seen.append(torch.is_grad_enabled())
            return super().start(graph, known)

    source = SyntheticDemand(parse_network(gi.one_store()), 0, "dev")
    two = Machine(torch.device("cpu"), Threads(2), ALONE)
    judge(Watched(width=4), Batch(source.graph, source.sample(0, ROWS, 6)), 2, machine=two)
    assert len(seen) > 1
    assert not any(seen)


def test_a_random_start_needs_a_panel():
    with pytest.raises(InputError, match=r"training\.random_start: got True; expected it with a panel"):
        gi.train(gi.BaseStock(), gi.one_store(), gi.Training(random_start=True))


def test_the_time_that_a_machine_slept_is_no_time_of_the_training():
    slept = Result(gi.BaseStock(), 1.0, [{"seconds": 2.0}, {"seconds": 3.0}, {"seconds": 1000.0}])
    assert slept.seconds == 9.0


def test_settings_in_which_nothing_counts_are_refused():
    for wrong in ({"dev_periods": 40}, {"periods": 12}):
        with pytest.raises(ValueError, match="expected less than"):
            gi.Training(**wrong)


def test_the_gradient_is_clipped(quick, tmp_path):
    """Plain gradient descent moves the weights by no more than rate times the largest norm allowed."""
    changes = ["training.optimiser=sgd", "training.schedule=constant", "training.epochs=1", "training.batch=64"]
    changes += ["training.gradient_clip=0.01", "training.learning_rate=1.0"]
    gi.train_recipe(gi.load_recipe(quick, changes), RunFolder(tmp_path / "run"))
    tensors, _ = RunFolder(tmp_path / "run").checkpoint()
    before = gi.MessagePassing(width=8, rounds=1, slots=3).state_dict()
    moved = sum(float((tensors[f"policy.{name}"] - value).square().sum()) for name, value in before.items()) ** 0.5
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_levels_set_by_hand_are_gone_on_from():
    policy = gi.BaseStock()
    policy.set_levels(gi.InventoryGraph.from_network(gi.one_store()), {"store": 31.0})
    settings = gi.Training(scenarios=8, batch=8, epochs=1, learning_rate=1e-9, dev_scenarios=4)
    after = gi.train(policy, gi.one_store(), settings).policy
    assert torch.allclose(after.levels, policy.levels, atol=1e-6)


def test_a_checkpoint_from_another_run_is_refused(quick, tmp_path):
    for name, changes in (("one", []), ("other", ["network.stores=4"])):
        gi.train_recipe(gi.load_recipe(quick, changes), RunFolder(tmp_path / name))
    (tmp_path / "one" / "checkpoint.safetensors").write_bytes((tmp_path / "other" / "checkpoint.safetensors").read_bytes())
    with pytest.raises(InputError, match="is of another recipe"):
        gi.train_recipe(gi.load_recipe(quick), RunFolder(tmp_path / "one"), resume=True)


def test_another_device_is_no_other_recipe(quick, tmp_path):
    gi.train_recipe(gi.load_recipe(quick), RunFolder(tmp_path / "run"))
    resumed = gi.train_recipe(gi.load_recipe(quick, ["training.device=cpu"]), RunFolder(tmp_path / "run"), resume=True)
    assert len(resumed.metrics) == 3


def test_a_lost_policy_file_comes_back_from_the_checkpoint(quick, tmp_path):
    folder = RunFolder(tmp_path / "run")
    gi.train_recipe(gi.load_recipe(quick), folder)
    before = folder.policy_file.read_bytes()
    folder.policy_file.unlink()
    gi.train_recipe(gi.load_recipe(quick), folder, resume=True)
    assert folder.policy_file.read_bytes() == before


def test_whole_policies_come_back_from_their_files(tmp_path):
    for policy in (gi.MessagePassing(width=8), gi.FullyConnected(width=8), gi.BaseStock(), gi.EchelonBaseStock()):
        result = gi.train(policy, gi.one_warehouse(), gi.Training(scenarios=8, batch=8, epochs=1, dev_scenarios=4))
        save_policy(result.policy, tmp_path / "policy.safetensors")
        loaded = gi.load_policy(tmp_path / "policy.safetensors")
        numbers = [gi.evaluate(p, gi.one_warehouse(), scenarios=8, periods=20, warm_up=5).cost for p in (result.policy, loaded)]
        assert numbers[0] == numbers[1]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "muon"])  # adam: test_estimators
def test_every_optimiser_trains_and_resumes(optimiser, quick, tmp_path):
    """Stopped after the first of two epochs and resumed, it ends where two epochs at once end."""
    recipe = gi.load_recipe(quick, [f"training.optimiser={optimiser}", "training.epochs=2"])
    whole = gi.train_recipe(recipe, RunFolder(tmp_path / "whole"))

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), on_epoch=stop)
    parts = gi.train_recipe(recipe, RunFolder(tmp_path / "parts"), resume=True)
    assert [line["dev"] for line in parts.metrics] == [line["dev"] for line in whole.metrics]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_unit_bought_too_late_for_any_customer_is_not_held_against_the_policy():
    """Lead times 3 and 2 or 1: what is ordered from the supplier in the last 4 of 12 periods can be with nobody, 7 + 4 = 11 can; what lies
    in the warehouse in the last period cannot, 10 + 1 = 11 can.
    """
    network = gi.one_warehouse(stores=2)
    network.edges["supplier", "warehouse"].update(lead_time=3, unit_cost=2.0)
    for store, lead_time in (("store_0", 2), ("store_1", 1)):
        network.edges["warehouse", store].update(lead_time=lead_time)
    source = SyntheticDemand(parse_network(network), 1, "train")
    graph, scenarios = source.graph, source.sample(0, 4, 12)
    policy = gi.MessagePassing(width=8)
    bought = graph.link_names.index("supplier -> warehouse")
    assert reach(graph, scenarios.parameters.lead_time)[0].tolist() == [4.0, 2.0, 1.0]
    seen = costs_within(policy, graph, scenarios)
    cost, counted = seen.cost, seen.minimised
    run = list(periods(policy, graph, scenarios))
    orders = torch.stack([period.orders[:, bought] for period in run], dim=1)
    place = graph.labels.index("warehouse")
    held = scenarios.parameters.holding_cost[0, place] * run[-1].outcome.left[:, place]
    assert bool((held > 0).any())
    late = 2.0 * orders[:, 8:]
    late[:, -1] += held
    assert torch.equal(cost, costs(policy, graph, scenarios))
    torch.testing.assert_close((cost - counted)[:, :8], torch.zeros(4, 8))
    torch.testing.assert_close((cost - counted)[:, 8:], late)
    assert bool((orders[:, 8:] > 0).all())


@pytest.mark.parametrize("whole", [False, True])
def test_the_best_epoch_is_chosen_with_the_rounding_of_the_recipe(quick, tmp_path, whole):
    """The dev cost of the kept policy, measured anew."""
    recipe = gi.load_recipe(quick, [f"evaluation.whole_units={whole}", "training.epochs=1"])
    result = gi.train_recipe(recipe, RunFolder(tmp_path / "run"))
    dev = SyntheticDemand(recipe.network, recipe.training.seed, "dev")
    with torch.no_grad():
        found = costs(result.policy, dev.graph, dev.sample(0, 16, 12), whole)[:, 4:].mean() / dev.graph.demand_locations
    assert result.dev_cost == pytest.approx(float(found), rel=1e-6)


def test_the_mean_of_the_weights_is_what_is_kept(quick, tmp_path):
    """Three epochs of one step each: the mean w1 (1 - d1) + ..., by hand from the weights of runs that end earlier."""
    fixed = ["training.scenarios=32", "training.schedule=constant", "training.learning_rate=0.01"]

    def run(epochs, average):
        folder = RunFolder(tmp_path / f"{epochs}-{average}")
        gi.train_recipe(gi.load_recipe(quick, [*fixed, f"training.epochs={epochs}", f"training.average={average}"]), folder)
        return folder.checkpoint()[0]

    plain = [run(epochs, 0)["policy.order.weight"] for epochs in (1, 2, 3)]
    found = run(3, 0.15)
    torch.testing.assert_close(found["policy.order.weight"], plain[2])
    mean = gi.MessagePassing(width=8, rounds=1, slots=3, seed=0).order.weight.detach()
    for decay, value in zip((1 / 11, 0.15, 0.15), plain, strict=True):
        mean = decay * mean + (1 - decay) * value
    torch.testing.assert_close(found["kept.order.weight"], mean)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_training_starts_from_weights_of_either_precision(dtype, quick, tmp_path):
    first = gi.load_recipe(quick, ["training.dtype=float64", "training.epochs=1"])
    gi.train_recipe(first, RunFolder(tmp_path / "first"))
    start = f"start={tmp_path / 'first' / 'policy.safetensors'}"
    result = gi.train_recipe(
        gi.load_recipe(quick, [start, f"training.dtype={dtype}", "training.epochs=1"]), RunFolder(tmp_path / "more")
    )
    assert next(result.policy.parameters()).dtype == getattr(torch, dtype)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_what_training_gives_is_ready_for_use(average, quick, tmp_path):
    """In training mode a (s, S) policy smooths its decision to order."""
    recipe = gi.load_recipe(quick, ["policy={name: reorder_point}", f"training.average={average}", "training.epochs=1"])
    assert not gi.train_recipe(recipe, RunFolder(tmp_path / "run")).policy.training
    assert not load_policy(tmp_path / "run" / "policy.safetensors").training


def test_simulated_periods_count_every_network(tmp_path):
    """3 networks of 4 scenarios over 12 periods, in each of 2 steps."""
    settings = "policy.width=4 training.periods=12 training.warm_up=4 training.epochs=1 training.scenarios=24 training.batch=12 "
    settings += (
        "training.networks=3 training.dev_networks=3 training.dev_scenarios=3 training.dev_periods=12 training.dev_warm_up=4"
    )
    result = gi.train_recipe(gi.load_recipe("any_one_warehouse", settings.split()), RunFolder(tmp_path / "run"))
    assert result.metrics[0]["simulated_periods"] == 2 * 3 * 4 * 12


def test_batches_are_of_even_size():
    data = prepared(gi.load_recipe("one_warehouse", ["training.scenarios=10", "training.batch=3", "training.dev_scenarios=2"]))[1]
    sizes = [len(batch.scenarios) for batch in data.batches(gi.Training(scenarios=10, batch=3), 0)]
    assert sorted(sizes) == [2, 2, 3, 3]


def test_a_run_that_another_process_trains_is_left_alone(quick, tmp_path):
    folder, recipe = RunFolder(tmp_path / "run"), gi.load_recipe(quick, ["training.epochs=1"])
    gi.train_recipe(recipe, folder)
    before = files(folder.path)
    with lock(folder.recipe_file), pytest.raises(UsageError, match="another process is training it; wait for that"):
        gi.train_recipe(recipe, folder, resume=True)
    assert files(folder.path) == before
    gi.train_recipe(recipe, folder, resume=True)
