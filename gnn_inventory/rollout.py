"""The one loop over periods: policy x allocation x simulator x scenarios."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from gnn_inventory.allocation import Limits, feasible, with_whole_limits
from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Known, Observation, Oracle, Policy, UnsupportedNetworkError
from gnn_inventory.simulator import Outcome, State, Timing, initial_state, step
from gnn_inventory.types import LinkPerScenario, PerPeriod, Window

__all__ = ["Period", "Rollout", "costs", "periods"]


@dataclass(frozen=True)
class Period:
    """A period as it was simulated: the state it started in, the orders shipped, what happened, the state after it."""

    state: State
    orders: LinkPerScenario
    outcome: Outcome
    after: State


@dataclass(frozen=True)
class Rollout:
    """A policy put on a network with what happens there: what does not change from period to period.

    Attributes:
        graph: the network.
        scenarios: what happens.
        decide: the policy, put on the network.
        timing: of its orders.
        demand: from as far back as the policy looks on [B, W + T, N].
        now: position of the first period in it.
        window: periods of past demand that the policy looks at.
        whole: round orders to whole units, feasibly.
        limits: that the network has.
    """

    graph: InventoryGraph
    scenarios: Scenarios
    decide: Decide
    timing: Timing
    demand: Window
    now: int
    window: int
    whole: bool
    limits: Limits

    @classmethod
    def of(cls, policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> "Rollout":
        """Put a policy on a network.

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
        return cls.deciding(decide, policy.window, graph, scenarios, whole)

    @classmethod
    def deciding(cls, decide: Decide, window: int, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> "Rollout":
        """Put decisions on a network, wherever they come from; other arguments as of `of`.

        Args:
            decide: from what is seen in a period to desired orders.
            window: periods of past demand that are seen.
        """
        if whole:
            graph = with_whole_limits(graph)
        # before the history, as far as a policy looks back beyond it, stands the mean
        earlier = max(window - scenarios.history.shape[1], 0)
        mean = scenarios.mean_demand.unsqueeze(1).expand(len(scenarios), earlier, -1)
        demand = torch.cat([mean, scenarios.history, scenarios.demand], dim=1)
        timing, now = Timing.of(graph, scenarios.parameters, whole), earlier + scenarios.history.shape[1]
        return cls(graph, scenarios, decide, timing, demand, now, window, whole, Limits.of(graph))

    def observation(self, state: State, number: int) -> Observation:
        """What is seen at the start of period `number`, the first being 0."""
        now = self.now + number
        past = self.demand[:, now - self.window : now].clone()  # a view would lead to the future
        return Observation(state.on_hand, state.in_transit, past, self.scenarios.calendar[number])

    def period(self, state: State, number: int) -> Period:
        """Simulate period `number`, the first being 0."""
        desired = self.decide(self.observation(state, number))
        orders, placed = desired.orders, desired.placed
        if not desired.free:
            orders = feasible(self.graph, state.on_hand, orders, desired.keep, self.whole, self.limits)
        if placed is not None:  # where stock, or no room for it, decided otherwise, the policy's decision changes nothing
            ordered = orders > 0
            placed = torch.where((placed > 0) == ordered, placed, ordered.to(placed.dtype))
        after, outcome = step(
            self.graph, self.scenarios.parameters, self.timing, state, orders, self.demand[:, self.now + number], placed
        )
        return Period(state, orders, outcome, after)


def periods(policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> Iterator[Period]:
    """Simulate period after period; arguments and errors as of `Rollout.of`."""
    rollout, state = Rollout.of(policy, graph, scenarios, whole), initial_state(scenarios)
    for number in range(scenarios.periods):
        simulated = rollout.period(state, number)
        yield simulated
        state = simulated.after


def costs(policy: Policy | Oracle, graph: InventoryGraph, scenarios: Scenarios, whole: bool = False) -> PerPeriod:
    """Cost of the whole network per scenario and period [B, T]."""
    return torch.stack([period.outcome.cost for period in periods(policy, graph, scenarios, whole)], dim=1)
