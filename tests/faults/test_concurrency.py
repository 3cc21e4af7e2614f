"""Ten processes and eight sessions do the same at the same moment: nothing is doubled and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.store.home import REPOSITORY


@pytest.mark.skipif(sys.platform != "linux", reason="it forks, and sees orphans by prctl")
@pytest.mark.timeout(300)
def test_nothing_is_doubled_and_nothing_lost() -> None:
    command = [sys.executable, "-m", "tests.faults.concurrent", "10", "8"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr
    contests = json.loads(answer.stdout)
    assert {name: contest["problems"] for name, contest in contests.items() if contest["problems"]} == {}
    assert len(contests) == 7
