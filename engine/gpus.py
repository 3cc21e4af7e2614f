"""The NVIDIA GPUs of this machine, counted without torch: by nvidia-smi, or by the CUDA driver itself.

Containers and WSL often have the driver and not the program. `python -m engine.gpus` prints what the driver shows.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import asdict, dataclass
from functools import cache

from engine.store.processes import module_command, module_environment

SECONDS = 60
"""How long nvidia-smi or the driver may take; one that does not answer is no GPU."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi and `CUDA_VISIBLE_DEVICES` call it."""

    index: int
    uuid: str
    """Such as GPU-5bd1a5c6-...; empty where the driver is too old to say."""
    name: str
    memory: int
    """Bytes in all; 0 where that is not known."""


@cache
def installed() -> tuple[Gpu, ...]:
    """Every GPU of the machine in the order of the PCI bus, whatever `CUDA_VISIBLE_DEVICES` says."""
    return _told_by_program() or _told_by_driver()


def visible() -> tuple[Gpu, ...]:
    """The GPUs that the driver shows to this process, in CUDA's order; none without a driver that works.

    This starts CUDA here: what `CUDA_VISIBLE_DEVICES` says later changes nothing for this process, and a fork of it
    cannot use CUDA. Processes that only start others ask `installed`.
    """
    driver = _driver()
    count = ctypes.c_int(0)
    if driver is None or driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    return tuple(_gpu(driver, index) for index in range(count.value))


def _told_by_program() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits"]
    rows = (line.split(", ", 3) for line in _answer(query, dict(os.environ)).splitlines())
    return tuple(
        Gpu(int(row[0]), row[1], row[3], 2**20 * int(row[2]) if row[2].isdecimal() else 0)
        for row in rows
        if len(row) == 4 and row[0].isdecimal()  # all else are messages
    )


def _told_by_driver() -> tuple[Gpu, ...]:
    """Asked in a process of its own: CUDA is not started in this one, and it sees what the other one is to see."""
    if _driver() is None:
        return ()
    everything = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # as nvidia-smi counts
    answer = _answer(module_command("engine.gpus"), module_environment(everything | order))
    return tuple(Gpu(**row) for row in json.loads(answer or "[]"))


def _answer(command: list[str], environment: dict[str, str]) -> str:
    """What the command prints; nothing if it fails."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _driver() -> ctypes.CDLL | None:
    """The library of the driver, which loading alone does not start."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def _gpu(driver: ctypes.CDLL, index: int) -> Gpu:
    device, memory, told = ctypes.c_int(), ctypes.c_size_t(), ""
    name, digits = ctypes.create_string_buffer(100), (16 * ctypes.c_ubyte)()
    try:
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        if driver.cuDeviceGetUuid_v2(ctypes.byref(digits), device) == 0:
            told = f"GPU-{uuid.UUID(bytes=bytes(digits))}"
    except AttributeError:  # a driver from before 2021 has no such question; it counts all the same
        pass
    return Gpu(index, told, name.value.decode(errors="replace"), memory.value)


if __name__ == "__main__":
    print(json.dumps([asdict(gpu) for gpu in visible()]))
