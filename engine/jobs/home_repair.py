"""`doctor --home`: find what crashes left in a home, mend what can be mended, and name the rest.

Nothing that is alive is touched: what belongs to a run is looked at with the run's lock in hand, starts and deletions
wait meanwhile, and a half-written file elsewhere must be `OLD_SECONDS` old before it is taken for a killed process's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.cluster.liveness import WORK
from engine.datasets.dataset import Dataset, damaged_datasets, list_datasets
from engine.datasets.manifest import missing_images
from engine.datasets.uploads import FOLDER as UPLOADS
from engine.datasets.uploads import remove_old_uploads
from engine.jobs.submit import damaged_result
from engine.sampling.pools import MANIFEST_FILE, Pool
from engine.store import index
from engine.store.deleting import is_deleted, listed, remove
from engine.store.errors import ErsatzError
from engine.store.files import is_leftover
from engine.store.home import Home
from engine.store.locks import FileLock, is_held
from engine.store.runs import ACTIVE, Run, State, Status, damaged_runs, each, list_runs

OLD_SECONDS = 600.0
"""No program takes so long between making a temporary file outside of a run and giving it its name."""
SUBMIT_SECONDS = 20.0


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    what: str
    """A word or two: leftover, state, index, worker, upload, run, data set, images."""
    sentence: str
    mended: bool
    """Whether it is as it should be now; of a dry run, whether it would be."""


def repair_home(home: Home, dry_run: bool = False) -> list[Finding]:
    """All that was found, in the order in which it was looked for; an `ErsatzError` when the home cannot be used."""
    if not home.root.is_dir():
        raise ErsatzError(f"There is no home at {home.root}; a folder is expected. Set ERSATZ_HOME to one.")
    lock = FileLock(home.locks / "submit")
    if not dry_run and not lock.acquire(SUBMIT_SECONDS):
        raise ErsatzError("Runs are being started or deleted right now; a quiet moment is expected. Try again.")
    try:
        return [
            *_index(home, dry_run),  # first, since every list of the runs mends a part of it in passing
            *_workers(home, dry_run),
            *_leftovers(home, dry_run),
            *_states(home, dry_run),
            *_uploads(home, dry_run),
            *_damaged(home),
            *_results(home),
            *_images(home),
        ]
    finally:
        lock.release()


def _workers(home: Home, dry_run: bool) -> Iterator[Finding]:
    """Workers whose supervisor is gone, of before they noticed that themselves; and those of deleted runs."""
    supervised, workers = set(), {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError, ValueError, IndexError):
            command = process.cmdline()
            if process.cwd() != str(home.root):
                continue
            if "engine.jobs.supervisor" in command:
                supervised.add(command[command.index("engine.jobs.supervisor") + 1])
            elif "engine.jobs.worker" in command:
                workers[command[command.index("engine.jobs.worker") + 1]] = process
    for run_id, process in workers.items():
        if run_id in supervised:
            continue
        run = Run(home, run_id)
        gone = not run.exists()
        if not dry_run:
            with suppress(psutil.Error, ErsatzError):
                process.kill() if gone else run.request_stop()
        how = "was ended" if gone else "was asked to stop at its next safe point"
        yield Finding("worker", f"The worker of run {run_id} had no supervisor any more; it {how}.", True)


def _leftovers(home: Home, dry_run: bool) -> Iterator[Finding]:
    """What killed processes began to write or to delete."""
    importing = {
        config.get("name") for run, config in each(list_runs(home, "import"), Run.config) if run.state().is_active
    }
    for folder in (home.root, home.runs, home.datasets, home.root / UPLOADS, home.locks):
        for path in listed(folder):
            name = path.name[1:].rsplit(".", 1)[0]  # of a half-made folder or file
            half = is_leftover(path) and _is_old(path) and not (folder == home.datasets and name in importing)
            if is_deleted(path) or half:
                yield _removed(path, dry_run)
    for folder in (home.root / "ledger", home.root / "errors", home.cache):
        for path in _hidden(folder):
            if _is_old(path):
                yield _removed(path, dry_run)
    for path in listed(home.datasets):
        if path.name.startswith(".") or not path.is_dir():
            continue
        with _held(home.locks / f"dataset-{path.name}", dry_run) as free:
            yield from [_removed(left, dry_run) for left in _hidden(path) if free and _is_old(left)]
    for path in listed(home.runs):
        if path.name.startswith(".") or not path.is_dir():
            continue
        if not any(True for _ in _hidden(path)):
            continue
        with _held(path / "lock", dry_run) as free:
            free = free and not is_held(path / WORK)  # a job of the cluster may have no supervisor now
            yield from [_removed(left, dry_run) for left in _hidden(path) if free]


class _held:
    """`with _held(path, dry_run) as free`: the lock in hand, if nobody else has it; a dry run only looks."""

    def __init__(self, path: Path, dry_run: bool):
        self.lock, self.dry_run = FileLock(path), dry_run

    def __enter__(self) -> bool:
        try:
            return not is_held(self.lock.path) if self.dry_run else self.lock.acquire(timeout=0.5)
        except (ErsatzError, OSError):  # a folder in the lock's place, say
            return True

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def _hidden(folder: Path) -> Iterator[Path]:
    """Temporary files and folders below a folder; not what is inside of them."""
    for at, folders, names in os.walk(folder):
        for name in [name for name in folders if is_leftover(Path(name)) or is_deleted(Path(name))]:
            folders.remove(name)
            yield Path(at) / name
        yield from (Path(at) / name for name in names if is_leftover(Path(name)))


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:
        return False


def _removed(path: Path, dry_run: bool) -> Finding:
    what = "a deletion that was not finished" if is_deleted(path) else "half-written by a killed process"
    if dry_run:
        return Finding("leftover", f"{path} is {what}.", True)
    with suppress(OSError):
        remove(path)
    if path.exists() or path.is_symlink():
        return Finding("leftover", f"{path} is {what} and cannot be removed; look at its permissions.", False)
    return Finding("leftover", f"{path} was {what}; it is removed.", True)


def _states(home: Home, dry_run: bool) -> Iterator[Finding]:
    """Runs that call themselves queued or running although no process has their lock."""
    for run, status in each(list_runs(home), Run.status):
        if status.state not in ACTIVE or run.state() is not State.INTERRUPTED:
            continue
        sentence = f"Run {run.id} calls itself {status.state}, but no process does it; it is recorded as interrupted."
        if not dry_run:
            with _held(run.lock_path, dry_run) as free:
                if not free:
                    continue
                last = _last_sign(run, status)
                run.update(state=State.INTERRUPTED, ended=last)
                index.leave_queue(home, run.id)
        yield Finding("state", sentence, True)


def _last_sign(run: Run, status: Status) -> float:
    """When a run that has ended without a word still did something."""
    times = [status.created]
    for path in (run.log_path, run.metrics_path, run.path / "status.json"):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _index(home: Home, dry_run: bool) -> Iterator[Finding]:
    """The index beside the folders, which are the truth."""
    wrong = index.differences(home)
    if not wrong:
        return
    if not dry_run:
        index.reindex(home)
        if index.differences(home):
            yield Finding("index", f"The index {home.database} {wrong}, and it cannot be made again.", False)
            return
    yield Finding("index", f"The index {home.database} {wrong}; it is made again from the folders.", True)


def _uploads(home: Home, dry_run: bool) -> Iterator[Finding]:
    """Uploads that no run will read."""
    before = {path.name for path in listed(home.root / UPLOADS)}
    gone = remove_old_uploads(home, dry_run)
    for name in sorted(before & {path.name for path in gone}):
        yield Finding("upload", f"Upload {name} is no longer read by any run; it is removed.", True)


def _damaged(home: Home) -> Iterator[Finding]:
    for run_id, sentence in damaged_runs(home).items():
        advice = f"`python -m engine delete {run_id}` deletes it."
        yield Finding("run", f"Run {run_id} is damaged: {sentence} {advice}", False)
    for name, sentence in damaged_datasets(home).items():
        advice = f"`python -m engine dataset delete {name}` deletes it."
        yield Finding("data set", f"Data set {name} is damaged: {sentence} {advice}", False)


def _results(home: Home) -> Iterator[Finding]:
    """Finished runs that can make a part of their result again."""
    for run in list_runs(home):
        if sentence := damaged_result(run, thorough=True):
            advice = f"`python -m engine resume {run.id}` makes it again."
            yield Finding("result", f"The result of run {run.id} is damaged: {sentence} {advice}", False)


def _images(home: Home) -> Iterator[Finding]:
    """Images that a manifest names, that are not there, and that no run makes again."""
    for dataset in list_datasets(home):
        yield from _missing(f"Data set {dataset.name}", dataset)
    for run in list_runs(home, "pool"):
        if (run.path / MANIFEST_FILE).exists() and not damaged_result(run):
            yield from _missing(f"Pool {run.id}", Pool(run))


def _missing(what: str, holder: Dataset | Pool) -> Iterator[Finding]:
    try:
        manifest = holder.manifest
    except ErsatzError as error:
        yield Finding("images", f"{what} is damaged: {error}", False)
        return
    lost = missing_images(holder.path, manifest)
    if lost:
        sentence = f"{what} lacks {len(lost)} of {len(manifest)} images ({lost[0]}{', ...' if lost[1:] else ''})"
        yield Finding("images", f"{sentence}; restore them from a backup, or make it again.", False)
