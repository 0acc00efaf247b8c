"""The pathwise gradient: straight through policy, allocation and simulator (HDPO, arXiv 2306.11246)."""

import torch
from torch import Tensor

from gnn_inventory.policies.base import Policy
from gnn_inventory.training.data import Batch
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.loss import Loss, Part
from gnn_inventory.training.machine import Machine

__all__ = ["pathwise"]


def pathwise(policy: Policy, batch: Batch, machine: Machine, loss: Loss, serving: bool, stretch: int, whole: bool) -> list[Part]:
    """The gradient of the loss, by reverse differentiation.

    Args:
        policy: decides the orders.
        batch: scenarios.
        machine: whose threads share the scenarios.
        loss: of these scenarios.
        serving: also say what was served at once.
        stretch, whole: see `costs_within`.
    """
    graph, scenarios = batch.graph, batch.scenarios
    parameters = [value for value in policy.parameters() if value.requires_grad]

    def of_part(rows: Tensor) -> Part:
        part = scenarios if len(rows) == len(scenarios) else scenarios[rows]
        simulated = costs_within(policy, graph, part, stretch, serving, whole)
        gradients = torch.autograd.grad(loss.total(simulated, rows), parameters, allow_unused=True)
        served = None if simulated.served is None else simulated.served.detach()
        return Part(simulated.cost.detach(), served, gradients)

    return machine.threads.map(of_part, graph, len(scenarios))
