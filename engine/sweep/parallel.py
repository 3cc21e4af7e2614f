"""Trials side by side: one process for each core's worth of small networks, or one for each CUDA device.

A trial's numbers depend on neither its neighbours nor their number: every process trains with one thread, on what the
trial's seed says.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue

import psutil
import torch

from engine.configs import SweepConfig
from engine.devices import choose_device
from engine.store.errors import ErsatzError
from engine.store.plugins import import_plugins
from engine.store.progress import ShouldStop
from engine.sweep.arms import Trial
from engine.sweep.dense_head import head_layers
from engine.sweep.trial_data import Inputs, Result
from engine.sweep.trials import train_group, trains_together

POLL_S = 0.5
GRACE_S = 20.0
"""How long trials may still end after a request to stop; longer ones begin again when the sweep is resumed."""
FINE_TUNING_GIB = 4.0
"""Memory that a process which trains a whole backbone is given, activations of a batch of 32 above all."""


def devices_for_trials(config: SweepConfig, n_groups: int, workers: int | None = None) -> list[torch.device]:
    """Devices of the processes that train side by side: `config.gpus` CUDA devices, or the CPU once a worker."""
    if choose_device(config.device).type == "cuda":
        wanted = max(1, min(config.gpus, n_groups))
        return [torch.device("cuda", number) for number in range(torch.cuda.device_count())][:wanted]
    alone = trains_together(config) or head_layers(config).alone
    n = 1 if alone else min(workers or torch.get_num_threads(), max(1, n_groups))
    if config.training == "fine-tuned" and not workers:
        n = min(n, max(1, int(psutil.virtual_memory().available / 2**30 / FINE_TUNING_GIB)))
    return [torch.device("cpu")] * n


def train_groups(
    todo: Sequence[list[Trial]],
    inputs: Inputs,
    config: SweepConfig,
    should_stop: ShouldStop,
    where: Sequence[torch.device],
) -> Iterator[list[Result]]:
    """Results of the groups as they end; ends early when asked to stop."""
    if len(where) > 1:
        yield from _in_processes(todo, inputs, config, should_stop, where)
        return
    inputs = inputs.to(where[0])
    for group in todo:
        if should_stop():
            return
        yield train_group(group, inputs, config)


def _in_processes(
    todo: Sequence[list[Trial]],
    inputs: Inputs,
    config: SweepConfig,
    should_stop: ShouldStop,
    where: Sequence[torch.device],
) -> Iterator[list[Result]]:
    context = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads can hang
    free: SimpleQueue[str] = context.SimpleQueue()
    for device in where:
        free.put(str(device))
    waiting = iter(todo)
    others = set(multiprocessing.active_children())
    stopped = 0.0
    with ProcessPoolExecutor(len(where), context, _begin_worker, (inputs, config, free)) as executor:
        running: set[Future[list[Result]]] = set()
        try:
            while True:
                if not stopped and should_stop():
                    stopped = time.monotonic()
                while not stopped and len(running) < len(where) and (group := next(waiting, None)):
                    running.add(executor.submit(_train_in_worker, group))
                if not running:
                    return
                ended, running = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield future.result()
                if stopped and time.monotonic() - stopped > GRACE_S:
                    for process in set(multiprocessing.active_children()) - others:
                        process.terminate()
                    return
        except BrokenProcessPool as error:
            raise ErsatzError(
                f"One of {len(where)} training processes was ended from outside, most likely because the memory was "
                "full. Resume the sweep (finished trials are kept) with other programs closed, or with "
                "OMP_NUM_THREADS=1."
            ) from error


_worker: tuple[Inputs, SweepConfig]


def _begin_worker(inputs: Inputs, config: SweepConfig, free: SimpleQueue[str]) -> None:
    """Take a device and keep what every trial reads on it; leave when the parent is gone, however it went."""
    global _worker
    import_plugins()
    torch.set_num_threads(1)  # before the first product, so that no idle threads are started
    _worker = inputs.to(torch.device(free.get())), config
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def _train_in_worker(group: list[Trial]) -> list[Result]:
    return train_group(group, *_worker)
