"""One training step of message passing (rollout and gradient, 50 periods) against its necessary matrix products alone.

Prints seconds, scenario-periods per second, and the share of the bound. Both are timed in turn in this run, on the same shapes
and threads; of two ways to share the products among threads the faster is the bound.
"""

import statistics
import time
from collections.abc import Callable

import networkx as nx
import torch
from growth import network as layered

import gnn_inventory as gi
from gnn_inventory.demand.distributions import SyntheticDemand
from gnn_inventory.topology.network import parse_network
from gnn_inventory.training.data import Batch
from gnn_inventory.training.gradient import gradient
from gnn_inventory.training.machine import Machine, machine

PERIODS, REPEATS = 50, 5
ROUNDS = 2
STORES_21 = [[6, 6, 6, 0, 6, 5, 5] * 3, [1, 1, 1, 1, 1, 0, 2] * 3, [5, 5, 5, 5, 4, 6, 5] * 3]
NETWORKS: list[tuple[str, Callable[[], nx.DiGraph], int]] = [
    ("one warehouse, 5 stores", lambda: gi.one_warehouse(stores=5), 2048),
    ("one warehouse, 50 stores", lambda: gi.one_warehouse(stores=50), 256),
    ("3 warehouses, 21 stores", lambda: gi.many_warehouses(lead_times=STORES_21, **THREE), 512),
    ("random, 1000 locations", lambda: layered(1000), 16),
]
THREE = {
    "warehouse": {"holding_cost": [0.3, 0.4, 0.2]},
    "warehouse_link": {"lead_time": 3, "unit_cost": [0.5, 1.5, 0.7]},
}


def seconds(call: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


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


def layers(policy: gi.MessagePassing, nodes: int, links: int) -> list[tuple[int, int, int]]:
    """The linear layers of a period, with as many rows as nodes and links of all scenarios: [rows, inputs, outputs]."""
    width = policy.config["width"]
    found = [(nodes, policy.node_state.in_features, width), (links, policy.link_state.in_features, width)]
    found += [(nodes, width, width), (nodes, width, width), (links, width, width), (nodes, 3 * width, width)] * ROUNDS
    return [*found, (nodes, width, 2), (links, width, 2)]


def measure(name: str, network: nx.DiGraph, scenarios: int, width: int, here: Machine) -> str:
    """A line of the table."""
    source = SyntheticDemand(parse_network(network), 0, "train")
    graph, batch = source.graph, Batch(source.graph, source.sample(0, scenarios, PERIODS))
    policy = gi.MessagePassing(width=width, rounds=ROUNDS, slots=graph.slots)
    count, threads = here.threads.count, here.threads
    whole = products(layers(policy, scenarios * graph.nodes, scenarios * graph.links))
    parts = [products(layers(policy, scenarios * graph.nodes // count, scenarios * graph.links // count)) for _ in range(count)]

    def together() -> None:
        torch.set_num_threads(count)
        whole()

    def apart() -> None:
        torch.set_num_threads(1)
        list(threads.pool.map(lambda part: part(), parts)) if threads.pool is not None else parts[0]()

    calls = (lambda: gradient(policy, batch, here, gi.Training()), together, apart)
    for call in calls:
        call()
    found = [[seconds(call) for call in calls] for _ in range(REPEATS)]
    step, bound = (statistics.median(values) for values in zip(*((row[0], min(row[1:])) for row in found), strict=True))
    share = statistics.median(min(row[1:]) / row[0] for row in found)
    return (
        f"{name}, {scenarios} scenarios, width {width}: {step:.3f} s, {scenarios * PERIODS / step:,.0f} scenario-periods/s, "
        f"products {bound:.3f} s, {share:.0%} of the bound"
    )


def main() -> None:
    with machine("cpu") as here:
        print(f"{here.threads.count} threads, torch {torch.__version__}")
        for name, build, scenarios in NETWORKS:
            for width in (32, 64):
                print(measure(name, build(), scenarios, width, here), flush=True)


if __name__ == "__main__":
    main()
