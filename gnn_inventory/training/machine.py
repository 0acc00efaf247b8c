"""What a training runs on: a device, threads, and the processes that share the work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from gnn_inventory.errors import UsageError
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.training.processes import Processes, processes, this_process

__all__ = ["Machine", "Threads", "choose_device", "machine", "threads_for"]

ROWS = 4096
"""Nodes and links, of all scenarios together, below which more threads only get into each other's way."""
Part = TypeVar("Part")


class Threads:
    """Threads for parts of the scenarios, side by side.

    A thread of its own for a part is faster than several threads for each operation: operations are small, and most of them
    too small to be divided. The parts depend on the network, the scenarios and the number of threads alone, so the same batch
    gives the same bits.

    Args:
        count: of threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = ThreadPoolExecutor(count) if count > 1 else None

    def map(
        self, function: Callable[[Tensor], Part], graph: InventoryGraph, scenarios: int, most: int | None = None
    ) -> list[Part]:
        """What a function gives for each part of the scenarios, in order.

        Args:
            function: of the numbers of a part's scenarios.
            graph: the network.
            scenarios: how many there are.
            most: scenarios in a part.
        """
        rows = scenarios * (graph.nodes + graph.links)
        side_by_side = max(1, min(self.count, scenarios, rows // ROWS))
        each = 1 if side_by_side > 1 or rows < 2 * ROWS else self.count

        def alone(part: Tensor) -> Part:
            torch.set_num_threads(each)
            return function(part)

        parts = torch.arange(scenarios).chunk(max(side_by_side, -(-scenarios // (most or scenarios))))
        if side_by_side == 1 or self.pool is None:
            return [alone(part) for part in parts]
        return list(self.pool.map(alone, parts))


@dataclass(frozen=True)
class Machine:
    """What a training runs on.

    Attributes:
        device: where tensors are.
        threads: of this process.
        processes: all that share the work.
    """

    device: torch.device
    threads: Threads
    processes: Processes


@contextmanager
def threads_for(device: torch.device) -> Iterator[Threads]:
    """The threads that torch may use; a GPU has enough to do with one."""
    count = torch.get_num_threads()
    threads = Threads(1 if device.type == "cuda" else count)
    try:
        yield threads
    finally:
        torch.set_num_threads(count)
        if threads.pool is not None:
            threads.pool.shutdown()


@contextmanager
def machine(name: str) -> Iterator[Machine]:
    """The machine with a device of that name."""
    device = choose_device(name)
    with threads_for(device) as threads, processes(device) as together:
        yield Machine(device, threads, together)


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one. Of several processes each takes a GPU of its own.

    Raises:
        UsageError: it is not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device: got '{name}'; expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("device: got 'cuda', but this machine has no CUDA device that torch can use; use cpu or auto")
    if not available or name == "cpu":
        return torch.device("cpu")
    here = this_process()
    if here.size == 1:
        return torch.device("cuda")
    if here.local >= torch.cuda.device_count():
        raise UsageError(
            f"device: got {here.local + 1} or more processes on a machine with {torch.cuda.device_count()} GPUs; "
            "start one process for each GPU: torchrun --nproc-per-node"
        )
    return torch.device("cuda", here.local)
