"""Evaluation: 8192 scenarios of 5000 periods, one warehouse with 5 stores; speed, peak memory, and the share of its products.

The bound is the time of the policy's matrix products alone (forward), on the same number of rows, on the same threads.
"""

import resource
import time

import torch
from step import layers

import gnn_inventory as gi
from gnn_inventory.evaluation import MOST
from gnn_inventory.graph import InventoryGraph

SCENARIOS, PERIODS, REPEATS = 8192, 5000, 50


def main() -> None:
    network = gi.one_warehouse(stores=5)
    graph = InventoryGraph.from_network(network)
    policy = gi.MessagePassing(width=32, rounds=2, slots=graph.slots)
    began = time.perf_counter()
    found = gi.evaluate(policy, network, scenarios=SCENARIOS, periods=PERIODS, warm_up=300)
    seconds = time.perf_counter() - began
    random = torch.Generator().manual_seed(0)
    cases = [
        (torch.randn(rows, inputs, generator=random), torch.randn(inputs, outputs, generator=random))
        for rows, inputs, outputs in layers(policy, MOST * graph.nodes, MOST * graph.links)
    ]
    began = time.perf_counter()
    for _ in range(REPEATS):
        for values, weight in cases:
            values @ weight
    bound = (time.perf_counter() - began) / REPEATS * PERIODS * SCENARIOS / MOST
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{SCENARIOS} scenarios x {PERIODS} periods, {torch.get_num_threads()} threads: {seconds:.0f} s, "
        f"{SCENARIOS * PERIODS / seconds:,.0f} scenario-periods/s, products {bound:.0f} s, {bound / seconds:.0%} of the bound, "
        f"{peak:.2f} GiB at the peak; cost per store {found.cost_per_store:.4f}"
    )


if __name__ == "__main__":
    main()
