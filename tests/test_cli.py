"""The command line as a person meets it: what it prints, and one clear line for each mistake, with nothing written or lost."""

import io
import json
import os
import shutil
import sys
from xml.etree import ElementTree

import networkx as nx
import pytest
import torch
import yaml
from conftest import QUICK, command
from safetensors.torch import load_file, save_file

import gnn_inventory as gi
from gnn_inventory.cli import main
from gnn_inventory.errors import InputError
from gnn_inventory.topology.catalogue import catalogue, trained_policies
from gnn_inventory.topology.explicit import explicit_mapping
from gnn_inventory.training.run_folder import SCHEMA


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))
    assert command("train", folder / "quick.yaml", "-o", folder / "run") == 0
    return folder / "run"


@pytest.fixture
def trained(trained_once, tmp_path):
    """A run folder of the recipe `quick`, to be damaged at will."""
    return shutil.copytree(trained_once, tmp_path / "trained")


def test_list_names_the_whole_catalogue(run):
    code, out, _ = run("list")
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines()]
    names = [*catalogue("topologies"), *catalogue("training"), *catalogue("training/suites"), *trained_policies()]
    assert sorted(name for name in listed if name not in ("networks:", "recipes:", "suites:", "trained")) == sorted(names)


@pytest.mark.parametrize("name", sorted(catalogue("topologies")))
def test_every_network_is_valid_and_can_be_drawn(name, run, tmp_path):
    assert run("check", name)[0] == 0
    assert run("draw", name, "-o", tmp_path / "network.svg")[0] == 0
    assert ElementTree.parse(tmp_path / "network.svg").getroot().tag.endswith("svg")
    code, _, error = run("draw", name, "-o", tmp_path / "network.svg")
    assert code == 2
    assert "exists already" in error


def test_a_run_folder_holds_what_it_should(trained):
    found = {path.name for path in trained.iterdir()}
    assert found == {
        "recipe.yaml",
        "metrics.jsonl",
        "policy.safetensors",
        "checkpoint.safetensors",
        "network.svg",
        "training.svg",
    }


def test_json_is_one_object_with_the_documented_keys(trained, run):
    code, out, error = run("evaluate", trained, "--json")
    assert (code, error) == (0, "")
    result = json.loads(out)
    assert list(result) == ["network", "policy", "scenarios", "periods", "cost", "cost_per_store", "ci95"]
    assert result["cost_per_store"] == pytest.approx(result["cost"] / 5)
    assert result["ci95"][0] < result["cost_per_store"] < result["ci95"][1]
    assert (result["network"], result["policy"], result["scenarios"], result["periods"]) == (
        "one_warehouse",
        "message_passing",
        16,
        20,
    )


def test_json_names_the_reference_where_one_is_known(trained, run):
    result = json.loads(run("evaluate", trained, "--network", "one_store_backlogged", "--json")[1])
    assert result["reference"]["kind"] == "optimum"
    assert list(result)[-2:] == ["gap_percent", "gap_ci95"]
    assert result["gap_ci95"][0] < result["gap_percent"] < result["gap_ci95"][1]


def test_another_network_and_several_runs(trained, run):
    code, out, _ = run("evaluate", trained, trained, "--network", "one_warehouse", "--just-in-time")
    assert code == 0
    assert out.count("message_passing") == 2
    assert "just_in_time" in out


def test_what_of_a_network_lies_beyond_the_training_is_said_beside_the_output(trained, run):
    assert run("evaluate", trained, "--network", "one_warehouse")[2] == ""
    code, _, error = run("evaluate", trained, "--network", "one_store_backlogged")
    assert (code, error.count("\n")) == (0, 1)
    said = f"{trained.name}: beyond its training: stores 1, trained on 5; "
    assert error.startswith(said)
    assert "backlogged demand, never seen" in error


def test_the_number_of_scenarios_held_at_once_changes_nothing(trained, run, monkeypatch):
    whole = json.loads(run("evaluate", trained, "--json")[1])
    monkeypatch.setattr("gnn_inventory.evaluation.CELLS", 5 * 20 * 7)  # chunks of 5 scenarios
    chunked = json.loads(run("evaluate", trained, "--json")[1])
    assert chunked["cost"] == pytest.approx(whole["cost"], rel=1e-6)


def test_set_changes_sizes_and_costs(quick, run, tmp_path):
    code, _, error = run(
        "train", quick, "-o", tmp_path / "run", "--set", "network.stores=3", "--set", "network.warehouse.holding_cost=0.5"
    )
    assert code == 0, error
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["network"]["stores"] == 3
    assert recipe["network"]["warehouse"]["holding_cost"] == 0.5


BAD_SETTINGS = {
    "training.epocs=3": "unknown key 'epocs'; did you mean 'epochs'?",
    "trainin.epochs=3": "unknown key 'trainin'",
    "evaluatio.scenarios=3": "unknown key 'evaluatio'; did you mean 'evaluation'?",
    "training.epochs=0": "training.epochs: got 0; expected a number >= 1",
    "training.epochs=many": "training.epochs: got 'many'; expected an integer",
    "training.learning_rate=-1": "training.learning_rate: got -1; expected a number > 0",
    "training.warm_up=99": "training: warm_up: got 99; expected less than periods, 12",
    "network.storse=3": "unknown key 'storse'; did you mean 'store",
    "network.stores=0": "stores: got 0; expected an integer >= 1",
    "network=one_warehous": "did you mean 'one_warehouse'?",
    "policy.name=message_pasing": "did you mean 'message_passing'?",
    "policy.widht=3": "unknown key 'widht'; did you mean 'width'?",
    "policy.width=-3": "policy.width: got -3; expected an integer from 1 to 4096",
    "policy.slots=1": "policy.slots=2",
    "network=5": "network: got 5; expected text",
    "policy=5": "policy: got 5; expected a mapping of keys to values",
    "policy.width=0": "policy.width: got 0",
    "training.seed=18446744073709551616": "training.seed",
    "training.epochs.x=3": "'epochs' is 3, a value",
    "training.random_start=true": "with a panel of sales only",
    "demand.panel=sales.csv": "demand",
    "nonsense": "expected key=value",
}


@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_a_bad_setting_is_one_line_and_writes_nothing(setting, quick, run, tmp_path):
    code, _, error = run("train", quick, "-o", tmp_path / "run", "--set", setting)
    assert code in (1, 2)
    assert BAD_SETTINGS[setting] in error
    assert len(error.splitlines()) == 1
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_all_mistakes_of_a_recipe_at_once(run, tmp_path):
    bad = {**QUICK, "training": {"epochs": 0, "batch": -1, "sed": 3}, "evaluation": {"seed": "x"}}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(bad))
    code, _, error = run("train", tmp_path / "bad.yaml", "-o", tmp_path / "run")
    assert code == 1
    assert len(error.splitlines()) == 4


def test_mistakes_of_a_recipe_and_of_its_network_at_once(run, tmp_path):
    network = (
        "{family: one_store, store: {holding_cost: -1, unmet_demand: lost, demand: {poisson: {mean: 5}}}, link: {lead_time: 1}}"
    )
    (tmp_path / "wrong.yaml").write_text(f"network: {network}\npolicy: {{name: base_stok}}\ntraining: {{epoch: 3}}\n")
    error = run("train", tmp_path / "wrong.yaml", "-o", tmp_path / "run")[2]
    for words in ("training: unknown key 'epoch'", "policy.name: got 'base_stok'", "node 'store': holding_cost: got -1"):
        assert words in error
    assert not (tmp_path / "run").exists()


def test_names_may_hold_dollars_and_brackets(quick, run, tmp_path):
    """Neither are they formulas in pictures, nor marks in tables."""
    content = yaml.safe_load(quick.read_text())
    names = {"supplier": "US$_east_/_CA$_west_", "store": "b$"}
    content["network"] = explicit_mapping(nx.relabel_nodes(gi.one_store(), names)) | {"name": "units [/day] $x_y_z$"}
    quick.write_text(yaml.safe_dump(content))
    code, out, error = run("train", quick, "-o", tmp_path / "runs [v2]")
    assert code == 0, error
    assert "best dev" in out
    assert (tmp_path / "runs [v2]" / "network.svg").exists()
    code, out, error = run("evaluate", tmp_path / "runs [v2]")
    assert code == 0, error
    assert "units [/day] $x_y_z$" in out
    assert "runs [v2]" in out


def test_folders_that_are_in_the_way_or_are_none(quick, trained, run, tmp_path):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    code, _, error = run("train", quick, "-o", trained)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "exists already" in error
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "absent"):
        code, _, error = run("evaluate", folder)
        assert (code, len(error.splitlines())) == (2, 1)
        assert ("is not a run folder" if folder.exists() else "no such run folder") in error
        assert run("train", quick, "-o", folder, "--resume")[0] == 2
    assert run("train", tmp_path, "-o", tmp_path / "run")[0] == 2
    assert run("train", tmp_path / "absent.yaml", "-o", tmp_path / "run")[0] == 2


def test_a_truncated_checkpoint_and_policy(quick, trained, run):
    for name, words in (
        ("checkpoint.safetensors", ["train", quick, "-o", trained, "--resume"]),
        ("policy.safetensors", ["evaluate", trained]),
    ):
        content = (trained / name).read_bytes()
        (trained / name).write_bytes(content[: len(content) // 2])
        code, _, error = run(*words)
        assert (code, len(error.splitlines())) == (1, 1)
        assert "truncated" in error


def test_damaged_files_of_a_run(quick, trained, run):
    metrics = (trained / "metrics.jsonl").read_text()
    for content in ("", "{}\n", "junk\n" + metrics, metrics.replace('"epoch": 2', '"epoch": 7')):
        (trained / "metrics.jsonl").write_text(content)
        code, _, error = run("train", quick, "-o", trained, "--resume")
        assert (code, len(error.splitlines())) == (1, 1), error
        assert "damaged" in error
    (trained / "metrics.jsonl").write_text(metrics)
    policy, checkpoint = (trained / name for name in ("policy.safetensors", "checkpoint.safetensors"))
    kept = checkpoint.read_bytes()
    checkpoint.write_bytes(policy.read_bytes())
    code, _, error = run("train", quick, "-o", trained, "--resume")
    assert (code, len(error.splitlines())) == (1, 1)
    checkpoint.write_bytes(kept)
    tensors = load_file(policy)
    for state in ({}, [], {"policy": "message_passing", "config": {"width": 5}, "places": []}, {"policy": "x", "config": {}}):
        save_file(tensors, policy, {"gnn_inventory": json.dumps({"schema": SCHEMA, "state": state})})
        code, _, error = run("evaluate", trained)
        assert (code, len(error.splitlines())) == (1, 1), error
        assert "holds no policy" in error


def test_outputs_that_cannot_be_written(quick, run, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "run", tmp_path / ("n" * 300)):
        code, _, error = run("train", quick, "-o", folder)
        assert (code, len(error.splitlines())) == (2, 1), error
    for picture in (tmp_path / "file" / "network.svg", tmp_path / "network.pgf"):
        code, _, error = run("draw", "one_warehouse", "-o", picture)
        assert (code, len(error.splitlines())) == (2, 1), error


def test_a_command_that_is_not_one(run):
    for arguments in (["trian"], ["train", "one_warehouse"], ["evaluate", "run", "--scenarios", "1"], ["draw"]):
        code, _, error = run(*arguments)
        assert (code, len(error.splitlines())) == (2, 1), error
        assert "--help" in error


def test_the_options_of_an_evaluation_are_heeded(trained, run):
    """The same as in Python, where all of them are arguments."""
    words = ["--scenarios", 6, "--periods", 24, "--warm-up", 7, "--seed", 3]
    found = json.loads(run("evaluate", trained, *words, "--json")[1])
    policy = gi.load_policy(trained / "policy.safetensors")
    result = gi.evaluate(policy, gi.one_warehouse(), 6, periods=24, warm_up=7, seed=3)
    assert (found["scenarios"], found["periods"]) == (6, 24)
    assert found["cost_per_store"] == pytest.approx(result.cost_per_store, rel=1e-6)
    assert found["ci95"] == pytest.approx(result.ci95, rel=1e-6)
    others = {
        gi.evaluate(policy, gi.one_warehouse(), *sizes).cost_per_store
        for sizes in ((5, 24, 7, 3), (6, 25, 7, 3), (6, 24, 8, 3), (6, 24, 7, 4))
    }
    assert not any(cost == pytest.approx(result.cost_per_store, rel=1e-6) for cost in others)


def test_runs_of_different_networks_are_not_put_side_by_side(quick, trained, run, tmp_path):
    assert run("train", quick, "-o", tmp_path / "other", "--set", "network.stores=3")[0] == 0
    for words in (["evaluate"], ["report", "-o", tmp_path / "report.html"]):
        code, _, error = run(words[0], trained, tmp_path / "other", *words[1:])
        assert (code, len(error.splitlines())) == (1, 1)
        assert "different networks; name one for all: --network NETWORK" in error
    assert not (tmp_path / "report.html").exists()


def test_runs_that_state_another_evaluation(quick, trained, run, tmp_path):
    assert run("train", quick, "-o", tmp_path / "other", "--set", "evaluation.seed=5")[0] == 0
    code, _, error = run("evaluate", trained, tmp_path / "other")
    assert (code, len(error.splitlines())) == (1, 1)
    assert "state another 'evaluation'" in error


def test_a_bound_by_linear_programme(trained, run):
    result = json.loads(run("evaluate", trained, "--bound", "--scenarios", "4", "--warm-up", "0", "--json")[1])
    assert result["reference"]["kind"] == "lower_bound"
    assert "linear programme" in result["reference"]["source"]
    assert result["gap_percent"] > 0


def test_a_bound_takes_no_known_optimum_away(trained, run):
    words = ["evaluate", trained, "--network", "one_store_backlogged", "--scenarios", "4"]
    plain, beside = (json.loads(run(*words, *more, "--json")[1]) for more in ([], ["--bound"]))
    bound = beside.pop("bound")
    assert beside == plain
    assert plain["reference"]["kind"] == "optimum"
    assert bound["kind"] == "lower_bound"
    assert 0 <= bound["value"] <= plain["reference"]["value"]


def test_a_policy_of_another_schema_version(trained, run):
    tensors = load_file(trained / "policy.safetensors")
    save_file(tensors, trained / "policy.safetensors", {"gnn_inventory": json.dumps({"schema": 0, "state": {}})})
    code, _, error = run("evaluate", trained)
    assert (code, len(error.splitlines())) == (1, 1)
    assert f"schema version 0; expected {SCHEMA}" in error


def test_a_checkpoint_of_another_recipe(quick, trained, run):
    code, _, error = run("train", quick, "-o", trained, "--resume", "--set", "training.batch=16")
    assert (code, len(error.splitlines())) == (1, 1)
    assert "another recipe" in error


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that must be missing")
def test_a_device_that_is_not_there(quick, run, tmp_path):
    code, _, error = run("train", quick, "-o", tmp_path / "run", "--device", "cuda")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "no CUDA device" in error
    assert not (tmp_path / "run").exists()


def panel_recipe(tmp_path, sales):
    torch.save(sales, tmp_path / "sales.pt")
    windows = {"train": [0, 30], "dev": [20, 45], "test": [35, 60], "history": 5, "warm_up": 5}
    node = {"holding_cost": 1.0, "price": 5.0, "unmet_demand": "lost", "demand": "panel"}
    network = {
        "name": "two",
        "nodes": {"port": {"kind": "supplier"}, "east": node, "west": node},
        "links": [{"from": "port", "to": "east", "lead_time": 1}, {"from": "port", "to": "west", "lead_time": 2}],
    }
    content = {
        "network": network,
        "demand": {"panel": str(tmp_path / "sales.pt"), "windows": windows},
        "policy": {"name": "message_passing", "width": 8, "window": 5},
        "training": {"scenarios": 8, "batch": 4, "epochs": 1},
    }
    (tmp_path / "panel.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "panel.yaml"


def test_a_panel_trains_and_is_bounded_by_perfect_information(run, tmp_path):
    random = torch.Generator().manual_seed(0)
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=random).float())
    assert run("train", recipe, "-o", tmp_path / "run")[0] == 0
    code, out, _ = run("evaluate", tmp_path / "run", "--just-in-time", "--json")
    assert code == 0
    learned, oracle = json.loads(out)
    sold = torch.load(tmp_path / "sales.pt", weights_only=True)[:, :, 45:60]
    assert learned["reference"]["value"] == pytest.approx(-5.0 * float(sold.sum(1).mean()), rel=1e-5)
    assert learned["scenarios"] == 6
    assert learned["reference"]["value"] <= oracle["cost"] <= learned["cost"]


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        (torch.ones(4, 3, 60), "locations: got 3; expected 2"),
        (torch.ones(4, 2, 50), "periods of the panel, which has 50"),
        (torch.full((4, 2, 60), float("nan")), "480 gaps"),
        (-torch.ones(4, 2, 60), "480 negative values"),
    ],
    ids=["other stores", "too short", "gaps", "negative"],
)
def test_a_bad_panel_is_one_line_and_writes_nothing(sales, expected, run, tmp_path):
    code, _, error = run("train", panel_recipe(tmp_path, sales), "-o", tmp_path / "run")
    assert (code, len(error.splitlines())) == (1, 1)
    assert expected in error
    assert not (tmp_path / "run").exists()


def test_other_sales_under_the_same_name_are_not_gone_on_with(run, tmp_path):
    recipe = panel_recipe(tmp_path, torch.ones(6, 2, 60))
    assert run("train", recipe, "-o", tmp_path / "run")[0] == 0
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    panel_recipe(tmp_path, 2 * torch.ones(6, 2, 60))
    code, _, error = run("train", recipe, "-o", tmp_path / "run", "--resume")
    assert (code, len(error.splitlines())) == (1, 1)
    assert "checkpoint.safetensors: is of other sales" in error
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_the_files_of_a_recipe_are_found_from_every_folder(run, tmp_path, monkeypatch):
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    monkeypatch.chdir(tmp_path)
    assert run("train", recipe, "-o", "run", "--set", "demand.panel=sales.pt")[0] == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("evaluate", "../run", "--json")[0] == 0


def test_the_favorita_recipe_says_that_it_needs_sales(run, tmp_path):
    code, _, error = run("train", "favorita", "-o", tmp_path / "run")
    assert (code, len(error.splitlines())) == (1, 1)
    assert "--set demand.panel=FILE" in error


def test_a_panel_without_a_history_is_refused(tmp_path):
    """A mean and a deviation of demand need two periods."""
    recipe = panel_recipe(tmp_path, torch.ones(6, 2, 60))
    with pytest.raises(InputError, match=r"demand\.windows\.history: got 1; expected .*2"):
        gi.load_recipe(recipe, ["demand.windows.history=1"])


def test_every_run_that_is_not_there_is_named(run, tmp_path):
    code, _, error = run("evaluate", "any-0", tmp_path / "nope1", tmp_path / "nope2")
    assert code == 2
    assert "nope1: no such run folder" in error
    assert "nope2: no such run folder" in error


def test_what_a_kill_left_half_written_is_in_nobodys_way(quick, run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".recipe.yaml.123.tmp").write_text("netw")
    assert run("train", quick, "-o", tmp_path / "run", "--set", "training.epochs=1")[0] == 0


def test_a_link_is_written_through_and_what_is_no_file_is_left_alone(run, tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "net.svg", tmp_path / "link.svg"
    real.write_text("old")
    link.symlink_to(real)
    assert run("draw", "serial", "-o", link, "--force")[0] == 0
    assert link.is_symlink()
    assert real.read_text() != "old"
    os.mkfifo(tmp_path / "pipe.svg")
    assert "is no file; name another place" in run("draw", "serial", "-o", tmp_path / "pipe.svg", "--force")[2]
    assert (tmp_path / "pipe.svg").is_fifo()


def test_a_terminal_that_lacks_a_sign_gets_its_number(monkeypatch, tmp_path):
    network = gi.one_store()
    network.graph["name"] = "m\u00fcnchen"
    gi.save_network(network, tmp_path / "network.yaml")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    monkeypatch.setattr(sys, "argv", ["gnn-inventory", "check", str(tmp_path / "network.yaml")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert rb"m\xfcnchen: valid" in written.getvalue()
