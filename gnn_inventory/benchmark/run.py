"""Train and test the cells of a suite, within a budget, in a folder that is gone on with."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gnn_inventory.benchmark.results import Outcome, Results
from gnn_inventory.benchmark.suite import Cell, Suite
from gnn_inventory.topology.catalogue import network_mapping
from gnn_inventory.training.recipe import Recipe, load_recipe, with_settings
from gnn_inventory.training.train import train_recipe

__all__ = ["run_suite"]


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
    results = Results(folder)
    results.claim("suite", suite.model_dump(mode="json"), ["problems"])
    deadline = time.monotonic() + 60 * (suite.minutes if minutes is None else minutes)
    cells, left = list(suite.cells()), []
    outcomes: list[Outcome] = []
    for number, cell in enumerate(cells, 1):
        found = results.outcomes(cell.folder)
        if found is None:
            if time.monotonic() >= deadline or not _runnable(cell, settings):
                left.append(cell)
                continue
            if on_cell is not None:
                on_cell(number, len(cells), cell)
            try:
                found = _run(cell, suite, results, deadline, settings)
            except _BudgetSpent:
                left.append(cell)
                continue
        outcomes += found
    return outcomes, left


def _recipe(cell: Cell, settings: Sequence[str]) -> Recipe:
    plain = load_recipe(cell.contender.recipe)
    return load_recipe(cell.contender.recipe, [*cell.settings, *(settings if plain.demand is not None else ())])


def _runnable(cell: Cell, settings: Sequence[str]) -> bool:
    """Whether all that it needs is there: sales are not shipped."""
    recipe = _recipe(cell, settings)
    return recipe.demand is None or recipe.demand.panel is not None


def _run(cell: Cell, suite: Suite, results: Results, deadline: float, settings: Sequence[str]) -> list[Outcome]:
    """Train one cell, test it on its instances, write what it gave."""
    recipe, run = _recipe(cell, settings), results.run(cell.folder)

    def on_epoch(line: dict[str, Any]) -> None:
        if time.monotonic() >= deadline and line["epoch"] < recipe.training.epochs:
            raise _BudgetSpent

    result = train_recipe(recipe, run, resume=run.recipe_file.exists(), on_epoch=on_epoch)
    problem = suite.problems[cell.problem]
    outcomes: list[Outcome] = []
    for instance in cell.instances:
        mapping = with_settings(network_mapping(problem.network), [f"{key}={value}" for key, value in instance.items()])
        about = {
            "problem": cell.problem,
            "instance": dict(instance),
            "policy": cell.policy,
            "recipe": cell.contender.recipe,
            "settings": dict(cell.varied),
            "seed": cell.seed,
            "training_scenarios": recipe.training.scenarios,
            "training_seconds": round(result.seconds, 1),
        }
        name = f"{cell.folder}-{len(outcomes)}"
        outcomes.append(results.measure(name, recipe, run.policy(), mapping, problem.evaluation, about))
    results.finish(cell.folder, outcomes)
    return outcomes
