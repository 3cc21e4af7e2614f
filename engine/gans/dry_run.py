"""Cost of a training (memory, time, disk), measured by a few of its iterations, which are not kept."""

from __future__ import annotations

import gc
import math
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import torch

from engine.configs import DryRunConfig, TrainConfig, parse_training
from engine.devices import choose_device, describe, set_arithmetic, synchronize
from engine.gans.checkpoints import KEEP, KEEP_GENERATORS
from engine.gans.cuda_graphs import WARM_UP
from engine.gans.data import TrainingImages, free_memory, open_training_set, read_training_images, rows_shown
from engine.gans.grids import fixed_latents, to_bytes
from engine.gans.image_spec import ImageSpec
from engine.gans.results import DryRunResult
from engine.gans.trainers import Trainer, make_trainer, precision_of
from engine.gans.training import length
from engine.store.errors import ErsatzError, is_out_of_memory
from engine.store.progress import Outcome, Progress, Report, ShouldStop, duration
from engine.store.runs import Run

GIB = 2**30


@dataclass(frozen=True)
class Measured:
    """Seconds of an iteration, seconds of a sample grid, peak memory in bytes."""

    iteration: float
    grid: float
    memory: float


class _Stopped(Exception):
    """The dry run was asked to stop."""


def dry_run(run: Run, config: DryRunConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Measure the training of `config` on its device; the answer is the `result` of the run, with a `sentence`.

    Memory that does not suffice is an answer too, with the largest `batch_gpu` (or batch of a DCGAN) that does.
    """
    training = parse_training(config.training)
    device = choose_device(training.device)
    set_arithmetic(device, training.precision)
    dataset = open_training_set(run.home, training)
    spec = ImageSpec(dataset.size, dataset.channels, len(dataset.classes) if training.conditional else 0)
    report(Progress("reading images", 0, 1, "images"))
    free = free_memory(device) + (0 if device.type == "cuda" else psutil.Process().memory_info().rss)
    images = read_training_images(dataset, training, device, report)
    share = training.of_one_rank()
    total, tick = length(training, len(images))

    trainer = make_trainer(share, spec, images.labels.cpu(), torch.device("cpu"))
    state = sum(tensor.numel() * tensor.element_size() for tensor in trainer.state().values())
    networks = {name: sum(p.numel() for p in network.parameters()) for name, network in trainer.networks().items()}
    del trainer

    def measure(candidate: TrainConfig, iterations: int) -> Measured | None:
        return _measure(candidate, spec, images, device, iterations, report, should_stop)

    try:
        measured = measure(share, config.iterations)
        remedy = "" if measured else next((text for text, smaller in remedies(share) if measure(smaller, 0)), "")
    except _Stopped:
        return "stopped"

    grids = 2 + math.ceil(total / (tick * training.snapshot_ticks))
    kept = 1 + min(grids, KEEP_GENERATORS)  # the exported generator, and those of older snapshots
    disk = state * (KEEP + 1) + 4 * networks["G"] * kept + grids * training.grid * spec.size**2 * spec.channels
    disk_free = shutil.disk_usage(run.path).free
    per_image = measured.iteration / training.batch if measured else 0.0
    cost = DryRunResult(
        fits=measured is not None,
        remedy=remedy,
        device=describe(device),
        precision=str(precision_of(training, device)).removeprefix("torch."),
        gpus=training.ranks,
        images=len(images),
        g_parameters=networks["G"],
        d_parameters=networks["D"],
        memory_gib=measured.memory / GIB if measured else 0.0,
        memory_free_gib=free / GIB,
        images_per_second=1 / per_image if measured else 0.0,
        seconds_per_kimg=1000 * per_image,
        kimg=total / 1000,
        seconds=total * per_image + grids * measured.grid if measured else 0.0,
        disk_gib=disk / GIB,
        disk_free_gib=disk_free / GIB,
        room=disk < disk_free,
    )
    run.update(result=cost.model_copy(update={"sentence": sentence(cost)}).plain())
    return "finished"


def remedies(training: TrainConfig) -> Iterator[tuple[str, TrainConfig]]:
    """Ever fewer images at once, with how to ask for them."""
    at_once = training.at_once
    while at_once > 1:
        at_once //= 2
        try:
            yield training.with_at_once(at_once)
        except ErsatzError:  # does not divide the batch
            continue


def _measure(
    training: TrainConfig,
    spec: ImageSpec,
    images: TrainingImages,
    device: torch.device,
    iterations: int,
    report: Report,
    should_stop: ShouldStop,
) -> Measured | None:
    """Play so many iterations after one with every phase; None if the memory does not suffice."""
    try:
        return _play_through(training, spec, images, device, iterations, report, should_stop)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    gc.collect()  # only now, when the error and its stack are gone, can what they held be freed
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def _play_through(
    training: TrainConfig,
    spec: ImageSpec,
    images: TrainingImages,
    device: torch.device,
    iterations: int,
    report: Report,
    should_stop: ShouldStop,
) -> Measured:
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    trainer = make_trainer(training, spec, images.labels, device)
    trainer.set_typical_load()
    z, labels = (t.to(device) for t in fixed_latents(0, training.grid, trainer.z_dim, spec.classes))
    if on_gpu:  # what the grid at the start of a training leaves to its end
        to_bytes(trainer.sample(z, labels))
    # As if at the very start, again and again: there every phase is due, and all of them are recorded after a while.
    for _ in range(WARM_UP + 1 if on_gpu and iterations else 1):
        _play(trainer, training, images, 0)
    synchronize(device)
    seconds = 0.0
    for number in range(1, iterations + 1):
        if should_stop():
            raise _Stopped
        started = time.perf_counter()
        _play(trainer, training, images, number * training.batch)
        synchronize(device)
        seconds += time.perf_counter() - started
        report(Progress("measuring", number, iterations, "iterations"))
    started = time.perf_counter()
    to_bytes(trainer.sample(z, labels))
    return Measured(seconds / max(1, iterations), time.perf_counter() - started, peak_memory(device))


def _play(trainer: Trainer, training: TrainConfig, images: TrainingImages, images_seen: int) -> None:
    rows = rows_shown(training.seed, images_seen, training.batch, len(images))
    microbatches = [rows[start : start + trainer.microbatch_starts.step] for start in trainer.microbatch_starts]
    trainer.train_step(list(images.stream(microbatches)), images_seen)


def peak_memory(device: torch.device) -> float:
    """Bytes that torch took from the GPU at most, or that the process had in memory at most."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def sentence(cost: DryRunResult) -> str:
    """One-line summary."""
    if not cost.fits:
        remedy = (
            f"Set {cost.remedy}, with which it fits"
            if cost.remedy
            else "Not even the smallest batch fits; import smaller images, or lower the networks' channels"
        )
        return f"It does not fit: the memory of {cost.device}, {cost.memory_free_gib:.1f} GiB, is too small. {remedy}."
    each = f" on each of {cost.gpus} devices (without what they tell each other)" if cost.gpus > 1 else ""
    room = "" if cost.room else " The disk is too full for that: free some space first."
    return (
        f"{cost.kimg:g} kimg take about {duration(cost.seconds)}: {figure(cost.images_per_second)} images/s, "
        f"{figure(cost.seconds_per_kimg)} s/kimg, {cost.precision} on {cost.device}{each}. Memory "
        f"{cost.memory_gib:.1f} of {cost.memory_free_gib:.1f} GiB free; disk {cost.disk_gib:.1f} of "
        f"{cost.disk_free_gib:.1f} GiB free.{room}"
    )


def figure(number: float) -> str:
    """Three digits, but no fewer than the number has before its point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
