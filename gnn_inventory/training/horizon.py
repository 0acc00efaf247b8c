"""The cost of a rollout as training sees it: what the end of a scenario hides, and what memory has no room for."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Policy
from gnn_inventory.rollout import Rollout
from gnn_inventory.simulator import State, initial_state, served_at_once
from gnn_inventory.types import LinkValues, NodeValues, PerPeriod

__all__ = ["Simulated", "costs_within", "reach", "wait"]


@dataclass(frozen=True)
class Simulated:
    """A rollout as training sees it.

    Attributes:
        cost: of the whole network per scenario and period [B, T], money.
        minimised: what training minimises of it [B, T].
        served: units of a period's demand that were served at once, whole network [B, T]; None where nobody asked.
    """

    cost: PerPeriod
    minimised: PerPeriod
    served: PerPeriod | None


def costs_within(
    policy: Policy, graph: InventoryGraph, scenarios: Scenarios, stretch: int = 0, serving: bool = False, whole: bool = False
) -> Simulated:
    """Cost of the whole network per scenario and period, and what training minimises of it.

    A unit bought so late that no customer can have it before the last period only costs, and so does one that lies so late
    where no customer is near: training on that would teach the policy to buy and to hold less, though the world does not end there. What
    such units and orders cost is left out of what is minimised: each location's costs are counted up to the period whose
    goods the customers can still have, as Clark and Scarf (1960) count them, a lead time apart.

    Args:
        policy: decides the orders.
        graph: the network.
        scenarios: what happens.
        stretch: periods, k, of which only the state at the start is kept for the gradient: all within is computed again when
            its gradient is due (activation checkpointing, Chen, Xu, Zhang and Guestrin 2016), so that memory is that of k
            periods and T / k states; 0: all is kept.
        serving: also say what was served at once.
        whole: round orders to whole units, feasibly; the gradient goes straight through.
    """
    rollout, parameters = Rollout.of(policy, graph, scenarios, whole), scenarios.parameters
    bought, timing = parameters.unit_cost, rollout.timing
    late = reach(graph, parameters.lead_time) if timing.fixed_costs or timing.unit_costs else None
    on = wait(graph, parameters.lead_time)
    near = scenarios.periods - int(on.nan_to_num(posinf=0.0).max())  # until then every location counts

    def simulate(first: int, last: int, on_hand: Tensor, in_transit: Tensor) -> tuple[Tensor, ...]:
        state, costs, counted, served = State(on_hand, in_transit), [], [], []
        for number in range(first, last):
            period = rollout.period(state, number)
            if serving:
                served.append(served_at_once(state, period.outcome, scenarios.demand[:, number]).sum(1))
            state, cost = period.after, period.outcome.cost
            costs.append(cost)
            if late is not None:
                paid, placed = period.orders * bought, period.outcome.placed
                paid = paid if placed is None else paid + parameters.fixed_cost * placed
                cost = cost - (paid * (number + late >= scenarios.periods)).sum(1)
            if number >= near:
                held = parameters.holding_cost * period.outcome.left
                cost = cost - (held * (number + on >= scenarios.periods)).sum(1)
            counted.append(cost)
        lists = [costs, counted, served] if serving else [costs, counted]
        return state.on_hand, state.in_transit, *(torch.stack(values, dim=1) for values in lists)

    state, parts = initial_state(scenarios), []
    on_hand, in_transit = state.on_hand, state.in_transit
    for first in range(0, scenarios.periods, stretch or scenarios.periods):
        last = min(first + (stretch or scenarios.periods), scenarios.periods)
        if stretch:
            found = checkpoint(
                simulate,
                first,
                last,
                on_hand,
                in_transit,
                use_reentrant=False,
                preserve_rng_state=False,
                determinism_check="none",
            )
        else:
            found = simulate(first, last, on_hand, in_transit)
        on_hand, in_transit, *costs = found
        parts.append(costs)
    cost, counted, *served = (torch.cat(values, dim=1) for values in zip(*parts, strict=True))
    return Simulated(cost, counted, served[0] if serving else None)


def reach(graph: InventoryGraph, lead_time: LinkValues) -> LinkValues:
    """Periods until an order on each link can be with a customer, on the fastest way [1 or B, E]."""
    return lead_time + wait(graph, lead_time)[:, graph.target]


def wait(graph: InventoryGraph, lead_time: LinkValues) -> NodeValues:
    """Periods until what leaves each location can be with a customer, on the fastest way; 0 where customers are [1 or B, N]."""
    shortest = torch.where(graph.has_demand, 0.0, torch.inf).to(lead_time.dtype).expand(len(lead_time), -1)
    for _ in range(int(graph.depth)):
        through: Tensor = lead_time + shortest[:, graph.target]
        shortest = shortest.scatter_reduce(1, graph.source.expand_as(through), through, "amin")
    return shortest
