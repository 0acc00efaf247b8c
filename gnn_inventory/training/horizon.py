"""What the end of a training scenario hides: orders that no customer can see before it."""

import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Policy
from gnn_inventory.rollout import periods
from gnn_inventory.types import LinkValues, PerPeriod

__all__ = ["costs_within", "reach"]


def costs_within(policy: Policy, graph: InventoryGraph, scenarios: Scenarios) -> tuple[PerPeriod, PerPeriod]:
    """Cost of the whole network per scenario and period, and what training minimises of it, each [B, T].

    A unit bought so late that no customer can have it before the last period only costs: training on its price would teach
    the policy to buy less, though the world does not end there. What such units cost is left out of the second.
    """
    bought = scenarios.parameters.unit_cost
    simulated = list(periods(policy, graph, scenarios))
    cost = torch.stack([period.outcome.cost for period in simulated], dim=1)
    if not bool((bought != 0).any()):
        return cost, cost
    soonest = reach(graph, scenarios.parameters.lead_time)
    late = [(period.orders * bought * (number + soonest >= scenarios.periods)).sum(1) for number, period in enumerate(simulated)]
    return cost, cost - torch.stack(late, dim=1)


def reach(graph: InventoryGraph, lead_time: LinkValues) -> LinkValues:
    """Periods until an order on each link can be with a customer, on the fastest way [1 or B, E]."""
    wait = torch.where(graph.has_demand, 0.0, torch.inf).to(lead_time.dtype).expand(len(lead_time), -1)
    for _ in range(int(torch.as_tensor(graph.depth).max())):
        through: Tensor = lead_time + wait[:, graph.target]
        wait = wait.scatter_reduce(1, graph.source.expand_as(through), through, "amin")
    return lead_time + wait[:, graph.target]
