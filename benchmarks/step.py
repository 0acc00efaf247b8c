"""One training step of message passing (rollout and gradient, 50 periods) against its necessary matrix products alone.

Prints seconds, scenario-periods per second, and the share of the bound: both are timed in this run, on the same shapes.
"""

import statistics
import time
from collections.abc import Callable

import torch

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.rollout import costs
from gnn_inventory.topology.network import parse_network

PERIODS, REPEATS = 50, 5


def seconds(call: Callable[[], None]) -> float:
    """Median of some calls after a first."""
    call()
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def products(rows: list[tuple[int, int, int]]) -> Callable[[], None]:
    """Forward and backward products of linear layers [rows, inputs] x [inputs, outputs], once per period."""
    random = torch.Generator().manual_seed(0)
    cases = [(torch.randn(n, i, generator=random), torch.randn(i, o, generator=random)) for n, i, o in rows]

    def run() -> None:
        for _ in range(PERIODS):
            for values, weight in cases:
                out = values @ weight
                out @ weight.t()  # gradient of the input
                values.t() @ out  # gradient of the weight

    return run


def main() -> None:
    for stores, batch, width, rounds in ((5, 1024, 32, 2), (5, 1024, 64, 2), (50, 256, 32, 2), (50, 256, 64, 2)):
        network = parse_network(gi.one_warehouse(stores=stores))
        source = SyntheticDemand(network, 0, "train")
        scenarios, graph = source.sample(0, batch, PERIODS), source.graph
        policy = gi.MessagePassing(width=width, rounds=rounds, slots=graph.slots)

        def step(policy: gi.MessagePassing = policy, graph: gi.InventoryGraph = graph, scenarios: object = scenarios) -> None:
            policy.zero_grad(set_to_none=True)
            costs(policy, graph, scenarios).mean().backward()

        nodes, links = batch * graph.nodes, batch * graph.links
        layers = [(nodes, policy.node_state.in_features, width), (links, policy.slots, width)]
        layers += [(nodes, width, width), (nodes, width, width), (links, width, width), (nodes, 3 * width, width)] * rounds
        taken, bound = seconds(step), seconds(products(layers))
        rate = batch * PERIODS / taken
        print(
            f"{stores:3} stores, {batch} scenarios, width {width}: {taken:.3f} s, {rate:,.0f} scenario-periods/s, "
            f"products {bound:.3f} s, {bound / taken:.0%} of the bound"
        )


if __name__ == "__main__":
    main()
