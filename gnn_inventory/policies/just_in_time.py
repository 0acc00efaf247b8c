"""The oracle that the field publishes: it sees the future and lets goods arrive when they are sold."""

import torch

from gnn_inventory.demand.scenarios import Scenarios
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies.base import Decide, Desired, Observation, Oracle, UnsupportedNetworkError

__all__ = ["JustInTime"]


class JustInTime(Oracle):
    """Each location orders, from the source with the shortest lead time, what it will hand out when the order arrives.

    Not a bound: the shortest lead time may be the dearest (of equal ones it takes what is cheapest to buy and bring there). Past the end of the
    scenario the last period's demand goes on, as in the published code, so that the last periods pay for what they order.
    Initial stock is used up first: an order fills what the requirements up to its arrival will lack (Alvo et al., arXiv
    2306.11246, section on real data).
    """

    def start_with_future(self, graph: InventoryGraph, scenarios: Scenarios) -> Decide:
        if bool((graph.has_demand & ~graph.lost).any()):
            raise UnsupportedNetworkError("policy just_in_time: got backlogged demand; expected lost sales (or see --bound)")
        if bool(graph.ship_capacity.isfinite().any()) or bool(graph.link_capacity.isfinite().any()):
            raise UnsupportedNetworkError("policy just_in_time: got a capacity; expected none (or see --bound)")
        parameters = scenarios.parameters
        if bool((parameters.fixed_cost != 0).any()) or bool((graph.minimum_order > 0).any()):
            raise UnsupportedNetworkError(
                "policy just_in_time: got a fixed cost or a minimum order, and orders what each period needs; expected none (or see --bound)"
            )
        if len(parameters.lead_time) > 1:
            raise UnsupportedNetworkError("policy just_in_time: got lead times that differ by scenario; expected shared ones")
        lead_times = [int(value) for value in parameters.lead_time[0].tolist()]
        unit_cost = parameters.unit_cost.mean(0).tolist()
        source = graph.source.tolist()
        inbound: dict[int, list[int]] = {}
        for link, target in enumerate(graph.target.tolist()):
            inbound.setdefault(target, []).append(link)
        chosen: dict[int, int] = {}  # node -> the link that it orders on
        paid = [0.0] * graph.nodes  # for a unit, up to there
        for node in reversed(_downstream_first(graph)):
            if node in inbound:
                costs = {link: unit_cost[link] + paid[source[link]] for link in inbound[node]}
                chosen[node] = min(costs, key=lambda link: (lead_times[link], costs[link]))
                paid[node] = costs[chosen[node]]
        total = scenarios.periods + sum(sorted(lead_times)[-int(graph.depth) :])
        # [B, T, N]: what each node hands out, to customers and along its links
        after = scenarios.demand[:, -1:].expand(-1, total - scenarios.periods, -1)
        required = torch.cat([scenarios.demand, after], dim=1)
        orders = torch.zeros(len(scenarios), total, graph.links)
        for node in _downstream_first(graph):
            if node not in chosen:
                continue
            link = chosen[node]
            lead_time = lead_times[link]
            on_hand = scenarios.on_hand[:, node]
            arriving = scenarios.in_transit[:, inbound[node]].sum(1)  # [B, L]
            for period in range(total):
                if 0 < period <= arriving.shape[1]:
                    on_hand = on_hand + arriving[:, period - 1]
                lacking = (required[:, period, node] - on_hand).clamp_min(0.0)
                on_hand = (on_hand - required[:, period, node]).clamp_min(0.0)
                if period >= lead_time:
                    orders[:, period - lead_time, link] = lacking
            required[:, :, source[link]] += orders[:, :, link]
        clock = iter(range(total))

        def decide(seen: Observation) -> Desired:
            return Desired(orders[:, next(clock)])

        return decide


def _downstream_first(graph: InventoryGraph) -> list[int]:
    """Nodes in an order in which each stands after all that it supplies."""
    depth = [0] * graph.nodes
    for _ in range(int(graph.depth)):
        for source, target in graph.edge_index.t().tolist():
            depth[source] = max(depth[source], depth[target] + 1)
    return sorted(range(graph.nodes), key=lambda node: depth[node])
