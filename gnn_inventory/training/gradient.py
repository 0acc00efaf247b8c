"""The gradient of a batch: its scenarios are shared out among processes and, within one, among threads."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios, generator
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Policy
from gnn_inventory.policies.echelon import newsvendor_cost
from gnn_inventory.training.data import Batch
from gnn_inventory.training.forward_gradient import forward_gradient
from gnn_inventory.training.loss import Loss, Part
from gnn_inventory.training.machine import Machine
from gnn_inventory.training.memory import give_back_large_blocks
from gnn_inventory.training.pathwise import pathwise
from gnn_inventory.training.processes import Processes
from gnn_inventory.training.risk import Tail, tail_of_batch
from gnn_inventory.training.score_function import score_function
from gnn_inventory.training.service import fill_rate
from gnn_inventory.training.settings import Training
from gnn_inventory.types import PerPeriod

__all__ = ["Step", "gradient", "newsvendor_weights"]

LEAST_COST = 0.01
"""Of the mean newsvendor cost: a scenario with next to none, whose demand is certain, counts no more than this allows."""

NOISE = 11
"""Of the key of the random numbers that an estimator draws for itself."""


@dataclass(frozen=True)
class Step:
    """What a step saw of its batch.

    Attributes:
        cost: per location with demand, of each scenario of this process and period [B, T].
        train: this process's part of the batch's cost after the warm-up, as it is reported.
        simulated_periods: scenarios x periods that this process simulated, of each network.
        fill_rate: of the whole batch; None where none is asked for.
    """

    cost: PerPeriod
    train: float
    simulated_periods: int
    fill_rate: float | None


def gradient(
    policy: Policy,
    batch: Batch,
    machine: Machine,
    settings: Training,
    warm_up: int = 0,
    price: float = 0.0,
    key: tuple[int, ...] = (),
) -> Step:
    """Put the gradient of what is minimised into the policy's parameters, per period and location with demand.

    Args:
        policy: decides the orders.
        batch: this process's share of a batch.
        machine: what it is computed on; the gradients of its processes are summed.
        settings: of training: the estimator, and what is minimised.
        warm_up: first periods that count neither for risk, nor for the fill rate, nor for the cost that is reported.
        price: of the whole fill rate, money per period and location.
        key: of the step, for an estimator's own random numbers.
    """
    if settings.checkpoint_every:
        give_back_large_blocks()
    periods, processes, serving = batch.scenarios.periods, machine.processes, settings.fill_rate is not None
    demanded = _total(processes, [batch.scenarios.demand[:, warm_up:].clamp_min(0.0)]) if serving else 0.0
    loss, taken, seen = _loss(policy, batch, machine, settings, warm_up, price / demanded if demanded else 0.0)
    found = _estimated(policy, taken, machine, loss, settings, key) if len(taken.scenarios) else []
    parameters = [value for value in policy.parameters() if value.requires_grad]
    gradients = [part.gradients for part in found if part.gradients] or [(None,) * len(parameters)]
    sums = [
        sum((value for value in values if value is not None), torch.zeros_like(parameter))
        for parameter, values in zip(parameters, zip(*gradients, strict=True), strict=True)
    ]
    for parameter, value in zip(parameters, processes.sum(sums), strict=True):
        parameter.grad = value
    rollouts = len(taken.scenarios) * settings.rollouts_per_scenario + (0 if seen is None else len(seen.cost))
    simulated = rollouts * periods * batch.networks
    served = [part.served[:, warm_up:] for part in found if part.served is not None]
    reached = fill_rate(_total(processes, served), demanded) if serving else None
    cost = (torch.cat([part.cost for part in found]) if seen is None else seen.cost) / batch.graph.demand_locations
    if seen is None:
        return Step(
            cost, batch.graph.demand_locations * float((cost[:, warm_up:].mean(1) * loss.weights).sum()), simulated, reached
        )
    return Step(cost, float((cost[:, warm_up:].mean(1) * seen.weights).sum()), simulated, reached)


def _loss(
    policy: Policy, batch: Batch, machine: Machine, settings: Training, warm_up: int, price: float
) -> tuple[Loss, Batch, Tail | None]:
    """What is minimised, the scenarios that matter to it, and, where it is a risk, what was simulated to know the worst of them.

    Args:
        policy, batch, machine, settings, warm_up: see `gradient`.
        price: of a unit that is served at once.
    """
    graph, scenarios = batch.graph, batch.scenarios
    serving, stores = settings.fill_rate is not None, graph.demand_locations
    weights = scenarios.demand.new_ones(len(scenarios))
    if settings.relative:
        weights = newsvendor_weights(graph, scenarios, batch.share, machine.processes)
    if settings.level is None:
        first = warm_up if serving else 0  # a price of service is of the cost of the periods that are served
        return Loss(weights * (batch.share / (len(scenarios) * stores)), first, price, warm_up), batch, None
    tail = tail_of_batch(policy, batch, machine, weights, warm_up, settings.level, settings.whole_units is not None)
    if serving:  # all customers count
        return Loss(tail.weights / stores, warm_up, price, warm_up), batch, tail
    rows = tail.weights.nonzero().squeeze(1)  # no other scenario has a gradient
    taken = batch._replace(scenarios=scenarios[rows])
    return Loss(tail.weights[rows] / stores, warm_up), taken, tail


def _estimated(
    policy: Policy, batch: Batch, machine: Machine, loss: Loss, settings: Training, key: tuple[int, ...]
) -> list[Part]:
    """The gradient of a loss by the estimator of the settings."""
    serving, random = settings.fill_rate is not None, generator(settings.seed, NOISE, *key)
    if settings.estimator == "score_function":
        return score_function(policy, batch, machine, loss, serving, settings.rollouts, settings.exploration, random)
    if settings.estimator == "forward":
        return forward_gradient(policy, batch, machine, loss, serving, settings.directions, random)
    return pathwise(policy, batch, machine, loss, serving, settings.checkpoint_every, settings.whole_units is not None)


def _total(processes: Processes, values: list[Tensor]) -> float:
    """The sum of tensors of all processes, in double precision."""
    (total,) = processes.sum([torch.stack([value.double().sum() for value in values]).sum().reshape(1)])
    return float(total)


def newsvendor_weights(graph: InventoryGraph, scenarios: Scenarios, share: float, processes: Processes) -> Tensor:
    """Inverse of each scenario's newsvendor cost, at least `LEAST_COST` of the mean one; their mean over all processes' shares 1 [B]."""
    cost = newsvendor_cost(graph, Known.of(graph, scenarios))
    (usual,) = processes.sum([share * cost.mean().reshape(1)])
    inverse = 1.0 / torch.maximum(cost, LEAST_COST * usual).clamp_min(1e-9)
    (mean,) = processes.sum([share * inverse.mean().reshape(1)])
    return (inverse / mean).expand(len(scenarios))
