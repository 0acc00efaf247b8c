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
from gnn_inventory.training.risk import tail_of_batch
from gnn_inventory.training.score_function import score_function
from gnn_inventory.training.service import fill_rate
from gnn_inventory.training.settings import Training
from gnn_inventory.types import PerPeriod

__all__ = ["Step", "gradient", "newsvendor_weights"]

NOISE = 11
"""Of the key of the random numbers that an estimator draws for itself."""


@dataclass(frozen=True)
class Step:
    """What a step saw of its batch.

    Attributes:
        cost: per location with demand, of each scenario of this process and period [B, T].
        train: this process's part of the batch's cost after the warm-up, as it is reported.
        simulated_periods: scenarios x periods that this process simulated.
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
    multiplier: float = 0.0,
    key: tuple[int, ...] = (),
) -> Step:
    """Put the gradient of what is minimised into the policy's parameters, per period and location with demand.

    Args:
        policy: decides the orders.
        batch: this process's share of a batch.
        machine: what it is computed on; the gradients of its processes are summed.
        settings: of training: the estimator, and what is minimised.
        warm_up: first periods that count neither for risk, nor for the fill rate, nor for the cost that is reported.
        multiplier: of the fill rate, money per period and location.
        key: of the step, for an estimator's own random numbers.
    """
    if settings.checkpoint_every:
        give_back_large_blocks()
    graph, scenarios, processes = batch.graph, batch.scenarios, machine.processes
    stores, serving = graph.demand_locations, settings.fill_rate is not None
    weights = scenarios.demand.new_ones(len(scenarios))
    if settings.relative:
        weights = newsvendor_weights(graph, scenarios, batch.share, processes)
    demanded = _total(processes, [scenarios.demand[:, warm_up:]]) if serving else 0.0
    price = multiplier / demanded if demanded else 0.0
    if settings.level is None:
        first = warm_up if serving else 0  # a price of service is of the cost of the periods that are served
        loss, taken, simulated = Loss(weights * (batch.share / (len(scenarios) * stores)), first, price, warm_up), batch, 0
    else:
        tail, seen = tail_of_batch(policy, batch, machine, weights, warm_up, settings.level)
        simulated = seen.numel()
        # a scenario outside the tail has no gradient, unless its customers count
        rows = torch.arange(len(tail)) if serving else tail.nonzero().squeeze(1).cpu()
        taken = batch._replace(scenarios=scenarios[rows])
        loss = Loss(tail[rows.to(tail.device)] / stores, warm_up, price, warm_up)
    found = _estimated(policy, taken, machine, loss, settings, key) if len(taken.scenarios) else []
    parameters = [value for value in policy.parameters() if value.requires_grad]
    gradients = [part.gradients for part in found if part.gradients]
    sums = [
        sum((value for value in values if value is not None), torch.zeros_like(parameter))
        for parameter, values in zip(
            parameters, zip(*gradients, strict=True) if gradients else [()] * len(parameters), strict=True
        )
    ]
    for parameter, value in zip(parameters, processes.sum(sums), strict=True):
        parameter.grad = value
    simulated += len(taken.scenarios) * scenarios.periods * settings.rollouts_per_scenario
    served = [part.served[:, warm_up:] for part in found if part.served is not None]
    reached = fill_rate(_total(processes, served), demanded) if serving else None
    if settings.level is None:
        cost = torch.cat([part.cost for part in found]) / stores
        return Step(cost, batch.share * float(cost[:, warm_up:].mean()), simulated, reached)
    cost = seen / stores
    return Step(cost, float((cost[:, warm_up:].mean(1) * tail).sum()), simulated, reached)


def _estimated(
    policy: Policy, batch: Batch, machine: Machine, loss: Loss, settings: Training, key: tuple[int, ...]
) -> list[Part]:
    """The gradient of a loss by the estimator of the settings."""
    serving, random = settings.fill_rate is not None, generator(settings.seed, NOISE, *key)
    if settings.estimator == "score_function":
        return score_function(policy, batch, machine, loss, serving, settings.rollouts, settings.exploration, random)
    if settings.estimator == "forward":
        return forward_gradient(policy, batch, machine, loss, serving, settings.directions, random)
    return pathwise(policy, batch, machine, loss, serving, settings.checkpoint_every)


def _total(processes: Processes, values: list[Tensor]) -> float:
    """The sum of tensors of all processes, in double precision."""
    (total,) = processes.sum([torch.stack([value.double().sum() for value in values]).sum().reshape(1)])
    return float(total)


def newsvendor_weights(graph: InventoryGraph, scenarios: Scenarios, share: float, processes: Processes) -> Tensor:
    """Inverse of each scenario's newsvendor cost, their mean over all processes' shares 1 [B]."""
    inverse = 1.0 / newsvendor_cost(graph, Known.of(graph, scenarios)).clamp_min(1e-9)
    (mean,) = processes.sum([share * inverse.mean().reshape(1)])
    return (inverse / mean).expand(len(scenarios))
