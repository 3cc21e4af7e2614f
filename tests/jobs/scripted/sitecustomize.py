"""Stands in for training in the worker processes of these tests, which start with this folder on PYTHONPATH.

What a training does is chosen by the class that it trains on; see `BEHAVIOURS` below.
"""

import os
import signal
import subprocess
import sys
import time
import types


def train(run, config, report, should_stop):
    return BEHAVIOURS[config.class_name](run, report, should_stop)


def write(path, number):
    """Whole or not at all, since the test reads it and kills this process at any moment."""
    path.with_suffix(".new").write_text(str(number))
    path.with_suffix(".new").replace(path)


def patient(run, report, should_stop):
    """Works until it is asked to stop or told to finish, and goes on from where it was."""
    from engine.store.progress import Progress

    steps = run.path / "steps"
    done = int(steps.read_text()) if steps.exists() else 0
    write(run.path / "worker.pid", os.getpid())
    while True:
        done += 1
        write(steps, done)
        report(Progress("training", done, 0, "kimg"))
        if should_stop():
            return "stopped"
        if (run.home.root / "finish").exists():
            return "finished"
        time.sleep(0.05)


def deaf(run, report, should_stop):
    """Heeds neither the stop flag nor SIGTERM, and has a child that does not either."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    write(run.path / "child.pid", child.pid)
    write(run.path / "worker.pid", os.getpid())
    time.sleep(600)


def quick(run, report, should_stop):
    with (run.home.root / "order").open("a") as file:
        file.write(f"{run.id} {os.environ.get('CUDA_VISIBLE_DEVICES')}\n")
    return "finished"


def team(run, report, should_stop):
    """Like patient, in step with the other ranks; the last one fails or dies when told to."""
    import torch

    from engine.gans.distributed import average, first_decides, is_first, rank, world
    from engine.store.errors import ErsatzError
    from engine.store.progress import Progress

    steps = run.path / "steps"
    done = int(steps.read_text()) if steps.exists() else 0
    write(run.path / f"rank-{rank()}.pid", os.getpid())
    while True:
        done += 1
        both = torch.tensor([float(rank())])
        average([both])
        assert (both.item(), world()) == (0.5, 2)
        if is_first():
            write(steps, done)
        report(Progress("training", done, 0, "kimg"))
        if first_decides(should_stop()):
            return "stopped"
        if first_decides((run.home.root / "finish").exists()):
            return "finished"
        if not is_first() and (run.home.root / "fail").exists():
            raise ErsatzError("Rank 1 found a, expected b; do c.")
        if not is_first() and (run.home.root / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)


BEHAVIOURS = {"patient": patient, "deaf": deaf, "quick": quick, "team": team}

training = types.ModuleType("engine.gans.training")
training.train = train
export = types.ModuleType("engine.sampling.export")
export.export_generator = lambda run: None
sys.modules |= {training.__name__: training, export.__name__: export}
