"""Time and peak memory of a training step against nodes, scenarios and periods.

Usage: python benchmarks/growth.py [nodes|scenarios|periods|large|largest]...   (all but `largest` where none is named)

Networks are random: five layers, two sources each, lead times 1 to 4. Every case runs in a process of its own, so that its peak
memory is its own; what the process takes before the step (python, torch, the network as people define it) is told apart. Steps of
a few seconds are repeated and the quickest counts: what else the machine does comes in bursts.
"""

import json
import resource
import subprocess
import sys
import time
from itertools import pairwise

import networkx as nx
import numpy as np

LAYERS, SOURCES, WIDTH, REPEATS = 5, 2, 32, 8
# nodes, scenarios, periods, checkpoint_every
CASES = {
    "nodes": [(100, 2000, 5, 0), (1000, 200, 5, 0), (10_000, 20, 5, 0), (100_000, 2, 5, 0)],
    "scenarios": [(1000, 25, 10, 0), (1000, 50, 10, 0), (1000, 100, 10, 0)],
    "periods": [(1000, 30, 50, 7), (1000, 30, 200, 14), (1000, 30, 1000, 32)],
    "large": [(100_000, 1, 100, 1)],
    "largest": [(500_000, 1, 50, 1)],
}


def network(locations: int) -> nx.DiGraph:
    """A random layered network; the last layer sells."""
    random = np.random.default_rng(0)
    layers = np.array_split(np.arange(locations), LAYERS)
    graph = nx.DiGraph(name=f"{locations} locations")
    graph.add_node("supplier", kind="supplier")
    for number, layer in enumerate(layers[:-1]):
        graph.add_nodes_from((f"location {place}" for place in layer), holding_cost=0.2 + 0.1 * number)
    for place, mean in zip(layers[-1], random.integers(2, 9, len(layers[-1])), strict=True):
        demand = {"poisson": {"mean": float(mean)}}
        graph.add_node(f"location {place}", holding_cost=1.0, underage_cost=9.0, unmet_demand="lost", demand=demand)
    for place in layers[0]:
        graph.add_edge("supplier", f"location {place}", lead_time=int(random.integers(1, 5)))
    for above, layer in pairwise(layers):
        served = [(int(source), int(target)) for target in layer for source in random.choice(above, SOURCES)]
        idle = sorted(set(above.tolist()) - {source for source, _ in served})
        served += [(source, int(random.choice(layer))) for source in idle]
        for source, target in served:
            graph.add_edge(f"location {source}", f"location {target}", lead_time=int(random.integers(1, 5)))
    return graph


def measure(locations: int, scenarios: int, periods: int, every: int) -> None:
    """A step of a fresh policy, short ones after one that warms up and the best of `REPEATS`; prints a line of JSON."""
    import torch

    import gnn_inventory as gi
    from gnn_inventory.demand.distributions import SyntheticDemand
    from gnn_inventory.topology.network import parse_network
    from gnn_inventory.training.data import Batch
    from gnn_inventory.training.gradient import gradient
    from gnn_inventory.training.machine import machine

    source = SyntheticDemand(parse_network(network(locations)), 0, "train")
    policy, graph = gi.MessagePassing(width=WIDTH), source.graph
    batch, settings = Batch(graph, source.sample(0, scenarios, periods)), gi.Training(checkpoint_every=every)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with machine("cpu") as here:
        short = periods * locations * scenarios <= 1_000_000
        if short:  # the first step pays for the memory
            gradient(policy, batch, here, settings)
        seconds = float("inf")
        for _ in range(REPEATS if short else 1):
            began = time.perf_counter()
            cost = gradient(policy, batch, here, settings).cost
            seconds = min(seconds, time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finite = all(bool(value.grad.isfinite().all()) for value in policy.parameters())
    found = {"nodes": graph.nodes, "links": graph.links, "seconds": seconds, "before": before / 2**20, "peak": peak / 2**20}
    print(json.dumps({**found, "cost": float(cost.mean()), "finite": finite, "threads": torch.get_num_threads()}))


def main() -> None:
    if sys.argv[1:2] == ["case"]:
        measure(*map(int, sys.argv[2:]))
        return
    for kind in sys.argv[1:] or [name for name in CASES if name != "largest"]:
        print(f"{kind}:")
        for case in CASES[kind]:
            command = [sys.executable, __file__, "case", *map(str, case)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            locations, scenarios, periods, every = case
            work = locations * scenarios * periods
            print(
                f"  {found['nodes']:7,} nodes, {found['links']:9,} links, {scenarios:4} scenarios, {periods:4} periods, "
                f"checkpoint_every {every:2}: {found['seconds']:7.2f} s, {1e6 * found['seconds'] / work:5.2f} us per location, scenario "
                f"and period, {found['before']:5.2f} GiB before, {found['peak']:5.2f} GiB at the peak",
                flush=True,
            )


if __name__ == "__main__":
    main()
