"""What is transferred where: the recipes of runs, the networks and native recipes, as the command line and Python name them."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gnn_inventory.demand.scenarios import STREAMS
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.evaluation import refuse_other_tests
from gnn_inventory.files import read_yaml
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import Recipe, load_recipe, recipe_of, with_sales, with_settings
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Evaluation

__all__ = ["drawn_targets", "evaluation_of", "native_recipes", "recipe_of_run", "targets_of"]

Read = TypeVar("Read")


def evaluation_of(runs: Sequence[Path], settings: Sequence[str], stated: Mapping[str, int]) -> Evaluation:
    """How runs are tested: as their recipes say, with settings put in, but for what is stated.

    Raises:
        InputError: the recipes do not say the same.
    """
    recipes = [recipe_of_run(run, settings) for run in runs]
    same = [replace(recipe, evaluation=recipe.evaluation.model_copy(update=stated)) for recipe in recipes]
    refuse_other_tests([str(run) for run in runs], same, ["evaluation"])
    return same[0].evaluation


def recipe_of_run(run: Path, settings: Sequence[str]) -> Recipe:
    """The recipe of a run, with settings put in; where its networks state their own demand, those of sales are for other networks."""
    folder = RunFolder(run)
    recipe = folder.recipe()
    folder.policy()
    sales = [setting for setting in settings if re.match(r"demand[.=]", setting)] if recipe.demand is None else []
    others = [setting for setting in settings if setting not in sales]
    if others:
        recipe = recipe_of(with_settings(read_yaml(folder.recipe_file), others), run.resolve().name, str(run))
    return with_sales(recipe, sales, str(run)) if sales else recipe


def targets_of(texts: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Name and mapping of each target.

    Raises:
        InputError, UsageError: every mistake in every target.
    """
    return _each(texts, _target)


def native_recipes(texts: Sequence[str]) -> list[Recipe]:
    """The recipes to train on each target.

    Args:
        texts: each a name of the catalogue or a file, with `key=value` settings after it: "specialist training.epochs=24";
            `name=` among them is what the table calls it.

    Raises:
        InputError: every mistake in every recipe. UsageError: a recipe is not there.
    """
    return _each(texts, _native)


def drawn_targets(runs: Sequence[Path], recipes: Sequence[Recipe], count: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Name and mapping of test networks of the distribution that runs were trained on: no training and no choice saw them.

    Args:
        runs, recipes: of the policies.
        count: how many; families take turns.
        seed: of the networks. They differ from those of training and dev whatever it is.

    Raises:
        UsageError: a run that was trained on one network. InputError: runs of several distributions.
    """
    if not count:
        return []
    networks = []
    for run, recipe in zip(runs, recipes, strict=True):
        if recipe.networks is None:
            raise UsageError(f"--drawn: {run} was trained on one network, not on a distribution; name networks: --to NETWORK")
        networks.append(recipe.networks)
        if networks[0].families != recipe.networks.families:
            raise InputError(f"--drawn: {runs[0]} and {run} state other 'networks'; take them one by one")
    families, found = list(networks[0].families), []
    for number in range(count):
        name = f"{families[number % len(families)]} {number // len(families)}"
        found.append((name, {**networks[0].mapping(seed, STREAMS["test"], number), "name": name}))
    return found


def _each(texts: Sequence[str], read: Callable[[str], Read]) -> list[Read]:
    """What is read of each text; the mistakes of all of them are one error."""
    found, mistakes = [], []
    for text in texts:
        try:
            found.append(read(text))
        except InputError as error:
            mistakes.append(error)
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        raise InputError(dict.fromkeys(line for error in mistakes for line in str(error).splitlines()))
    return found


def _target(text: str) -> tuple[str, dict[str, Any]]:
    """What the table calls a target, and its mapping."""
    network, settings = _parted(text, "--to", "a network")
    mapping = network_mapping(network)
    if settings:
        option = f"--to '{text}':"
        mapping = with_settings({**mapping, "name": text}, settings, option)
        _refuse_no_name(mapping["name"], option, "the network")
    parse_network(build_network(mapping))
    return mapping["name"] if settings else text, mapping


def _native(text: str) -> Recipe:
    """A recipe by the name that the table calls it."""
    recipe, settings = _parted(text, "--native", "a recipe")
    if not settings:
        return load_recipe(recipe)
    option = f"--native '{text}':"
    named = [setting for setting in settings if setting.startswith("name=")]
    name = with_settings({"name": text}, named, option)["name"]
    _refuse_no_name(name, option, "the recipe")
    return replace(load_recipe(recipe, [setting for setting in settings if setting not in named], option), name=name)


def _parted(text: str, option: str, what: str) -> tuple[str, list[str]]:
    """A name or file, and the settings after it."""
    if not text.strip():
        raise InputError(f"{option}: got no name; expected {what} of the catalogue, or its file")
    if " " not in text or os.path.exists(text):  # which knows that a text may be too long for a path
        return text, []
    name, *settings = re.split(r"\s+(?=[^\s=\[\]{},]+=)", text.strip())  # a value may hold spaces: holding_cost=[0.1, 0.2]
    return name, settings


def _refuse_no_name(name: object, option: str, what: str) -> None:
    """Raise where tables could not call it so."""
    if not isinstance(name, str) or not name:
        raise InputError(f"{option} name: got {name!r}; expected what the table is to call {what}")
