"""One period of a network, stated once: frozen state, pure functions, exact gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph, Parameters
from gnn_inventory.types import Float, LinkPerScenario, NodePerScenario, PerScenario, Transit

__all__ = ["Outcome", "State", "Timing", "initial_state", "served_at_once", "step"]


@dataclass(frozen=True)
class State:
    """What a period starts with, arrivals included.

    Attributes:
        on_hand: I, units [B, N]; negative = backlog; 0 at suppliers, whose stock is unlimited.
        in_transit: units [B, E, L]; slot k joins the stock on hand of the link's target after k + 1 periods.
    """

    on_hand: NodePerScenario
    in_transit: Transit


@dataclass(frozen=True)
class Timing:
    """When an order arrives: what does not change from period to period.

    Attributes:
        arrival: 1 at the period (minus one) in which an order placed now arrives, else 0 [1 or B, E, L + 1].
        fixed_costs, unit_costs, prices: whether an order on any link has a fixed cost, a unit on any link or any sale a price; what
            nobody pays need not be counted in every period.
        whole: whether orders are whole units.
    """

    arrival: Float[Tensor, "_ link slot"]
    fixed_costs: bool = False
    unit_costs: bool = True
    prices: bool = True
    whole: bool = False

    @classmethod
    def of(cls, graph: InventoryGraph, parameters: Parameters, whole: bool = False) -> "Timing":
        """The timing of a graph whose lead times are `parameters.lead_time`, its orders in whole units or not."""
        slots = torch.arange(graph.slots + 1, device=parameters.lead_time.device)
        arrival = slots == parameters.lead_time.unsqueeze(-1) - 1
        paid = parameters.fixed_cost, parameters.unit_cost, parameters.price
        fixed_costs, unit_costs, prices = (bool((value != 0).any()) for value in paid)
        return cls(arrival.to(parameters.lead_time.dtype), fixed_costs, unit_costs, prices, whole)


@dataclass(frozen=True)
class Outcome:
    """What happened in a period.

    Attributes:
        cost: holding + underage + unit cost + fixed cost - revenue, whole network [B], money.
        left: units on which holding is charged [B, N].
        unmet: units on which underage is charged [B, N]: lost this period, or the backlog at its end.
        sales: units handed to customers [B, N], those of the backlog that the arrivals at its end serve included.
        arrivals: units that arrive on each link at the start of the next period [B, E].
        placed: 1 where an order was placed, with its fixed cost, else 0 [B, E]; None where no link has a fixed cost.
    """

    cost: PerScenario
    left: NodePerScenario
    unmet: NodePerScenario
    sales: NodePerScenario
    arrivals: LinkPerScenario
    placed: LinkPerScenario | None = None


def initial_state(scenarios: Scenarios) -> State:
    """The state in which the first period starts."""
    return State(scenarios.on_hand, scenarios.in_transit)


def step(
    graph: InventoryGraph,
    parameters: Parameters,
    timing: Timing,
    state: State,
    orders: LinkPerScenario,
    demand: NodePerScenario,
    placed: LinkPerScenario | None = None,
) -> tuple[State, Outcome]:
    """One period: goods leave, demand occurs, costs are charged, transit moves.

    Args:
        graph: the network.
        parameters: costs and lead times.
        timing: of the orders, `Timing.of(graph, parameters)`.
        state: at the start of the period.
        orders: q, feasible [B, E], units: what leaves a location is at most what it has on hand.
        demand: D [B, N], units.
        placed: 1 where an order is above 0, else 0 [B, E], with a gradient where a policy decides it; None: without one.

    Returns:
        The state at the start of the next period, and what happened in this one.
    """
    shipped = torch.zeros_like(state.on_hand).scatter_add(1, graph.source.expand_as(orders), orders)
    available = state.on_hand - shipped.masked_fill(graph.is_supplier, 0.0)
    net = available - demand
    left, unmet = (_above(net), _above(-net)) if timing.whole else (net.clamp_min(0.0), (-net).clamp_min(0.0))
    remaining = torch.where(graph.lost, left, net)
    pipeline = torch.nn.functional.pad(state.in_transit, (0, 1)) + orders.unsqueeze(-1) * timing.arrival
    arrivals = pipeline[..., 0]
    on_hand = remaining.scatter_add(1, graph.target.expand_as(arrivals), arrivals)
    backlog_before, backlog_after = (-state.on_hand).clamp_min(0.0), (-on_hand).clamp_min(0.0)
    sales = demand + backlog_before - torch.where(graph.lost, unmet, backlog_after)
    node_cost = parameters.holding_cost * left + parameters.underage_cost * unmet
    if timing.prices:
        node_cost = node_cost - parameters.price * sales
    cost = node_cost.sum(1)
    if timing.unit_costs:
        cost = cost + (parameters.unit_cost * orders).sum(1)
    charged = None
    if timing.fixed_costs:
        charged = (orders > 0).to(orders.dtype) if placed is None else placed
        cost = cost + (parameters.fixed_cost * charged).sum(1)
    return State(on_hand, pipeline[..., 1:]), Outcome(cost, left, unmet, sales, arrivals, charged)


def served_at_once(state: State, outcome: Outcome, demand: NodePerScenario) -> NodePerScenario:
    """Units of a period's demand that were handed over in the same period, from stock [B, N].

    Demand less what of it was lost or put on the backlog: min(D, max(I - shipped, 0)) where D >= 0, 0 for goods that come back. What is handed to customers
    who have waited does not count.

    Args:
        state: at the start of the period.
        outcome: of the period.
        demand: D [B, N], units.
    """
    waiting = (-state.on_hand).clamp_min(0.0)
    return (demand - (outcome.unmet - waiting)).clamp_min(0.0)


def _above(values: Tensor) -> Tensor:
    """What is above 0. At 0, where stock in whole units often ends, the derivative is the mean of those on both sides, 1/2: a unit
    more is held, a unit less is lacking. (`clamp_min` counts both in full.)
    """
    return (values + values.abs()) / 2
