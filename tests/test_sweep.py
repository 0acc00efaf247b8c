"""Sweeps: every trial is a run, judged on dev; they are gone on with, and shared."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

import gnn_inventory as gi
from gnn_inventory.benchmark.sweep import Sweep, run_sweep, write_sweep
from gnn_inventory.cli import main
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.training.run_folder import RunFolder, save_policy

KILLED = """
import os, signal
from functools import partial
from gnn_inventory.benchmark import sweep
from gnn_inventory.cli import main

sweep.train_recipe = partial(sweep.train_recipe, on_epoch=lambda line: os.kill(os.getpid(), signal.SIGKILL))
main()
"""
KILLED = [sys.executable, "-c", KILLED]
"""The command line, which kills itself after the first epoch of a trial."""
VARY = ["training.learning_rate={log_uniform: [1e-3, 0.01]}", "policy.width={choice: [4, 8]}"]


def sweep(quick, trials=3, vary=VARY, **training):
    content = yaml.safe_load(quick.read_text())
    return Sweep({**content, "training": {**content["training"], **training}}, "quick", vary, trials)


def test_the_best_trial_is_the_run_with_the_lowest_dev_cost(quick, tmp_path):
    folder = tmp_path / "sweep"
    best = write_sweep(run_sweep(sweep(quick), folder), folder)
    devs = {}
    for number in range(3):
        run = RunFolder(folder / "trials" / str(number))
        devs[number] = min(line["dev"] for line in run.metrics())
        assert 0.001 <= run.recipe().training.learning_rate <= 0.01
        assert run.recipe().policy["width"] in (4, 8)
    assert best["trial"] == min(devs, key=lambda number: devs[number])
    assert best["dev"] == pytest.approx(min(devs.values()))
    assert (folder / "best.yaml").read_text() == RunFolder(folder / "trials" / str(best["trial"])).recipe_file.read_text()
    with open(folder / "table.csv") as file:
        assert [int(row["trial"]) for row in csv.DictReader(file)] == sorted(devs, key=lambda number: devs[number])
    more = run_sweep(sweep(quick, trials=4), folder)
    assert [row["dev"] for row in more[:3]] == pytest.approx(list(devs.values())), "what is done is not done again"
    assert len(more) == 4


def test_killed_and_gone_on_with_by_two_processes(quick, tmp_path):
    folder, epochs = tmp_path / "sweep", 4
    settings = ["--set", f"training.epochs={epochs}", *[word for text in VARY for word in ("--vary", text)], "--trials", "2"]
    words = ["sweep", str(quick), "-o", str(folder), *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert subprocess.run([*KILLED, *words], env=environment).returncode == -signal.SIGKILL
    assert len(RunFolder(folder / "trials" / "0").metrics()) == 1, "it was killed after the first epoch of the first trial"
    command = [sys.executable, "-m", "gnn_inventory", *words]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for one in both:
            one.communicate(timeout=300)
            assert one.returncode == 0
    finally:
        for one in both:
            one.kill()
    assert [len(RunFolder(folder / "trials" / str(number)).metrics()) for number in range(2)] == [epochs] * 2
    assert not (folder / "trials" / "2").exists()


def test_a_trial_that_explodes_is_shown_with_its_reason(quick, tmp_path):
    vary = ["training.learning_rate={choice: [0.001, 1.0e+30]}"]
    rows = run_sweep(sweep(quick, 6, vary, schedule="constant", optimiser="sgd"), tmp_path / "sweep")
    failed = [row for row in rows if row["dev"] is None]
    assert failed, "else another seed"
    assert all(
        row["training.learning_rate"] == 1e30 and "try a smaller training.learning_rate" in row["failed"] for row in failed
    )
    assert write_sweep(rows, tmp_path / "sweep")["training.learning_rate"] == 0.001


def test_what_is_no_fault_of_a_trial_stops_the_sweep_and_the_trial_is_gone_on_with(quick, tmp_path, monkeypatch):
    def full(*_, **__):
        raise UsageError("policy.safetensors: cannot be written: No space left on device")

    with monkeypatch.context() as context:
        context.setattr("gnn_inventory.benchmark.sweep.train_recipe", full)
        with pytest.raises(UsageError, match="No space left"):
            run_sweep(sweep(quick, 1), tmp_path / "sweep")
    (row,) = run_sweep(sweep(quick, 1), tmp_path / "sweep")
    assert (row["trial"], row["failed"]) == (0, "")


def test_a_trial_that_misses_the_fill_rate_is_never_the_best(quick, tmp_path):
    rows = run_sweep(sweep(quick, 2, ["policy.width={choice: [4, 8]}"], fill_rate=0.9999), tmp_path / "sweep")
    assert all(row["dev"] is None and "training.fill_rate: got 0." in row["failed"] for row in rows)
    with pytest.raises(UsageError, match=r"no trial is of use; of the first, 0: training\.fill_rate: got 0\."):
        write_sweep(rows, tmp_path / "sweep")


@pytest.mark.parametrize(
    "key", ["training.dev_scenarios", "training.relative", "training.seed", "network.stores", "evaluation.whole_units"]
)
def test_what_decides_how_trials_are_judged_does_not_vary(quick, tmp_path, key):
    with pytest.raises(InputError, match=f"dev costs of different {key} cannot be compared"):
        run_sweep(sweep(quick, vary=[f"{key}={{choice: [1, 2]}}"]), tmp_path / "sweep")


@pytest.mark.parametrize(
    "text",
    [
        "policy.width",
        "policy.width=3",
        "policy.width={choice: []}",
        "policy.width={integers: [8, 4]}",
        "a={log_uniform: [0, 1]}",
        "a={uniform: [x, 1]}",
    ],
)
def test_a_range_that_is_none_is_one_line(quick, tmp_path, text):
    with pytest.raises(InputError, match=r"--vary .*expected key=range"):
        run_sweep(sweep(quick, vary=[text]), tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_choice_that_cannot_be_trained_is_named_before_anything_is_written(quick, tmp_path):
    with pytest.raises(InputError, match="got -1; expected an integer"):
        run_sweep(sweep(quick, vary=["policy.width={choice: [4, -1]}"]), tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_other_weights_to_start_from_need_another_folder(quick, tmp_path):
    start = tmp_path / "start.safetensors"
    asked = sweep(quick, 1, ["training.learning_rate={choice: [0.01, 0.02]}"])
    asked = replace(asked, content={**asked.content, "start": str(start)})
    policy = {key: value for key, value in asked.content["policy"].items() if key != "name"}
    save_policy(gi.MessagePassing(**policy, seed=0), start)
    rows = run_sweep(asked, tmp_path / "sweep")
    assert run_sweep(asked, tmp_path / "sweep") == rows
    save_policy(gi.MessagePassing(**policy, seed=1), start)
    with pytest.raises(UsageError, match="holds results of another sweep \\(other start\\); name another folder"):
        run_sweep(asked, tmp_path / "sweep")


def test_other_ranges_need_another_folder(quick, tmp_path, capsys, monkeypatch):
    run_sweep(sweep(quick, 1), tmp_path / "sweep")
    with pytest.raises(UsageError, match="holds results of another sweep"):
        run_sweep(sweep(quick, 1, VARY[:1]), tmp_path / "sweep")
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["vary"] == VARY
    monkeypatch.setattr(
        sys, "argv", ["gnn-inventory", "sweep", str(quick), "-o", str(tmp_path / "other"), "--vary", "policy.widht={choice: [4]}"]
    )
    with pytest.raises(SystemExit):
        main()
    assert "widht" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_what_a_trial_draws_does_not_depend_on_which_call_draws_it(quick, tmp_path):
    """Two calls one after the other, as two processes side by side, draw what one draws; no two trials draw the same."""
    run_sweep(sweep(quick, trials=1), tmp_path / "parts")
    parts, whole = run_sweep(sweep(quick, trials=2), tmp_path / "parts"), run_sweep(sweep(quick, trials=2), tmp_path / "whole")
    rates = [[row["training.learning_rate"] for row in rows] for rows in (parts, whole)]
    assert rates[0] == rates[1]
    assert rates[0][0] != rates[0][1]
