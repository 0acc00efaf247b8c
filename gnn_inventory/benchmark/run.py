"""Train and test the cells of a suite, within a budget, in a folder that is gone on with."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnn_inventory.benchmark.results import Outcome, Results, decide_once
from gnn_inventory.benchmark.suite import Cell, Suite, settings_of
from gnn_inventory.errors import GnnInventoryError, InputError, TrainingError, UsageError
from gnn_inventory.files import digest
from gnn_inventory.policies import ORACLES
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import Network, is_panel, parse_network
from gnn_inventory.training.recipe import Recipe, load_recipe, scenario_source, with_settings
from gnn_inventory.training.train import prepared, train_recipe

__all__ = ["lacks_sales", "run_suite"]


class _BudgetSpent(Exception):
    """Raised between two epochs: the checkpoint stands."""


def run_suite(
    suite: Suite,
    folder: Path,
    minutes: float | None = None,
    settings: Sequence[str] = (),
    on_cell: Callable[[int, int, Cell], None] | None = None,
    on_failure: Callable[[str], None] | None = None,
) -> tuple[list[Outcome], list[Cell]]:
    """Run what is not there yet, until the budget is spent.

    Args:
        suite: what to run.
        folder: of the results; each training has a run folder in it.
        minutes: budget of this call; the suite's where None.
        settings: `key=value` for all recipes of panels of sales, such as `demand.panel=FILE`.
        on_cell: called before each cell with its number, how many there are, and the cell.
        on_failure: called where a training cannot go on, with which and why; the others go on. Where None, the first such is raised.

    Returns:
        the outcomes of all cells that are done, and the cells that are not.

    Raises:
        TrainingError: a training that cannot go on.
        InputError, UsageError: a recipe, network or setting that is not valid, before anything is written or trained; the folder
            holds something else.
    """
    deadline = time.monotonic() + 60 * (suite.minutes if minutes is None else minutes)
    cells, left = list(suite.cells()), []
    recipes = _checked(suite, cells, settings)
    results = Results(folder)
    networks = {name: network_mapping(problem.network) for name, problem in suite.problems.items()}
    results.claim("suite", suite.model_dump(mode="json") | {"networks": networks}, ["problems", "networks"])
    outcomes: list[Outcome] = []
    for number, (cell, recipe) in enumerate(zip(cells, recipes, strict=True), 1):
        found = results.outcomes(cell.folder)
        if found is not None:
            _refuse_another(recipe, results.run(cell.folder).recipe(), folder)
            results.refuse_other_sales(found, recipe, _mapping(suite, cell, cell.instances[0]))
            start = _start_of(recipe)
            if any(outcome.get("start", start.get("start")) != start.get("start") for outcome in found):
                raise UsageError(f"{folder}: '{recipe.name}' was trained there from other weights; name another folder")
        else:
            if time.monotonic() >= deadline or not _runnable(recipe):
                left.append(cell)
                continue
            if on_cell is not None:
                on_cell(number, len(cells), cell)
            try:
                found = _run(cell, recipe, suite, results, deadline)
            except _BudgetSpent:
                left.append(cell)
                continue
            except UsageError:  # no fault of the cell: a disk is full, or a device is not there
                raise
            except (InputError, TrainingError) as error:
                failed = f"{cell.problem}: {cell.policy}, seed {cell.seed}: {error}"
                if on_failure is None:
                    raise TrainingError(failed) from None
                on_failure(failed)
                left.append(cell)
                continue
        outcomes += found
    return outcomes, left


def _checked(suite: Suite, cells: Sequence[Cell], settings: Sequence[str]) -> list[Recipe]:
    """The recipe of each cell; every mistake in these and in the networks of the instances, at once."""
    recipes, problems, folders = [], [], [cell.folder for cell in cells]
    networks: dict[str, Network] = {}
    for cell in cells:
        for instance in cell.instances:
            try:
                networks[_place(cell, instance)] = parse_network(build_network(_mapping(suite, cell, instance)))
            except GnnInventoryError as error:
                problems += [f"{cell.problem}: instances: {line}" for line in str(error).splitlines()]
    for cell in cells:
        who = f"{cell.problem}: {cell.policy}"
        if folders.count(cell.folder) > 1:
            problems.append(f"{who}: another one's folder is '{cell.folder}' too; give it a name of its own")
        try:
            recipe = _recipe(cell, settings)
            recipes.append(recipe)
            _start_of(recipe)
            if recipe.demand is not None and _runnable(recipe):
                scenario_source(recipe, "train", 0)  # the sales are there, and long enough
            tested = [networks[place] for instance in cell.instances if (place := _place(cell, instance)) in networks]
            if recipe.demand is None and any(is_panel(network) for network in tested):
                problems.append(f"{who}: its network has a panel of sales; expected a recipe of sales, got {recipe.name}")
            elif cell.contender.shared and cell.seed == (cell.contender.seeds or suite.seeds)[0] and _runnable(recipe):
                _refuse_misfits(recipe, [_mapping(suite, cell, instance) for instance in cell.instances])
        except GnnInventoryError as error:
            problems += [f"{who}: {line}" for line in str(error).splitlines()]
    if not problems:
        problems += _other_sales(cells, recipes) + _same_tests(suite, cells, recipes)
        if settings and all(recipe.demand is None for recipe in recipes):
            problems.append(f"--set {settings[0]}: is for panels of sales, and no recipe of this suite has one; expected none")
    if problems:
        raise InputError(dict.fromkeys(problems))
    return recipes


def _place(cell: Cell, instance: Mapping[str, Any]) -> str:
    """Which network of the suite an instance is."""
    return f"{cell.problem} {settings_of(instance)}"


def _refuse_misfits(recipe: Recipe, mappings: Sequence[Mapping[str, Any]]) -> None:
    """Raise where the policy that one training makes for all instances cannot decide on one of them."""
    oracle = ORACLES.get(str(recipe.policy["name"]))
    policy = prepared(recipe)[0] if oracle is None else oracle()
    for mapping in mappings:
        decide_once(policy, recipe, mapping)


def _other_sales(cells: Sequence[Cell], recipes: Sequence[Recipe]) -> list[str]:
    """What policies of one problem are tested on other sales, or in other periods, than its first: their costs cannot be compared."""
    problems: list[str] = []
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for cell, recipe in zip(cells, recipes, strict=True):
        sales = _sales_tested(recipe)
        if sales is not None:
            name, other = first.setdefault(cell.problem, (cell.policy, sales))
            differs = ", ".join(key for key in sales if sales[key] != other[key])
            if differs:
                problems.append(
                    f"{cell.problem}: {cell.policy}: other {differs} of demand than {name}; expected the same to test on"
                )
    return problems


def _sales_tested(recipe: Recipe) -> dict[str, Any] | None:
    """What of its panel decides on which sales, and in which periods, a policy is tested; None without one."""
    if recipe.demand is None:
        return None
    return recipe.demand.model_dump(mode="json", exclude={"calendar": True, "windows": {"train", "dev"}})


def _same_tests(suite: Suite, cells: Sequence[Cell], recipes: Sequence[Recipe]) -> list[str]:
    """What two problems test alike: the best known of each would not be the best of both."""
    problems: list[str] = []
    first: dict[str, str] = {}
    for cell, recipe in zip(cells, recipes, strict=True):
        how = suite.problems[cell.problem].evaluation.model_dump(mode="json")
        for instance in cell.instances:
            tested = json.dumps([_mapping(suite, cell, instance), how, _sales_tested(recipe)], sort_keys=True)
            other = first.setdefault(tested, cell.problem)
            if other != cell.problem:
                where = f"{' '.join(settings_of(instance))}: " if instance else ""
                problems.append(
                    f"{cell.problem}: {where}the same tests as in '{other}'; expected all policies on them in one problem"
                )
    return problems


def _recipe(cell: Cell, settings: Sequence[str]) -> Recipe:
    plain = load_recipe(cell.contender.recipe)
    return load_recipe(cell.contender.recipe, [*cell.settings, *(settings if plain.demand is not None else ())])


def _mapping(suite: Suite, cell: Cell, instance: Mapping[str, Any]) -> dict[str, Any]:
    """An instance of a cell's network."""
    return with_settings(network_mapping(suite.problems[cell.problem].network), settings_of(instance))


def _refuse_another(recipe: Recipe, done: Recipe, folder: Path) -> None:
    """Raise where what is done was trained by another recipe; where the sales lie does not matter."""
    if _wherever_sales_lie(recipe).without_device() != _wherever_sales_lie(done).without_device():
        raise UsageError(f"{folder}: '{recipe.name}' has changed since it was trained there; name another folder")


def _start_of(recipe: Recipe) -> dict[str, str]:
    """The weights that a training starts from, where its recipe names some."""
    return {} if recipe.start is None else {"start": digest(recipe.start)}


def _wherever_sales_lie(recipe: Recipe) -> Recipe:
    """A recipe without the names of the files of its panel."""
    if recipe.demand is None:
        return recipe
    calendar = recipe.demand.calendar and recipe.demand.calendar.model_copy(update={"file": ""})
    return replace(recipe, demand=recipe.demand.model_copy(update={"panel": None, "calendar": calendar}))


def lacks_sales(cell: Cell, settings: Sequence[str] = ()) -> bool:
    """Whether its recipe is of a panel of sales, which is not shipped, and neither that nor the `settings` say where it lies."""
    return not _runnable(_recipe(cell, settings))


def _runnable(recipe: Recipe) -> bool:
    """Whether all that it needs is there: sales are not shipped."""
    return recipe.demand is None or recipe.demand.panel is not None


def _run(cell: Cell, recipe: Recipe, suite: Suite, results: Results, deadline: float) -> list[Outcome]:
    """Train one cell, test it on its instances, write what it gave; what sees the future has nothing to train."""
    run = results.run(cell.folder)

    def on_epoch(line: dict[str, Any]) -> None:
        if time.monotonic() >= deadline and line["epoch"] < recipe.training.epochs:
            raise _BudgetSpent

    policy: Policy | Oracle
    oracle = ORACLES.get(str(recipe.policy["name"]))
    if oracle is None:
        seconds = train_recipe(recipe, run, resume=run.recipe_file.exists(), on_epoch=on_epoch).seconds
        policy = run.policy()
    else:
        seconds, policy = 0.0, oracle()
        if not run.recipe_file.exists():
            run.create(recipe)
    problem = suite.problems[cell.problem]
    outcomes: list[Outcome] = []
    for instance in cell.instances:
        about = {
            "problem": cell.problem,
            "instance": dict(instance),
            "policy": cell.policy,
            "recipe": cell.contender.recipe,
            "settings": dict(cell.varied),
            "seed": cell.seed,
            "training_scenarios": 0 if oracle else recipe.training.scenarios,
            "training_seconds": round(seconds, 1),
            **_start_of(recipe),
        }
        name = f"{cell.folder}-{len(outcomes)}"
        outcomes.append(results.measure(name, recipe, policy, _mapping(suite, cell, instance), problem.evaluation, about))
    results.finish(cell.folder, outcomes)
    return outcomes
