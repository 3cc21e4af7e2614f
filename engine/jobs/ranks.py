"""A training shared by several processes, one a GPU: the worker has `torchrun` start them, and waits for their end.

Each of them is `python -m engine.jobs.ranks RUN WORKER FOLDER`. Rank 0 does towards the run folder what a worker does;
the worker itself writes nothing meanwhile. torchrun ends all ranks when one fails. It puts each into a session of its
own, where no signal to the worker's group arrives, so every rank watches its parents itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from engine.configs import StyleganConfig, parse_config
from engine.gans.devices import choose_device
from engine.gans.distributed import is_first, joined
from engine.jobs.slots import too_few_gpus
from engine.jobs.supervisor import detached
from engine.jobs.worker import Hooks, sentence, train_here
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json
from engine.store.home import Home
from engine.store.processes import module_environment
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run

POLL_SECONDS = 0.2
LOST_PEER = ("connection closed", "connection reset", "gloo", "nccl")
"""What torch says in the ranks that are left when another one is gone."""


def train_on_ranks(run: Run, config: StyleganConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train in `config.gpus` processes; returns how it ended. A rank's error is raised here as an `ErsatzError`."""
    on_gpus = choose_device(config.device).type == "cuda"
    if config.device != "cpu" and torch.cuda.device_count() < config.gpus:
        raise too_few_gpus(config.gpus, torch.cuda.device_count())
    report(Progress(f"starting {config.gpus} processes", 0, 1, "kimg"))
    environment = dict(os.environ)
    if not on_gpus:  # they share the cores; else torchrun would leave each a single one
        environment["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // config.gpus))
    with tempfile.TemporaryDirectory(dir=run.path, prefix=".ranks.") as folder:
        torchrun = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
        torchrun += [f"--nproc-per-node={config.gpus}", "-m"]
        launcher = subprocess.Popen(
            [*torchrun, "engine.jobs.ranks", run.id, str(os.getpid()), folder],
            cwd=run.home.root,
            env=module_environment(environment),
            stdin=subprocess.DEVNULL,
            **detached(),  # a SIGTERM to all of the worker's group is then a request to stop, as it is with one process
        )
        try:
            while launcher.poll() is None:
                if should_stop():
                    run.request_stop()  # rank 0 looks for it, and need not know who asked
                time.sleep(POLL_SECONDS)
        finally:
            _end(launcher)
        return _outcome(run, Path(folder), config.gpus)


def _outcome(run: Run, folder: Path, ranks: int) -> Outcome:
    """How the ranks say that they ended; the first error that is no echo of another rank's end is raised."""
    said = sorted((read_json(path) for path in folder.glob("*.json")), key=lambda answer: answer["time"])
    for answer in said:
        if answer["error"] and not answer["echo"]:
            raise ErsatzError(answer["error"])
    outcomes = {answer["outcome"] for answer in said}
    if len(said) == ranks and len(outcomes) == 1 and not any(answer["error"] for answer in said):
        return outcomes.pop()
    raise ErsatzError(
        f"{ranks - len(said) or 'Some'} of the {ranks} processes of this training ended without a word, most often "
        f"because the system had run out of memory; {run.log_path} may say more. Resume it with fewer other programs "
        "running, or start it again with a smaller batch_gpu."
    )


def _end(launcher: subprocess.Popen[bytes]) -> None:
    """Kill torchrun and its ranks, if they still live."""
    with suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(launcher.pid), *psutil.Process(launcher.pid).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    launcher.wait()


def _be_one_rank(run: Run, folder: Path) -> bool:
    """Train as the rank that torchrun made this process, and write how that ended; whether it ended well."""
    config = parse_config(run.config())
    assert isinstance(config, StyleganConfig)
    hooks = Hooks(run)
    answer = {"outcome": "", "error": "", "echo": False}
    try:
        with joined(choose_device(config.device).type):
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


def _end_with(*parents: int) -> None:
    """Leave this process at once when one of the others ends, whatever it is doing."""
    watched = []
    for parent in parents:
        with suppress(psutil.NoSuchProcess):
            watched.append(psutil.Process(parent))

    def watch() -> None:
        while len(watched) == len(parents) and all(_lives(process) for process in watched):
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: psutil.Process) -> bool:
    """Not so a zombie, which stays where nobody asks how its process ended."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


if __name__ == "__main__":
    run_id, worker, folder_of_answers = sys.argv[1:]
    _end_with(os.getppid(), int(worker))
    if not _be_one_rank(Run(Home.from_environment(), run_id), Path(folder_of_answers)):
        sys.stdout.flush()
        os._exit(1)  # parting from the others in good form could take for ever
