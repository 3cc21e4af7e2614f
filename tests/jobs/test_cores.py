"""Trainings take every core and give way asleep; what cannot bear a neighbour leaves a core free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import cores, supervisor
from engine.jobs.cores import leaves_a_core, multiplies_bf16, threads_environment
from engine.jobs.slots import CPU
from engine.store.home import Home
from engine.store.runs import create_run

DCGAN = {"kind": "train", "gan": "dcgan"}
STYLEGAN = {"kind": "train", "gan": "stylegan2-ada"}


@pytest.fixture(params=[False, True], ids=["no bf16", "bf16"])
def bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Of a machine of four cores without a GPU."""
    monkeypatch.setattr(cores, "multiplies_bf16", lambda: request.param)
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    monkeypatch.setattr(cores, "cuda_slots", list)
    return request.param


def test_short_operators_leave_a_core_free(bf16: bool) -> None:
    assert leaves_a_core(DCGAN) == leaves_a_core({**DCGAN, "precision": "auto"}) == bf16
    assert leaves_a_core({**DCGAN, "precision": "bf16"}) and not leaves_a_core({**DCGAN, "precision": "fp32"})
    assert leaves_a_core({"kind": "dry-run", "training": DCGAN}) == bf16
    assert not leaves_a_core(STYLEGAN) and not leaves_a_core({"kind": "dry-run", "training": STYLEGAN})
    assert leaves_a_core({"kind": "projection"}) and not leaves_a_core({"kind": "sweep"})


def test_what_a_worker_is_told(bf16: bool) -> None:
    assert threads_environment(STYLEGAN) == {"OMP_NUM_THREADS": "4", "OMP_WAIT_POLICY": "passive"}
    assert threads_environment(DCGAN) == {"OMP_NUM_THREADS": "3" if bf16 else "4", "OMP_WAIT_POLICY": "passive"}
    assert threads_environment({"kind": "sweep"}) == {"OMP_NUM_THREADS": "4"}


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("gpus", [2, 8])
def test_gpus_share_the_cores(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cuda_slots", lambda: [CPU] * gpus)
    assert threads_environment(STYLEGAN)["OMP_NUM_THREADS"] == str(max(1, 4 // gpus))


@pytest.mark.parametrize(
    ("listing", "expected"),
    [("flags\t\t: fpu avx2 fma\n", False), ("model\t: x\nflags\t: avx512f avx512_bf16\n", True), ("", False)],
)
def test_instructions_are_read_from_the_system(listing: str, expected: bool, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(listing)
    assert multiplies_bf16(file) == expected
    assert not multiplies_bf16(tmp_path / "none")


def test_the_users_own_environment_goes_before(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    def start(command: list[str], **options: Any) -> None:
        started.append(options["env"])

    monkeypatch.setattr(supervisor.subprocess, "Popen", start)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run = create_run(home, STYLEGAN, "training")
    supervisor._start_worker(run, CPU, [])
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    supervisor._start_worker(run, CPU, [])
    assert [(found["OMP_NUM_THREADS"], found["OMP_WAIT_POLICY"]) for found in started] == [
        ("7", "passive"),
        ("7", "active"),
    ]
    assert os.environ["OMP_NUM_THREADS"] == "7"
