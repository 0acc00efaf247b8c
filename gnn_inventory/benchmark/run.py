"""Train and test the cells of a suite, within a budget, in a folder that is gone on with."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnn_inventory.benchmark.suite import Cell, Suite
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.evaluation import EvaluationResult, evaluate_on
from gnn_inventory.files import replace_file, write_text
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import is_panel, parse_network
from gnn_inventory.training.recipe import Recipe, load_recipe, scenario_source, with_settings
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Evaluation
from gnn_inventory.training.train import train_recipe

__all__ = ["Outcome", "run_suite"]

Outcome = dict[str, Any]
"""What one cell gave on one instance: a line of the table of all cells."""


class _BudgetSpent(Exception):
    """Raised between two epochs: the checkpoint stands."""


def run_suite(
    suite: Suite,
    folder: Path,
    minutes: float | None = None,
    settings: Sequence[str] = (),
    on_cell: Callable[[int, int, Cell], None] | None = None,
) -> tuple[list[Outcome], list[Cell]]:
    """Run what is not there yet, until the budget is spent.

    Args:
        suite: what to run.
        folder: of the results; each training has a run folder in it.
        minutes: budget of this call; the suite's where None.
        settings: `key=value` for all recipes of panels of sales, such as `demand.panel=FILE`.
        on_cell: called before each cell with its number, how many there are, and the cell.

    Returns:
        the outcomes of all cells that are done, and the cells that are not.

    Raises:
        UsageError: the folder holds something else.
    """
    _claim(folder, suite)
    deadline = time.monotonic() + 60 * (suite.minutes if minutes is None else minutes)
    cells, left = list(suite.cells()), []
    outcomes: list[Outcome] = []
    for number, cell in enumerate(cells, 1):
        file = folder / "cells" / f"{cell.folder}.json"
        if not file.exists():
            if time.monotonic() >= deadline or not _runnable(cell, settings):
                left.append(cell)
                continue
            if on_cell is not None:
                on_cell(number, len(cells), cell)
            try:
                _run(cell, suite, folder, deadline, settings)
            except _BudgetSpent:
                left.append(cell)
                continue
        outcomes += json.loads(file.read_text(encoding="utf-8"))
    return outcomes, left


def _claim(folder: Path, suite: Suite) -> None:
    """Make the folder, or see that it is of this suite."""
    stated, text = folder / "suite.json", suite.model_dump_json(indent=1)
    if stated.exists():
        if json.loads(stated.read_text(encoding="utf-8"))["problems"] != json.loads(text)["problems"]:
            raise UsageError(f"{folder}: holds results of another suite; name another folder")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists already and holds no suite; name another folder")
    try:
        for part in ("cells", "costs", "runs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror}; name another folder") from None
    write_text(stated, text)


def _recipe(cell: Cell, settings: Sequence[str]) -> Recipe:
    plain = load_recipe(cell.contender.recipe)
    return load_recipe(cell.contender.recipe, [*cell.settings, *(settings if plain.demand is not None else ())])


def _runnable(cell: Cell, settings: Sequence[str]) -> bool:
    """Whether all that it needs is there: sales are not shipped."""
    recipe = _recipe(cell, settings)
    return recipe.demand is None or recipe.demand.panel is not None


def _run(cell: Cell, suite: Suite, folder: Path, deadline: float, settings: Sequence[str]) -> None:
    """Train one cell, test it on its instances, write what it gave."""
    recipe, run = _recipe(cell, settings), RunFolder(folder / "runs" / cell.folder)

    def on_epoch(line: dict[str, Any]) -> None:
        if time.monotonic() >= deadline and line["epoch"] < recipe.training.epochs:
            raise _BudgetSpent

    result = train_recipe(recipe, run, resume=run.recipe_file.exists(), on_epoch=on_epoch)
    problem = suite.problems[cell.problem]
    outcomes: list[Outcome] = []
    for instance in cell.instances:
        mapping = with_settings(network_mapping(problem.network), [f"{key}={value}" for key, value in instance.items()])
        evaluated, counted = _evaluate(recipe, run, mapping, problem.evaluation)
        name = f"{cell.folder}-{len(outcomes)}"
        assert evaluated.per_scenario is not None
        with open(folder / "costs" / f".{name}.tmp", "wb") as file:
            np.save(file, evaluated.per_scenario.numpy(), allow_pickle=False)
        Path(file.name).replace(folder / "costs" / f"{name}.npy")
        outcomes.append(
            {
                **evaluated.to_json(),
                "problem": cell.problem,
                "instance": dict(instance),
                "policy": cell.policy,
                "recipe": cell.contender.recipe,
                "settings": dict(cell.varied),
                "seed": cell.seed,
                "counted_periods": counted,
                "training_scenarios": recipe.training.scenarios,
                "training_seconds": round(sum(line["seconds"] for line in result.metrics), 1),
                "costs": f"{name}.npy",
                "date": datetime.now(UTC).date().isoformat(),
                "machine": f"{platform.machine()}, torch on {torch.get_num_threads()} of {os.cpu_count()} cores",
            }
        )
    replace_file(folder / "cells" / f"{cell.folder}.json", json.dumps(outcomes, indent=1).encode())


def _evaluate(recipe: Recipe, run: RunFolder, mapping: dict[str, Any], asked: Evaluation) -> tuple[EvaluationResult, int]:
    """Test a policy on a network, on the sales of its recipe where the network has a panel."""
    network = build_network(mapping)
    parsed = parse_network(network)
    source = scenario_source(recipe, "test", asked.seed, network)
    scenarios, periods, warm_up = asked.scenarios, asked.periods, asked.warm_up
    if is_panel(parsed):
        if source.count is None or source.periods is None or recipe.demand is None:
            raise InputError(f"{recipe.name}: expected a panel of sales for network '{parsed.name}'")
        scenarios, periods, warm_up = min(source.count, scenarios), source.periods, recipe.demand.windows.warm_up
    result = evaluate_on(run.policy(), parsed, source, scenarios, periods, warm_up, asked.whole_units)
    return result, periods - warm_up
