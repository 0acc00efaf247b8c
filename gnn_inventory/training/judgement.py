"""What the best weights are chosen by: the objective on the dev scenarios, and the fill rate where one is asked for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gnn_inventory.policies.base import Policy
from gnn_inventory.rollout import periods
from gnn_inventory.simulator import served_at_once
from gnn_inventory.training.data import Batch
from gnn_inventory.training.machine import Machine, Threads
from gnn_inventory.training.processes import ALONE
from gnn_inventory.training.risk import conditional_value_at_risk
from gnn_inventory.training.service import fill_rate

__all__ = ["Judgement", "judge"]

CHUNK = 512
"""Scenarios simulated at once."""
ONE_THREAD = Machine(torch.device("cpu"), Threads(1), ALONE)


@dataclass(frozen=True)
class Judgement:
    """What a policy is worth.

    Attributes:
        cost: mean per counted period and location with demand, or its conditional value at risk over the scenarios, money.
        fill_rate: units served at once over units demanded; None where nobody asked.
    """

    cost: float
    fill_rate: float | None = None


def judge(
    policy: Policy,
    batch: Batch,
    warm_up: int,
    weights: Tensor | float = 1.0,
    whole_units: bool = False,
    machine: Machine = ONE_THREAD,
    level: float | None = None,
    serving: bool = False,
) -> Judgement:
    """What a policy costs on some scenarios, shared out among threads and processes.

    Args:
        policy: decides the orders.
        batch: all scenarios.
        warm_up: first periods that are not counted.
        weights: of the scenarios [B].
        whole_units: round orders to whole units, feasibly.
        machine: what shares the scenarios.
        level: of the conditional value at risk; None = the mean.
        serving: also measure the fill rate.
    """
    graph, scenarios, processes = batch.graph, batch.scenarios, machine.processes
    policy.eval()
    rows = torch.arange(len(scenarios))[processes.share]

    @torch.no_grad()  # where it runs: the mode is each thread's own
    def of_part(part: Tensor) -> tuple[Tensor, Tensor]:
        own, costs, served = scenarios[rows[part]], [], scenarios.demand.new_zeros((), dtype=torch.float64)
        for number, period in enumerate(periods(policy, graph, own, whole_units)):
            costs.append(period.outcome.cost)
            if serving and number >= warm_up:
                served += served_at_once(period.state, period.outcome, own.demand[:, number]).double().sum()
        cost = torch.stack(costs, dim=1)[:, warm_up:].double().sum(1)
        return cost * (weights[rows[part].to(cost.device)] if isinstance(weights, Tensor) else weights), served

    parts = machine.threads.map(of_part, graph, len(rows), CHUNK) if len(rows) else []
    none = scenarios.demand.new_zeros(1, dtype=torch.float64)  # of a process to which none falls
    counted = (scenarios.periods - warm_up) * graph.demand_locations
    if level is None:
        own = torch.stack([cost.sum() for cost, _ in parts]).sum().reshape(1) if parts else none
        (total,) = processes.sum([own])
        cost = float(total) / (len(scenarios) * counted)
    else:
        together = none.expand(len(scenarios)).clone()
        if parts:
            together[processes.share] = torch.cat([cost for cost, _ in parts])
        (together,) = processes.sum([together])
        cost = conditional_value_at_risk(together, level) / counted
    if not serving:
        return Judgement(cost)
    (total,) = processes.sum([torch.stack([served for _, served in parts]).sum().reshape(1) if parts else none])
    return Judgement(cost, fill_rate(float(total), float(scenarios.demand[:, warm_up:].clamp_min(0.0).double().sum())))
