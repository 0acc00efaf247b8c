"""The verb: train a policy on a network, or a recipe into a run folder."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import networkx as nx
import torch

from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.errors import InputError, UsageError
from gnn_inventory.files import lock
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import POLICIES, make_policy, policy_name
from gnn_inventory.policies.base import Known, Policy
from gnn_inventory.rollout import periods
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch, Data, ManyNetworks, OneNetwork, data_of, steps_per_epoch
from gnn_inventory.training.hdpo import Result, hdpo, refuse_unfit
from gnn_inventory.training.machine import choose_device
from gnn_inventory.training.processes import this_process
from gnn_inventory.training.recipe import Recipe
from gnn_inventory.training.run_folder import RunFolder, load_policy
from gnn_inventory.training.settings import Training

__all__ = ["prepared", "train", "train_recipe"]


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
    if settings.random_start:
        raise InputError("training.random_start: got True; expected it with a panel of sales only: train_recipe")
    parsed = parse_network(network)
    source, dev = (SyntheticDemand(parsed, settings.seed, stream) for stream in ("train", "dev"))
    drawn = Batch(dev.graph, dev.sample(0, settings.dev_scenarios, settings.dev_periods))
    whole, counted = settings.whole_units is not None, (settings.scenarios, settings.periods, settings.warm_up)
    data = OneNetwork(drawn, settings.dev_warm_up, *counted, whole, source)
    fresh = copy.deepcopy(policy)
    data.introduce(fresh)
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
        UsageError: the folder exists (or with `resume` is no run folder, or another process trains it), the device is not there.
        InputError: the checkpoint is of another recipe, or what `prepared` raises. TrainingError: the gradient is dead or has exploded.
    """
    if resume:
        before = folder.recipe()
        if before.without_device() != recipe.without_device():
            raise InputError(f"{folder.path}: holds a run of another recipe; expected the same, or another folder")
    elif this_process().first:
        folder.refuse_existing()
    choose_device(recipe.training.device)
    policy, data = prepared(recipe)
    if not resume and this_process().first:
        folder.create(recipe)
    if on_start is not None:
        on_start(recipe.training.epochs * steps_per_epoch(data.size, recipe.training.batch))
    with lock(folder.recipe_file) if this_process().first else nullcontext(True) as free:
        if not free:
            raise UsageError(f"{folder.path}: another process is training it; wait for that, or name another folder")
        return hdpo(policy, data, recipe.training, folder, on_epoch, on_step, trained=recipe.start is not None)


def prepared(recipe: Recipe) -> tuple[Policy, Data]:
    """The policy that a recipe starts from and what it is trained on, found to fit each other.

    Raises:
        UnsupportedNetworkError: the policy cannot serve the network. InputError: what `refuse_unfit` raises.
    """
    data = data_of(recipe)
    settings = dict(recipe.policy)
    name = str(settings.pop("name"))
    known = {"seed": recipe.training.seed, "calendar": data.dev.scenarios.calendar.shape[1]}
    if name in POLICIES:
        settings = {key: value for key, value in known.items() if key in POLICIES[name]().config} | settings
    policy = make_policy(name, **settings)
    if recipe.start is not None:
        policy = _started(policy, recipe.start, data.dev.graph)
    data.introduce(policy)
    dtype = next((value.dtype for value in policy.parameters()), torch.float32)  # of the file that it starts from
    one = data.dev._replace(scenarios=data.dev.scenarios[torch.arange(1)]).to(torch.device("cpu"), dtype)
    next(iter(periods(policy, one.graph, one.scenarios)))  # a policy that cannot serve this network says so here
    if isinstance(data, ManyNetworks):
        ends = data.ends.to_dtype(dtype)
        policy.start(ends, Known.stated(ends))
    refuse_unfit(policy, data, recipe.training)
    return policy, data


def _started(fresh: Policy, file: Path, graph: InventoryGraph) -> Policy:
    """The policy of a file, where it is of the same kind, size and places as a fresh one; seeds, lumps and routes may differ."""
    found = load_policy(file)
    free = {"seed": 0, "lumps": 0, "routes": 0}  # the network decides whether there are lumps and routes
    settings = [{"policy": policy_name(policy), **policy.config, **free} for policy in (found, fresh)]
    if settings[0] != settings[1]:
        raise InputError(f"{file}: start: got {found}; expected the policy of the recipe, {fresh}")
    if found.places:
        found.refuse_other_places(graph)
    return found
