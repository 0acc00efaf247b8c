"""What happened, period by period: stock, backlog, orders, demand, costs by kind, and the service that customers had."""

from dataclasses import dataclass

import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Oracle, Policy
from gnn_inventory.rollout import periods
from gnn_inventory.simulator import served_at_once
from gnn_inventory.types import Float, Tensor

__all__ = ["KINDS", "Trajectory"]

KINDS = ("holding", "underage", "unit cost", "fixed cost", "revenue")
"""Where cost arises; revenue is negative."""
ROUNDING = 1e-5
"""Of mean demand: less is no shortage, and no variation."""


@dataclass(frozen=True)
class Trajectory:
    """All that happened under a policy.

    Attributes:
        graph: the network.
        warm_up: first periods that no figure counts.
        on_hand: at the start of each period, arrivals included; negative = backlog [B, T, N], units.
        demand: [B, T, N], units.
        served: demand that was served at once from stock [B, T, N], units.
        unmet: units on which underage is charged: lost, or the backlog at the end of the period [B, T, N].
        left: units on which holding is charged [B, T, N].
        orders: shipped on each link [B, T, E], units.
        costs: of each node by kind, `KINDS`; what an order costs is charged to the node that orders [B, T, N, 5], money.
    """

    graph: InventoryGraph
    warm_up: int
    on_hand: Float[Tensor, "scenario period node"]
    demand: Float[Tensor, "scenario period node"]
    served: Float[Tensor, "scenario period node"]
    unmet: Float[Tensor, "scenario period node"]
    left: Float[Tensor, "scenario period node"]
    orders: Float[Tensor, "scenario period link"]
    costs: Float[Tensor, "scenario period node kind"]

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        policy: Policy | Oracle,
        graph: InventoryGraph,
        scenarios: Scenarios,
        warm_up: int,
        whole: bool = False,
    ) -> "Trajectory":
        """Roll a policy out and keep what happens.

        Args:
            policy: decides the orders.
            graph: the network.
            scenarios: what happens.
            warm_up: first periods that no figure counts.
            whole: round orders to whole units, feasibly.
        """
        if isinstance(policy, Policy):
            policy.eval()
            dtype = next(policy.parameters(), torch.zeros(0)).dtype
            graph, scenarios = graph.to_dtype(dtype), scenarios.to(torch.device("cpu"), dtype)
        parameters = scenarios.parameters
        found: list[tuple[Tensor, ...]] = []
        for number, period in enumerate(periods(policy, graph, scenarios, whole)):
            demand, outcome = scenarios.demand[:, number], period.outcome
            bought = torch.zeros_like(demand).index_add(1, graph.target, parameters.unit_cost * period.orders)
            placed = torch.zeros_like(period.orders) if outcome.placed is None else parameters.fixed_cost * outcome.placed
            kinds = [
                parameters.holding_cost * outcome.left,
                parameters.underage_cost * outcome.unmet,
                bought,
                torch.zeros_like(demand).index_add(1, graph.target, placed),
                -parameters.price * outcome.sales,
            ]
            cost = torch.stack([kind.expand_as(demand) for kind in kinds], dim=-1)
            served = served_at_once(period.state, outcome, demand)
            found.append((period.state.on_hand, demand, served, outcome.unmet, outcome.left, period.orders, cost))
        return cls(graph, warm_up, *(torch.stack(values, dim=1) for values in zip(*found, strict=True)))

    @property
    def fill_rate(self) -> Float[Tensor, " node"]:
        """Demand served at once from stock over demand, in the counted periods [N]; NaN where there was none."""
        served, demand = (value[:, self.warm_up :].double().sum((0, 1)) for value in (self.served, self.demand.clamp_min(0.0)))
        return torch.where(demand > 0, served / demand, torch.nan)

    @property
    def fill_rate_of_all(self) -> float:
        """The same of all customers together; 1 where there was none."""
        served, demand = (value[:, self.warm_up :].double().sum() for value in (self.served, self.demand.clamp_min(0.0)))
        return float(served / demand) if demand > 0 else 1.0

    @property
    def service_level(self) -> Float[Tensor, " node"]:
        """Share of counted periods in which all demand was served at once [N]; NaN at nodes without demand."""
        asked = self.demand.clamp_min(0.0)[:, self.warm_up :]
        whole = (self.served[:, self.warm_up :] >= asked - ROUNDING * asked.mean((0, 1))).double().mean((0, 1))
        return torch.where(self.graph.has_demand, whole, torch.nan)

    @property
    def mean_costs(self) -> Float[Tensor, "node kind"]:
        """Mean cost per counted period of each node by kind [N, 5], money."""
        return self.costs[:, self.warm_up :].double().mean((0, 1))

    @property
    def order_variance_ratio(self) -> Float[Tensor, " node"]:
        """Bullwhip of each node: variance over time of all that it orders, over that of its customers' demand and all demand
        below it [N]; means over scenarios of both (Chen, Drezner, Ryan and Simchi-Levi 2000). NaN where demand does not vary.
        """
        counted, graph = slice(self.warm_up, None), self.graph
        size, length, _ = self.demand[:, counted].shape
        ordered = self.on_hand.new_zeros(size, length, graph.nodes).index_add(2, graph.target, self.orders[:, counted])
        below = graph.below(self.demand[:, counted].reshape(size * length, -1)).reshape(size, length, -1)
        variances = (
            [values.double().var(1).mean(0) for values in (ordered, below)] if length > 1 else [torch.zeros(graph.nodes)] * 2
        )
        known = (variances[1].sqrt() > ROUNDING * below.double().mean((0, 1)).abs()) & ~graph.is_supplier
        return torch.where(known, variances[0] / variances[1], torch.nan)
