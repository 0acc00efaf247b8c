"""The one loop over periods: policy x allocation x simulator x scenarios."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from gnn_inventory.allocation import proportional, whole_units, with_whole_capacities
from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Observation, Oracle, Policy, UnsupportedNetworkError
from gnn_inventory.simulator import Outcome, State, Timing, initial_state, step
from gnn_inventory.types import LinkPerScenario, PerPeriod

__all__ = ["Period", "costs", "periods"]


@dataclass(frozen=True)
class Period:
    """A period as it was simulated: the state it started in, the orders shipped, what happened."""

    state: State
    orders: LinkPerScenario
    outcome: Outcome


def periods(policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> Iterator[Period]:
    """Simulate period after period.

    Args:
        policy: decides the orders; only an `Oracle` is given the scenarios' future.
        graph: the network.
        scenarios: what happens.
        whole: round orders to whole units, feasibly.

    Raises:
        UnsupportedNetworkError: the policy cannot serve this network, or looks at another calendar.
    """
    channels = scenarios.calendar.shape[1]
    if isinstance(policy, Policy) and policy.calendar not in (0, channels):
        raise UnsupportedNetworkError(
            f"policy: looks at a calendar of {policy.calendar} columns; got scenarios with {channels}; "
            "name as many columns in demand.calendar"
        )
    if isinstance(policy, Oracle):
        decide = policy.start_with_future(graph, scenarios)
    else:
        decide = policy.start(graph, Known.of(graph, scenarios))
    if whole:
        graph = with_whole_capacities(graph)
    timing, state = Timing.of(graph, scenarios.parameters), initial_state(scenarios)
    window = policy.window
    # before the history, as far as a policy looks back beyond it, stands the mean
    earlier = max(window - scenarios.history.shape[1], 0)
    mean = scenarios.mean_demand.unsqueeze(1).expand(len(scenarios), earlier, -1)
    demand = torch.cat([mean, scenarios.history, scenarios.demand], dim=1)
    for period in range(scenarios.periods):
        now = earlier + scenarios.history.shape[1] + period
        past = demand[:, now - window : now].clone()  # a view would lead to the future
        seen = Observation(state.on_hand, state.in_transit, past, scenarios.calendar[period])
        desired = decide(seen)
        orders = desired.orders if desired.free else proportional(graph, state.on_hand, desired.orders, desired.keep)
        if whole and not desired.free:
            orders = whole_units(graph, state.on_hand, orders)
        after, outcome = step(graph, scenarios.parameters, timing, state, orders, demand[:, now])
        yield Period(state, orders, outcome)
        state = after


def costs(policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> PerPeriod:
    """Cost of the whole network per scenario and period [B, T]."""
    return torch.stack([period.outcome.cost for period in periods(policy, graph, scenarios, whole)], dim=1)
