"""What a policy does: orders as a function of one stock with the rest held typical, and what each order listens to."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Known, Observation, Policy
from gnn_inventory.rollout import Rollout
from gnn_inventory.simulator import initial_state
from gnn_inventory.types import Float, LinkPerScenario, Tensor

__all__ = ["Response", "Typical", "attributions", "response"]

POINTS = 41
"""Stocks at which an order is asked for."""


@dataclass(frozen=True)
class Typical:
    """A state that a policy is often in, and what it looks at there.

    Attributes:
        policy: the policy.
        graph: the network.
        known: of one scenario, before its first period.
        seen: its mean state over the counted periods, with the demand and calendar of the last one, [1, ...].
    """

    policy: Policy
    graph: InventoryGraph
    known: Known
    seen: Observation

    @classmethod
    @torch.no_grad()
    def of(cls, policy: Policy, graph: InventoryGraph, scenarios: Scenarios, warm_up: int, whole: bool = False) -> "Typical":
        """The typical state of the scenario whose mean demand is the median one."""
        policy.eval()
        dtype = next(policy.parameters(), torch.zeros(0)).dtype
        graph, scenarios = graph.to_dtype(dtype), scenarios.to(torch.device("cpu"), dtype)
        size = scenarios.demand.sum((1, 2))
        one = scenarios[torch.argsort(size)[len(size) // 2].reshape(1)]
        rollout, state = Rollout.of(policy, graph, one, whole), initial_state(one)
        on_hand, in_transit, counted = torch.zeros_like(state.on_hand), torch.zeros_like(state.in_transit), 0
        for number in range(one.periods):
            if number >= warm_up:
                on_hand, in_transit, counted = on_hand + state.on_hand, in_transit + state.in_transit, counted + 1
            state = rollout.period(state, number).after
        now = rollout.now + one.periods - 1
        past = rollout.demand[:, now - policy.window : now].clone()
        seen = Observation(on_hand / counted, in_transit / counted, past, one.calendar[-1])
        return cls(policy, graph, Known.of(graph, one), seen)

    def orders(self, on_hand: Float[Tensor, "scenario node"]) -> LinkPerScenario:
        """Desired orders where stocks are these and all else is typical [B, E], units."""
        size = on_hand.shape[0]
        seen = Observation(
            on_hand,
            self.seen.in_transit.expand(size, -1, -1),
            self.seen.past_demand.expand(size, -1, -1),
            self.seen.calendar,
        )
        return self.policy(self.graph, seen, self.known).orders


@dataclass(frozen=True)
class Response:
    """What a location orders as its own stock varies.

    Attributes:
        on_hand: I [P], units.
        ordered: desired, on all links into the location [P], units.
        level: the base-stock level that it implies, position + order [P], units: constant where the policy is base stock.
        typical: the typical stock, units.
    """

    on_hand: Float[Tensor, " point"]
    ordered: Float[Tensor, " point"]
    level: Float[Tensor, " point"]
    typical: float


@torch.no_grad()
def response(typical: Typical, node: int) -> Response:
    """Orders of a location against its own stock on hand, from an empty shelf (or a period's backlog) to twice the usual reach."""
    graph, seen = typical.graph, typical.seen
    flow, here = float(typical.known.node_flow[0, node]), float(seen.on_hand[0, node])
    inbound = (graph.target == node).nonzero().flatten()
    transit = float(seen.in_transit[0, inbound].sum())
    usual = float(typical.orders(seen.on_hand)[0, inbound].sum())
    lowest = 0.0 if bool(graph.lost[node]) or not bool(graph.has_demand[node]) else -flow
    highest = max(here, 0.0) + usual + 3 * flow
    on_hand = torch.linspace(lowest, highest, POINTS, dtype=seen.on_hand.dtype)
    stocks = seen.on_hand.repeat(POINTS, 1)
    stocks[:, node] = on_hand
    ordered = typical.orders(stocks)[:, inbound].sum(1)
    return Response(on_hand, ordered, on_hand + transit + ordered, here)


def attributions(typical: Typical, links: Sequence[int], nodes: Sequence[int]) -> Float[Tensor, "link node"]:
    """By how many units an order rises where a location has one unit more on hand, by the gradient at the typical state.

    Args:
        typical: the state.
        links: whose orders.
        nodes: whose stocks.
    """
    on_hand = typical.seen.on_hand.clone().requires_grad_(True)
    orders = typical.orders(on_hand)[0]
    rows = [torch.autograd.grad(orders[link], on_hand, retain_graph=True)[0][0, list(nodes)] for link in links]
    return torch.stack(rows).detach()
