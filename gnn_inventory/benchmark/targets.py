"""What is transferred where: the recipes of runs and the networks, as the command line and Python name them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnn_inventory.demand.scenarios import STREAMS
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.evaluation import refuse_other_tests
from gnn_inventory.files import read_yaml
from gnn_inventory.topology.catalogue import build_network, network_mapping
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.recipe import Recipe, recipe_of, with_sales, with_settings
from gnn_inventory.training.run_folder import RunFolder
from gnn_inventory.training.settings import Evaluation

__all__ = ["drawn_targets", "evaluation_of", "recipe_of_run", "targets_of"]


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
    found, mistakes = [], []
    for text in texts:
        try:
            name, mapping = _target(text)
            parse_network(build_network(mapping))
            found.append((name, mapping))
        except InputError as error:
            mistakes.append(error)
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        raise InputError(dict.fromkeys(line for error in mistakes for line in str(error).splitlines()))
    return found


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


def _target(text: str) -> tuple[str, dict[str, Any]]:
    """What the table calls a target, and its mapping: a name or file, or one with settings after it, `name=` among them."""
    if not text.strip():
        raise InputError("--to: got no name; expected a network of the catalogue, or its file")
    if " " not in text or os.path.exists(text):  # which knows that a text may be too long for a path
        return text, network_mapping(text)
    network, *settings = re.split(r"\s+(?=[^\s=\[\]{},]+=)", text.strip())  # a value may hold spaces: holding_cost=[0.1, 0.2]
    option = f"--to '{text}':"
    mapping = with_settings({**network_mapping(network), "name": text}, settings, option)
    if not isinstance(mapping["name"], str) or not mapping["name"]:
        raise InputError(f"{option} name: got {mapping['name']!r}; expected what the table is to call the network")
    return mapping["name"], mapping
