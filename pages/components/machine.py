"""What the machine of this server has and how much of it is in use."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import psutil
import streamlit as st

from engine import gpus
from pages.components.format import gib
from pages.components.home import home


@dataclass(frozen=True)
class Use:
    """Bytes in use of those there are; the bar and its words say the same."""

    used: int
    total: int

    @property
    def share(self) -> float:
        return min(1.0, self.used / self.total) if self.total else 0.0

    @property
    def words(self) -> str:
        return f"{gib(self.used)} of {gib(self.total)} in use"


@dataclass(frozen=True)
class Machine:
    """Sizes in bytes; `device` is the name of what trains."""

    device: str
    detail: str
    memory_used: int
    memory_total: int
    disk_free: int
    disk_total: int

    @property
    def memory(self) -> Use:
        return Use(self.memory_used, self.memory_total)

    @property
    def disk(self) -> Use:
        """What cannot be written on counts as used, whether files fill it or it is kept for the system."""
        return Use(self.disk_total - self.disk_free, self.disk_total)


@st.cache_data(ttl=10, max_entries=1, show_spinner=False)
def machine() -> Machine:
    """A look at the machine, at most every ten seconds."""
    root = home().root
    disk = shutil.disk_usage(next(folder for folder in (root, *root.parents) if folder.exists()))
    memory = psutil.virtual_memory()
    device, detail = _gpu() or (f"CPU, {psutil.cpu_count()} threads", platform.processor() or platform.machine())
    return Machine(device, detail, memory.total - memory.available, memory.total, disk.free, disk.total)


def _gpu() -> tuple[str, str] | None:
    """Names, and memory and load in words, of the NVIDIA GPUs; None without one (torch is not asked).

    Without nvidia-smi the driver tells names and sizes alone.
    """
    query = "--query-gpu=name,memory.used,memory.total,utilization.gpu"
    if program := shutil.which("nvidia-smi"):
        with suppress(OSError, subprocess.SubprocessError, ValueError):
            answer = subprocess.run(
                [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=5, check=True
            )
            if words := gpus_in_words(answer.stdout):
                return words
    found = gpus.installed()
    details = "; ".join(f"{gpu.memory / 2**30:.1f} GiB" if gpu.memory else "memory not told" for gpu in found)
    return (_counted([gpu.name or "NVIDIA GPU" for gpu in found]), details) if found else None


def gpus_in_words(listing: str) -> tuple[str, str] | None:
    """`2 × NVIDIA H200`, and the memory and load of each, from the lines of nvidia-smi."""
    names, details = [], []
    for line in filter(None, listing.splitlines()):
        name, used, total, load = (part.strip() for part in line.split(","))
        names.append(name)
        details.append(f"{int(used) / 1024:.1f} of {int(total) / 1024:.1f} GiB, {load} % busy")
    return (_counted(names), "; ".join(details)) if names else None


def _counted(names: list[str]) -> str:
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in Counter(names).items())
