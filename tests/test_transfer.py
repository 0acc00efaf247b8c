"""Transfer: what is measured, what lies beyond the training, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
import torch
import yaml

import gnn_inventory as gi
from gnn_inventory.benchmark import transfer
from gnn_inventory.benchmark.targets import evaluation_of, native_recipes, targets_of
from gnn_inventory.benchmark.transfer import AS_IT_IS, ITSELF, Transfer, _finetuning, run_transfer, write_transfer
from gnn_inventory.cli import app
from gnn_inventory.demand.scenarios import STREAMS
from gnn_inventory.errors import InputError, TrainingError, UsageError
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.catalogue import build_network
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.coverage import Coverage, longest_way, sizes_of
from gnn_inventory.training.data import training_networks
from gnn_inventory.training.recipe import load_recipe, recipe_of, scenario_source
from gnn_inventory.training.run_folder import RunFolder, save_policy
from gnn_inventory.training.settings import Evaluation, Training
from gnn_inventory.training.train import prepared
from tests.test_cli import panel_recipe
from tests.test_many_networks import ONE_WAREHOUSE, TRAINING

ASKED = Evaluation(scenarios=8, periods=12, warm_up=4)


def recipe(networks, name="trained", **changes):
    policy = {"name": "message_passing", "width": 8, "slots": 3}
    return recipe_of({"networks": networks, "policy": policy, "training": {**TRAINING, **changes}}, name, "trained.yaml")


@pytest.fixture(autouse=True)
def few_networks(monkeypatch):
    """By few it is known what a distribution covers: these are drawn for every call, and small ones vary little."""
    monkeypatch.setattr("gnn_inventory.training.coverage.DRAWN", 24)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("trained") / "run")
    gi.train_recipe(recipe({"w": ONE_WAREHOUSE}), folder)
    return folder.path


@pytest.fixture
def run(trained_once, tmp_path):
    """A run folder, to be changed at will."""
    return shutil.copytree(trained_once, tmp_path / "run")


@pytest.fixture
def native(tmp_path):
    file = tmp_path / "native.yaml"
    file.write_text(
        "network: one_warehouse\npolicy: {name: echelon_base_stock}\n"
        "training: {scenarios: 8, batch: 8, periods: 12, warm_up: 4, epochs: 1, dev_scenarios: 4, dev_periods: 12, dev_warm_up: 4}\n"
    )
    return str(file)


def test_a_transfer_measures_every_policy_on_every_network_and_is_gone_on_with(run, native, tmp_path):
    asked = Transfer([run], ["one_warehouse", "one_warehouse stores=7"], 1, [native], ASKED)
    seen = []
    outcomes = run_transfer(asked, tmp_path / "out", lambda *call: seen.append(call[0]))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert [(o["problem"], o["trained"], o["policy"]) for o in outcomes] == [
        (target, *how) for target in asked.targets for how in (("run", AS_IT_IS), ("run", "after 1 epochs"), (ITSELF, "native"))
    ]
    expected = gi.evaluate(RunFolder(run).policy(), gi.one_warehouse(stores=7), scenarios=8, periods=12, warm_up=4)
    assert outcomes[3]["cost"] == pytest.approx(expected.cost, rel=1e-6)
    assert run_transfer(asked, tmp_path / "out", lambda *call: pytest.fail("nothing is left to do")) == outcomes
    rows = write_transfer(outcomes, tmp_path / "out")
    for target in asked.targets:  # the gap is over the lowest cost of the same network, which has none
        assert min(row["gap %"] for row in rows if row["network"] == target) == 0.0
    written = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert written == {"transfer.json", "table.csv", "table.md", "table.json", "sizes.svg", "matrix.svg"}


def test_runs_networks_and_recipes_are_added_to_what_is_there(run, native, tmp_path):
    other = RunFolder(tmp_path / "other")
    gi.train_recipe(recipe({"w": ONE_WAREHOUSE}, "other"), other)
    first = run_transfer(Transfer([run], ["one_warehouse"], 0, [], ASKED), tmp_path / "out")
    more = Transfer([run, other.path], ["one_warehouse", "tree"], 1, [native], ASKED)
    done = []
    outcomes = run_transfer(more, tmp_path / "out", lambda number, count, name: done.append(number))
    assert done == [2, 3, 4, 5, 6, 7, 8, 9, 10]  # all but the first, which is there
    assert outcomes[0] == first[0]
    assert run_transfer(Transfer([run], ["one_warehouse"], 0, [], ASKED), tmp_path / "out") == first
    with pytest.raises(UsageError, match="holds results of another transfer \\(other evaluation\\)"):
        run_transfer(Transfer([run], ["one_warehouse"], 0, [], ASKED.model_copy(update={"seed": 5})), tmp_path / "out")
    save_policy(gi.MessagePassing(width=8, slots=3, seed=5), other.policy_file)  # what was asked for in between is not forgotten
    with pytest.raises(UsageError, match="another transfer \\(other weights of other\\)"):
        run_transfer(more, tmp_path / "out")


def test_results_of_other_weights_or_another_network_are_not_shown_as_these(run, tmp_path):
    file = tmp_path / "mine.yaml"
    gi.save_network(gi.one_warehouse(stores=3), file)
    asked = Transfer([run], [str(file)], 0, [], ASKED)
    run_transfer(asked, tmp_path / "out")
    file.write_text(file.read_text().replace("holding_cost: 0.3", "holding_cost: 0.4"))
    with pytest.raises(UsageError, match=r"another transfer \(other networks of .*mine\.yaml\); name another folder"):
        run_transfer(asked, tmp_path / "out")
    file.write_text(file.read_text().replace("holding_cost: 0.4", "holding_cost: 0.3"))
    run_transfer(asked, tmp_path / "out")
    save_policy(gi.MessagePassing(width=8, slots=3, seed=5), run / "policy.safetensors")
    with pytest.raises(UsageError, match=r"another transfer \(other weights of run\)"):
        run_transfer(asked, tmp_path / "out")
    (tmp_path / "out" / "transfer.json").write_text("{")
    with pytest.raises(InputError, match=r"transfer\.json: damaged"):
        run_transfer(asked, tmp_path / "out")


def test_what_would_have_one_name_in_the_folder_is_refused(run, tmp_path):
    other = tmp_path / "b run"
    shutil.copytree(run, other)
    targets = ["one_warehouse name=a", "one_warehouse name='a b'"]
    with pytest.raises(UsageError, match="'b run' on 'a' and 'run' on 'a b' have one name in the folder"):
        run_transfer(Transfer([run, other], targets, 0, [], ASKED), tmp_path / "out")
    run_transfer(Transfer([other], targets[:1], 0, [], ASKED), tmp_path / "out")
    with pytest.raises(UsageError, match="'run' on 'a b' and 'b run' on 'a' have one name in the folder"):
        run_transfer(Transfer([run], targets[1:], 0, [], ASKED), tmp_path / "out")


def test_periods_without_their_warm_up_write_nothing(run, tmp_path):
    asked = Transfer([run], ["one_warehouse"], 0, [], ASKED.model_copy(update={"periods": 4}))
    with pytest.raises(UsageError, match="transfer: got 4 periods, warm-up 4; expected more periods than warm-up"):
        run_transfer(asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_has_a_name_in_the_table_and_a_file_whatever_its_length(run, tmp_path):
    many = "one_warehouse store.underage_cost=" + "[" + ",".join(["9.000000"] * 40) + "] stores=40"
    outcomes = run_transfer(Transfer([run], [f"{many} name=large", many], 0, [], ASKED), tmp_path / "out")
    assert [outcome["problem"] for outcome in outcomes] == ["large", many]
    assert outcomes[0]["cost"] == outcomes[1]["cost"]
    for runs, targets in (([run], ["one_warehouse", "one_warehouse"]), ([run, run], ["one_warehouse"])):
        with pytest.raises(UsageError, match="stands twice, and tables are by name"):
            run_transfer(Transfer(runs, targets, 0, [], ASKED), tmp_path / "other")


def test_fine_tuning_starts_from_the_weights_of_the_run(run, tmp_path):
    run_transfer(Transfer([run], ["one_warehouse"], 2, [], ASKED), tmp_path / "out")
    (folder,) = (tmp_path / "out" / "runs").iterdir()
    tuned = RunFolder(folder).recipe()
    policy, data = prepared(tuned)
    for name, value in RunFolder(run).policy().state_dict().items():
        assert torch.equal(policy.state_dict()[name], value)
    assert data.dev.graph.labels == sorted(gi.one_warehouse().nodes)
    assert tuned.start == (run / "policy.safetensors").absolute()
    assert tuned.training.epochs == 2
    assert tuned.network.name == "one_warehouse"


def test_runs_that_are_tested_on_other_sales_or_in_another_way_are_not_put_beside_each_other(tmp_path):
    file = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    panels = [tmp_path / name for name in ("early", "late")]
    for folder, items in zip(panels, ([0, 3], [3, 6]), strict=True):
        gi.train_recipe(load_recipe(file, [f"demand.items={items}", f"evaluation.seed={items[0]}"]), RunFolder(folder))
    network = tmp_path / "two.yaml"
    network.write_text(yaml.safe_dump(yaml.safe_load(file.read_text())["network"]))
    with pytest.raises(InputError, match=r"early and .*late state another 'demand'"):
        run_transfer(Transfer(panels, [str(network)], 0, [], ASKED), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    same = ["demand.items=[0, 6]"]
    outcomes = run_transfer(Transfer(panels, [str(network)], 0, [], ASKED, same), tmp_path / "out")
    assert [outcome["scenarios"] for outcome in outcomes] == [6, 6]
    with pytest.raises(InputError, match=r"early and .*late state another 'evaluation'"):
        evaluation_of(panels, same, {})
    assert evaluation_of(panels, [*same, "evaluation.seed=7"], {"periods": 600}).seed == 7


def test_a_policy_trained_on_stated_demand_goes_to_a_panel_of_sales(run, tmp_path):
    file = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    stated = yaml.safe_load(file.read_text())
    network = tmp_path / "two.yaml"
    network.write_text(yaml.safe_dump(stated["network"]))
    asked = Transfer([run], [str(network)], 0, [], ASKED)
    with pytest.raises(InputError, match=r"name it .*--set demand\.panel=FILE \(and demand\.windows where the recipe has none\)"):
        run_transfer(asked, tmp_path / "out")
    sales = [f"demand.panel={stated['demand']['panel']}"]
    with pytest.raises(InputError, match=r"run: demand: windows\.train: missing"):
        run_transfer(replace(asked, settings=sales), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    sales += [f"demand.windows.{name}={value}" for name, value in stated["demand"]["windows"].items()]
    (outcome,) = run_transfer(replace(asked, settings=sales), tmp_path / "out")
    source = scenario_source(load_recipe(file), "test", 0)
    found = evaluate_on(RunFolder(run).policy(), load_recipe(file).network, source, 6, source.periods, 5)
    assert (outcome["cost"], outcome["periods"]) == (pytest.approx(found.cost, rel=1e-6), source.periods)
    assert "panel demand, never seen" in outcome["beyond"]


def test_targets_as_they_are_written(tmp_path):
    spaced = "one_warehouse stores=2 store.holding_cost=[1.0, 1.5] name=two"
    (name, mapping), (other, _) = targets_of([spaced, "one_warehouse stores=3"])
    assert (name, mapping["store"]["holding_cost"], other) == ("two", [1.0, 1.5], "one_warehouse stores=3")
    hyphened = tmp_path / "two.yaml"
    hyphened.write_text("nodes: {s: {kind: supplier}, store-1: {holding_cost: 1.0}}\nlinks: []\n")
    with pytest.raises(InputError, match=r"holding_cost: got -2"):
        targets_of([f"{hyphened} nodes.store-1.holding_cost=-2"])
    with pytest.raises(InputError) as error:
        targets_of(["one_warehouse stores=0", "one_warehouse", "serial store.holding_cost=-1", "serial name="])
    first, second, third = error.value.problems
    assert "stores: got 0; expected an integer >= 1" in first
    assert "holding_cost: got -1" in second
    assert third == "--to 'serial name=': name: got None; expected what the table is to call the network"
    with pytest.raises(
        InputError, match=r"^--to 'serial echelon\.s=3': echelon\.s=3: unknown key 'echelon'; did you mean 'echelons'\?"
    ):
        targets_of(["serial echelon.s=3"])


def test_native_recipes_as_they_are_written(native):
    longer, plain, other = native_recipes(
        [f"{native} training.epochs=3 policy={{name: base_stock}} name=longer", native, f"{native} training.seed=1"]
    )
    assert (longer.name, longer.training.epochs, longer.policy["name"]) == ("longer", 3, "base_stock")
    assert (plain.name, plain.training.epochs, plain.policy["name"]) == ("native", 1, "echelon_base_stock")
    assert (other.name, other.training.seed) == (f"{native} training.seed=1", 1)
    with pytest.raises(InputError) as error:
        native_recipes([f"{native} trainin.epochs=3", native, f"{native} training.epochs=-1", f"{native} name=", ""])
    first, second, third, fourth = error.value.problems
    assert (
        first
        == f"--native '{native} trainin.epochs=3': trainin.epochs=3: unknown key 'trainin'; did you mean 'training'? one of: demand, evaluation, network, policy, training"
    )
    assert "training.epochs: got -1" in second
    assert third == f"--native '{native} name=': name: got None; expected what the table is to call the recipe"
    assert fourth == "--native: got no name; expected a recipe of the catalogue, or its file"


def test_a_recipe_trained_with_other_settings_is_a_line_of_its_own(run, native, tmp_path):
    asked = Transfer([run], ["one_warehouse"], 0, [native, f"{native} training.seed=1 name=other seed"], ASKED)
    _, first, second = run_transfer(asked, tmp_path / "out")
    assert [(outcome["policy"], outcome["seed"]) for outcome in (first, second)] == [("native", 0), ("other seed", 1)]
    trained = sorted(RunFolder(path).recipe().training.seed for path in (tmp_path / "out" / "runs").iterdir())
    assert trained == [0, 1]
    with pytest.raises(UsageError, match=r"transfer: 'native' stands twice, .*; a recipe gets a name by 'RECIPE name=\.\.\.'"):
        run_transfer(Transfer([run], ["one_warehouse"], 0, [native, native], ASKED), tmp_path / "out")


def test_what_sees_the_future_stands_beside_the_others_untrained(run, native, tmp_path):
    oracle = f"{native} policy={{name: just_in_time}} name=just in time"
    asked = Transfer([run], ["one_warehouse", "one_store_lost"], 0, [oracle], ASKED)
    _, first, _, second = run_transfer(asked, tmp_path / "out")
    assert (first["policy"], first["admissible"], first["training_seconds"]) == ("just in time", False, 0)
    assert not any((tmp_path / "out" / "runs").iterdir()), "nothing is trained"
    for outcome in (first, second):
        other = gi.evaluate(gi.JustInTime(), gi.load_network(outcome["problem"]), ASKED.scenarios, ASKED.periods, ASKED.warm_up)
        assert outcome["cost"] == pytest.approx(other.cost)
    rows = write_transfer(run_transfer(asked, tmp_path / "out"), tmp_path / "out")
    assert rows[0]["over"] != "best known", "what sees the future is no rival"
    with pytest.raises(InputError, match="just in time on one_store_backlogged: policy just_in_time: got backlogged demand"):
        run_transfer(Transfer([run], ["one_store_backlogged"], 0, [oracle], ASKED), tmp_path / "other")
    with pytest.raises(InputError, match="policy: got window; expected the name of just_in_time alone: it has no settings"):
        native_recipes([f"{native} policy={{name: just_in_time, window: 3}}"])


def test_a_training_that_cannot_go_on_is_named_and_the_others_go_on(run, native, tmp_path, monkeypatch):
    def train(part, results, evaluation):
        if part.trained == ITSELF and part.target == "first":
            raise TrainingError("training: epoch 1: the gradient is dead")
        return measured(part, results, evaluation)

    measured = transfer._measured
    monkeypatch.setattr("gnn_inventory.benchmark.transfer._measured", train)
    asked = Transfer([run], ["one_warehouse name=first", "one_warehouse name=second"], 0, [native], ASKED)
    failures = []
    outcomes = run_transfer(asked, tmp_path / "out", on_failure=failures.append)
    assert failures == ["native on first: training: epoch 1: the gradient is dead"]
    assert [(outcome["problem"], outcome["trained"]) for outcome in outcomes] == [
        ("first", "run"),
        ("second", "run"),
        ("second", ITSELF),
    ]
    with pytest.raises(TrainingError, match="native on first: training: epoch 1"):
        run_transfer(asked, tmp_path / "out")


def test_a_place_that_could_not_be_measured_is_left_empty(run, tmp_path, monkeypatch):
    def failing(part, results, evaluation):
        if (part.target, part.trained) == ("second", "other"):
            raise TrainingError("costs nan: the policy has left all bounds; train it anew")
        return measured(part, results, evaluation)

    measured = transfer._measured
    monkeypatch.setattr("gnn_inventory.benchmark.transfer._measured", failing)
    other = shutil.copytree(run, tmp_path / "other")
    asked = Transfer([run, other], ["one_warehouse name=first", "one_warehouse stores=4 name=second"], 0, [], ASKED)
    failures = []
    outcomes = run_transfer(asked, tmp_path / "out", on_failure=failures.append)
    assert failures == ["other on second: costs nan: the policy has left all bounds; train it anew"]
    rows = write_transfer(outcomes, tmp_path / "out")
    assert [(row["network"], row["trained on"]) for row in rows] == [("first", "run"), ("first", "other"), ("second", "run")]
    assert (tmp_path / "out" / "matrix.svg").stat().st_size > 0


def test_natives_of_other_weeks_are_not_shown_as_these(tmp_path):
    """A native learns from, and is tested on, the sales of the first run, which are no part of its own recipe."""
    file = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 70), generator=torch.Generator().manual_seed(0)).float())
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(yaml.safe_load(file.read_text())["network"]))
    runs = [tmp_path / name for name in ("early", "late")]
    for folder, test in zip(runs, ([35, 60], [45, 70]), strict=True):
        gi.train_recipe(load_recipe(file, [f"demand.windows.test={test}"]), RunFolder(folder))
    early, late = (
        Transfer([run], [str(tmp_path / "network.yaml")], 0, ["specialist_base_stock training.epochs=1"], ASKED) for run in runs
    )
    run_transfer(early, tmp_path / "out")
    with pytest.raises(UsageError, match="was measured there on other sales; name another folder"):
        run_transfer(late, tmp_path / "out")


def test_natives_that_started_from_other_weights_are_not_shown_as_these(run, native, tmp_path):
    start = tmp_path / "start.safetensors"
    content = yaml.safe_load(Path(native).read_text())
    content |= {"policy": {"name": "message_passing", "width": 8, "slots": 3}, "start": str(start)}
    Path(native).write_text(yaml.safe_dump(content))
    asked = Transfer([run], ["one_warehouse"], 0, [native], ASKED)
    save_policy(gi.MessagePassing(width=8, slots=3, seed=0), start)
    outcomes = run_transfer(asked, tmp_path / "out")
    assert run_transfer(asked, tmp_path / "out") == outcomes
    save_policy(gi.MessagePassing(width=8, slots=3, seed=1), start)
    with pytest.raises(UsageError, match=r"another transfer \(other weights of the start of native\); name another folder"):
        run_transfer(asked, tmp_path / "out")


def test_every_target_that_does_not_fit_is_named_before_anything_is_written(run, native, tmp_path):
    far = "one_warehouse warehouse_link.lead_time=9"
    farther = "one_warehouse warehouse_link.lead_time=10"
    with pytest.raises(InputError) as error:
        run_transfer(Transfer([run], [far, "one_warehouse", farther], 0, [], ASKED), tmp_path / "out")
    first, second = error.value.problems
    assert first.startswith(f"run on {far}: policy message_passing: got a lead time of 9; its weights accept at most 4")
    assert second.startswith(f"run on {farther}: policy message_passing: got a lead time of 10")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"native on many_warehouses: policy echelon_base_stock: .*several sources"):
        run_transfer(Transfer([], ["many_warehouses"], 0, [native], ASKED), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match=r"one_warehous: no such file"):
        run_transfer(Transfer([run], ["one_warehous"], 0, [], ASKED), tmp_path / "out")
    with pytest.raises(UsageError, match=r"is not a run folder"):
        run_transfer(Transfer([tmp_path], ["one_warehouse"], 0, [], ASKED), tmp_path / "out")


def test_what_lies_beyond_the_training_is_said():
    """Trained on 2 to 4 stores, lead times 1 to 4, lost demand; held against networks that differ in one thing each."""
    trained = Coverage.of_recipe(recipe({"w": ONE_WAREHOUSE}, epochs=3))
    assert trained.ranges["stores"] == (2, 4)
    assert trained.ranges["lead time"] == (1, 4)

    def beyond(change, stores=3):
        network = gi.one_warehouse(stores=stores)
        del network.graph["demand"]  # the correlation, which the training has not
        change(network)
        return trained.beyond(network)

    assert beyond(lambda network: None) == []
    assert beyond(lambda network: network.edges["warehouse", "store_0"].update(lead_time=6)) == [
        "lead times from a supplier on 9, trained on 2 to 7",
        "lead time 2 to 6, trained on 1 to 4",
    ]
    assert beyond(lambda network: network.nodes["store_0"].update(unmet_demand="backlogged")) == ["backlogged demand, never seen"]
    assert beyond(lambda network: network.edges["supplier", "warehouse"].update(unit_cost=1.0)) == ["unit costs, never seen"]
    assert beyond(lambda network: network.nodes["warehouse"].update(holding_cost=2.0))[0].startswith("holding cost upstream")
    assert beyond(lambda network: network.nodes["store_1"].update(demand={"poisson": {"mean": 5.0}})) == [
        "Poisson demand, never seen"  # deviates by 1 / sqrt(5) of its mean, 0.447, which is within 0.25 to 0.5
    ]
    assert beyond(lambda network: network.graph.update(demand={"correlation": 0.9})) == [
        "correlation of demand 0.9, trained on 0"
    ]
    (small,) = beyond(lambda network: network.nodes["store_1"].update(demand={"normal": {"mean": 0.01, "std": 0.004}}))
    assert small.startswith("mean demand (in that of the mean store) 0.0036")
    returns = beyond(lambda network: network.nodes["store_1"].update(demand={"normal": {"mean": 0.0, "std": 2.0, "clip": False}}))
    assert "demand that may be negative, never seen" in returns
    assert any(line.startswith("deviation of demand (in means)") and "to inf" in line for line in returns)
    assert beyond(lambda network: None, stores=9) == [
        "stores 9, trained on 2 to 4",
        "degree 10, trained on 3 to 5",
        "deviation of demand (in means) 0.25 to 0.463, trained on 0.258 to 0.488",
    ]


def test_prices_and_capacities_beyond_the_training_are_said():
    """A unit of cost 2 where a lost sale costs 9: 0.222; a capacity of 20 where 5 units flow: 4."""
    network = gi.one_store()
    network.edges["supplier", "store"].update(unit_cost=2.0, capacity=20.0, minimum_order=2.5)
    seen = Coverage.of_network(network)
    network.edges["supplier", "store"].update(unit_cost=4.5, capacity=6.0, minimum_order=5.0)
    assert seen.beyond(network) == [
        "capacity (in mean flows) 1.2, trained on 4",
        "minimum order (in mean flows) 1, trained on 0.5",
        "unit cost (in costs of a lost sale) 0.5, trained on 0.222",
    ]
    unsized = Coverage({}, seen.traits)  # as of a panel, whose flows are not known beforehand: capacities, but of what size?
    assert "capacity (in mean flows) 1.2, never seen" in unsized.beyond(network)
    plain = Coverage.of_network(gi.one_store())
    assert plain.beyond(network) == [f"{what}, never seen" for what in ("unit costs", "minimum orders", "capacities")]


def test_sizes_of_a_network():
    """supplier -> a -> b -> two stores, and a -> store: depth 3 links to b's stores, b and a have 3 links each."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    for name in ("a", "b"):
        network.add_node(name, holding_cost=0.1)
    for name in ("s0", "s1", "s2"):
        network.add_node(name, holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand={"poisson": {"mean": 3.0}})
    for link in (("supplier", "a"), ("a", "b"), ("b", "s0"), ("b", "s1"), ("a", "s2")):
        network.add_edge(*link, lead_time=1)
    assert sizes_of(InventoryGraph.from_network(network)) == {"stores": 3, "depth": 3, "degree": 3}


def test_what_is_for_panels_alone_is_left_out_on_a_network_that_states_its_demand():
    recipe = replace(gi.load_recipe("one_warehouse"), training=gi.Training(random_start=True))
    assert not recipe.on({"family": "one_store"}).training.random_start


def test_fine_tuning_simulates_five_times_the_longest_way():
    """By hand: serial's lead times 2 + 4 + 3 + 4 = 13; of two ways to a store, 2 + 1 and 2, the longer counts."""
    network = nx.DiGraph()
    network.add_node("supplier", kind="supplier")
    network.add_node("warehouse", holding_cost=0.5)
    network.add_node("store", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand={"poisson": {"mean": 5.0}})
    network.add_edge("supplier", "warehouse", lead_time=2)
    network.add_edge("warehouse", "store", lead_time=1)
    network.add_edge("supplier", "store", lead_time=2)
    chain, two_ways = (InventoryGraph.from_network(given) for given in (gi.serial(), network))
    assert (longest_way(chain), longest_way(two_ways)) == (13, 3)
    before = Training(periods=50, warm_up=30, dev_periods=60, dev_warm_up=40, learning_rate=0.002)
    longer, same = (_finetuning(before, 10, graph) for graph in (chain, two_ways))
    assert (longer.periods, longer.warm_up, longer.dev_periods, longer.dev_warm_up) == (65, 39, 65, 43)
    assert (same.periods, same.warm_up, same.dev_periods, same.dev_warm_up) == (50, 30, 60, 40)
    assert (longer.epochs, longer.learning_rate) == (10, pytest.approx(0.0002))
    assert _finetuning(before, 10, None).periods == 50, "a panel is as long as it is"


def _drawn_costs(network):
    """What the locations of a network have as nearly no other drawn network has it."""
    return tuple(node.underage_cost for node in network.nodes.values() if hasattr(node, "underage_cost"))


def test_test_networks_are_drawn_as_the_recipe_draws_them_and_none_is_of_training_or_dev(run, tmp_path):
    asked = Transfer([run], ["one_warehouse"], 0, (), ASKED, drawn=3)
    outcomes = run_transfer(asked, tmp_path / "out")
    assert [outcome["problem"] for outcome in outcomes] == ["one_warehouse", "w 0", "w 1", "w 2"]
    stores = [outcome["sizes"]["stores"] for outcome in outcomes[1:]]
    assert set(stores) <= {2, 3, 4}
    assert not any(word in " ".join(outcome["beyond"]) for outcome in outcomes[1:] for word in ("stores", "lead time"))
    mappings = json.loads((tmp_path / "out" / "transfer.json").read_text())["networks"]
    tested = [parse_network(build_network(mappings[f"w {number}"])) for number in range(3)]
    trained = RunFolder(run).recipe()
    settings = trained.training
    drawn = [draw() for epoch in range(settings.epochs + 1) for _, draw in training_networks(trained.networks, settings, epoch)]
    drawn += [trained.networks.draw(settings.seed, STREAMS["dev"], number) for number in range(settings.dev_networks)]
    seen = {_drawn_costs(network) for network in drawn}
    assert len(seen) > 5, "else this could not tell them apart"
    assert not seen & {_drawn_costs(network) for network in tested}
    more = run_transfer(replace(asked, drawn=4), tmp_path / "out")
    assert more[:4] == outcomes, "what is there is gone on with"


def test_test_networks_need_a_distribution_and_one_only(run, native, tmp_path):
    gi.train_recipe(load_recipe(native), RunFolder(tmp_path / "alone"))
    with pytest.raises(
        UsageError, match=r"--drawn: .*alone was trained on one network, not on a distribution; name networks: --to"
    ):
        run_transfer(Transfer([run, tmp_path / "alone"], [], 0, (), ASKED, drawn=1), tmp_path / "out")
    gi.train_recipe(recipe({"w": {**ONE_WAREHOUSE, "stores": 3}}), RunFolder(tmp_path / "other"))
    with pytest.raises(InputError, match=r"--drawn: .*run and .*other state other 'networks'; take them one by one"):
        run_transfer(Transfer([run, tmp_path / "other"], [], 0, (), ASKED, drawn=1), tmp_path / "out")
    with pytest.raises(UsageError, match=r"no network to test on; name some: --to NETWORK, or draw some: --drawn N"):
        app(["transfer", str(run), "-o", str(tmp_path / "out")], standalone_mode=False)
    assert not (tmp_path / "out").exists()


def test_the_command_line_transfers(run, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["transfer", str(run), "--to", "one_warehouse", "-o", str(out)]
    app([*words, "--scenarios", "8", "--periods", "12", "--warm-up", "4"], standalone_mode=False)
    assert "one_warehouse" in capsys.readouterr().out
    (row,) = json.loads((out / "table.json").read_text())["rows"]
    assert (row["gap %"], row["over"]) == (None, "nothing else")
    low, high = (float(end) for end in row["cost 95 %"].split(" to "))
    assert low < row["cost per store"] < high
    assert (
        row["beyond the training"]
        == "stores 5, trained on 2 to 4; degree 6, trained on 3 to 5; deviation of demand (in means) 0.25 to 0.463, "
        "trained on 0.258 to 0.488; correlation of demand 0.5, trained on 0"  # of the 16 networks of this training
    )
