"""Processes that train one policy together: each simulates its share of every batch, and their gradients are summed.

`torchrun --nproc-per-node N --no-python gnn-inventory train ...` starts them and says, in the environment, which each is.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from gnn_inventory.errors import InputError

__all__ = ["ALONE", "Processes", "processes", "this_process"]


@dataclass(frozen=True)
class Processes:
    """Which process this is.

    Attributes:
        rank: its number; the first, 0, writes files and prints.
        size: how many there are.
        local: its number on its own machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one writes files and prints."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """What of a list falls to this process: every `size`-th item, from its own number on."""
        return slice(self.rank, None, self.size)

    def need(self, count: int, what: str) -> None:
        """Refuse fewer items than processes: one would have nothing to do.

        Raises:
            InputError: there are fewer.
        """
        if count < self.size:
            raise InputError(f"{what}: got {count}; expected at least one for each of the {self.size} processes")

    def sum(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The sum of each tensor over all processes, the same bits in each of them; one message for all."""
        if self.size == 1:
            return list(values)
        flat = torch.cat([value.reshape(-1) for value in values])
        distributed.all_reduce(flat)
        return [part.view_as(value) for part, value in zip(flat.split([v.numel() for v in values]), values, strict=True)]

    def wait(self) -> None:
        """Until all have come here."""
        if self.size > 1:
            distributed.barrier()


ALONE = Processes()
"""One that shares with nobody."""


def this_process() -> Processes:
    """What the environment says of this process, as torchrun sets it."""
    return Processes(*(int(os.environ.get(name, other)) for name, other in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))))


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """The processes of this run, able to send to each other: by nccl between GPUs, by gloo between CPUs."""
    here = this_process()
    started = here.size > 1 and not distributed.is_initialized()
    if started:
        on_gpu = device.type == "cuda"
        distributed.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
    try:
        yield here
    finally:
        if started:
            distributed.destroy_process_group()
