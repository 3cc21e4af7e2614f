"""Whether the cluster of a home is fit for it: what `doctor` asks, up to a short job on a node."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from engine.cluster import slurm
from engine.cluster.nodes import Partition, fitting, partitions
from engine.cluster.settings import LOCAL, ClusterSettings, Request, read_settings
from engine.cluster.tools import ask
from engine.cluster.words import waits_for
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.store.home import Home
from engine.store.plugins import named
from engine.version import __version__

State = Literal["ok", "note", "fail"]

PATIENCE_SECONDS = 180.0
"""How long the jobs of a check may wait and run; then they are cancelled."""
POLL_SECONDS = 1.0
LATE_SECONDS = 5.0
"""How long what a job has written may take to be seen here, over a network."""
MINUTES = 5
"""Their time limit: to import torch from a file system over a network takes its time."""


@dataclass(frozen=True)
class Finding:
    """What came of one check: its name, how it ended, and one sentence."""

    name: str
    state: State
    found: str


@dataclass(frozen=True)
class NodeCheck:
    """What a job of the check does on its node: it calls `checks`, `module:function`, and writes down what that says.

    The function returns dataclasses with a name, a state and a sentence, as `Finding` has them.
    """

    folder: str
    checks: str

    def __call__(self) -> None:
        found = [asdict(each) for each in named(self.checks)()]
        told = {"version": __version__, "host": socket.gethostname(), "checks": found}
        write_json(Path(self.folder) / "found.json", told)


def check_cluster(home: Home, kinds: Collection[str], checks: str) -> Iterator[Finding]:
    """Each check as it is done; nothing for a home that uses no cluster.

    `kinds` are those of runs that there are, and `checks` is what a job does on a node, as `NodeCheck` has it.
    """
    try:
        settings = read_settings(home)
    except ErsatzError as error:
        yield Finding("Cluster", "fail", str(error))
        return
    if settings is None:
        return
    yield _settings(settings, kinds)
    if settings.executor == LOCAL:
        yield Finding("Scheduler", "note", "none: jobs are processes of this machine (executor in cluster.toml)")
    else:
        try:
            slurm.require_slurm()
            there = partitions()
        except ErsatzError as error:
            yield Finding("Scheduler", "fail", str(error))
            return
        yield Finding("Scheduler", "ok", f"answers, with {len(there)} partitions")
        refused = list(_partitions(settings, there)) + list(_acceptance(settings))
        yield from refused
        yield _accounting()
        if any(finding.state == "fail" for finding in refused):
            return
    yield from check_nodes(home, settings, checks)


def requests(settings: ClusterSettings) -> dict[str, Request]:
    """What is asked for, by the kinds that it is for; those that ask for the same are one."""
    asked = {"": settings.for_kind("")}
    for kind in settings.kinds:
        request = settings.for_kind(kind)
        same = next((known for known, other in asked.items() if other == request), None)
        if same is None:
            asked[kind] = request
        elif same:
            asked[f"{same}, {kind}"] = asked.pop(same)
    return asked


def _settings(settings: ClusterSettings, kinds: Collection[str]) -> Finding:
    unknown = sorted({*settings.places, *settings.kinds} - set(kinds))
    if unknown:
        told = (
            f"cluster.toml names kinds of runs that there are not: {', '.join(unknown)}; {', '.join(kinds)} are known"
        )
        return Finding("Cluster", "fail", told)
    going = [kind for kind, place in settings.places.items() if place != "here"]
    where = f"by default for {', '.join(going)}" if going else "when somebody asks for it"
    return Finding("Cluster", "ok", f"partition {settings.partition or 'by default'}, {where}")


def _partitions(settings: ClusterSettings, there: Sequence[Partition]) -> Iterator[Finding]:
    for kinds, request in requests(settings).items():
        name = _titled("Partition", kinds)
        try:
            partition = fitting(request, there)
        except ErsatzError as error:
            yield Finding(name, "fail", str(error))
            continue
        if not partition.takes_jobs:
            yield Finding(name, "note", f"{partition.name}: none of its nodes takes jobs now; runs will wait")
        else:
            yield Finding(name, "ok", f"{partition.name}: {partition.sentence}")


def _acceptance(settings: ClusterSettings) -> Iterator[Finding]:
    for kinds, request in requests(settings).items():
        name = _titled("Submitting", kinds)
        try:
            slurm.rehearse(request, gpus=1)
        except ErsatzError as error:
            yield Finding(name, "fail", str(error))
        else:
            yield Finding(name, "ok", "the scheduler accepts such jobs")


def _accounting() -> Finding:
    try:
        told = ask("sacct", "--noheader", "--allocations", "--format=JobID")
    except ErsatzError:
        answers = False
    else:
        answers = told.returncode == 0
    if answers:
        return Finding("Accounting", "ok", "sacct tells how jobs ended")
    return Finding("Accounting", "note", "sacct tells nothing here; how a job ended is known for some minutes only")


def check_nodes(home: Home, settings: ClusterSettings, checks: str) -> Iterator[Finding]:
    """Start a short job for each thing that is asked for, and say what it found on its node; nothing of it stays."""
    folder = home.cache / "cluster-check" / secrets.token_hex(4)
    try:
        jobs = []
        for number, (kinds, request) in enumerate(requests(settings).items()):
            short = request.model_copy(update={"hours": min(request.hours, MINUTES / 60), "grace_seconds": 10})
            try:
                jobs.append(_NodeJob(short, kinds, folder / str(number), checks))
            except ErsatzError as error:
                yield Finding(_titled("Node", kinds), "fail", str(error))
        deadline = time.monotonic() + PATIENCE_SECONDS
        for job in jobs:
            try:
                yield from job.findings(deadline)
            except ErsatzError as error:
                yield Finding(_titled("Node", job.kinds), "fail", str(error))
            finally:
                job.end()
    finally:
        disk.remove_tree(folder)
        with suppress(OSError), disk.passing("remove", folder.parent):  # another check may be under way
            folder.parent.rmdir()


class _NodeJob:
    """A job of the check."""

    def __init__(self, request: Request, kinds: str, folder: Path, checks: str):
        self.request, self.kinds, self.folder = request, kinds, folder
        disk.make_folder(folder)
        task = NodeCheck(str(folder), checks)
        (self.id,) = slurm.submit(request, [task], name="ersatz-doctor", folder=folder / "slurm", gpus=1)

    def findings(self, deadline: float) -> Iterator[Finding]:
        name = _titled("Node", self.kinds)
        waiting = ""
        while not (found := self._found()):
            state = slurm.jobs(self.request, max_age=0).get(self.id)
            if state is None:
                found = self._found_late()
                if not found:
                    yield Finding(name, "fail", self._how_it_ended())
                    return
                break
            waiting = waits_for(state, self.request)
            if time.monotonic() > deadline:
                doing = f"it {waiting}" if waiting else "it runs still"
                told = f"a job of the check did not end within {PATIENCE_SECONDS:g} s: {doing}; it was cancelled"
                yield Finding(name, "note", told)
                return
            time.sleep(POLL_SECONDS)
        yield from self._told(found, name)

    def _told(self, found: dict[str, Any], name: str) -> Iterator[Finding]:
        host, version = found["host"], found["version"]
        if version != __version__:
            told = (
                f"{host} has version {version} of this program, and {__version__} is here; the same is expected there"
            )
            yield Finding(name, "fail", told)
        else:
            yield Finding(name, "ok", f"{host} sees the home, and has version {version} of this program")
        for check in found["checks"]:
            state, told = check["state"], check["found"]
            if check["name"] == "Training" and self.request.gpus and not told.startswith("CUDA"):
                state, told = "fail", f"a GPU was asked for as {self.request.gpus}, and torch computes {told}"
            elif state == "note" and not self.request.gpus:
                state = "ok"  # no GPU was asked for
            yield Finding(f"{check['name']} on {host}", state, told)

    def _found(self) -> dict[str, Any]:
        path = self.folder / "found.json"
        return dict(read_json(path)) if path.is_file() else {}

    def _found_late(self) -> dict[str, Any]:
        deadline = time.monotonic() + LATE_SECONDS
        while not (found := self._found()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _how_it_ended(self) -> str:
        ending = slurm.ended(self.request, self.id)
        lines = [
            line for path in self.folder.glob("slurm/*.out") for line in path.read_text(errors="replace").splitlines()
        ]
        last = f" Its log ends with: {lines[-1].strip()}" if lines else ""
        return f"{ending.sentence if ending else 'A job of the check ended without a word.'}{last}"

    def end(self) -> None:
        """Nothing of it goes on."""
        with suppress(slurm.NoAnswer):  # its time limit ends it then
            if self.id in slurm.jobs(self.request, max_age=0):
                slurm.cancel(self.request, [self.id])


def _titled(name: str, kinds: str) -> str:
    return f"{name} ({kinds})" if kinds else name
