"""A small journey that is broken off anywhere ends, taken again, as if nothing had been; more in benchmarks/torture.py.

What is drawn here is the same each time. Supervisors and workers are forks of a process that has torch loaded already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs import submit as jobs
from engine.store.home import REPOSITORY, Home
from engine.store.runs import State
from tests.faults.plugin import FAULT, FOLDER
from tests.jobs.scene import SCRIPTED, ended, make_dataset, training

linux = pytest.mark.skipif(sys.platform != "linux", reason="it forks, and sees orphans by prctl")


def torture(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.torture", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    answer = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@linux
@pytest.mark.timeout(300)
def test_a_journey_that_is_disturbed_ends_in_the_same_numbers() -> None:
    told = torture("--faults", "--limit", "12", "--steps", "import,edit")
    faults = told["faults"]
    assert faults["problems"] == []
    assert faults["reached"] >= 0.8 * faults["trials"] >= 8


@linux
@pytest.mark.timeout(300)
def test_a_damaged_result_is_made_again_as_it_was() -> None:
    damage = torture("--damage", "--limit", "12", "--seed", "1")["damage"]
    assert (damage["problems"], damage["trials"], damage["made_again"]) == ([], 12, 12)


def test_faults_in_real_processes_are_told_and_the_run_goes_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTED))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("ERSATZ_PLUGINS", "tests.faults.plugin")
    make_dataset(home)
    run = None
    for place, sentence in (("supervisor:4:EACCES", "cannot be written"), ("worker:1:KILL", "SIGKILL")):
        (tmp_path / place).mkdir()
        monkeypatch.setenv(FOLDER, str(tmp_path / place))
        monkeypatch.setenv(FAULT, place)
        run = jobs.ensure(home, training("quick"))
        assert ended(run, 60) is State.FAILED
        assert sentence in run.status().error
        assert (tmp_path / place / "done").exists()
    monkeypatch.delenv(FAULT)
    assert jobs.ensure(home, training("quick")) == run
    assert ended(run, 60) is State.FINISHED
    assert run.status().error == ""
    assert not list(home.root.rglob(".*"))
