"""Start, stop, resume, move and delete runs: what the pages, the command line and Python call alike.

A run is alive while its lock is held. The process that starts it takes the lock first and hands it to the supervisor,
so that between the press of a button and the end of the run there is no moment at which it looks dead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from engine.configs import Config, TrainConfig, parse_training
from engine.configs.gans import gan_named
from engine.jobs.kinds import kind_of, kind_shown, parse_config
from engine.jobs.places import is_on_cluster, place_of, require_place
from engine.jobs.prepare import prepare
from engine.jobs.queue import ordered, waiting
from engine.jobs.slots import CPU, slots_for
from engine.jobs.supervisor import READY, detached
from engine.store import index
from engine.store.about import ABOUT_FILE, About
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock, inheritance, is_held
from engine.store.plugins import named
from engine.store.processes import module_command, module_environment
from engine.store.processes import start as start_process
from engine.store.roles import machine_user
from engine.store.runs import ENDING_SECONDS, HERE, RESUMABLE, Run, State, Status, create_run, find_runs, list_runs

POLL_SECONDS = 0.2
MOST_GENERATORS = 5
"""Generators of a class, trained alike with seeds of their own."""


def submit(
    home: Home, config: Config, *, label: str | None = None, owner: str = "", beside: int = 1, place: str = ""
) -> Run:
    """Make a run of `config` and start its supervisor; returns once that holds the run's lock.

    It is recorded as the run of `owner`, or else of the user of this machine; `beside` as `side_by_side` says it, and
    `place` as `engine.jobs.places` does: empty for the usual one of its kind. Raises `AlreadyActive` when a run of the
    same config is queued or running, and `ErsatzError` when a parent is missing, not frozen, not finished or changed,
    or when the run cannot be done at that place.
    """
    place = place_of(home, config, place)
    require_place(home, config, place)  # before the preparation, which may make a data set
    config = prepare(home, config)
    with _starting(home):
        _refuse_twin(home, config)
        return _start_new(home, config, label, owner, beside, place)


def side_by_side(configs: Sequence[Config]) -> int:
    """How many of these runs, which are about to be submitted, share the processor at a time; 1 on GPUs.

    DCGANs gain by it (see `engine.jobs.cores`). A StyleGAN2-ADA hardly, and two of them take twice the memory.
    """
    if len(configs) < 2 or not all(_short_operators(config) for config in configs):
        return 1
    try:
        slots = slots_for(configs[0].plain())
    except ErsatzError:  # each run says so itself
        return 1
    return min(len(configs), len(slots)) if CPU in slots else 1


def _short_operators(config: Config) -> bool:
    return isinstance(config, TrainConfig) and gan_named(config.gan).capabilities.side_by_side


def trainings_by_class(
    values: dict[str, Any], class_names: Callable[[], Sequence[str]], generators: int = 1
) -> tuple[list[TrainConfig], int]:
    """A training for each class, and how many of them run `side_by_side`.

    A single one when `values` name its class (`class_name`) or have one generator make all of them (`conditional`);
    the names of the classes are asked for otherwise alone, since that opens a data set. Of several `generators` a class
    each has a seed of its own, the next after the other's.
    """
    if not 1 <= generators <= MOST_GENERATORS:
        raise ErsatzError(
            f"{generators} generators a class are asked for; 1 to {MOST_GENERATORS} are expected. Correct the number."
        )
    one = values.get("conditional") or values.get("class_name")
    names = [values.get("class_name", "")] if one else class_names()
    first = parse_training({**values, "class_name": names[0]}).seed
    configs = [
        parse_training({**values, "class_name": name, "seed": first + number})
        for number in range(generators)
        for name in names
    ]
    return configs, side_by_side(configs)


def ensure(home: Home, config: Config, *, owner: str = "", beside: int = 1, place: str = "") -> Run:
    """The run of exactly this config: finished, or on its way, or resumed, or submitted now (for `owner`).

    One that is resumed goes to `place` too, if one is named.
    """
    chosen = place_of(home, config, place)
    config = prepare(home, config)
    with _starting(home):
        runs = [(run, run.state()) for run in find_runs(home, config.plain())]
        for run, state in runs:
            if state is State.FINISHED and _result_exists(home, config):
                if damaged_result(run):
                    _start(run)
                return run
        for run, state in runs:
            if state.is_active:
                attach(run)
                return run
        require_place(home, config, chosen)
        for run, state in runs:
            if state in RESUMABLE:
                _start(run, chosen if place else "")
                return run
        return _start_new(home, config, None, owner, beside, chosen)


def damaged_result(run: Run, thorough: bool = False) -> str:
    """What of a finished run's result is damaged and made again when it is resumed, in a sentence; empty: nothing.

    `thorough` reads all images of a pool.
    """
    of_kind = kind_shown(run.kind).damaged_result
    return str(named(of_kind)(run, thorough)) if of_kind and run.state() is State.FINISHED else ""


def resume(run: Run, place: str = "") -> None:
    """Go on with a stopped, cancelled, failed or interrupted run from what it had saved, or mend a finished one.

    It goes on at the place where it was, unless another `place` is named. A finished run makes again what of its result
    is damaged; one that is whole is refused, with `ErsatzError`.
    """
    if damage := run.damage():
        raise ErsatzError(f"Run {run.id} cannot be resumed: {damage}")
    config = parse_config(run.config())
    place = place_of(run.home, config, place or run.status().place)
    require_place(run.home, config, place)
    with _starting(run.home):
        _refuse_twin(run.home, config)
        state = run.state()
        if state not in RESUMABLE and not damaged_result(run, thorough=True):
            raise ErsatzError(
                f"Run {run.id} is {state}; only a stopped, failed or interrupted run can be resumed, or a finished one "
                "whose result is damaged."
            )
        _start(run, place)


def attach(run: Run) -> None:
    """Give a run that lives on a cluster a supervisor again, if it has lost its own; anything else is left alone."""
    if run.status().place == HERE or is_held(run.lock_path) or not run.state().is_active:
        return
    lock = FileLock(run.lock_path)
    if lock.acquire(timeout=0.5):  # else somebody else was quicker
        try:
            _start_supervisor(run, lock)
        finally:
            lock.release()


def attach_all(home: Home) -> None:
    """`attach` every run that has lost its supervisor, as after a restart of this machine."""
    for run in list_runs(home):
        with suppress(ErsatzError):  # deleted meanwhile, damaged, or its supervisor cannot start: a page says so
            attach(run)


def stop(run: Run) -> None:
    """Ask a run to stop at its next safe point, and its supervisor to force it when it does not (see there)."""
    run.config()  # a run that does not exist
    state = run.state()
    if not state.is_active:
        raise ErsatzError(f"Run {run.id} is {state}; only a queued or running run can be stopped.")
    run.request_stop()
    attach(run)


def cancel(run: Run) -> None:
    """Take a run out of the queue. One that starts at this very moment is stopped."""
    run.config()
    state = run.state()
    if state is not State.QUEUED:
        raise ErsatzError(f"Run {run.id} is {state}; only a queued run can be cancelled. Stop a running one.")
    run.request_stop()
    attach(run)


def move(run: Run, position: int) -> None:
    """Put a queued run at `position` of the queue, 0 being next."""
    with ordered(run.home):
        ids = [other.id for other in waiting(run.home)]
        if run.id not in ids:
            raise ErsatzError(f"Run {run.id} is {run.state()}; only a queued run can be moved in the queue.")
        ids.remove(run.id)
        ids.insert(max(position, 0), run.id)
        index.reorder(run.home, ids)


def delete(run: Run) -> None:
    """Remove the folder of a run that is not alive."""
    with _starting(run.home):
        if not run.damage() and (before_delete := kind_shown(run.kind).before_delete):
            named(before_delete)(run)
        run.delete()


def wait(run: Run, on_change: Callable[[State, Status], None] = lambda state, status: None) -> State:
    """Follow a run to its end; `on_change` gets each change of its state or status. Returns the last state."""
    seen = None
    while True:
        state, status = run.state(), run.status()
        if (state, status) != seen:
            seen = (state, status)
            on_change(state, status)
        if not state.is_active:
            return state
        time.sleep(POLL_SECONDS)


def _starting(home: Home) -> FileLock:
    """Guards every start and deletion, so that two people pressing a button at once start one run."""
    return FileLock(home.locks / "submit")


def _refuse_twin(home: Home, config: Config) -> None:
    for run in find_runs(home, config.plain()):
        if run.state().is_active:
            raise AlreadyActive(run.id)


def _start_new(home: Home, config: Config, label: str | None, owner: str, beside: int, place: str) -> Run:
    before_start = kind_of(config).before_start
    if before_start is not None:
        before_start(home, config)
    notes = {ABOUT_FILE: asdict(About(owner=owner or machine_user()))}
    label = label or default_label(config)
    run = create_run(home, config.plain(), label, beside=beside, place=place, notes=notes)
    _start(run)
    return run


def _result_exists(home: Home, config: Config) -> bool:
    """What a run wrote outside of its folder may have been deleted since."""
    exists = kind_of(config).result_exists
    return exists is None or exists(home, config)


def default_label(config: Config) -> str:
    """A short name of the run for lists, such as "train head-ct hemorrhage"."""
    values = config.plain()
    parts = [values["kind"], values.get("dataset"), values.get("class_name"), values.get("name"), values.get("preset")]
    return " ".join(dict.fromkeys(part for part in parts if part))


def _start(run: Run, place: str = "") -> None:
    """Queue a run that is not alive, at another place if one is named, and hand its lock to a new supervisor."""
    lock = FileLock(run.lock_path)
    if not lock.acquire(timeout=ENDING_SECONDS):
        raise AlreadyActive(run.id)
    try:
        run.clear_stop()
        # What was found out so far stays: the work itself drops what it will do again (a training its alarms past the
        # snapshot), or writes it anew.
        moved = {"place": place} if place else {}
        run.update(state=State.QUEUED, started=None, ended=None, stage="", done=0.0, total=0.0, error="", **moved)
        if not is_on_cluster(run):
            index.enqueue(run.home, run.id)
        try:
            _start_supervisor(run, lock)
        except ErsatzError as error:
            run.update(state=State.FAILED, ended=time.time(), error=str(error))
            raise
    finally:
        lock.release()


def _start_supervisor(run: Run, lock: FileLock) -> None:
    """Returns when the supervisor has the lock."""
    command = module_command("engine.jobs.supervisor", run.id)
    inherited: tuple[int, ...] = ()
    if sys.platform == "win32" and not lock.is_lease:
        lock.release()  # no file is inherited there: the lock is free for the moment that the supervisor needs
    else:
        inherited, _ = inheritance([lock])
        command += ["--lock", lock.key]
    with run.open_log() as log:
        supervisor = start_process(
            command,
            cwd=run.home.root,
            env=module_environment({**os.environ, "ERSATZ_HOME": str(run.home.root)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            pass_fds=inherited,
            **detached(),
        )
    assert supervisor.stdout is not None
    with supervisor.stdout as answer:
        ready = answer.readline().strip() == READY
    threading.Thread(target=supervisor.wait, daemon=True).start()  # else it stays a zombie once it ends
    if not ready:
        raise ErsatzError(
            f"The supervisor of run {run.id} could not start; {run.log_path} says why. Mend that and resume the run."
        )
