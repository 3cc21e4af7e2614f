"""The real torch records trainings as CUDA graphs, on a null CUDA runtime where there is one to build.

It stands in for CUDA's libraries: memory is the host's, no kernel runs, and what a recording forbids is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from engine.store.home import REPOSITORY

SOURCES = REPOSITORY.parent / "shared" / "gpu" / "null-runtime"
LIBRARIES = (
    "libcuda.so.1",
    "libcudart.so.13",
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libnvrtc.so.13",
)


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened on it."""
    if not SOURCES.is_dir():
        pytest.skip(f"the null CUDA runtime is not at {SOURCES}")
    if not (shutil.which("gcc") and shutil.which("g++") and shutil.which("bash")):
        pytest.skip("there is no C compiler here to build the null CUDA runtime with")
    packages = Path(sysconfig.get_path("purelib"))
    if not (packages / "nvidia" / "cu13" / "include").is_dir():
        pytest.skip("torch was not installed with the packages of CUDA 13, whose headers the null runtime needs")
    folder = tmp_path_factory.mktemp("null-cuda")
    for source in SOURCES.iterdir():
        shutil.copyfile(source, folder / source.name)
    build = ["bash", str(folder / "build.sh")]
    subprocess.run(build, env={**os.environ, "VENV": sys.prefix}, check=True, timeout=200)
    preload = ":".join(str(folder / name) for name in LIBRARIES)
    command = [sys.executable, "-m", "tests.gans.on_null_cuda"]
    # Triton compiles for long, and what it launches needs a driver.
    environment = {**os.environ, "LD_PRELOAD": preload, "OMP_NUM_THREADS": "1", "ERSATZ_TRITON": "0"}
    run = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_every_phase_is_recorded(answer: dict[str, Any]) -> None:
    assert answer["recording"] == {**{key: [True, 8, ""] for key in ("fp32", "pieces", "fp16")}, "dcgan": [True, 1, ""]}
    assert answer["violations"] == []


def test_images_are_read_ahead_while_it_records(answer: dict[str, Any]) -> None:
    assert answer["reading_ahead"] == {"recorded": True, "fetched": [True], "log": ""}


def test_graphs_need_little_more_memory_than_eager_work_and_a_dry_run_says_how_much(answer: dict[str, Any]) -> None:
    memory = answer["memory"]
    assert memory["recorded"] < 1.25 * memory["eager"]
    # torch 2.11 keeps room for cuBLAS for each new stream, and the dry run came last.
    assert 0.98 * memory["recorded"] < memory["dry_run"] < 1.15 * memory["recorded"]


@pytest.mark.parametrize(
    ("case", "reason"), [("stylegan, read", "operation not permitted"), ("dcgan, memory", "the GPU's memory is full")]
)
def test_a_recording_that_fails_leaves_nothing(answer: dict[str, Any], case: str, reason: str) -> None:
    found = answer["failing"][case]
    (line,) = found.pop("log").splitlines()
    assert reason in line and "it goes on without them" in line
    assert found == {"recorded": False, "after": "", "outside": True, "bytes_in_pools": 0, "draws": 3}


def test_seeding_is_that_of_torch(answer: dict[str, Any]) -> None:
    assert answer["seeding"]
