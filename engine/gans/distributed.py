"""Several processes that share every batch, one a GPU, and what they exchange.

Each rank computes the gradients of its share of a batch, and ONE flat all-reduce a phase averages them before the
optimiser's step. (A DDP wrapper would be wrong: it listens to every backward pass, and R1 and path length have two.)
Losses are means, so with equal shares the average of the ranks' gradients is the gradient of the whole batch. The
ranks begin with equal tensors and make equal steps, so that their networks stay equal without ever being compared.

A batch is cut into pieces of `batch_gpu` images, and every random draw derives from the seed and from the number of
images seen up to the piece. So it does not matter to the numbers who computes a piece: one process that accumulates
two pieces and two ranks with a piece each make the same step, but for the rounding of a sum.

Rank 0 alone writes files, metrics and alarms, and decides when to stop. In a process that is alone every function
here returns at once.

Only tensors are exchanged, never objects: those would be pickled, and reading a pickle runs what it says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(days=1)
"""How long a rank waits for the others: rank 0 may score or write for long, and a dead one is noticed by the worker."""


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """The number of processes that share each batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def own_microbatches(batch: int, at_once: int) -> range:
    """Where in a batch the pieces of `at_once` images begin that this rank computes; a whole share if `at_once` is 0.

    Every random draw of a piece derives from the images seen before the batch plus this offset.
    """
    share = batch // world()
    first = rank() * share
    return range(first, first + share, at_once or share)


@contextmanager
def joined(device_type: str, folder: Path) -> Iterator[None]:
    """Meet the other ranks over a file in `folder`, talk over gloo on the CPU and nccl between GPUs; part at the end.

    Nobody else may write to `folder`: the addresses of the ranks lie there, and torch unpickles some of what does.
    RANK, LOCAL_RANK and WORLD_SIZE, in the environment, say which of how many this process is. Each rank then has
    "cuda" mean its own GPU. What a failed rank leaves undone is not waited for.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield
        return
    meeting: dict[str, Any] = {"store": dist.FileStore(str(folder / "meeting"), count), "rank": int(os.environ["RANK"])}
    meeting |= {"world_size": count, "timeout": PATIENCE}
    if device_type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # Flags go over gloo, from the CPU: nccl would make every rank wait for its GPU for one bit.
        dist.init_process_group("cpu:gloo,cuda:nccl", **meeting)
    else:
        dist.init_process_group("gloo", **meeting)
    yield
    dist.destroy_process_group()


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over the ranks, all of them in one all-reduce. They share type and device."""
    if world() == 1:
        return
    tensors = list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world()
    microbatches = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(tensors, [piece.view(t.shape) for piece, t in zip(microbatches, tensors, strict=True)])


@torch.no_grad()
def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by rank 0's, so that all ranks begin equal whatever machine they drew their weights on."""
    if world() == 1:
        return
    for tensor in tensors:
        whole = tensor.contiguous()  # a channels-last one is sent as a copy
        dist.broadcast(whole, 0)
        tensor.copy_(whole)


def first_decides(flag: bool) -> bool:
    """The flag of rank 0, on all ranks."""
    if world() == 1:
        return flag
    said = torch.tensor([flag], dtype=torch.uint8)
    dist.broadcast(said, 0)
    return bool(said.item())
