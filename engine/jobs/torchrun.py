"""A training shared by several processes, one a GPU: the worker has `torchrun` start them, and waits for their end.

Each is an `engine.jobs.rank`. Rank 0 does towards the run folder what a worker does; the worker itself writes nothing
meanwhile. torchrun ends all ranks when one fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from engine.configs import TrainConfig
from engine.devices import choose_device
from engine.jobs.slots import too_few_gpus
from engine.jobs.supervisor import detached
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.processes import module_environment
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run

POLL_SECONDS = 0.2


def train_on_ranks(run: Run, config: TrainConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train in `config.ranks` processes; returns how it ended. A rank's error is raised here as an `ErsatzError`."""
    on_gpus = choose_device(config.device).type == "cuda"
    if config.device != "cpu" and torch.cuda.device_count() < config.ranks:
        raise too_few_gpus(config.ranks, torch.cuda.device_count())
    report(Progress(f"starting {config.ranks} processes", 0, 1, "kimg"))
    environment = dict(os.environ)
    if not on_gpus:  # they share the cores; else torchrun would leave each a single one
        environment["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // config.ranks))
    with tempfile.TemporaryDirectory(dir=run.path, prefix=".ranks.") as folder:
        torchrun = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
        torchrun += [f"--nproc-per-node={config.ranks}", "-m"]
        launcher = subprocess.Popen(
            [*torchrun, "engine.jobs.rank", run.id, str(os.getpid()), folder],
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
        return _outcome(run, Path(folder), config.ranks)


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
