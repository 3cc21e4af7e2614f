"""A training shared by several processes, one a GPU: the worker starts them, and waits for their end.

Each is an `engine.jobs.rank`. Rank 0 does towards the run folder what a worker does; the worker itself writes nothing
meanwhile. One that fails ends all.

torchrun is not used: the store over which it has the ranks meet listens on every interface, asks for no password, and
what lies in it is unpickled. The ranks meet over a file in a folder that only its owner may enter, and they talk over
the loopback interface alone (docs/security.md).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import torch

from engine.configs import TrainConfig
from engine.devices import choose_device
from engine.jobs.slots import too_few_gpus
from engine.jobs.supervisor import detached
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.processes import module_command, module_environment
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run

POLL_SECONDS = 0.2
PARTING_SECONDS = 2.0
"""How long the ranks that are left may say what they met, when another one has failed."""


def train_on_ranks(run: Run, config: TrainConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train in `config.ranks` processes; returns how it ended. A rank's error is raised here as an `ErsatzError`."""
    on_gpus = choose_device(config.device).type == "cuda"
    if config.device != "cpu" and torch.cuda.device_count() < config.ranks:
        raise too_few_gpus(config.ranks, torch.cuda.device_count())
    report(Progress(f"starting {config.ranks} processes", 0, 1, "kimg"))
    environment = dict(os.environ)
    if not on_gpus:  # they share the cores
        environment["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // config.ranks))
    with tempfile.TemporaryDirectory(dir=run.path, prefix=".ranks.") as folder:
        command = module_command("engine.jobs.rank", run.id, str(os.getpid()), folder)
        ranks = start_ranks(command, config.ranks, run.home.root, environment)
        try:
            killed = _wait(ranks, run, should_stop)
        finally:
            end_ranks(ranks)
        return _outcome(run, Path(folder), ranks, killed)


def start_ranks(
    command: Sequence[str], count: int, working_folder: Path, environment: Mapping[str, str] = os.environ
) -> list[subprocess.Popen[bytes]]:
    """Start `count` processes of one `command`, each told its rank; they may talk over the loopback interface alone."""
    loopback = loopback_interface()
    shared = {
        **module_environment({name: value for name, value in environment.items() if name != "NCCL_COMM_ID"}),
        "WORLD_SIZE": str(count),
        "GLOO_SOCKET_IFNAME": loopback,
        "NCCL_SOCKET_IFNAME": f"={loopback}",  # without "=" every interface whose name begins so
        "NCCL_RAS_ENABLE": "0",  # else NCCL answers questions about its state at port 28028
    }
    return [
        disk.spawn(
            command,
            cwd=working_folder,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            **detached(),  # a SIGTERM to all of the worker's group is then a request to stop, as it is with one process
        )
        for rank in range(count)
    ]


def loopback_interface() -> str:
    """The name of the interface with the address 127.0.0.1, `lo` on Linux."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == "127.0.0.1" for one in addresses):
            return name
    raise ErsatzError(
        "No network interface has the address 127.0.0.1, over which the processes of one training exchange gradients; "
        "set the loopback interface up, or train with --gpus 1."
    )


def _wait(ranks: list[subprocess.Popen[bytes]], run: Run, should_stop: ShouldStop) -> int:
    """Wait until all have ended, or soon after one has failed; returns how many had to be killed."""
    failed_at: float | None = None
    while alive := sum(rank.poll() is None for rank in ranks):
        if should_stop():
            run.request_stop()  # rank 0 looks for it, and need not know who asked
        if failed_at is None and any(rank.returncode not in (None, 0) for rank in ranks):
            failed_at = time.monotonic()
        if failed_at is not None and time.monotonic() - failed_at > PARTING_SECONDS:
            break
        time.sleep(POLL_SECONDS)
    return alive


def _outcome(run: Run, folder: Path, ranks: list[subprocess.Popen[bytes]], killed: int) -> Outcome:
    """How the ranks say that they ended; the first error that is no echo of another rank's end is raised."""
    said = sorted((read_json(path) for path in folder.glob("*.json")), key=lambda answer: answer["time"])
    for answer in said:
        if answer["error"] and not answer["echo"]:
            raise ErsatzError(answer["error"])
    outcomes = {answer["outcome"] for answer in said}
    if len(said) == len(ranks) and len(outcomes) == 1 and not any(answer["error"] for answer in said):
        return outcomes.pop()
    raise ErsatzError(
        f"{max(0, len(ranks) - len(said) - killed) or 'Some'} of the {len(ranks)} processes of this training ended "
        f"without a word, most often because the system had run out of memory; {run.log_path} may say more. Resume it "
        "with fewer other programs running, or start it again with a smaller batch_gpu."
    )


def end_ranks(ranks: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill those that still live, with what they started."""
    for rank in ranks:
        if rank.poll() is None:
            for process in [*psutil.Process(rank.pid).children(recursive=True), psutil.Process(rank.pid)]:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            rank.wait()
