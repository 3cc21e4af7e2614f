"""The training loop of every generator: progress in images, metrics at each tick, exact resume.

Stopped and resumed, a run ends in the same numbers as one that never stopped (bit-equal on a CPU): what is shown
and every random draw derive from the seed and the number of images seen, and the rest is in the snapshot. With
several ranks all of them run this loop; the first alone writes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch

from engine.configs import TrainConfig
from engine.configs.gans import gan_named
from engine.devices import choose_device, describe, memory_errors, memory_gib, set_arithmetic
from engine.gans.checkpoints import describe_snapshot, save_snapshot, thin_out
from engine.gans.data import TrainingImages, open_training_set, read_training_images, rows_shown, seed_draws
from engine.gans.distributed import first_decides, is_first, take_from_first, world
from engine.gans.grids import fixed_latents, save_grid, to_bytes
from engine.gans.image_spec import ImageSpec
from engine.gans.init_source import TRAINING_FILE, Started
from engine.gans.metrics_log import Recording
from engine.gans.resuming import Position, exploded, go_back, keep_alarms, resume
from engine.gans.trainers import Trainer, make_trainer
from engine.gans.validation_logits import HeldOut
from engine.gans.watch import Watch
from engine.store.files import disk_errors, write_text
from engine.store.hashing import sha256_value
from engine.store.plugins import named
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run

logger = logging.getLogger(__name__)

Sample = Callable[[Sequence[int]], np.ndarray]
"""Seeds -> images uint8 [n, H, W, C] of the averaged generator."""
Score = Callable[[Sample], dict[str, float]]
"""Numbers by name that say how good a generator's images are, such as kid."""


def train(
    run: Run,
    config: TrainConfig,
    report: Report = silent,
    should_stop: ShouldStop = never,
    score: Score | None = None,
) -> Outcome:
    """Train a generator in the run's folder, from its newest good snapshot if it has one.

    Calls `report` and `should_stop` at every tick; a stop writes a snapshot and returns "stopped". The numbers of
    `score` join the metrics at every regular snapshot, not at that of a stop, which should not take long.
    """
    device = choose_device(config.device)
    with disk_errors(run.path), memory_errors(config, device):
        return _train(run, config, device, report, should_stop, score)


def _train(
    run: Run,
    config: TrainConfig,
    device: torch.device,
    report: Report,
    should_stop: ShouldStop,
    score: Score | None,
) -> Outcome:
    # Data and trainer.
    dataset = open_training_set(run.home, config)
    spec = ImageSpec(dataset.size, dataset.channels, len(dataset.classes) if config.conditional else 0)
    set_arithmetic(device, config.precision)
    report(Progress("reading images", 0, 1, "kimg"))
    images = read_training_images(dataset, config, device, report)
    trainer = make_trainer(config, spec, images.labels, device)
    family = gan_named(config.gan)
    held_out = HeldOut(dataset, images, config, trainer) if family.capabilities.validation_logits else None

    # Restore the newest snapshot, or begin.
    digest = sha256_value(run.config())  # as written then: a setting that came since is not in it
    made = [config.class_name] if config.class_name else dataset.classes
    facts = describe_snapshot(config, {"z_dim": trainer.z_dim, **trainer.facts()}, digest, spec, made)
    found = resume(run, trainer, digest)
    start = named(family.init_networks) if family.transfers else None
    origin: Started | None = start(run, config, trainer.networks(), found is None) if start else None
    if origin:
        facts["start"] = origin.facts()
    at = found or Position()
    take_from_first(trainer.state().values())
    total, tick_images = length(config, len(images))
    if is_first():
        keep_alarms(run, at)
        run.update(device=describe(device) + (f" x {world()}" if world() > 1 else ""))  # until now its slot's name
        thin_out(run.path)  # it may have been killed between a snapshot and the removal of older ones
        known = dict.fromkeys([*images.sha256, *(origin.training_images if origin else [])])
        write_text(run.path / TRAINING_FILE, "".join(f"{digest}\n" for digest in known))
        logger.info(
            f"{config.gan} {facts['architecture']}, {len(images)} images of {spec.size}x{spec.size}x"
            f"{spec.channels}, {describe(device)}, {trainer.precision}, from {at.images_seen / 1000:g} "
            f"to {total / 1000:g} kimg"
        )

    # Sample grids and snapshots of the loop.
    z, labels = (t.to(device) for t in fixed_latents(config.seed, config.grid, trainer.z_dim, spec.classes))
    samples = run.path / "samples"
    watch = Watch(run, config, images, total / 1000)

    def grid() -> np.ndarray:
        return to_bytes(trainer.sample(z, labels))

    def sample(seeds: Sequence[int]) -> np.ndarray:
        return seeded_samples(trainer, images, seeds)

    def keep() -> None:
        run.flush_metrics()
        save_snapshot(run.path, trainer.state(), {**facts, **asdict(at)})

    if at.images_seen == 0 and is_first():
        save_grid(samples / "reals.png", images.examples(config.grid, config.seed))
        save_grid(samples / f"fakes-{0:09d}.png", grid())
        if config.returns_after_explosion:
            keep()
    report(Progress("training", at.images_seen / 1000, total / 1000, "kimg"))

    with Recording(run, at.images_seen) as recording:
        while at.images_seen < total:
            # One tick of iterations, without waiting for the device.
            started, begun = time.perf_counter(), at.images_seen
            until = min(begun + tick_images, total)
            order = rows_shown(config.seed, begun, until - begun, len(images)).reshape(-1, config.batch)
            microbatches = images.stream(
                [batch[i : i + trainer.microbatch_starts.step] for batch in order for i in trainer.microbatch_starts]
            )
            for seen in range(begun, until, config.batch):
                trainer.train_step([next(microbatches) for _ in trainer.microbatch_starts], seen)

            # Read the meters (this waits for the device), and do not go on from numbers that exploded.
            meters = trainer.read_meters()
            elapsed = time.perf_counter() - started
            at = replace(at, images_seen=until, seconds=at.seconds + elapsed)
            if broken := exploded(meters, trainer):
                at = go_back(run, config, trainer, digest, broken, at)
                recording.rewind(at.images_seen)
                continue

            # Metrics, at regular snapshots the scores, and what they say is wrong.
            kimg, speed = until / 1000, (until - begun) / elapsed
            regular = until >= total or (until // tick_images) % config.snapshot_ticks == 0
            row = {"seconds": at.seconds, **meters, "images_per_second": speed, "memory_gib": memory_gib(device)}
            if config.returns_after_explosion:
                row["returns"] = at.returns
            if is_first():
                scores: dict[str, float] = {}
                if regular:
                    fakes = grid()
                    scores |= held_out.scores() if held_out else {}
                    scores |= watch.scores(fakes, sample, meters.get("augment_p", 0.0))
                    scores |= score(sample) if score else {}
                recording.add(until, row, scores)
                logger.info(
                    f"kimg {kimg:g} of {total / 1000:g}, {speed:.0f} images/s, "
                    + ", ".join(f"{name} {value:.3f}" for name, value in {**meters, **scores}.items())
                )
                watch.raise_alarms(recording.rows)

            # Samples and snapshot: every few ticks, at the end, and when asked to stop.
            stopping = first_decides(should_stop())
            if is_first() and (stopping or regular):
                shown = save_grid(samples / f"fakes-{until:09d}.png", fakes if regular else grid())
                recording.show(until, shown)
                keep()
            report(Progress("training", kimg, total / 1000, "kimg"))
            if stopping and until < total:
                first_decides(True)  # no rank leaves before the snapshot is written, so that all resume from the same
                return "stopped"
    return "finished"


def length(config: TrainConfig, images: int) -> tuple[int, int]:
    """Images to show in all and between ticks, both whole batches."""
    wanted = config.epochs * images if config.epochs else config.kimg * 1000
    total = math.ceil(wanted / config.batch) * config.batch
    tick = max(1, round(config.tick_kimg * 1000 / config.batch)) * config.batch
    return total, tick


def seeded_samples(trainer: Trainer, images: TrainingImages, seeds: Sequence[int]) -> np.ndarray:
    """Samples to score, uint8 [n, H, W, C]: a latent for each seed, labels of random training images, random noise."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    z = torch.from_numpy(
        np.stack([generator.standard_normal(trainer.z_dim, dtype=np.float32) for generator in generators])
    )
    rows = torch.tensor([int(generator.integers(len(images))) for generator in generators])
    device = images.labels.device
    seed_draws(seeds[0], device)
    return to_bytes(trainer.sample(z.to(device), images.labels[rows.to(device)], noise="random"))
