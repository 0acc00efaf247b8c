"""The score-function gradient (REINFORCE): of costs alone, nothing is differentiated but the policy's own output.

Williams (1992); reward to go and baselines: Sutton, McAllester, Singh and Mansour (1999); a baseline from other rollouts of the
same case: Kool, van Hoof and Welling (2019), "Buy 4 REINFORCE samples, get a baseline for free".
"""

from dataclasses import replace

import torch
from torch import Tensor

from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Known, Observation, Policy
from gnn_inventory.training.data import Batch
from gnn_inventory.training.horizon import costs_within
from gnn_inventory.training.loss import Loss, Part
from gnn_inventory.training.machine import Machine
from gnn_inventory.types import Float

__all__ = ["Exploring", "draw_noise", "score_function"]


class Exploring(Policy):
    """A policy whose outputs are the means of normal distributions, from which what it asks for is drawn.

    Orders and, where the policy has a say in them, what locations keep for themselves get noise, since a gradient flows through
    the likelihood of what is random alone; what suppliers and locations that ship nothing on want to keep changes nothing and gets no gradient.

    Args:
        policy: gives the means.
        noise: standard normal [T, B, E + N], for links and then nodes.
        deviation: of the noise, in units of the mean flow through the link or node.

    Attributes:
        means: what the policy gave in each period so far, in units of the mean flow [B, E + N], with its gradient.
    """

    def __init__(self, policy: Policy, noise: Float[Tensor, "period scenario output"], deviation: float) -> None:
        super().__init__()
        self.policy, self.noise, self.deviation = policy, noise, deviation
        self.window, self.calendar = policy.window, policy.calendar
        self.means: list[Float[Tensor, "scenario output"]] = []

    def start(self, graph: InventoryGraph, known: Known) -> Decide:
        decide, flow = self.policy.start(graph, known), torch.cat([known.link_flow, known.node_flow], dim=1)
        kept = graph.holds_stock & ~graph.is_supplier & (graph.outbound > 0)

        def explore(seen: Observation) -> Desired:
            desired, noise = decide(seen), self.noise[len(self.means)]
            wanted = [desired.orders] if desired.keep is None else [desired.orders, desired.keep * kept]
            means = torch.cat(wanted, dim=1) / flow[:, : sum(value.shape[1] for value in wanted)]
            self.means.append(means)
            drawn = (means + self.deviation * noise[:, : means.shape[1]]).detach() * flow[:, : means.shape[1]]
            orders, keep = drawn[:, : graph.links], drawn[:, graph.links :]
            return replace(desired, orders=orders, keep=None if desired.keep is None else keep)

        return explore


def draw_noise(
    batch: Batch, machine: Machine, rollouts: int, random: torch.Generator
) -> Float[Tensor, "period scenario draw output"]:
    """Noise for this process's scenarios, the same whatever the number of processes and threads [T, B, K, E + N]."""
    graph, scenarios = batch.graph, batch.scenarios
    together = round(len(scenarios) / batch.share)
    noise = torch.randn(scenarios.periods, together, rollouts, graph.links + graph.nodes, generator=random)
    return noise[:, machine.processes.share].to(scenarios.demand)


def score_function(
    policy: Policy,
    batch: Batch,
    machine: Machine,
    loss: Loss,
    serving: bool,
    rollouts: int,
    deviation: float,
    random: torch.Generator,
) -> list[Part]:
    """The gradient of the mean loss under noise, without bias: sum over periods of advantage x gradient of the log-likelihood.

    .. math::
        g = \\frac{1}{K} \\sum_k \\sum_t (G_{kt} - b_{kt}) \\nabla \\log p(a_{kt}), \\quad
        b_{kt} = \\frac{1}{K - 1} \\sum_{j \\ne k} G_{jt}

    with G the loss from period t on (an order changes nothing before it). The K rollouts of a scenario face the same demand
    (common random numbers) and noise of their own, so the others' mean is independent of the noise in rollout k: a baseline that
    takes off what demand alone explains.

    Args:
        policy: decides the orders.
        batch: scenarios.
        machine: whose threads share the scenarios.
        loss: of these scenarios.
        serving: also say what was served at once.
        rollouts: of each scenario, K, at least 2.
        deviation: of the noise, in units of the mean flow.
        random: of the noise.

    Returns:
        Parts whose costs are means over the K rollouts.
    """
    graph, scenarios = batch.graph, batch.scenarios
    parameters = [value for value in policy.parameters() if value.requires_grad]
    noise = draw_noise(batch, machine, rollouts, random)

    def of_part(rows: Tensor) -> Part:
        repeated = rows.repeat_interleave(rollouts)
        exploring = Exploring(policy, noise[:, rows.to(noise.device)].flatten(1, 2), deviation)
        simulated = costs_within(exploring, graph, scenarios[repeated], serving=serving)
        ahead = loss.by_period(simulated, repeated).flip(1).cumsum(1).flip(1).unflatten(0, (-1, rollouts))
        advantage = ((ahead - ahead.mean(1, keepdim=True)) / (rollouts - 1)).flatten(0, 1)
        terms = [
            (advantage[:, period, None] * exploring.noise[period, :, : means.shape[1]] * means).sum()
            for period, means in enumerate(exploring.means)
        ]
        gradients = torch.autograd.grad(torch.stack(terms).sum() / deviation, parameters, allow_unused=True)
        served = None if simulated.served is None else simulated.served.unflatten(0, (-1, rollouts)).mean(1)
        return Part(simulated.cost.unflatten(0, (-1, rollouts)).mean(1), served, gradients)

    return machine.threads.map(of_part, graph, len(scenarios))
