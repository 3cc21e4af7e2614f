"""Which runs have ended since somebody last asked: one watcher for all browsers, which looks at changed files alone."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import streamlit as st

from engine.store.errors import ErsatzError
from engine.store.home import NAME_PATTERN, Home
from engine.store.runs import ACTIVE, Run, State, Status
from pages.components.home import home
from pages.components.run_summary import state_of, status_of

EVERY_SECONDS = 2.0
"""Between two looks, however many browsers ask."""
KEPT = 100


@dataclass(frozen=True)
class End:
    """A run that has ended."""

    run: Run
    state: State
    status: Status


@dataclass
class Watcher:
    """The runs of a home as they were at the last look, and the ends since the first one."""

    at: Home
    ends: list[End] = field(default_factory=list)
    forgotten: int = 0
    """Ends that are too long ago to be kept."""
    active: int = 0
    looked: float = 0.0
    lock: Lock = field(default_factory=Lock)
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _going_on: set[str] = field(default_factory=set)

    def look(self) -> int:
        """Look again, unless that was just done; how many ends there were since the first look."""
        with self.lock:
            now = time.time()
            if now - self.looked >= EVERY_SECONDS:
                self._look(first=not self.looked, since=self.looked)
                self.looked = now
            return self.forgotten + len(self.ends)

    def since(self, count: int) -> list[End]:
        """The ends after the first `count`."""
        with self.lock:
            return self.ends[max(0, count - self.forgotten) :]

    def _look(self, first: bool, since: float) -> None:
        stamps = _stamps(self.at.runs)
        changed = {run_id for run_id, stamp in stamps.items() if self._stamps.get(run_id) != stamp}
        for run_id in sorted(changed | (self._going_on & stamps.keys())):
            run = Run(self.at, run_id)
            try:
                status, state = status_of(run), state_of(run)
            except ErsatzError:  # deleted just now, or damaged: the pages say so
                self._going_on.discard(run_id)
                continue
            if state in ACTIVE:
                self._going_on.add(run_id)
                continue
            # one that began and ended between two looks is new as well; one that was copied here ended long ago
            ended = run_id in self._going_on or (run_id not in self._stamps and (status.ended or 0.0) > since)
            self._going_on.discard(run_id)
            if ended and not first:
                self.ends.append(End(run, state, status))
        self._stamps, self._going_on = stamps, self._going_on & stamps.keys()
        self.active = len(self._going_on)
        dropped = max(0, len(self.ends) - KEPT)
        self.forgotten += dropped
        del self.ends[:dropped]


def watcher() -> Watcher:
    """The one of this home."""
    return _watcher(home().root)


@st.cache_resource(max_entries=4, show_spinner=False)
def _watcher(root: Path) -> Watcher:
    return Watcher(Home(root))


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Time and size of the `status.json` of every run."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if NAME_PATTERN.fullmatch(entry.name):
                    try:
                        facts = os.stat(f"{entry.path}/status.json")  # noqa: PTH116  (thousands at a time)
                    except OSError:
                        continue
                    found[entry.name] = (facts.st_mtime_ns, facts.st_size)
    except OSError:
        return {}
    return found
