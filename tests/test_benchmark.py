"""Suites: which cells there are, what a budget leaves, what a gap is held against, and what stands in the tables."""

import csv
import json
from copy import deepcopy
from datetime import date

import numpy as np
import pytest
import torch
import yaml

import gnn_inventory as gi
from gnn_inventory.benchmark.run import run_suite
from gnn_inventory.benchmark.suite import Suite, load_suite, suites
from gnn_inventory.benchmark.table import csv_text, markdown, summarise, with_gaps, write_tables
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.evaluation import evaluate_on
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import load_recipe, scenario_source, with_settings
from gnn_inventory.training.run_folder import save_policy
from gnn_inventory.training.settings import Training
from tests.test_cli import panel_recipe

TINY = {f"training.{key}": [value] for key, value in {"scenarios": 32, "batch": 16, "epochs": 2, "dev_scenarios": 8}.items()}
TINY |= {f"training.{key}": [value] for key, value in {"periods": 20, "warm_up": 8, "dev_periods": 20, "dev_warm_up": 8}.items()}
SUITE = {
    "about": "a suite that runs in seconds",
    "minutes": 5,
    "seeds": [0, 1],
    "problems": {
        "one store": {
            "network": "one_store_backlogged",
            "instances": {"link.lead_time": [1, 2]},
            "evaluation": {"scenarios": 16, "periods": 40, "warm_up": 20},
            "policies": {
                "base stock": {"recipe": "one_store_backlogged_base_stock", "vary": TINY},
                "message passing": {"recipe": "one_store_backlogged_any", "shared": True, "vary": TINY, "seeds": [0]},
            },
        },
        "one warehouse": {
            "network": "one_warehouse",
            "evaluation": {"scenarios": 16, "periods": 40, "warm_up": 20},
            "policies": {
                "base stock": {"recipe": "one_warehouse_base_stock", "vary": TINY},
                "echelon": {"recipe": "one_warehouse_echelon_base_stock", "vary": TINY},
            },
        },
    },
}


def test_cells_touch_every_problem_before_the_second_seed():
    cells = list(Suite.model_validate(SUITE).cells())
    # base stock is trained on 2 instances, message passing once for both, each warehouse policy once: 2 + 1 + 2, then 2 + 2
    assert [cell.seed for cell in cells] == [0] * 5 + [1] * 4
    assert len({cell.folder for cell in cells}) == len(cells)
    shared = next(cell for cell in cells if cell.policy == "message passing")
    assert len(shared.instances) == 2
    assert not any(setting.startswith("network.") for setting in shared.settings)
    assert [cell.settings[0] for cell in cells[:2]] == ["network.link.lead_time=1", "network.link.lead_time=2"]


def test_every_mistake_of_a_suite_is_named_before_anything_is_written(tmp_path):
    wrong = deepcopy(SUITE)
    wrong["problems"]["one store"]["instances"] = {"lnk.lead_time": [1]}
    wrong["problems"]["one warehouse"]["policies"]["echelon"]["recipe"] = "one_warehouse_echelon"
    with pytest.raises(InputError) as mistakes:
        run_suite(Suite.model_validate(wrong), tmp_path / "suite")
    told = "\n".join(mistakes.value.problems)
    assert "one store: instances: --set lnk.lead_time=1: unknown key 'lnk'; did you mean 'link'?" in told
    assert "one warehouse: echelon: one_warehouse_echelon: no such file" in told
    assert not (tmp_path / "suite").exists()


def test_results_of_a_recipe_that_has_changed_are_not_shown_as_these(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "network: one_store_backlogged\npolicy: {name: base_stock}\ntraining: {scenarios: 16, epochs: 1, dev_scenarios: 8}\n"
    )
    problem = {"network": "one_store_backlogged", "evaluation": {"scenarios": 8, "periods": 40, "warm_up": 20}}
    problem["policies"] = {"base stock": {"recipe": str(recipe)}}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite")
    assert run_suite(suite, tmp_path / "suite")[0] == outcomes
    recipe.write_text(recipe.read_text().replace("scenarios: 16", "scenarios: 17"))
    with pytest.raises(UsageError, match="'mine' has changed since it was trained there; name another folder"):
        run_suite(suite, tmp_path / "suite")


def test_results_on_a_network_that_has_changed_are_not_shown_as_these(tmp_path):
    network = tmp_path / "mine.yaml"
    gi.save_network(gi.one_store(), network)
    problem = {"network": str(network), "evaluation": {"scenarios": 8, "periods": 40, "warm_up": 20}}
    base = {"recipe": "one_store_backlogged_base_stock", "shared": True, "vary": TINY}
    suite = Suite.model_validate(
        {"about": "one", "minutes": 5, "seeds": [0], "problems": {"p": {**problem, "policies": {"b": base}}}}
    )
    run_suite(suite, tmp_path / "suite")
    changed = network.read_text().replace("underage_cost: 9.0", "underage_cost: 99.0")
    assert changed != network.read_text()
    network.write_text(changed)
    with pytest.raises(UsageError, match=r"another suite \(other networks\); name another folder"):
        run_suite(suite, tmp_path / "suite")


def test_results_of_other_items_of_a_panel_are_not_shown_as_these_but_the_file_may_move(tmp_path):
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    network = tmp_path / "two.yaml"
    network.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["network"]))
    problem = {"network": str(network), "policies": {"ours": {"recipe": str(recipe)}}}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite", settings=["demand.items=[0, 3]"])
    moved = (tmp_path / "sales.pt").rename(tmp_path / "moved.pt")
    where = f"demand.panel={moved}"
    assert run_suite(suite, tmp_path / "suite", settings=["demand.items=[0, 3]", where])[0] == outcomes
    with pytest.raises(UsageError, match="'panel' has changed since it was trained there; name another folder"):
        run_suite(suite, tmp_path / "suite", settings=["demand.items=[3, 6]", where])


def test_what_sees_the_future_is_measured_beside_the_others_and_not_trained(tmp_path):
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    network = tmp_path / "two.yaml"
    network.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["network"]))
    policies = {"just-in-time": {"recipe": str(recipe), "vary": {"policy": [{"name": "just_in_time"}]}}}
    problem = {"network": str(network), "policies": policies}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite")
    assert run_suite(suite, tmp_path / "suite")[0] == outcomes
    loaded = load_recipe(recipe)
    source = scenario_source(loaded, "test", 0)
    expected = evaluate_on(gi.JustInTime(), loaded.network, source, 6, source.periods, 5)
    (outcome,) = outcomes
    assert (outcome["cost"], outcome["training_seconds"]) == (pytest.approx(expected.cost, rel=1e-6), 0.0)
    assert outcome["reference"]["kind"] == "perfect_information"
    policies["just-in-time"]["vary"] = {"policy.name": ["just_in_time"]}
    with pytest.raises(InputError, match=r"just-in-time: .*: policy: got width, window; expected the name of just_in_time alone"):
        run_suite(Suite.model_validate({"about": "one", "minutes": 5, "problems": {"one": problem}}), tmp_path / "other")


def test_what_sees_the_future_is_not_the_best_known(tmp_path):
    """Where nothing is bought just-in-time costs next to nothing, and no gap is over that."""
    policies = {
        "base stock": {"recipe": "one_warehouse_base_stock", "vary": TINY},
        "echelon": {"recipe": "one_warehouse_echelon_base_stock", "vary": TINY},
    }
    policies["just-in-time"] = {"recipe": "one_warehouse", "vary": {"policy": [{"name": "just_in_time"}]}}
    problem = {"network": "one_warehouse", "evaluation": {"scenarios": 8, "periods": 60, "warm_up": 40}, "policies": policies}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite")
    rows = {row["policy"]: row for row in write_tables(outcomes, [], tmp_path / "suite")}
    assert rows["just-in-time"]["cost per store"] < 0.1 * rows["echelon"]["cost per store"]
    assert 0.0 in (rows["base stock"]["worst gap %"], rows["echelon"]["worst gap %"])


def test_policies_whose_folders_have_one_name_are_refused(tmp_path):
    both = {name: {"recipe": "one_store_backlogged_base_stock"} for name in ("base (stock)", "base stock", "base")}
    problems = {"one": {"network": "one_store_backlogged", "policies": both}}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": problems})
    with pytest.raises(InputError) as caught:
        run_suite(suite, tmp_path / "suite")
    assert len(caught.value.problems) == 2
    assert "one: base (stock): another one's folder is 'one_base_stock_seed=0' too" in caught.value.problems[0]
    assert not (tmp_path / "suite").exists()


def test_policies_of_one_name_and_other_settings_are_rows_of_their_own(tmp_path):
    sizes = [{"name": "message_passing", "width": width, "slots": 3} for width in (2, 4)]
    policies = {"ours": {"recipe": "one_warehouse", "vary": {**TINY, "policy": sizes}}}
    problem = {"network": "one_warehouse", "evaluation": {"scenarios": 8, "periods": 40, "warm_up": 20}, "policies": policies}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite")
    rows = write_tables(outcomes, [], tmp_path / "suite")
    assert [row["cost per store"] for row in rows] == [round(outcome["cost_per_store"], 4) for outcome in outcomes]
    assert [row["settings"].rpartition("policy ")[2] for row in rows] == [
        f"message_passing, width {width}, slots 3" for width in (2, 4)
    ]


def test_a_long_list_of_settings_is_no_name_too_long_for_a_file(tmp_path):
    many = {
        f"training.{key}": [value] for key, value in Training().model_dump().items() if isinstance(value, int) and key != "seed"
    } | TINY
    problem = deepcopy(SUITE["problems"]["one warehouse"])
    problem["policies"] = {"echelon": {"recipe": "one_warehouse_echelon_base_stock", "vary": many}}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0, 1], "problems": {"one": problem}})
    first, second = (cell.folder for cell in suite.cells())
    assert len(f"{first}-0.safetensors.tmp") < 255
    assert first != second
    outcomes, left = run_suite(suite, tmp_path / "suite")
    assert (len(outcomes), left) == (2, [])


def test_nothing_may_be_among_the_values_that_vary():
    varied = deepcopy(SUITE)
    varied["problems"]["one store"]["policies"]["message passing"]["vary"] = {"training.whole_units": [None, "straight_through"]}
    said = [cell.settings[0] for cell in Suite.model_validate(varied).cells() if cell.policy == "message passing"]
    assert said == ["training.whole_units=null", 'training.whole_units="straight_through"']


def test_a_budget_on_the_command_line_is_that_of_the_suite(tmp_path, run):
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(SUITE))
    code, _, error = run("benchmark", tmp_path / "suite.yaml", "-o", tmp_path / "out", "--minutes", "0")
    assert (code, error) == (0, "")
    assert "9 trainings are not done yet" in (tmp_path / "out" / "table.md").read_text()
    assert not list((tmp_path / "out" / "runs").iterdir())


def test_a_suite_resumes_and_its_tables_hold_what_the_cells_gave(tmp_path):
    suite, folder = Suite.model_validate(SUITE), tmp_path / "suite"
    outcomes, left = run_suite(suite, folder, minutes=0)
    assert (outcomes, len(left)) == ([], 9)
    outcomes, left = run_suite(suite, folder)
    assert (len(outcomes), left) == (2 * 2 + 2 + 2 * 2, [])
    before = {path: path.read_bytes() for path in (folder / "runs").glob("*/policy.safetensors")}
    seen = []
    again, _ = run_suite(suite, folder, on_cell=lambda *call: seen.append(call))
    assert (again, seen) == (outcomes, [])
    assert before == {path: path.read_bytes() for path in before}
    rows = write_tables(outcomes, [], folder)
    assert len(rows) == 4
    with open(folder / "cells.csv", newline="") as file:
        cells = list(csv.DictReader(file))
    assert [float(cell["cost"]) for cell in cells] == [outcome["cost"] for outcome in outcomes]
    for name in ("table.md", "table.csv", "table.json", "gaps.svg"):
        assert (folder / name).stat().st_size > 0
    summary = {(row["problem"], row["policy"]): row for row in rows}
    one = summary["one store", "base stock"]
    gaps = [float(cell["gap_percent"]) for cell in cells if (cell["problem"], cell["policy"]) == ("one store", "base stock")]
    assert (one["instances"], one["seeds"], one["over"]) == (2, 2, "optimum")
    assert one["worst gap %"] == round(max(gaps), 3)
    assert one["low"] < one["worst gap %"] < one["high"]
    assert markdown(rows).count("\n") == 2 + 4


def test_a_row_holds_one_kind_of_reference_and_the_worst_of_its_instances():
    shared = {"problem": "p", "policy": "a", "settings": {}, "seed": 0, "training_seconds": 1.0, "training_scenarios": 8}
    shared |= {"scenarios": 4, "recipe": "r", "machine": "m", "date": "2026-01-01", "gap_ci95": [0.0, 1.0]}
    known = [("best_known", 0.1, 2.0), ("best_known", 0.3, 4.0), ("optimum", 0.2, 9.0)]
    outcomes = [
        {
            **shared,
            "instance": {"stores": place},
            "gap_percent": gap,
            "cost_per_store": cost,
            "cost": 3 * cost,
            "costs": f"{place}-0.npy",
        }
        | {"reference": {"kind": kind, "value": 1.5 * cost}}
        for place, (kind, gap, cost) in enumerate(known)
    ]
    best, optimum = summarise(outcomes)
    assert (best["over"], best["instances"], best["worst gap %"], best["cost per store"]) == ("best known", 2, 0.3, 3.0)
    assert best["mean gap %"] == 0.2  # of 0.1 and 0.3
    assert (best["reference per store"], optimum["reference per store"]) == (1.5, 4.5)  # half of the mean of 2 and 4, half of 9
    assert (optimum["over"], optimum["instances"], optimum["worst gap %"], optimum["cost per store"]) == ("optimum", 1, 0.2, 9.0)


def test_every_training_counts_once_in_the_mean_time_however_alike():
    """Three trainings, of 10, 10 and 100 seconds, the last tested on two instances: 40 on average."""
    shared = {"problem": "p", "policy": "a", "settings": {}, "seed": 0, "training_scenarios": 8, "gap_percent": 1.0, "cost": 2.0}
    shared |= {"scenarios": 4, "recipe": "r", "machine": "m", "date": "2026-01-01", "gap_ci95": [0.0, 1.0], "cost_per_store": 2.0}
    shared |= {"reference": {"kind": "optimum", "value": 2.0}}
    tested = [("first-0", 10.0), ("second-0", 10.0), ("third-0", 100.0), ("third-1", 100.0)]
    outcomes = [
        {**shared, "instance": {"place": place}, "training_seconds": seconds, "costs": f"{name}.npy"}
        for place, (name, seconds) in enumerate(tested)
    ]
    (row,) = summarise(outcomes)
    assert row["training seconds"] == 40


def test_the_best_of_the_table_is_the_reference_where_theory_has_none(tmp_path):
    costs = {"a": [2.0, 4.0, 6.0, 8.0], "b": [2.2, 4.4, 6.2, 8.8]}
    outcomes = []
    for name, values in costs.items():
        np.save(tmp_path / f"{name}.npy", np.array(values))
        outcome = {"problem": "p", "instance": {}, "policy": name, "cost": float(np.mean(values)), "scenarios": 4, "periods": 9}
        outcomes.append({**outcome, "costs": f"{name}.npy"})
    best, other = with_gaps(outcomes, tmp_path)
    assert (best["gap_percent"], best["gap_ci95"]) == (0.0, [0.0, 0.0])
    assert best["reference"]["kind"] == other["reference"]["kind"] == "best_known"
    # differences 0.2, 0.4, 0.2, 0.8 of a best mean of 5: 8 %; 8 % of the best is 0.16, 0.32, 0.48, 0.64, and 0.04, 0.08,
    # -0.28, 0.16 are left, 0.8, 1.6, -5.6, 3.2 % of 5
    assert other["gap_percent"] == pytest.approx(8.0)
    half = 3.182446 * np.std([0.8, 1.6, -5.6, 3.2], ddof=1) / 2  # of t with 3 degrees of freedom
    assert other["gap_ci95"] == pytest.approx([8 - half, 8 + half], abs=0.002 * half)


def test_nothing_is_a_part_of_a_cost_of_nothing(tmp_path):
    outcomes = []
    for name, cost in (("a", 0.0), ("b", 2.0)):
        np.save(tmp_path / f"{name}.npy", np.full(4, cost))
        outcome = {"problem": "p", "instance": {}, "policy": name, "cost": cost, "scenarios": 4, "periods": 9}
        outcomes.append({**outcome, "costs": f"{name}.npy"})
    found = with_gaps(outcomes, tmp_path)
    assert [(one["gap_percent"], one["reference"]["kind"]) for one in found] == [(None, "nothing")] * 2


def test_a_file_of_costs_that_is_cut_short_is_one_line(tmp_path):
    outcomes = []
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones(4))
        outcome = {"problem": "p", "instance": {}, "policy": name, "cost": 1.0, "scenarios": 4, "periods": 9}
        outcomes.append({**outcome, "costs": f"{name}.npy"})
    whole = (tmp_path / "b.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(whole[:-8])
    with pytest.raises(InputError, match=r"b\.npy: damaged .*delete it and .*b\.json: its cell is measured again"):
        with_gaps(outcomes, tmp_path)


def test_what_one_row_lacks_stands_empty():
    assert csv_text([{"a": 1}, {"a": 2, "sales": "x"}]) == "a,sales\n1,\n2,x\n"


@pytest.mark.parametrize(("key", "place"), [("training.seed", "seeds"), ("network.link.lead_time", "instances")])
def test_what_a_suite_states_elsewhere_does_not_vary(key, place):
    wrong = json.loads(json.dumps(SUITE))
    wrong["problems"]["one store"]["instances"] = {"link.lead_time": [1, 2]}
    wrong["problems"]["one store"]["policies"]["base stock"] |= {"vary": {key: [1, 2]}, "shared": False}
    with pytest.raises(ValueError, match=f"vary: got '{key}'; expected its values in {place}"):
        Suite.model_validate(wrong)


def test_a_training_that_cannot_go_on_is_named_and_stops_no_other(tmp_path, monkeypatch, run):
    suite = deepcopy(SUITE) | {"seeds": [0]}
    del suite["problems"]["one warehouse"]
    suite["problems"]["one store"]["policies"]["base stock"]["vary"] = TINY | {"training.periods": [2], "training.warm_up": [0]}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    code, out, error = run("benchmark", tmp_path / "suite.yaml", "-o", tmp_path / "suite")
    assert code == 1
    assert "one store: base stock, seed 0: training.periods: got 2; expected more than 2: what 'store' orders" in error
    assert "1 trainings are not done" in " ".join(out.split())
    rows = json.loads((tmp_path / "suite" / "table.json").read_text())["rows"]
    measured = {(row["policy"], row["instances"], row["measured"]) for row in rows}
    assert measured == {("base stock", 1, 1), ("message passing", 2, 2)}  # lead time 1 can be trained in 2 periods


def test_results_of_other_sales_are_not_shown_as_these(tmp_path):
    random = torch.Generator().manual_seed(0)
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=random).float())
    suite = {"about": "sales", "minutes": 5, "seeds": [0], "problems": {"two": {"network": str(tmp_path / "network.yaml")}}}
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["network"]))
    suite["problems"]["two"]["policies"] = {"base stock": {"recipe": str(recipe), "vary": {"policy": [{"name": "base_stock"}]}}}
    loaded = Suite.model_validate(suite)
    first, _ = run_suite(loaded, tmp_path / "suite")
    assert run_suite(loaded, tmp_path / "suite") == (first, [])
    torch.save(torch.randint(1, 9, (6, 2, 60), generator=random).float(), tmp_path / "sales.pt")
    with pytest.raises(UsageError, match="was measured there on other sales; name another folder"):
        run_suite(loaded, tmp_path / "suite")
    (tmp_path / "sales.pt").unlink()
    with pytest.raises(InputError, match=r"two: base stock: .*sales\.pt: no such file"):
        run_suite(loaded, tmp_path / "another")
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_a_policy_alone_in_its_place_has_no_gap(tmp_path, seeds):
    """Its other seeds are no other policy."""
    suite = deepcopy(SUITE) | {"seeds": seeds}
    del suite["problems"]["one store"], suite["problems"]["one warehouse"]["policies"]["echelon"]
    outcomes, _ = run_suite(Suite.model_validate(suite), tmp_path / "suite")
    (row,) = write_tables(outcomes, [], tmp_path / "suite")
    assert (row["worst gap %"], row["over"], row["reference per store"]) == (None, "nothing else", None)
    assert "| nothing else was measured here |" in (tmp_path / "suite" / "table.md").read_text()


def test_a_budget_that_ends_in_mid_training_leaves_a_run_that_is_gone_on_with(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 100))
    suite, whole, parts = Suite.model_validate({**SUITE, "seeds": [0]}), tmp_path / "whole", tmp_path / "parts"
    run_suite(suite, whole)
    with monkeypatch.context() as context:
        context.setattr("gnn_inventory.benchmark.run.time.monotonic", lambda: next(clock))
        _, left = run_suite(suite, parts, minutes=2.5)  # the second epoch of the first cell would be past it
    assert len(left) == 5
    assert any((parts / "runs").glob("*/checkpoint.safetensors"))
    run_suite(suite, parts)
    for path in (whole / "runs").glob("*/policy.safetensors"):
        assert path.read_bytes() == (parts / path.relative_to(whole)).read_bytes()


def test_folders_that_hold_something_else(tmp_path):
    suite = Suite.model_validate(SUITE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("keep me")
    with pytest.raises(UsageError, match="holds no suite"):
        run_suite(suite, tmp_path / "full")
    run_suite(suite, tmp_path / "suite", minutes=0)
    other = json.loads(json.dumps(SUITE))
    other["problems"].pop("one store")
    with pytest.raises(UsageError, match="another suite"):
        run_suite(Suite.model_validate(other), tmp_path / "suite", minutes=0)


def test_mistakes_of_a_suite_are_reported_at_once(tmp_path):
    wrong = json.loads(json.dumps(SUITE))
    wrong["minutes"] = 0
    wrong["problems"]["one store"]["policies"]["base stock"]["recipee"] = "x"
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(InputError) as caught:
        load_suite(str(tmp_path / "wrong.yaml"))
    assert len(caught.value.problems) == 2
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        load_suite("quik")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"evaluation": {"scenario": 6}},
            "problems: one warehouse: evaluation: unknown key 'scenario'; did you mean 'scenarios'?",
        ),
        ({"evaluation": {"scenarios": 1}}, "problems.one warehouse.evaluation.scenarios: got 1; expected a number >= 2"),
        ({"instances": {"stores": []}}, "problems.one warehouse.instances.stores: got []; expected at least 1 of them"),
        ({"policies": {"a": {"recipe": "r", "shard": True}}}, "policies: a: unknown key 'shard'; did you mean 'shared'?"),
        ({"policies": {"a": {"recipe": "r", "seeds": [1, 1]}}}, "policies.a.seeds: got [1, 1]; expected each seed once"),
        ({"policies": {"a": {"recipe": "r", "vary": {"k": []}}}}, "policies.a.vary.k: got []; expected at least 1 of them"),
        ({"instances": {"stores": [date(2020, 1, 1)]}}, "stores.0: got datetime.date(2020, 1, 1); expected a number, text, true"),
    ],
    ids=["scenario", "one scenario", "no instance", "shard", "twice", "no value", "date"],
)
def test_a_mistake_of_a_suite_is_one_line(tmp_path, change, expected):
    wrong = deepcopy(SUITE)
    wrong["problems"]["one warehouse"] |= change
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(InputError) as caught:
        load_suite(str(tmp_path / "wrong.yaml"))
    (line,) = caught.value.problems
    assert expected in line


def test_a_policy_that_cannot_serve_all_instances_is_refused_before_anything_is_trained(tmp_path):
    wrong = deepcopy(SUITE)
    wrong["problems"]["one warehouse"] |= {"instances": {"warehouse_link.lead_time": [3, 9]}}
    policies = {"ours": {"recipe": "one_warehouse", "shared": True, "vary": TINY}}
    wrong["problems"]["one warehouse"]["policies"] = policies
    with pytest.raises(InputError, match=r"one warehouse: ours: policy message_passing: got a lead time of 9; .* at most 5"):
        run_suite(Suite.model_validate(wrong), tmp_path / "suite")
    assert not (tmp_path / "suite").exists()


def test_settings_of_sales_need_a_recipe_of_sales(tmp_path):
    with pytest.raises(InputError, match=r"--set demand\.items=\[0, 3\]: is for panels of sales, and no recipe"):
        run_suite(Suite.model_validate(SUITE), tmp_path / "suite", settings=["demand.items=[0, 3]"])
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["network"]))
    policies = {"ours": {"recipe": str(recipe)}, "base": {"recipe": "one_warehouse_base_stock", "shared": True}}
    problem = {"network": str(tmp_path / "network.yaml"), "policies": policies}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"two": problem}})
    with pytest.raises(InputError, match=r"two: base: its network has a panel of sales; expected a recipe of sales"):
        run_suite(suite, tmp_path / "suite")
    assert not (tmp_path / "suite").exists()


def test_policies_of_one_problem_are_tested_on_the_same_sales(tmp_path):
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["network"]))
    problem = {"network": str(tmp_path / "network.yaml")}
    suite = {"about": "one", "minutes": 5, "seeds": [0], "problems": {"two": problem}}
    for key, value, differs in (("demand.items", [0, 3], "items"), ("demand.windows.test", [36, 60], "windows")):
        problem["policies"] = {"ours": {"recipe": str(recipe)}, "less": {"recipe": str(recipe), "vary": {key: [value]}}}
        with pytest.raises(InputError, match=f"two: less: other {differs} of demand than ours; expected the same to test on"):
            run_suite(Suite.model_validate(suite), tmp_path / "suite", minutes=0)
    problem["policies"]["less"]["vary"] = {"demand.windows.train": [[0, 25]]}  # what it learns from is its own affair
    assert len(run_suite(Suite.model_validate(suite), tmp_path / "suite", minutes=0)[1]) == 2


def test_two_problems_do_not_test_the_same(tmp_path):
    """The best known of each would be the best of its own policies alone."""
    suite = deepcopy(SUITE)
    suite["problems"]["short"] = {**suite["problems"]["one store"], "instances": {"link.lead_time": [2, 3]}}
    with pytest.raises(InputError) as caught:
        run_suite(Suite.model_validate(suite), tmp_path / "suite", minutes=0)
    (line,) = caught.value.problems
    assert line == "short: link.lead_time=2: the same tests as in 'one store'; expected all policies on them in one problem"
    assert not (tmp_path / "suite").exists()
    suite["problems"]["short"]["evaluation"] = {"scenarios": 16, "periods": 30, "warm_up": 20}
    run_suite(Suite.model_validate(suite), tmp_path / "suite", minutes=0)


def test_what_is_left_says_whether_it_needs_sales(tmp_path, run):
    recipe = panel_recipe(tmp_path, torch.randint(1, 9, (6, 2, 60), generator=torch.Generator().manual_seed(0)).float())
    content = yaml.safe_load(recipe.read_text())
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(content["network"]))
    panel = content["demand"].pop("panel")
    recipe.write_text(yaml.safe_dump(content))
    suite = deepcopy(SUITE) | {"seeds": [0]}
    suite["problems"]["sales"] = {"network": str(tmp_path / "network.yaml"), "policies": {"ours": {"recipe": str(recipe)}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(suite))
    for settings, needs in ((), True), (("--set", f"demand.panel={panel}"), False):
        code, out, _ = run("benchmark", tmp_path / "mine.yaml", "-o", tmp_path / "suite", "--minutes", "0", *settings)
        printed = " ".join(out.split())
        assert code == 0
        assert "6 trainings are not done: the same command goes on" in printed
        assert ("with --set demand.panel=FILE for 1 of them that need a panel of sales" in printed) is needs


def test_results_of_other_weights_to_start_from_are_not_shown_as_these(tmp_path):
    start = tmp_path / "start.safetensors"
    save_policy(gi.BaseStock(), start)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"network: one_store_backlogged\npolicy: {{name: base_stock}}\nstart: {start}\n"
        "training: {scenarios: 16, epochs: 1, dev_scenarios: 8}\n"
    )
    problem = {"network": "one_store_backlogged", "evaluation": {"scenarios": 8, "periods": 40, "warm_up": 20}}
    problem["policies"] = {"base stock": {"recipe": str(recipe)}}
    suite = Suite.model_validate({"about": "one", "minutes": 5, "seeds": [0], "problems": {"one": problem}})
    outcomes, _ = run_suite(suite, tmp_path / "suite")
    assert run_suite(suite, tmp_path / "suite")[0] == outcomes
    start.write_bytes(start.read_bytes() + b" ")
    with pytest.raises(UsageError, match="'mine' was trained there from other weights; name another folder"):
        run_suite(suite, tmp_path / "suite")
    start.unlink()
    with pytest.raises(InputError, match=r"one: base stock: .*start\.safetensors: cannot be read"):
        run_suite(suite, tmp_path / "other")


@pytest.mark.parametrize("name", sorted(suites()))
def test_every_cell_of_a_suite_of_the_catalogue_has_its_recipe_and_its_networks(name):
    suite, networks = load_suite(name), set()
    first = {}  # the cells of the other seeds are these but for training.seed
    for cell in suite.cells():
        first.setdefault(str((cell.problem, cell.policy, cell.varied, cell.instances)), cell)
    for cell in first.values():
        recipe = load_recipe(cell.contender.recipe, cell.settings)
        assert recipe.training.seed == cell.seed
        for instance in cell.instances:
            networks.add((suite.problems[cell.problem].network, *(f"{key}={value}" for key, value in instance.items())))
    for name, *settings in networks:
        parse_network(build_network(with_settings(network_mapping(name), settings)))
