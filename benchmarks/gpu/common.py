"""What the sections share: their form, how they measure, and small trainings."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from engine.gans.stylegan2.operations import kernels

GPU = torch.device("cuda")
Figures = dict[str, Any]
Section = Callable[[Figures, bool], None]
"""Fills in its figures; if the second argument is true it does little, to see that it runs. Raises where it fails."""

IDEAL_BYTES = 4e12
"""Bytes a second that an H200's memory moves at best."""
SMALL: dict[str, Any] = {"dataset": "none", "kimg": 1.0, "batch": 8, "device": "cuda"}
STYLEGAN = SMALL | {"channel_base": 1024, "channel_max": 64, "z_dim": 64, "w_dim": 64, "mapping_layers": 2}
STYLEGAN |= {"g_reg_interval": 2, "d_reg_interval": 3}


class Skipped(Exception):
    """What the section needs is not here."""


def milliseconds(work: Callable[[], object], turns: int = 20) -> float:
    """Of one call, by the GPU's clock."""
    for _ in range(3):
        work()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(turns):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / turns


def relative(found: Tensor, expected: Tensor) -> float:
    """Length of the difference beside that of what was expected."""
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))


def release() -> None:
    """Give back what former players hold: they refer to themselves, so that only a collection frees their graphs."""
    gc.collect()
    torch.cuda.empty_cache()


@contextmanager
def without_triton() -> Iterator[None]:
    """Torch's operators instead of our kernels."""
    with mock.patch.object(kernels, "usable", lambda device: False):
        yield


@contextmanager
def repeatable_convolutions() -> Iterator[None]:
    """The same algorithm of cuDNN for the same shapes, however it was called before."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def recorded(trainer: Any) -> bool:
    """Whether all of the players' work is replayed."""
    works = trainer.recorder.works
    return bool(works) and all(work.graph is not None for work in works)


def train_step(trainer: Any, pixels: Tensor, labels: Tensor, iterations: range) -> None:
    """Iterations on batches of 8 out of these images, in their order."""
    for number in iterations:
        rows = torch.arange(number * 8, number * 8 + 8, device=GPU) % len(labels)
        microbatches = [rows[start : start + trainer.microbatch_starts.step] for start in trainer.microbatch_starts]
        trainer.train_step([(pixels[piece], labels[piece]) for piece in microbatches], number * 8)
    torch.cuda.synchronize()
