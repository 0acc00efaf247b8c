"""Evaluation: 8192 scenarios of 5000 periods, one warehouse with 5 stores; speed, peak memory, and the share of its products.

The bound is the time of the policy's matrix products alone (forward), on the same threads; timed before and after, the faster counts.
Then what it saves on a larger network, 3 warehouses and 20 stores, to simulate no more scenarios at once than stay in a core's cache.
"""

import resource
import time

import torch
from step import layers

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.evaluation import MOST, ROWS, mean_costs
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.topology.network import parse_network
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


@torch.no_grad()
def in_parts(network: str, periods: int) -> tuple[float, float]:
    """Seconds of one thread for `MOST` scenarios, simulated all at once and in the parts of the evaluation; the faster of three."""
    source = SyntheticDemand(parse_network(gi.load_network(network)), 0, "test")
    graph, scenarios = source.graph, source.sample(0, MOST, periods)
    policy = gi.MessagePassing(width=32, rounds=2, slots=graph.slots)
    policy.fit_to(graph)
    found = {}
    for size in (MOST, ROWS // (graph.nodes + graph.links)) * 3:
        began = time.process_time()
        for part in torch.arange(MOST).split(size):
            mean_costs(policy, graph, scenarios[part], 0)
        found[size] = min(found.get(size, float("inf")), time.process_time() - began)
    whole, parts = found.values()
    return whole, parts


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
    torch.set_num_threads(1)
    whole, parts = in_parts("many_warehouses_3_20", 30)
    print(f"many_warehouses_3_20, {MOST} scenarios x 30 periods, one thread: {whole:.1f} s at once, {parts:.1f} s in parts")


if __name__ == "__main__":
    main()
