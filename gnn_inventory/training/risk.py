"""Conditional value at risk: the mean of the worst part of the scenarios' costs.

Rockafellar and Uryasev (2000): CVaR_a(X) = min over c of c + E[(X - c)+] / (1 - a); the threshold c that attains the minimum is
the a-quantile of X, the value at risk. On a batch that minimum is exact: its threshold is the batch's quantile, and what is left is
a weighted mean of the scenarios' costs. So training needs no threshold of its own, with a learning rate and a scale, and none that
lags behind the policy until no scenario is above it and the gradient is dead. The price is a bias of the order of 1 / B: the minimum
over c fits the batch, so what it finds is at most the true value in the mean, a little too good, less so the more scenarios there are.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gnn_inventory.errors import InputError
from gnn_inventory.policies.base import Policy
from gnn_inventory.training.data import Batch
from gnn_inventory.training.horizon import Simulated, costs_within
from gnn_inventory.training.machine import Machine
from gnn_inventory.types import PerPeriod, PerScenario

__all__ = ["Tail", "conditional_value_at_risk", "tail_of_batch", "tail_weights"]


def tail_weights(costs: PerScenario, level: float) -> PerScenario:
    """Weights of scenarios whose weighted sum of costs is their conditional value at risk [B], with sum 1.

    1 / (B (1 - level)) above the quantile; the rest, to a sum of 1, is shared by those that are at it. Where fewer than one
    scenario would be above it, all weight is with the worst.

    Args:
        costs: of equally likely scenarios [B], money.
        level: part of the scenarios that are no worse than the quantile, alpha, 0 < alpha < 1.
    """
    tail = max(len(costs) * (1.0 - level), 1.0)
    count = min(math.ceil(tail - 1e-9), len(costs))
    threshold = costs.sort(descending=True).values[count - 1]
    above, at = costs > threshold, costs == threshold
    rest = (tail - above.sum().to(costs.dtype)) / at.sum()
    return (above + at * rest) / tail


def conditional_value_at_risk(costs: PerScenario, level: float) -> float:
    """The mean cost of the worst part 1 - level of the scenarios, CVaR, money; of a sample, in the mean too low by the order of 1 / B.

    Args:
        costs: of equally likely scenarios [B], money.
        level: alpha, 0 < alpha < 1; as it goes to 0 this is the mean.

    Raises:
        InputError: no such level, or no costs.

    Example:
        >>> conditional_value_at_risk(torch.tensor([1.0, 5.0, 2.0, 4.0]), 0.5)
        4.5
    """
    if not 0 < level < 1:
        raise InputError(f"level: got {level:g}; expected a number between 0 and 1, such as 0.95")
    if len(costs) == 0:
        raise InputError("costs: got none; expected those of at least one scenario")
    return float((tail_weights(costs, level) * costs).sum())


class Tail(NamedTuple):
    """The worst of a batch, as one process sees it.

    Attributes:
        weights: how much the mean cost of each of its scenarios counts, 0 outside the tail [B].
        cost: of its scenarios per period, whole network [B, T], money.
    """

    weights: PerScenario
    cost: PerPeriod


def tail_of_batch(
    policy: Policy, batch: Batch, machine: Machine, weights: PerScenario, warm_up: int, level: float, whole: bool = False
) -> Tail:
    """How much each scenario's mean cost counts in the conditional value at risk of a batch, by a rollout without gradient.

    Args:
        policy: decides the orders.
        batch: this process's share of a batch.
        machine: whose threads and processes share the scenarios.
        weights: of each scenario's cost [B].
        warm_up: first periods that are not counted.
        level: alpha.
        whole: see `costs_within`.
    """
    graph, scenarios = batch.graph, batch.scenarios

    @torch.no_grad()
    def of_part(rows: Tensor) -> Simulated:
        return costs_within(policy, graph, scenarios[rows], whole=whole)

    found = machine.threads.map(of_part, graph, len(scenarios))
    own = torch.cat([part.minimised[:, warm_up:].mean(1) for part in found]) * weights
    together = own.new_zeros(round(len(scenarios) / batch.share))
    together[machine.processes.share] = own
    (together,) = machine.processes.sum([together])
    counted = tail_weights(together, level)[machine.processes.share] * weights
    return Tail(counted, torch.cat([part.cost for part in found]))
