"""The process that does a run: `python -m engine.jobs.worker RUN`, started by the run's supervisor.

The engine is called with two hooks, `report` and `should_stop`; how it ended goes to `status.json`, and the stack
trace of an error to the log alone.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
import traceback
from collections.abc import Callable

from engine.cluster.job import SPREAD, WANTS_TO_GO_ON
from engine.configs import Config
from engine.jobs import lifeline
from engine.jobs.hooks import Hooks, sentence
from engine.jobs.kinds import kind_of, parse_config
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import clear_leftovers, disk_errors
from engine.store.home import Home
from engine.store.locks import hold_inherited, is_held
from engine.store.log import log_to_stdout
from engine.store.plugins import named
from engine.store.progress import Outcome, Report, ShouldStop
from engine.store.runs import Run, State

logger = logging.getLogger("engine.jobs.worker")  # not __name__: this module runs as __main__


def work(
    home: Home,
    run_id: str,
    watched: bool = False,
    *,
    go_on_later: Callable[[], None] | None = None,
    spread: bool = False,
) -> None:
    """Do a run that its supervisor holds the lock of, and record how it ended.

    One that is `watched` has its supervisor at the other end of its standard input, and stops when that dies. On a node
    of a cluster the supervisor may be on another machine, or gone. There a signal means that the job is about to end:
    the run saves itself, waits again, and `go_on_later` is called last. `spread` leaves a sweep's trials to others.
    """
    run = Run(home, run_id)
    config = parse_config(run.config())
    on_node = go_on_later is not None
    if not on_node and not is_held(run.lock_path):
        raise ErsatzError(
            f"Run {run_id} has no supervisor; workers are started by it alone. "
            f"Start the run with `python -m engine resume {run_id}`."
        )
    hooks = Hooks(run, kind_of(config).stages)
    hooks.heed_signals(warned=on_node)
    if on_node:
        began = run.status().started or time.time()
        run.update(state=State.RUNNING, started=began, stage="starting", device=socket.gethostname())
    if watched:
        lifeline.watch(hooks.on_orphaned)
    logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {config.plain()['kind']} {run_id}")
    clear_leftovers(run.path.rglob(".*"))
    try:
        try:
            with disk_errors(run.path):
                outcome = do(run, config, hooks.report, hooks.should_stop, spread)
            hooks.flush()
            if outcome == "spread":
                run.update(stage=SPREAD)
                return
            state, error = State(outcome), ""
        except RunDeleted:
            raise
        except Exception as failure:
            if not run.exists():
                raise RunDeleted(run_id) from failure
            traceback.print_exc()
            # What breaks while everything is being ended, such as the helpers of a sweep, is no failure of the run.
            state = State.STOPPED if hooks.stopping else State.FAILED
            error = sentence(failure, run)
        if go_on_later is not None and state is State.STOPPED and not run.stop_requested():
            run.update(state=State.QUEUED, stage=WANTS_TO_GO_ON)
            logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {WANTS_TO_GO_ON}")
            go_on_later()
            return
        if hooks.orphaned and state is State.STOPPED:
            state, error = State.INTERRUPTED, lifeline.SENTENCE
            lifeline.end_children()
        run.update(state=state, ended=time.time(), error=error)
        logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {state} {error}".rstrip())
    except RunDeleted:
        run.remove_leftovers()


def do(run: Run, config: Config, report: Report, should_stop: ShouldStop, spread: bool = False) -> Outcome:
    """The work itself; what a kind needs, torch above all, is imported only here."""
    execute = named(kind_of(config).execute)
    return execute(run, config, report, should_stop, **({"spread": True} if spread else {}))


if __name__ == "__main__":
    log_to_stdout()
    held = hold_inherited()  # until this process ends
    work(Home.from_environment(), sys.argv[1], watched=True)
