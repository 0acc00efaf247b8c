"""The forward gradient: the slope of the loss along random directions, without going backwards.

Baydin, Pearlmutter, Syme, Wood and Torr, arXiv 2202.08587. No period is kept: memory does not grow with the horizon.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call

from gnn_inventory.policies.base import Policy
from gnn_inventory.training.data import Batch
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.loss import Loss, Part
from gnn_inventory.training.machine import Machine

__all__ = ["forward_gradient", "slope"]


class _With(nn.Module):
    """A module whose call is a function: while it is called, the policy inside it may have other parameters."""

    def __init__(self, policy: Policy, function: Callable[[], list[tuple[Tensor, Part]]]) -> None:
        super().__init__()
        self.policy, self.function = policy, function

    def forward(self) -> list[tuple[Tensor, Part]]:
        return self.function()


def slope(
    policy: Policy, batch: Batch, machine: Machine, loss: Loss, serving: bool, direction: dict[str, Tensor]
) -> tuple[Tensor, list[Part]]:
    """The derivative of the loss along a direction of the parameters, exact, by forward differentiation.

    Args:
        policy: decides the orders.
        batch: scenarios.
        machine: whose threads share the scenarios.
        loss: of these scenarios.
        serving: also say what was served at once.
        direction: of each trainable parameter by name, of its shape.

    Returns:
        The derivative, one number, and parts without gradients.
    """
    graph, scenarios = batch.graph, batch.scenarios

    @torch.no_grad()  # no graph is kept; slopes travel with the values
    def of_part(rows: Tensor) -> tuple[Tensor, Part]:
        part = scenarios if len(rows) == len(scenarios) else scenarios[rows]
        simulated = costs_within(policy, graph, part, serving=serving)
        along = forward_ad.unpack_dual(loss.total(simulated, rows)).tangent
        cost, served = simulated.cost, simulated.served
        values = [None if value is None else forward_ad.unpack_dual(value).primal for value in (cost, served)]
        return cost.new_zeros(()) if along is None else along, Part(cost if values[0] is None else values[0], values[1], ())

    # one level for all threads: it belongs to the process, and so do the parameters that carry slopes meanwhile
    with forward_ad.dual_level():
        values = dict(policy.named_parameters())
        carrying = {f"policy.{name}": forward_ad.make_dual(values[name].detach(), along) for name, along in direction.items()}
        function = lambda: machine.threads.map(of_part, graph, len(scenarios))  # noqa: E731
        found = functional_call(_With(policy, function), carrying, ())
    return torch.stack([along for along, _ in found]).sum(), [part for _, part in found]


def forward_gradient(
    policy: Policy, batch: Batch, machine: Machine, loss: Loss, serving: bool, directions: int, random: torch.Generator
) -> list[Part]:
    """The gradient of the loss, without bias: mean over directions v ~ N(0, I) of (slope along v) x v.

    Since E[v v'] = I its mean is the gradient; its variance grows with the number of parameters: P + 1 times the squared norm
    of the gradient, divided by the number of directions.

    Args:
        policy: decides the orders.
        batch: scenarios.
        machine: whose threads share the scenarios.
        loss: of these scenarios.
        serving: also say what was served at once.
        directions: simulations with a slope, one direction each.
        random: of the directions.
    """
    trained = {name: value for name, value in policy.named_parameters() if value.requires_grad}
    gradients = {name: torch.zeros_like(value) for name, value in trained.items()}
    parts: list[Part] = []
    for _ in range(directions):
        direction = {name: torch.randn(value.shape, generator=random).to(value) for name, value in trained.items()}
        along, parts = slope(policy, batch, machine, loss, serving, direction)
        for name, value in direction.items():
            gradients[name] += along * value / directions
    return [parts[0]._replace(gradients=tuple(gradients.values())), *parts[1:]]
