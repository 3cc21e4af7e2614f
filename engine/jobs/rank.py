"""One of the processes that share a training: `python -m engine.jobs.rank RUN WORKER FOLDER`, started by the worker.

Each is in a session of its own, where no signal to the worker's group arrives, so every rank watches its parent itself.
In FOLDER, which only its owner may enter, the ranks meet; how each ended goes there too, where `engine.jobs.ranks`
reads it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

import psutil

from engine.configs import parse_training
from engine.devices import choose_device
from engine.gans.distributed import is_first, joined
from engine.jobs.execution import train_here
from engine.jobs.hooks import Hooks, sentence
from engine.jobs.stages import TRAINING
from engine.store.files import write_json
from engine.store.home import Home
from engine.store.log import log_to_stdout
from engine.store.progress import never, silent
from engine.store.runs import Run

POLL_SECONDS = 0.2
LOST_PEER = ("connection closed", "connection reset", "gloo", "nccl")
"""What torch says in the ranks that are left when another one is gone."""


def _be_one_rank(run: Run, folder: Path) -> bool:
    """Train as the rank that the environment names, and write how that ended; whether it ended well."""
    config = parse_training(run.config())
    hooks = Hooks(run, TRAINING)
    answer = {"outcome": "", "error": "", "echo": False}
    try:
        with joined(choose_device(config.device).type, folder):
            report, should_stop = (hooks.report, hooks.should_stop) if is_first() else (silent, never)
            answer["outcome"] = train_here(run, config, report, should_stop)
            hooks.flush()
    except Exception as error:
        traceback.print_exc()
        echo = isinstance(error, RuntimeError) and any(mark in str(error).lower() for mark in LOST_PEER)
        answer |= {"error": sentence(error, run), "echo": echo}
    if folder.is_dir():  # else the worker is gone
        write_json(folder / f"{os.environ['RANK']}.json", {**answer, "time": time.time()})
    return not answer["error"]


def _end_with(parent: int) -> None:
    """Leave this process at once when its parent ends, whatever it is doing."""
    watched = None
    with suppress(psutil.NoSuchProcess):
        watched = psutil.Process(parent)

    def watch() -> None:
        while watched is not None and _lives(watched):
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: psutil.Process) -> bool:
    """A zombie does not: it stays until its parent asks how it ended."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


if __name__ == "__main__":
    log_to_stdout()
    run_id, worker, folder_of_answers = sys.argv[1:]
    _end_with(int(worker))
    if not _be_one_rank(Run(Home.from_environment(), run_id), Path(folder_of_answers)):
        sys.stdout.flush()
        os._exit(1)  # parting from the others in good form could take for ever
