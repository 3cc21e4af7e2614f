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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from engine.store import disk, index
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import disk_errors, new_folder, read_json, write_json, write_text
from engine.store.hashing import sha256_value
from engine.store.home import Home
from engine.store.locks import FileLock, is_held
from engine.store.read_only import refuse_writing
from engine.store.versioned import Result, Versioned

R = TypeVar("R", bound=Result)

ENDING_SECONDS = 15.0  # between a final status and the end of the process that wrote it


PASSING = frozenset({"stage", "done", "total", "unit"})
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

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def is_active(self) -> bool:
        return self in ACTIVE


FINAL = frozenset({State.FINISHED, State.FAILED, State.STOPPED, State.CANCELLED})
ACTIVE = frozenset({State.QUEUED, State.RUNNING, State.STOPPING})
RESUMABLE = frozenset({State.FAILED, State.STOPPED, State.CANCELLED, State.INTERRUPTED})


class Alarm(Result):
    """Something that is wrong with a run while it goes on; a kind of run may add details of its own."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Once in a run."""
    sentence: str
    """What is wrong and what to do."""
    time: float
    """Seconds since the epoch."""
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
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    stage: str = ""
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    device: str = ""
    beside: int = 1
    """Of how many runs that share the processor this is one; it stays so, because sums depend on the threads."""
    error: str = ""
    alarms: tuple[Alarm, ...] = ()
    result: dict[str, Any] = Field(default_factory=dict)
    """Plain values: what they are is known to the kind of run alone (`RunKind.result`)."""

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
        return (self.path / "config.json").is_file()

    def config(self) -> dict[str, Any]:
        """The run's complete config as plain values; `engine.jobs.kinds.parse_config` makes it typed."""
        if not self.exists():
            raise ErsatzError(
                f"There is no run {self.id} in {self.home.runs}; `python -m engine runs` lists those there are."
            )
        return read_json(self.path / "config.json")

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
        except ErsatzError:  # a full disk
            if not status.state.is_final:
                raise
            # How a run ended must be recorded all the same. The blocks of the old content have room for it.
            disk.overwrite(self.path / "status.json", json.dumps(values).encode())
        return status

    def raise_alarm(self, name: str, sentence: str, **details: Any) -> None:
        """Record an alarm once per name: what is wrong and what to do."""
        status = self.status()
        if all(alarm.name != name for alarm in status.alarms):
            self.update(alarms=(*status.alarms, Alarm(name=name, sentence=sentence, time=time.time(), **details)))

    def state(self) -> State:
        """The state by `status.json` and the lock; the lock is the truth about being alive."""
        return self.state_of(self.status())

    def state_of(self, status: Status) -> State:
        """The state of the run whose status was just read; the lock is asked only while that is not final."""
        if not status.state.is_final and not is_held(self.lock_path):
            status = self.status()  # read after the probe, so that an ending run is not called interrupted
            return status.state if status.state.is_final else State.INTERRUPTED
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

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row at the end; it is on the disk after `flush_metrics`."""
        with disk_errors(self.metrics_path):
            disk.append(self.metrics_path, (json.dumps(row) + "\n").encode())

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
        try:
            return [json.loads(line) for line in complete.splitlines()], offset
        except (ValueError, RecursionError) as error:
            raise ErsatzError(
                f"{self.metrics_path} is damaged ({error}); a JSON object a line is expected. Restore it from a backup."
            ) from error

    def read_metrics_lines(self, offset: int = 0, most: int = -1) -> tuple[bytes, int]:
        """As `read_metrics`, not parsed yet, and at most so many bytes of it (a line is shorter than that)."""
        if not self.metrics_path.exists():
            return b"", 0
        with self.metrics_path.open("rb") as file:
            file.seek(max(offset - 1, 0))
            if offset and file.read(1) != b"\n":  # past the end, or in the middle of another line
                raise ValueError("metrics.jsonl was written anew")
            content = file.read(most)
        complete = content[: content.rfind(b"\n") + 1]
        return complete, offset + len(complete)

    def keep_metrics(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Drop rows, and a torn last line, that a resumed run will write again."""
        rows, _ = self.read_metrics()
        write_text(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows if keep(row)))

    def delete(self) -> None:
        """Remove the folder of a run that is not alive."""
        refuse_writing(self.path)
        self.config()  # a run that does not exist
        lock = FileLock(self.lock_path)
        if not lock.acquire(timeout=ENDING_SECONDS if self.state().is_final else 0.5):
            raise ErsatzError(f"Run {self.id} is still alive; only an ended run can be deleted. Stop it first.")
        lock.release()
        trash = self.path.with_name(f".{self.id}.deleted")
        with disk_errors(trash):
            disk.rename(self.path, trash)  # one step: no process sees half of it
            disk.flush_folder(trash.parent)
            disk.remove_tree(trash)

    def remove_leftovers(self) -> None:
        """After the folder was deleted under its worker: remove what the worker wrote there since."""
        refuse_writing(self.path)
        if not self.exists():
            disk.remove_tree(self.path)


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
    home: Home, config: dict[str, Any], label: str, *, beside: int = 1, notes: Mapping[str, Any] | None = None
) -> Run:
    """Make a run folder for a complete config; `label` becomes part of the id.

    `notes` are further JSON files by name. All is there at once: whoever is killed after it has lost nothing.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40]
    run = Run(home, f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(4)}")
    with new_folder(run.path) as folder:
        write_json(folder / "config.json", config)
        Status(label=label, created=time.time(), beside=beside).write_to(folder / "status.json")
        for name, content in (notes or {}).items():
            write_json(folder / name, content)
        (folder / "log.txt").touch()
        (folder / "lock").touch()
    return run


def list_runs(home: Home, kind: str | None = None) -> list[Run]:
    """All runs of the home, newest first; folders without a readable config are passed over."""
    return [Run(home, entry.id) for entry in index.entries(home) if kind in (None, entry.kind)]


def find_runs(home: Home, config: dict[str, Any]) -> list[Run]:
    """Runs made from exactly this config, newest first."""
    digest = sha256_value(config)
    return [Run(home, entry.id) for entry in index.entries(home) if entry.config_digest == digest]
