"""The verb: train a policy on a network, or a recipe into a run folder."""

import copy
from collections.abc import Callable
from typing import Any

import networkx as nx
import torch

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError
from gnn_inventory.policies import POLICIES, make_policy
from gnn_inventory.policies.base import Policy
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Data, data_of, steps_per_epoch
from gnn_inventory.training.hdpo import Result, choose_device, hdpo
from gnn_inventory.training.recipe import Recipe, Training, scenario_source
from gnn_inventory.training.run_folder import RunFolder

__all__ = ["train", "train_recipe"]


def train(policy: Policy, network: nx.DiGraph, settings: Training | None = None) -> Result:
    """Train a copy of a policy on a network whose locations state their demand.

    Args:
        policy: any of `gnn_inventory.policies`; it is not changed. Weights and levels are gone on from, but for those of a
            policy that is tied to another network: they are made anew.
        network: the network.
        settings: of training; the defaults where None.

    Raises:
        InputError: the network is not valid, or the policy cannot serve it.
        TrainingError: the gradient is dead or has exploded.
    """
    settings = settings or Training()
    parsed = parse_network(network)
    source, dev = (SyntheticDemand(parsed, settings.seed, stream) for stream in ("train", "dev"))
    drawn = dev.sample(0, settings.dev_scenarios, settings.dev_periods)
    data = Data(source, drawn, settings.dev_warm_up, settings.scenarios, settings.periods, settings.warm_up)
    fresh = copy.deepcopy(policy)
    if fresh.places != tuple(source.graph.places):
        fresh.fit_to(source.graph)
    fresh.prepare(source, data.size, data.periods)
    return hdpo(fresh, data, settings)


def train_recipe(
    recipe: Recipe,
    folder: RunFolder,
    resume: bool = False,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_step: Callable[[], None] | None = None,
    on_start: Callable[[int], None] | None = None,
) -> Result:
    """Train what a recipe says into a run folder; nothing is written before all of it is found valid.

    Args:
        recipe: the recipe.
        folder: a new folder, or with `resume` one that holds a run of the same recipe.
        resume: go on from the last finished epoch.
        on_epoch, on_step: see `hdpo`.
        on_start: called with the number of steps before the first.

    Raises:
        UsageError: the folder exists (or with `resume` is no run folder), the device is not there.
        InputError: the checkpoint is of another recipe.
    """
    if resume:
        before = folder.recipe()
        if before.without_device() != recipe.without_device():
            raise InputError(f"{folder.path}: holds a run of another recipe; expected the same, or another folder")
    else:
        folder.refuse_existing()
    choose_device(recipe.training.device)
    train_source, dev_source = (scenario_source(recipe, stream, recipe.training.seed) for stream in ("train", "dev"))
    data = data_of(recipe, train_source, dev_source)
    settings = dict(recipe.policy)
    name = str(settings.pop("name"))
    known = {"seed": recipe.training.seed, "calendar": data.dev.calendar.shape[1]}
    if name in POLICIES:
        settings = {key: value for key, value in known.items() if key in POLICIES[name]().config} | settings
    policy = make_policy(name, **settings)
    policy.fit_to(train_source.graph)
    policy.prepare(train_source, data.size, train_source.periods or data.periods)
    first = data.dev[torch.arange(1)]
    next(iter(periods(policy, train_source.graph, first)))  # a policy that cannot serve this network says so here
    if not resume:
        folder.create(recipe)
    if on_start is not None:
        on_start(recipe.training.epochs * steps_per_epoch(data.size, recipe.training.batch))
    return hdpo(policy, data, recipe.training, folder, on_epoch, on_step)
