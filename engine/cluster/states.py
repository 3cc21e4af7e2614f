"""What a scheduler says of a job: while it has it, and how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

PENDING = "PENDING"
HELD_AGAIN = frozenset({"REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
"""States of jobs that wait once more."""

NO_OUTPUT = 53
"""SLURM's signal of its own for a job whose output could not be written on the node."""
SHELL_SIGNALS = 128
"""A shell's exit code for a program that was killed is this and the signal."""
NOT_FOUND = 127
"""Exit code of a shell for a program that is not there."""


@dataclass(frozen=True)
class JobState:
    """A job that the scheduler has."""

    id: str
    """As squeue writes it: 123, or 123_4 for a task of an array."""
    name: str
    state: str
    """PENDING, RUNNING, COMPLETING, ..."""
    reason: str = ""
    """Why it waits, in the scheduler's word; empty where it gives none."""
    node: str = ""
    start: float | None = None
    """Unix time of its start, or of the start that the scheduler expects."""
    time_limit: str = ""
    """As squeue writes it: days-hours:minutes:seconds."""
    partition: str = ""

    @property
    def is_pending(self) -> bool:
        return self.state == PENDING or self.state in HELD_AGAIN

    @property
    def is_requeued(self) -> bool:
        """Whether it waits only since it has run before: SLURM holds such a job for two minutes."""
        return self.state == PENDING and self.reason == "BeginTime"


@dataclass(frozen=True)
class Ending:
    """How a job has ended, as far as the scheduler remembers it."""

    id: str
    state: str
    """COMPLETED, FAILED, CANCELLED, TIMEOUT, OUT_OF_MEMORY, NODE_FAIL, PREEMPTED, BOOT_FAIL, DEADLINE, ..."""
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    node: str = ""

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.state == "CANCELLED" and not self.is_hopeless

    @property
    def is_hopeless(self) -> bool:
        """Whether the same job would end the same way again."""
        return (
            self.state in ("OUT_OF_MEMORY", "DEADLINE")
            or self.reason == "DependencyNeverSatisfied"
            or self.signal == NO_OUTPUT
            or (self.state == "FAILED" and self.exit_code == NOT_FOUND)
        )

    @property
    def sentence(self) -> str:
        """How it ended, for a person, and what to do about it."""
        job = f"Job {self.id}"
        where = f" on {self.node}" if self.node else ""
        if self.signal == NO_OUTPUT:
            return (
                f"{job} could not write into its run{where}: the home is not visible there, or not writable. It must "
                "be on a file system that all nodes share, under the same path; `python -m engine doctor` checks it."
            )
        if self.state == "FAILED" and self.exit_code == NOT_FOUND:
            return (
                f"{job} found no Python{where} (exit code {self.exit_code}). Name the one of the nodes as python in "
                "cluster.toml, or what makes it known as setup."
            )
        if self.state == "OUT_OF_MEMORY":
            return f"{job} used more memory than it had asked for{where}. Give more as memory_gib in cluster.toml."
        if self.state == "TIMEOUT":
            return f"{job} reached its time limit{where} before it had saved itself. Give more grace_seconds or hours."
        if self.state == "NODE_FAIL":
            return f"The node of job {self.id} went down{f' ({self.node})' if self.node else ''}."
        if self.state == "BOOT_FAIL":
            return f"The node of job {self.id} did not start{f' ({self.node})' if self.node else ''}."
        if self.state == "PREEMPTED":
            return f"{job} had to leave{where} for another one that goes before it."
        if self.state == "DEADLINE":
            return f"{job} did not end before the deadline of its partition."
        if self.reason == "DependencyNeverSatisfied":
            return f"{job} waited for another one, which failed."
        if self.state == "CANCELLED":
            return f"{job} was cancelled{where}."
        if signal := self.signal or max(0, self.exit_code - SHELL_SIGNALS):
            hint = " Most often its memory was full: give more as memory_gib in cluster.toml." if signal == 9 else ""
            return f"{job} was killed by signal {signal}{where}.{hint}"
        if self.exit_code:
            return f"{job} ended with exit code {self.exit_code}{where}."
        return f"{job} ended{where} ({self.state})."


def exit_of(code: str) -> tuple[int, int]:
    """The exit code and the signal in SLURM's `1:0`; zeros where it is written otherwise."""
    found = re.fullmatch(r"(\d+):(\d+)", code.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)
