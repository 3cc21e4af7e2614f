"""Run folders: one per run, readable with `cat`, complete without the program.

<home>/runs/<id>/
    config.json     everything needed to run it again
    status.json     state, progress, alarms, result, the sentence of an error
    metrics.jsonl   one JSON object a line, appended
    log.txt         what the worker printed
    lock            held by the supervisor (and its worker) for as long as they live
    stop            present once the run was asked to stop

`status.json` is written by the holder of the lock alone: the submitter, then the supervisor, then the worker.
All other processes only ask (`request_stop`) and read.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from engine.store import disk, index
from engine.store.damage import damage_of, read_config, require_folder
from engine.store.deleting import delete_folder, listed
from engine.store.errors import ErsatzError, Missing, RunDeleted
from engine.store.files import disk_errors, new_folder, set_aside, write_json, write_text
from engine.store.hashing import sha256_value
from engine.store.home import NAME_PATTERN, Home
from engine.store.index import HERE
from engine.store.locks import FileLock, is_held
from engine.store.read_only import refuse_writing
from engine.store.versioned import Result, Versioned

R = TypeVar("R", bound=Result)
T = TypeVar("T")

ENDING_SECONDS = 15.0  # between a final status and the end of the process that wrote it


LIVES_ELSEWHERE: list[Callable[[Run], bool]] = []
"""Whether a run that nobody here holds the lock of lives at its place; those who know other places add to it."""


PASSING = frozenset({"stage", "done", "total", "unit", "step", "steps"})
"""Fields of `status.json` that no power failure matters for: they are written a few times a second."""


class State(StrEnum):
    """The state of a run as a person sees it."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"
    """Its `status.json` cannot be read."""

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def is_active(self) -> bool:
        return self in ACTIVE


FINAL = frozenset({State.FINISHED, State.FAILED, State.STOPPED, State.CANCELLED})
ACTIVE = frozenset({State.QUEUED, State.RUNNING, State.STOPPING})
RESUMABLE = frozenset({State.FAILED, State.STOPPED, State.CANCELLED, State.INTERRUPTED})


Time = Annotated[float, Field(ge=0, lt=2.5e11)]
"""Seconds since the epoch; a calendar has years up to 9999."""


class Alarm(Result):
    """Something that is wrong with a run while it goes on; a kind of run may add details of its own."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Once in a run."""
    sentence: str
    """What is wrong and what to do."""
    time: Time
    kimg: float | None = None
    """Of a training: how far it was."""

    @model_serializer(mode="wrap")
    def _known(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not known is left out of the file."""
        return {name: value for name, value in serialize(self).items() if value is not None}


class Status(Versioned):
    """The content of `status.json`; times are seconds since the epoch."""

    label: str = ""
    state: State = State.QUEUED
    created: Time = 0.0
    started: Time | None = None
    ended: Time | None = None
    stage: str = ""
    done: float = Field(default=0.0, allow_inf_nan=False)
    total: float = Field(default=0.0, allow_inf_nan=False)
    unit: str = ""
    """`done` of `total` of these, of the present step."""
    step: int = 0
    steps: int = 0
    """Of so many steps this is the one that goes on, from 1; 0 where a run has but one."""
    device: str = ""
    beside: int = 1
    """Of how many runs that share the processor this is one; it stays so, because sums depend on the threads."""
    place: str = HERE
    """Where it runs: on this machine, or on the cluster (`engine.jobs.places`)."""
    error: str = ""
    alarms: tuple[Alarm, ...] = ()
    result: dict[str, Any] = Field(default_factory=dict)
    """Plain values: what they are is known to the kind of run alone (`RunKind.result`)."""

    @property
    def share(self) -> float | None:
        """How much of the whole run is done, from 0 to 1, every step being as long as the others; None: not known."""
        if not self.total:
            return None
        of_step = min(1.0, self.done / self.total)
        return (self.step - 1 + of_step) / self.steps if self.step and self.steps else of_step

    def result_as(self, model: type[R]) -> R | None:
        """The result as the model of its kind; None before there is one."""
        return model.parse(self.result, f"The result of {self.label}") if self.result else None


@dataclass(frozen=True)
class Run:
    """A handle on one run folder; holds no state of its own."""

    home: Home
    id: str

    @cached_property
    def path(self) -> Path:
        return self.home.run(self.id)

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock_path(self) -> Path:
        return self.path / "lock"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def exists(self) -> bool:
        try:
            return (self.path / "config.json").is_file()
        except OSError:  # it must not be looked into
            return False

    def config(self) -> dict[str, Any]:
        """The run's complete config as plain values; `engine.jobs.kinds.parse_config` makes it typed."""
        return read_config(self.path)

    def damage(self) -> str:
        """Why the run cannot be shown, in a sentence; empty for a whole one. `Missing` when there is none."""
        return damage_of(self.path, Status)

    @property
    def kind(self) -> str:
        return self.config()["kind"]

    def status(self) -> Status:
        return Status.read(self.path / "status.json")

    def update(self, **changes: Any) -> Status:
        """Change fields of `status.json`. A deleted run folder is not made again: `RunDeleted`."""
        if not self.exists():
            raise RunDeleted(self.id)
        assert changes.keys() <= Status.model_fields.keys(), changes.keys()
        status = self.status().model_copy(update=changes)
        values = status.plain()
        try:
            write_json(self.path / "status.json", values, flushed=bool(changes.keys() - PASSING))
        except ErsatzError as error:  # a full disk
            if not status.state.is_final:
                raise
            # How a run ended must be recorded all the same. The blocks of the old content have room for it.
            try:
                disk.overwrite(self.path / "status.json", json.dumps(values).encode())
            except OSError:  # a broken disk: it is taken for interrupted then
                raise error from None
        return status

    def raise_alarm(self, name: str, sentence: str, **details: Any) -> None:
        """Record an alarm once per name: what is wrong and what to do."""
        status = self.status()
        if all(alarm.name != name for alarm in status.alarms):
            self.update(alarms=(*status.alarms, Alarm(name=name, sentence=sentence, time=time.time(), **details)))

    def keep_alarms(self, keep: Callable[[Alarm], bool]) -> None:
        """Drop alarms that a resumed run will raise again where they still hold."""
        alarms = self.status().alarms
        kept = tuple(alarm for alarm in alarms if keep(alarm))
        if len(kept) < len(alarms):
            self.update(alarms=kept)

    def state(self) -> State:
        """The state by `status.json` and the lock; the lock is the truth about being alive."""
        try:
            return self.state_of(self.status())
        except Missing:
            require_folder(self.path)
        except ErsatzError:
            pass
        return State.DAMAGED

    def state_of(self, status: Status) -> State:
        """The state of the run whose status was just read; the lock is asked only while that is not final."""
        if not status.state.is_final and not is_held(self.lock_path):
            lives = status.place != HERE and any(lives(self) for lives in LIVES_ELSEWHERE)
            status = self.status()  # read after the probe, so that an ending run is not called interrupted
            if not (lives or status.state.is_final):
                return State.INTERRUPTED
        if status.state.is_final:
            return status.state
        return State.STOPPING if self.stop_requested() else status.state

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def request_stop(self) -> None:
        """Ask the run to stop at its next safe point."""
        try:
            with disk_errors(self.path), disk.passing("create", self.path / "stop"):
                (self.path / "stop").touch()
        except FileNotFoundError as error:
            raise RunDeleted(self.id) from error

    def clear_stop(self) -> None:
        with disk_errors(self.path):
            disk.remove(self.path / "stop")

    def open_log(self) -> IO[bytes]:
        """Its log, opened for processes that append to it; an `ErsatzError` when the disk is full or forbids it."""
        with disk_errors(self.log_path):
            return disk.appended(self.log_path)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row at the end; it is on the disk after `flush_metrics`."""
        with disk_errors(self.metrics_path):
            disk.append(self.metrics_path, (json.dumps(row) + "\n").encode())

    def write_metrics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Replace all rows, by the same ones in another order for example."""
        write_text(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows))

    def flush_metrics(self) -> None:
        """Wait until the rows are on the disk: before a snapshot, which is resumed with those up to it."""
        if self.metrics_path.exists():
            with disk_errors(self.metrics_path):
                disk.flush(self.metrics_path)

    def read_metrics(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Rows appended since byte `offset`, and the offset to ask from next time.

        A line still being written is left for the next call. When the file was written anew (a resumed run
        dropped rows past its snapshot) a ValueError asks the caller to begin again at 0.
        """
        complete, offset = self.read_metrics_lines(offset)
        return whole_rows(complete)[0], offset

    def read_metrics_lines(self, offset: int = 0, most: int = -1) -> tuple[bytes, int]:
        """As `read_metrics`, not parsed yet, and at most so many bytes of it (a line is shorter than that)."""
        if not self.metrics_path.is_file():
            return b"", 0
        with self.metrics_path.open("rb") as file:
            file.seek(max(offset - 1, 0))
            if offset and file.read(1) != b"\n":  # past the end, or in the middle of another line
                raise ValueError("metrics.jsonl was written anew")
            content = file.read(most)
        complete = content[: content.rfind(b"\n") + 1]
        return complete, offset + len(complete)

    def keep_metrics(self, keep: Callable[[dict[str, Any]], bool]) -> str:
        """Drop rows, and a torn last line, that a resumed run will write again.

        From a damaged line on nothing can be relied on, and all of that is dropped too; the sentence on it, else "".
        """
        if not self.metrics_path.is_file():
            if self.metrics_path.exists():  # a folder in its place
                set_aside(self.metrics_path)
                return f"{self.metrics_path} was no file; it was set aside, and the rows are written anew."
            return ""
        content = self.metrics_path.read_bytes()
        rows, damaged = whole_rows(content[: content.rfind(b"\n") + 1])
        lines = []
        for number, row in enumerate(rows, start=1):
            try:
                if keep(row):
                    lines.append(json.dumps(row) + "\n")
            except (KeyError, TypeError, ValueError):  # not a row of this kind of run
                damaged = damaged or number
                break
        write_text(self.metrics_path, "".join(lines))
        if not damaged:
            return ""
        return f"{self.metrics_path} was damaged from line {damaged} on; what follows was dropped and is written anew."

    def delete(self) -> None:
        """Remove the folder of a run that is not alive."""
        refuse_writing(self.path)
        require_folder(self.path)
        lock, state = FileLock(self.lock_path), self.state()
        try:
            free = lock.acquire(timeout=ENDING_SECONDS if state.is_final else 0.5)
        except (ErsatzError, OSError):  # a folder in its place, say: nobody can hold that
            free = True
        if not free or (state.is_active and self.status().place != HERE):  # a job of the cluster needs no supervisor
            lock.release()
            raise ErsatzError(f"Run {self.id} is still alive; only an ended run can be deleted. Stop it first.")
        lock.release()
        delete_folder(self.path)

    def remove_leftovers(self) -> None:
        """After the folder was deleted under its worker: remove what the worker wrote there since."""
        refuse_writing(self.path)
        if not self.exists():
            disk.remove_tree(self.path)


def whole_rows(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows of whole lines up to the first that is damaged, and the number of that one, 0 for none."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return rows, number
        if not isinstance(row, dict):
            return rows, number
        rows.append(row)
    return rows, 0


@contextmanager
def still_there(run: Run) -> Iterator[None]:
    """For a change of a run by another process: a folder that is deleted meanwhile is told in a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        if run.exists():
            raise
        raise RunDeleted(run.id) from error


def create_run(
    home: Home,
    config: dict[str, Any],
    label: str,
    *,
    beside: int = 1,
    place: str = HERE,
    notes: Mapping[str, Any] | None = None,
) -> Run:
    """Make a run folder for a complete config; `label` becomes part of the id.

    `notes` are further JSON files by name. All is there at once: whoever is killed after it has lost nothing.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40]
    run = Run(home, f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(4)}")
    with new_folder(run.path) as folder:
        write_json(folder / "config.json", config)
        Status(label=label, created=time.time(), beside=beside, place=place).write_to(folder / "status.json")
        for name, content in (notes or {}).items():
            write_json(folder / name, content)
        (folder / "log.txt").touch()
        (folder / "lock").touch()
    return run


def list_runs(home: Home, kind: str | None = None) -> list[Run]:
    """All runs of the home that are whole, newest first; `damaged_runs` has the others."""
    return _whole(Run(home, entry.id) for entry in index.entries(home) if kind in (None, entry.kind))


def find_runs(home: Home, config: dict[str, Any]) -> list[Run]:
    """Runs made from exactly this config, newest first."""
    digest = sha256_value(config)
    return _whole(Run(home, entry.id) for entry in index.entries(home) if entry.config_digest == digest)


def damaged_runs(home: Home) -> dict[str, str]:
    """What is wrong with each run that is damaged, in a sentence, by id; the newest id first."""
    found = {run.id: said for run in _folders(home) if (said := _damage(run))}
    return dict(sorted(found.items(), reverse=True))


def each(runs: Iterable[Run], read: Callable[[Run], T]) -> Iterator[tuple[Run, T]]:
    """Each run with what `read` finds of it; those that were deleted or damaged since they were listed are left out."""
    for run in runs:
        try:
            found = read(run)
        except ErsatzError:
            continue
        yield run, found


def _whole(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if _damage(run) == ""]


def _damage(run: Run) -> str | None:
    """What is wrong with it; None when it was just deleted."""
    try:
        return run.damage()
    except Missing:
        return None


def _folders(home: Home) -> Iterator[Run]:
    """A run for each folder that can be one."""
    for path in listed(home.runs):
        if NAME_PATTERN.fullmatch(path.name) and path.is_dir():
            yield Run(home, path.name)
