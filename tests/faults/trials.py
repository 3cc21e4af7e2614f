"""Each step of the small journey, disturbed at one place and then taken again: does all end as if nothing had been?"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

# Everything that a worker imports, so that its fork need not.
import engine.datasets.importing
import engine.gans.training
import engine.jobs.execution
import engine.jobs.pipeline
import engine.jobs.worker
import engine.quality.ranking
import engine.quality.running
import engine.report.html
import engine.sampling.export
import engine.sampling.pool_making
import engine.sweep.runner
from engine.gans.dcgan import networks, trainer  # noqa: F401
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import list_runs
from tests.faults import imports, plugin
from tests.faults.facts import differences, facts, hidden
from tests.faults.forking import all_ended, fork_instead, forked
from tests.faults.plugin import FAULT, FOLDER, Place
from tests.faults.steps import STEPS, draw

PATIENCE_SECONDS = 60.0
BY_COMMANDS = ("edit", "annotate", "register", "remove")
"""Steps that need no run."""
TABLE = re.compile(r"/\.?(?!trials|metrics|manifest|test_images|valid_images)([a-z_]+)\.(csv|parquet)")
"""A table of the report."""
UNKNOWN = ("does not know", "Traceback", "exit code")
"""What tells that an error was met that nobody thought of."""


@dataclass
class Trial:
    """What became of a step that was disturbed once."""

    step: str
    place: str
    where: str
    reached: bool = False
    sentences: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    """Hidden files and folders of killed processes, which `doctor` clears."""
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Bench:
    """One home at one path, which is brought back to what it was before each step."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "home"
        self.said, self.marks = folder / "said", folder / "faults"
        self.expected: dict[str, dict[str, str]] = {}
        self.places: dict[str, list[tuple[str, int, str]]] = {}

    @property
    def home(self) -> Home:
        return Home(self.root)

    def prepare(self, last: str = "") -> None:
        """Take the journey undisturbed, to its `last` step.

        Keeps the home before each step, what it holds after it, and the places.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        draw(self.folder / "pictures")
        self.root.mkdir()
        for step in STEPS:
            shutil.copytree(self.root, self.folder / "before" / step)
            if error := self.take(step):
                raise SystemExit(f"The undisturbed step {step} ended with: {error}")
            self.expected[step] = facts(self.root)
            self.places[step] = [
                (process, int(number), f"{what} {path.removeprefix(str(self.root))}")
                for process, number, what, path in (
                    line.split("\t") for line in (self.marks / "steps").read_text().splitlines()
                )
            ]
            if step == last:
                break

    def take(self, step: str, place: Place | None = None, instead: Callable[[Home], None] | None = None) -> str:
        """Take a step in processes of its own, disturbed or not, and wait for the last of them; what it said.

        `instead` is done in the place of the step.
        """
        shutil.rmtree(self.marks, ignore_errors=True)
        self.marks.mkdir()
        self.said.unlink(missing_ok=True)
        settings = {"ERSATZ_HOME": str(self.root), FOLDER: str(self.marks), **({FAULT: str(place)} if place else {})}

        def action() -> None:
            sys.stdout.flush()
            os.dup2(os.open(self.said.with_suffix(".trace"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
            sys.stderr = open(2, "w", 1, closefd=False)  # noqa: SIM115
            try:
                (instead or STEPS[step])(self.home)
            except ErsatzError as error:
                self.said.write_text(str(error))

        pid = forked(action, settings)
        if not all_ended(PATIENCE_SECONDS):
            kill_descendants()
            return f"Traceback: nothing happened any more (process {pid})"
        trace = self.said.with_suffix(".trace").read_text() if self.said.with_suffix(".trace").exists() else ""
        if "Traceback" in trace:
            return "Traceback: " + " | ".join(trace.strip().splitlines()[-6:])
        return self.said.read_text() if self.said.exists() else ""

    def reset(self, step: str) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.folder / "before" / step, self.root, dirs_exist_ok=True)  # it may be a mount

    def attempt(self, step: str, place: Place, where: str) -> Trial:
        """Disturb a step at a place, take it again, and compare."""
        self.reset(step)
        trial = Trial(step, str(place), where)
        trial.sentences = (self.take(step, place),)
        trial.reached = (self.marks / "done").exists()
        return self.again(trial)

    def again(self, trial: Trial) -> Trial:
        """After a step was disturbed: take it again and compare."""
        begun, step = time.monotonic(), trial.step
        sentences = [*trial.sentences, *self._errors()]
        problems = [f"said: {said}" for said in sentences if said and not _is_sentence(said)]
        if again := self.take(step):
            problems.append(f"not taken again: {again}")
        problems += [f"after it: {said}" for said in self._errors()]
        problems += differences(self.expected[step], facts(self.root))
        trial.sentences = tuple(filter(None, dict.fromkeys(sentences)))
        trial.problems = tuple(dict.fromkeys(problems))
        trial.leftovers = tuple(hidden(self.root))
        trial.seconds = time.monotonic() - begun
        return trial

    def _errors(self) -> list[str]:
        try:
            return [error for run in list_runs(self.home) if (error := run.status().error)]
        except ErsatzError as error:
            return [f"Traceback: the runs cannot be read: {error}"]


def _is_sentence(said: str) -> bool:
    return "\n" not in said and not any(mark in said for mark in UNKNOWN)


def kill_descendants() -> None:
    for process in psutil.Process().children(recursive=True):
        process.send_signal(signal.SIGKILL)
    all_ended(10)


def distinct(places: dict[str, list[tuple[str, int, str]]]) -> dict[str, list[tuple[str, int, str]]]:
    """Of places that differ only in numbers, ids and tables of the report the last one; of those of commands and
    supervisors, which all kinds of runs share, the last one of all steps.
    """
    seen: dict[tuple[str, ...], tuple[str, tuple[str, int, str]]] = {}
    for step, listed in places.items():
        for process, number, where in listed:
            what = TABLE.sub(r"/<table>.\2", re.sub(r"[0-9a-f]{8}|\d+", "#", where))
            if process != "worker":
                what = re.sub(rf"-({'|'.join(places)})-", "-run-", what)
            seen[(step if process == "worker" or step in BY_COMMANDS else "", process, what)] = (
                step,
                (process, number, where),
            )
    found: dict[str, list[tuple[str, int, str]]] = {step: [] for step in places}
    for step, place in seen.values():
        found[step].append(place)
    return found


def matrix(places: dict[str, list[tuple[str, int, str]]], whole: bool = False) -> Iterator[tuple[str, Place, str]]:
    """Every step, place and fault that there is; unless `whole`, one of the three errors at each place, in turn."""
    errors = list(plugin.ERRORS)
    others = [fault for fault in plugin.FAULTS if fault not in errors]
    for step, places_of_step in places.items():
        for process, number, where in places_of_step:
            for fault in [*(errors if whole else [errors[number % 3]]), *others]:
                if fault == "SHORT" and not where.startswith(("write", "append")):
                    continue
                if fault == "FULL" and where.split()[0] not in ("make", "create", "write", "append"):
                    continue
                yield step, Place(process, number, fault), where


def ready() -> None:
    """Make this process one that forks; it must have run nothing of torch."""
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONFAULTHANDLER": ""}
    imports.load()
    import torch

    torch.set_num_threads(1)
    engine.jobs.hooks.REPORT_SECONDS = float("inf")  # at changes of the stage alone, so that steps can be counted
    fork_instead()
