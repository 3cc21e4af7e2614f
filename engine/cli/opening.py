"""Generators opened by a command: on a GPU that no run has, else on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from engine.jobs.slots import borrowed_gpu, cuda_slots
from engine.sampling.sampler import Sampler
from engine.store.runs import Run


@contextmanager
def opened(*runs: Run) -> Iterator[Iterator[Sampler]]:
    """The generators of the runs, one after the other, with the slot of their GPU until the end.

    Where runs have every GPU that is said on stderr, and the CPU does it.
    """
    with borrowed_gpu(runs[0].home) as gpu:
        if gpu is None and cuda_slots():
            print("Every GPU has a run, so the images are made on the CPU.", file=sys.stderr, flush=True)
        yield (Sampler.open(run.path, "cpu" if gpu is None else "auto", gpu or 0) for run in runs)
