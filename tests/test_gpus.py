"""GPUs are counted by nvidia-smi, or where that is missing by the driver, which this process does not start for it."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import gpus
from engine.gpus import Gpu
from engine.store.home import REPOSITORY

UUID = "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"
SOURCE = """
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
/* A driver with two cards, of which CUDA_VISIBLE_DEVICES=1 leaves one; it insists on the order of the bus. */
static const char *order(void) { const char *o = getenv("CUDA_DEVICE_ORDER"); return o ? o : ""; }
static int starts;
int started(void) { return starts; }
int cuInit(unsigned flags) { starts++; return getenv("BROKEN_DRIVER") ? 803 : 0; }
int cuDeviceGetCount(int *count) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    *count = strcmp(order(), "PCI_BUS_ID") ? 7 : !visible ? 2 : *visible ? 1 : 0;
    return 0;
}
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strcpy(name, device ? "Card B" : "Card A"); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)(device + 1) << 34; return 0; }
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) { for (int i = 0; i < 16; i++) uuid[i] = i; return 0; }
"""


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What is found is remembered for as long as a process lives."""
    gpus.installed.cache_clear()
    yield
    gpus.installed.cache_clear()


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """The folder of a library that answers as a driver with two cards would."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the stand-in for the driver needs Linux and a C compiler")
    (tmp_path / "driver").mkdir()
    source = tmp_path / "driver" / "cuda.c"
    source.write_text(SOURCE)
    library = ["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(source.with_name("libcuda.so.1"))]
    subprocess.run([compiler, *library, str(source)], check=True)
    return source.parent


def in_a_process(code: str, **environment: str) -> Any:
    """The JSON that the code prints in a process without nvidia-smi."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_")}
    kept |= {"PATH": "/nowhere", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=kept, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


SLOTS = "import json; from engine.jobs.slots import cuda_slots; print(json.dumps([s.name for s in cuda_slots()]))"


def test_without_the_program_the_driver_is_asked(driver: Path) -> None:
    code = "import json; from dataclasses import asdict; from engine.gpus import installed\n"
    code += "print(json.dumps([asdict(gpu) for gpu in installed()]))"
    cards = [
        {"index": 0, "uuid": UUID, "name": "Card A", "memory": 2**34},
        {"index": 1, "uuid": UUID, "name": "Card B", "memory": 2**35},
    ]
    assert in_a_process(code, LD_LIBRARY_PATH=str(driver)) == cards
    # All of the machine's, whatever this process may see: the slots choose among them.
    assert in_a_process(code, LD_LIBRARY_PATH=str(driver), CUDA_VISIBLE_DEVICES="1") == cards
    assert in_a_process(code, LD_LIBRARY_PATH=str(driver), BROKEN_DRIVER="1") == []


@pytest.mark.parametrize(
    ("visible", "names"), [(None, ["cuda:0", "cuda:1"]), ("1", ["cuda:1"]), ("", []), ("GPU-0001", ["cuda:0"])]
)
def test_slots_are_found_by_the_driver_alone(driver: Path, visible: str | None, names: list[str]) -> None:
    chosen = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert in_a_process(SLOTS, LD_LIBRARY_PATH=str(driver), **chosen) == names
    assert in_a_process(SLOTS, LD_LIBRARY_PATH=str(driver), BROKEN_DRIVER="1", **chosen) == []


def test_counting_starts_cuda_in_another_process_alone(driver: Path) -> None:
    """A process whose CUDA was started could not fork workers, and would not heed the GPU that a slot gives it."""
    code = "import json; from engine import gpus\n"
    code += "print(json.dumps([len(gpus.installed()), gpus._driver().started()]))"
    assert in_a_process(code, LD_LIBRARY_PATH=str(driver)) == [2, 0]


def program(folder: Path, lines: str, code: int = 0) -> str:
    """A path with an nvidia-smi that prints these lines."""
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\nexit {code}\n")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")
@pytest.mark.parametrize(
    ("lines", "code", "found"),
    [
        ("0, GPU-aa, 143771, NVIDIA H200", 0, (Gpu(0, "GPU-aa", "NVIDIA H200", 143771 * 2**20),)),
        ("0, GPU-aa, [N/A], NVIDIA GB10", 0, (Gpu(0, "GPU-aa", "NVIDIA GB10", 0),)),
        ("No devices were found", 0, ()),
        ("Failed to initialize NVML: Driver/library version mismatch", 18, ()),
    ],
)
def test_the_program_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, code: int, found: tuple[Gpu, ...]
) -> None:
    monkeypatch.setenv("PATH", program(tmp_path, lines, code))
    monkeypatch.setattr(gpus, "_driver", lambda: None)
    assert gpus.installed() == found


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")
def test_a_program_that_fails_leaves_the_word_to_the_driver(
    tmp_path: Path, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = program(tmp_path, "Failed to initialize NVML: Driver/library version mismatch", 18)
    assert in_a_process(SLOTS, LD_LIBRARY_PATH=str(driver), PATH=broken) == ["cuda:0", "cuda:1"]


class OldDriver:
    """One that counts and cannot say more."""

    def cuInit(self, flags: int) -> int:
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 1
        return 0


@pytest.mark.parametrize(("library", "found"), [(OldDriver, (Gpu(0, "", "", 0),)), (lambda: None, ())])
def test_what_this_process_may_see(
    library: Callable[[], object], found: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "_driver", library)
    assert gpus.visible() == found


def test_the_driver_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def missing(name: str) -> None:
        asked.append(name)
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    for platform in ("linux", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        assert gpus.visible() == ()
    assert asked == ["libcuda.so.1", "nvcuda.dll"]
