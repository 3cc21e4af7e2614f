"""Device slots: one file lock per CUDA GPU, or one per core of the processor where there is no GPU.

A run on several GPUs holds as many slots; on the processor it holds all cores, unless it was started side by side with
others, which then share them. A slot is held by the supervisor and inherited by its worker, so that a crash of both
frees it and a crash of one does not. Nothing here imports torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psutil

from engine import gpus
from engine.jobs.kinds import kind_named
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.read_only import read_only


@dataclass(frozen=True)
class Slot:
    """A device that one run at a time may use, and the environment that shows a worker this device alone."""

    name: str
    environment: dict[str, str] = field(default_factory=dict, compare=False)

    def lock(self, home: Home) -> FileLock:
        return FileLock(home.locks / f"slot-{re.sub(r'[^A-Za-z0-9]+', '-', self.name)}")


CPU = Slot("cpu", {"CUDA_VISIBLE_DEVICES": ""})
"""The first core, and the name of all together."""
MOST_CORES = 16
"""Slots of a processor at most: more runs than that are never started side by side."""


def cpu_slots() -> list[Slot]:
    """One slot per core that this process may use."""
    return [CPU, *(Slot(f"cpu {number}", CPU.environment) for number in range(2, min(usable_cores(), MOST_CORES) + 1))]


def usable_cores() -> int:
    """Cores that this process may use, hyperthreads not counted twice."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def slots_for(config: dict[str, Any]) -> list[Slot]:
    """The slots of which a run of this config takes `slots_needed`; empty if it takes none."""
    kind = kind_named(config["kind"])
    if not kind.needs_device:
        return []
    device = (kind.training(config) or config).get("device", "auto")
    found = cuda_slots()
    if device != "cpu" and len(found) < (wanted := config.get("gpus", 1)) > 1:
        raise too_few_gpus(wanted, len(found))
    if device == "cuda" and not found:
        raise ErsatzError(
            "The run asks for a CUDA GPU, but neither nvidia-smi nor the CUDA driver shows one that can be used here; "
            "choose the device auto or cpu, or look at CUDA_VISIBLE_DEVICES and the driver."
        )
    return found if found and device != "cpu" else cpu_slots()


def slots_needed(config: dict[str, Any], slots: list[Slot], beside: int = 1) -> int:
    """How many of `slots` a run of this config holds at once, one of `beside` runs that share the processor."""
    return max(1, len(slots) // beside) if CPU in slots else config.get("gpus", 1)


def combined(slots: list[Slot]) -> Slot:
    """Several GPUs, or cores, as one slot that shows a worker them all."""
    if slots[0].environment == CPU.environment:
        return CPU
    visible = ",".join(slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots)
    return Slot(", ".join(slot.name for slot in slots), {**slots[0].environment, "CUDA_VISIBLE_DEVICES": visible})


def too_few_gpus(wanted: int, found: int) -> ErsatzError:
    """The one sentence for a run on more GPUs than there are."""
    return ErsatzError(
        f"The run asks for {wanted} GPUs, and {found} can be used here; train with --gpus {max(1, found)}, "
        "or look at CUDA_VISIBLE_DEVICES and the driver. (--device cpu shares each batch between processes instead.)"
    )


@cache
def cuda_slots() -> list[Slot]:
    """One slot per GPU that `CUDA_VISIBLE_DEVICES` leaves, or per GPU of the machine."""
    installed = {str(gpu.index): gpu.uuid for gpu in gpus.installed()}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not installed or visible is None:
        chosen = list(installed)
    else:  # CUDA ignores everything from the first unknown entry on, "-1" being the usual one
        chosen = []
        for entry in filter(None, (part.strip() for part in visible.split(","))):
            index = next((i for i, uuid in installed.items() if entry == i or uuid.startswith(entry)), None)
            if index is None and not entry.startswith("MIG-"):
                break
            chosen.append(index or entry)
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the order in which nvidia-smi counts
    return [Slot(f"cuda:{entry}", {"CUDA_VISIBLE_DEVICES": entry} | order) for entry in chosen]


@contextmanager
def borrowed_gpu(home: Home) -> Iterator[int | None]:
    """The number, as CUDA counts in this process, of a GPU that no run has; its slot is held meanwhile. None without.

    For images that are made outside of a run, by a command or in the dashboard: no training finds the memory of its GPU
    taken by them, and a run that comes meanwhile waits until they are done. The last GPU is asked for first, because
    runs take the first. CUDA must not have been started here before: it is told to count as the slots do.
    """
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    for number, slot in [] if read_only() else reversed(list(enumerate(cuda_slots()))):
        lock = slot.lock(home)
        try:
            taken = lock.acquire()
        except OSError:  # a read-only home: no run can train there either
            continue
        if taken:
            try:
                yield number
            finally:
                lock.release()
            return
    yield None
