"""The tables of the README and of the pages are those of docs/results, to the letter."""

import importlib.util
import json
from copy import deepcopy
from pathlib import Path

import pytest

from gnn_inventory.benchmark.suite import Suite
from gnn_inventory.benchmark.table import csv_text

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("update_readme", ROOT / "benchmarks" / "update_readme.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_tables_of_the_readme_are_the_measured_ones(module):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert module.BEGIN + module.summary() + module.END in readme
    assert module.summary().count("| ") > 20, "there are results"
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert module.BEGIN + module.block() + module.END in results
    assert module.block().count("| ") > 20, "there are results"
    transfer = (ROOT / "docs" / "transfer.md").read_text(encoding="utf-8")
    assert module.BEGIN + module.transfer_block() + module.END in transfer
    assert module.transfer_block().count("| ") > 20, "there are results"


ROW = {"problem": "p", "policy": "ours", "settings": "", "instances": 2, "seeds": 3, "over": "optimum", "machine": "m"}
ROWS = [ROW | {"date": "2026-01-01", "settings": settings} for settings in ("scenarios 128", "scenarios 8192")]
CELLS = [
    {"problem": "p", "policy": "ours", "settings": f'{{"training.scenarios": {count}}}', "gap_percent": 1.0, "gap_ci95": "[0, 2]"}
    | {"kind": "optimum", "instance": "{}", "seed": 0}
    for count in (128, 8192)
]
SUITE = Suite.model_validate(
    {"about": "a suite", "minutes": 1, "seeds": [0, 7]}
    | {"problems": {"p": {"network": "n", "policies": {"ours": {"recipe": "r", "vary": {"training.scenarios": [128, 8192]}}}}}}
)


@pytest.fixture
def part(module, tmp_path, monkeypatch):
    """A suite's results with two rows, and a folder in which the first of them was run anew."""
    results, folder = tmp_path / "results", tmp_path / "part"
    monkeypatch.setattr(module, "RESULTS", results)
    monkeypatch.setattr(module, "load_suite", {"s": SUITE}.__getitem__)
    for path in (results, folder):
        path.mkdir()
    (results / "s.json").write_text(json.dumps({"rows": ROWS, "left": []}))
    (results / "s-cells.csv").write_text(csv_text(CELLS))

    def write(**changes):
        (folder / "table.json").write_text(json.dumps({"rows": [ROWS[0] | {"date": "2026-02-02"} | changes], "left": []}))
        (folder / "cells.csv").write_text(csv_text([deepcopy(CELLS[0]) | {"gap_percent": 0.5}]))
        module.add_part("s", folder)
        cells = (results / "s-cells.csv").read_text().splitlines()[1:]
        return json.loads((results / "s.json").read_text())["rows"], cells

    return write


def test_the_summary_names_the_lowest_of_the_baselines_that_see_no_future(module, tmp_path, monkeypatch):
    gaps = {"just-in-time": 0.5, "message passing, 128 scenarios": 1.0, "base stock": 2.0, "fully connected": 3.0}
    rows = [
        ROW
        | {"policy": policy, "date": "2026-01-01", "low": gap - 0.1, "high": gap + 0.1, "worst gap %": gap}
        | {"admissible": policy != "just-in-time"}
        for policy, gap in (gaps | {"published message passing, 8192 scenarios": 4.0}).items()
    ]
    (tmp_path / "s.json").write_text(json.dumps({"rows": rows}))
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    (line,) = module.summary().splitlines()[2:3]
    assert line == (
        "| p | 1.000 % (0.900 to 1.100), 128 scenarios | 2.000 % (1.900 to 2.100), base stock "
        "| 4.000 % (3.900 to 4.100), 8192 scenarios | optimum | 2 x 3 | `s` |"
    )


def test_a_part_replaces_its_own_rows_alone(part):
    rows, cells = part()
    assert [(row["settings"], row["date"]) for row in rows] == [("scenarios 128", "2026-02-02"), ("scenarios 8192", "2026-01-01")]
    assert [("8192" in cell, ",0.5," in cell) for cell in cells] == [(True, False), (False, True)]


def test_what_a_suite_has_and_nobody_measured_is_said(module, part):
    part()
    content = json.loads((module.RESULTS / "s.json").read_text())
    assert content["left"] == [f"p_ours_training.scenarios={count}_seed=7" for count in (128, 8192)]
    assert content["about"].endswith(", 2 trainings not done yet")


@pytest.mark.parametrize("change", [{"seeds": 2}, {"instances": 1}, {"over": "best known"}, {"over": "nothing else"}])
def test_a_part_that_would_lose_rows_or_gaps_is_refused(part, change):
    with pytest.raises(SystemExit, match=r"p, ours: expected (as many instances and seeds|a gap that does not depend)"):
        part(**change)
