"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch.distributed as dist
from torch import Tensor

from cnnaccel.errors import ConfigError


@dataclass(frozen=True)
class Ranks:
    """This process among `size`; the first alone writes files and reports."""

    rank: int
    size: int
    device: str = "cpu"
    """The device that tensors are exchanged on."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""
        if self.size > 1:
            summed = tensor.to(self.device)
            dist.all_reduce(summed)
            tensor.copy_(summed)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                copied = tensor.to(self.device)
                dist.broadcast(copied, src=0)
                tensor.copy_(copied)


def ranks_from_environment() -> Ranks:
    """Who this process is, from RANK and WORLD_SIZE as torchrun sets them; no group is needed."""
    return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def process_group(device: str = "cpu") -> Iterator[Ranks]:
    """Join the other processes for the length of the block: over nccl on GPUs, else over gloo."""
    ranks = replace(ranks_from_environment(), device=device)
    if ranks.size == 1:
        yield ranks
        return
    try:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"WORLD_SIZE is {ranks.size}, but the processes do not find each other ({error}); "
            "start them with torchrun, or unset WORLD_SIZE"
        ) from error
    try:
        yield ranks
        dist.barrier()  # who leaves early breaks the others' connections
    finally:
        dist.destroy_process_group()
