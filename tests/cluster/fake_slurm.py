"""SLURM's programs as small scripts that print what real ones (22.05.8) were seen to print."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

TOOLS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun", "sacct")
NO_ACCOUNTING = "Slurm accounting storage is disabled"
NO_CONTROLLER = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
SINFO = """\
main*|up|1-00:00:00|4|8000|1|mixed|gpu:2
main*|up|1-00:00:00|4|8000|1|idle|gpu:2
urgent|up|1:00:00|4|8000|2|idle|gpu:2
short|up|1:00|4|8000|2|idle|gpu:2
"""
ACCEPTED = "sbatch: Job 31 to start at 2026-12-02T15:46:55 using 1 processors on nodes n2 in partition main"


class FakeSlurm:
    """Programs in a folder, the first of the PATH; each prints what it is told to, and remembers how it was called."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        for tool in TOOLS:
            self.answers(tool)
        self.answers("sinfo", SINFO)
        self.answers("sbatch", error=ACCEPTED)
        self.answers("sacct", error=NO_ACCOUNTING, code=1)

    def answers(self, tool: str, output: str = "", *, error: str = "", code: int = 0) -> None:
        """What a program prints from now on, and its exit code."""
        script = (
            f'#!/bin/sh\necho "$@" >> {self.folder}/{tool}.calls\ncat > /dev/null < /dev/stdin\n'
            f"printf %s {shlex.quote(output)}\nprintf '%s\\n' {shlex.quote(error)} >&2\nexit {code}\n"
        )
        (self.folder / tool).write_text(script)
        (self.folder / tool).chmod(0o755)

    def lacks(self, *tools: str) -> None:
        for tool in tools:
            (self.folder / tool).unlink()

    def calls(self, tool: str) -> list[str]:
        """The arguments of each call, in order."""
        file = self.folder / f"{tool}.calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "bin")
    # nothing else of SLURM, should this machine have it: cat is all that the scripts need
    (fake.folder / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(fake.folder))
    return fake
