"""Projection: the one w, and the noise planes, whose image comes nearest to a target (arXiv 1912.04958, appendix D).

Stopped and resumed, a projection ends in the same numbers as one that never stopped (bit-equal on a CPU): every
random draw derives from the seed and the step, and the rest is in `projection.safetensors` in the run's folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.configs import ProjectionConfig
from engine.devices import choose_device, describe, set_arithmetic
from engine.gans.checkpoints import load_generator
from engine.gans.snapshots import latest_snapshot
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.projection.results import ProjectionResult
from engine.projection.search import Search
from engine.projection.target import preparation, read_target
from engine.projection.weights import choose_distance
from engine.sampling.exported import has_generator, read_info
from engine.sampling.latents import save_w
from engine.sampling.sampler import write_png
from engine.sampling.video import write_video
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import tell
from engine.store.runs import Run

logger = logging.getLogger(__name__)

LOG_STEPS, SAVE_STEPS = 10, 50
FRAMES, FPS = 120, 24
VIDEO_PIXELS = 256
"""Least height of the video: smaller images are enlarged pixel by pixel."""
STATE_FILE = "projection.safetensors"


def project(run: Run, config: ProjectionConfig, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """Project `config.image` into the generator of the run `config.generator`, in the folder of `run`.

    Writes target.png, projected.png, w.npz and, if wanted, projection.mp4. Calls `report` and `should_stop` at every
    step. Raises `ErsatzError` when the image, the generator, the class or wanted weights will not do.
    """
    device = choose_device(config.device)
    with disk_errors(run.path):
        return _project(run, config, device, report, should_stop)


def _project(
    run: Run, config: ProjectionConfig, device: torch.device, report: Report, should_stop: ShouldStop
) -> Outcome:
    # Inputs, checked before anything is written.
    report(Progress("opening the generator", 0, config.steps, "steps"))
    generator, facts = open_generator(Run(run.home, config.generator), config.generator_sha256)
    label = class_number(config, facts)
    how = preparation(run.home, facts.get("dataset", ""), facts["size"], "RGB" if facts["channels"] == 3 else "L")
    pixels = read_target(Path(config.image), how)
    distance, notice = choose_distance(config.loss, config.weights)
    if notice:
        logger.warning(notice)
        run.raise_alarm("no-perceptual-distance", notice)
    set_arithmetic(device)
    run.update(device=describe(device))
    search = Search(generator, distance, device, pixels, label, config)
    step = search.resume(run.path / STATE_FILE)
    if damage := run.keep_metrics(lambda row: row["step"] <= step):
        tell(run, run.metrics_path.name, f"{damage} The search begins again.")
        disk.remove(run.path / STATE_FILE)
        search, step = Search(generator, distance, device, pixels, label, config), 0
        run.keep_metrics(lambda row: False)
    write_png(run.path / "target.png", pixels)
    logger.info(f"{distance.name} distance, {describe(device)}, from step {step} to {config.steps}")

    # The search.
    while step < config.steps:
        report(Progress("projecting", step, config.steps, "steps"))
        row = search.advance(step)
        step += 1
        if step % LOG_STEPS == 0 or step in (1, config.steps):  # this waits for the device
            numbers = {name: float(value) for name, value in row.items()}
            run.append_metrics({"step": step, **numbers, "time": time.time()})
        stopping = should_stop() and step < config.steps
        if stopping or step % SAVE_STEPS == 0 or step == config.steps:
            run.flush_metrics()
            search.save(run.path / STATE_FILE, step)
            write_png(run.path / "projected.png", search.picture())
        if stopping:
            return "stopped"

    # Results.
    report(Progress("writing", step, config.steps, "steps"))
    save_w(run.path / "w.npz", search.ws())
    if config.video:
        write_video(run.path / "projection.mp4", side_by_side(pixels, search.frames(FRAMES)), FPS)
    result = ProjectionResult(loss=distance.name, **search.distances(), notice=notice).plain()
    run.update(result=result)
    logger.info(", ".join(f"{name} {value}" for name, value in result.items() if value != ""))
    disk.remove(run.path / STATE_FILE)
    return "finished"


def open_generator(run: Run, sha256: str = "") -> tuple[Generator, dict[str, Any]]:
    """The averaged generator of a StyleGAN2-ADA run, trained here or imported, and its snapshot's metadata.

    The exported one, as long as its snapshot is kept, so that w means the same in exported samplers; else the
    newest. With `sha256`, the exported files must still be those.
    """
    kind, newest = run.kind, latest_snapshot(run.path)
    if kind not in ("train", "network") or newest is None:
        raise ErsatzError(
            f"Run {run.id} is a {kind} run and has no snapshot of a generator; a StyleGAN2-ADA training or an "
            "imported network is expected. Choose one, or wait for its first snapshot."
        )
    snapshot = newest
    if has_generator(run.path):
        info = read_info(run.path)
        info.require_sha256(sha256)
        snapshot = newest.with_name(info.snapshot or newest.name)
    elif sha256:
        raise ErsatzError(
            f"Run {run.id} no longer has the exported generator that this projection was set up for. Export it again, "
            "and start a new projection."
        )
    generator, facts = load_generator(snapshot if snapshot.is_file() else newest)
    if not isinstance(generator, Generator):
        raise ErsatzError(
            f"Run {run.id} is a {facts['gan']}, which has no w to project into; a StyleGAN2-ADA training or an "
            "imported network is expected. Choose one."
        )
    return generator, facts


def class_number(config: ProjectionConfig, facts: dict[str, Any]) -> int | None:
    """Number of the image's class for a conditional generator; None for others."""
    if not facts["conditional"]:
        return None
    if config.class_name not in facts["classes"]:
        raise ErsatzError(
            f"class_name is {config.class_name or 'not given'}, and the generator of run {config.generator} makes "
            f"{', '.join(facts['classes'])}; one of these is expected for a conditional generator. Name it."
        )
    return facts["classes"].index(config.class_name)


def side_by_side(target: np.ndarray, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Each frame `[H, W, C]` to the right of the target, enlarged to be seen."""
    times = max(1, VIDEO_PIXELS // len(target))
    for frame in frames:
        yield np.hstack([target, frame]).repeat(times, axis=0).repeat(times, axis=1)
