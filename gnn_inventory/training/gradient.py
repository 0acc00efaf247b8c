"""The gradient of a batch: its scenarios are shared out among processes and, within one, among threads."""

import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Policy
from gnn_inventory.policies.echelon import newsvendor_cost
from gnn_inventory.training.data import Batch
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.machine import Machine
from gnn_inventory.training.memory import give_back_large_blocks
from gnn_inventory.training.processes import Processes
from gnn_inventory.types import PerPeriod

__all__ = ["gradient", "newsvendor_weights"]


def gradient(
    policy: Policy, batch: Batch, machine: Machine, stretch: int = 0, relative: bool = False, whole: bool = False
) -> PerPeriod:
    """Put the gradient of the mean cost per period and location with demand into the policy's parameters.

    Args:
        policy: decides the orders.
        batch: this process's share of a batch.
        machine: what it is computed on; the gradients of its processes are summed.
        stretch: see `costs_within`.
        relative: weigh each scenario by the inverse of its newsvendor cost.
        whole: see `costs_within`.

    Returns:
        Cost per location with demand of each scenario of this process and period [B, T].
    """
    if stretch:
        give_back_large_blocks()
    graph, scenarios = batch.graph, batch.scenarios
    parameters = [value for value in policy.parameters() if value.requires_grad]
    weights = scenarios.demand.new_ones(len(scenarios))
    if relative:
        weights = newsvendor_weights(graph, scenarios, batch.share, machine.processes)
    weights = weights * (batch.share / (len(scenarios) * graph.demand_locations))

    def of_part(rows: Tensor) -> tuple[PerPeriod, tuple[Tensor | None, ...]]:
        part = scenarios if len(rows) == len(scenarios) else scenarios[rows]
        cost, minimised = costs_within(policy, graph, part, stretch, whole)
        total = (minimised.mean(1) * weights[rows.to(weights.device)]).sum()
        return cost.detach() / graph.demand_locations, torch.autograd.grad(total, parameters, allow_unused=True)

    found = machine.threads.map(of_part, graph, len(scenarios))
    sums = [
        sum((value for value in values if value is not None), torch.zeros_like(parameter))
        for parameter, values in zip(parameters, zip(*(gradients for _, gradients in found), strict=True), strict=True)
    ]
    for parameter, value in zip(parameters, machine.processes.sum(sums), strict=True):
        parameter.grad = value
    return torch.cat([cost for cost, _ in found])


def newsvendor_weights(graph: InventoryGraph, scenarios: Scenarios, share: float, processes: Processes) -> Tensor:
    """Inverse of each scenario's newsvendor cost, their mean over all processes' shares 1 [B]."""
    inverse = 1.0 / newsvendor_cost(graph, Known.of(graph, scenarios)).clamp_min(1e-9)
    (mean,) = processes.sum([share * inverse.mean().reshape(1)])
    return (inverse / mean).expand(len(scenarios))
