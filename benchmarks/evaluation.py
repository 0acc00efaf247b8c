"""Evaluation: 8192 scenarios of 5000 periods, one warehouse with 5 stores; speed, peak memory, and the share of its products.

The bound is the time of the policy's matrix products alone (forward), on the same threads; timed before and after, the faster counts.
"""

import resource
import time

import torch
from step import layers

import gnn_inventory as gi
from gnn_inventory.evaluation import MOST
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.training.machine import threads_for

SCENARIOS, PERIODS, REPEATS = 8192, 5000, 50


def products(policy: gi.MessagePassing, graph: InventoryGraph) -> float:
    """Seconds of the products of all periods and scenarios, each thread a part of the scenarios as in the evaluation."""
    random, rows = torch.Generator().manual_seed(0), MOST // torch.get_num_threads()
    cases = [
        (torch.randn(rows_here, inputs, generator=random), torch.randn(inputs, outputs, generator=random))
        for rows_here, inputs, outputs in layers(policy, rows * graph.nodes, rows * graph.links)
    ]

    def part(_: object) -> None:
        for _ in range(REPEATS):
            for values, weight in cases:
                values @ weight

    with threads_for(torch.device("cpu")) as threads:
        began = time.perf_counter()
        threads.map(part, graph, MOST)
        return (time.perf_counter() - began) / REPEATS * PERIODS * SCENARIOS / MOST


def main() -> None:
    network = gi.one_warehouse(stores=5)
    graph = InventoryGraph.from_network(network)
    policy = gi.MessagePassing(width=32, rounds=2, slots=graph.slots)
    bound = min(products(policy, graph) for _ in range(5))
    began = time.perf_counter()
    found = gi.evaluate(policy, network, scenarios=SCENARIOS, periods=PERIODS, warm_up=300)
    seconds = time.perf_counter() - began
    bound = min(bound, *(products(policy, graph) for _ in range(5)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{SCENARIOS} scenarios x {PERIODS} periods, {torch.get_num_threads()} threads: {seconds:.0f} s, "
        f"{SCENARIOS * PERIODS / seconds:,.0f} scenario-periods/s, products {bound:.0f} s, {bound / seconds:.0%} of the bound, "
        f"{peak:.2f} GiB at the peak; cost per store {found.cost_per_store:.4f}"
    )


if __name__ == "__main__":
    main()
