"""The training loop of every generator: progress in images, metrics at each tick, exact resume.

Stopped and resumed, a run ends in the same numbers as one that never stopped (bit-equal on a CPU): what is shown
and every random draw derive from the seed and the number of images seen, and the rest is in the snapshot.
"""

from __future__ import annotations

import math
import time

import torch
from torch.utils.tensorboard import SummaryWriter

from engine.configs import DcganConfig
from engine.gans.checkpoints import describe_snapshot, list_snapshots, load_snapshot, save_snapshot
from engine.gans.cuda_graphs import graphed
from engine.gans.data import draws_seed, open_training_set, read_training_images, rows_shown
from engine.gans.dcgan.players import DcganPlayers
from engine.gans.devices import (
    allow_fast_arithmetic,
    choose_device,
    choose_precision,
    describe,
    memory_errors,
    memory_gib,
)
from engine.gans.grids import fixed_latents, save_grid, to_bytes
from engine.gans.pictures import Pictures
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, write_text
from engine.store.hashing import sha256_value
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run


def train(run: Run, config: DcganConfig, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """Train a generator in the run's folder, from its newest good snapshot if it has one.

    Calls `report` and `should_stop` at every tick; a stop writes a snapshot and returns "stopped".
    """
    device = choose_device(config.device)
    with disk_errors(run.path), memory_errors(config, device):
        return _train(run, config, device, report, should_stop)


def _train(run: Run, config: DcganConfig, device: torch.device, report: Report, should_stop: ShouldStop) -> Outcome:
    # Data and players.
    dataset = open_training_set(run.home, config)
    pictures = Pictures(dataset.size, dataset.channels, len(dataset.classes) if config.conditional else 0)
    precision = choose_precision(config.precision, device)
    allow_fast_arithmetic(device)
    report(Progress("reading images", 0, 1, "kimg"))
    images = read_training_images(dataset, config, device)
    players = DcganPlayers(config, pictures, device, precision)
    write_text(run.path / "training_images.txt", "".join(f"{digest}\n" for digest in images.sha256))

    # Where we are: from a snapshot, or at the start.
    digest = sha256_value(config.plain())
    made = [config.class_name] if config.class_name else dataset.classes
    facts = describe_snapshot(config, digest, pictures, made)
    images_seen, seconds = resume(run, players, digest)
    run.keep_metrics(lambda row: round(row["kimg"] * 1000) <= images_seen)
    total, tick_images = length(config, len(images))
    print(
        f"{config.gan} {config.architecture}, {len(images)} images of {pictures.size}x{pictures.size}x"
        f"{pictures.channels}, {describe(device)}, {precision}, from {images_seen / 1000:g} to {total / 1000:g} kimg",
        flush=True,
    )

    # What the loop shows.
    z, labels = (t.to(device) for t in fixed_latents(config.seed, config.grid, config.z_dim, pictures.classes))
    samples = run.path / "samples"
    if images_seen == 0:
        save_grid(samples / "reals.png", images.examples(config.grid, config.seed))
        save_grid(samples / f"fakes-{0:09d}.png", to_bytes(players.sample(z, labels)))
    report(Progress("training", images_seen / 1000, total / 1000, "kimg"))

    iterate = graphed(lambda rows: players.iterate(*images.batch(rows, config.mirror)), device, config.cuda_graphs)
    with SummaryWriter(str(run.path / "events"), purge_step=images_seen + 1) as events:
        while images_seen < total:
            # One tick of iterations, without waiting for the device.
            started, seen_before = time.perf_counter(), images_seen
            until = min(images_seen + tick_images, total)
            shown = rows_shown(config.seed, images_seen, until - images_seen, len(images))
            for rows in torch.from_numpy(shown).to(device).split(config.batch):
                torch.manual_seed(draws_seed(config.seed, images_seen))
                iterate(rows)
                images_seen += config.batch

            # Read the meters (this waits for the device), and refuse numbers that exploded.
            meters = players.read_meters()
            elapsed = time.perf_counter() - started
            seconds += elapsed
            refuse_explosion(run, meters, images_seen)

            # Metrics.
            kimg = images_seen / 1000
            speed = (images_seen - seen_before) / elapsed
            row = {"kimg": kimg, "seconds": seconds, **meters, "images_per_second": speed}
            run.append_metrics({**row, "memory_gib": memory_gib(device), "time": time.time()})
            for name, value in row.items():
                events.add_scalar(f"train/{name}", value, images_seen)
            print(
                f"kimg {kimg:g} of {total / 1000:g}, {speed:.0f} images/s, "
                + ", ".join(f"{name} {value:.3f}" for name, value in meters.items()),
                flush=True,
            )

            # Samples and snapshot: every few ticks, at the end, and when asked to stop.
            stopping = should_stop()
            finished = images_seen >= total
            if stopping or finished or (images_seen // tick_images) % config.snapshot_ticks == 0:
                grid = save_grid(samples / f"fakes-{images_seen:09d}.png", to_bytes(players.sample(z, labels)))
                events.add_image("samples", grid, images_seen, dataformats="HWC")
                events.flush()
                save_snapshot(run.path, players.state(), {**facts, "images_seen": images_seen, "seconds": seconds})
            report(Progress("training", kimg, total / 1000, "kimg"))
            if stopping and not finished:
                return "stopped"
    return "finished"


def length(config: DcganConfig, images: int) -> tuple[int, int]:
    """Images to show in all and between ticks, both whole batches."""
    wanted = config.epochs * images if config.epochs else config.kimg * 1000
    total = math.ceil(wanted / config.batch) * config.batch
    tick = max(1, round(config.tick_kimg * 1000 / config.batch)) * config.batch
    return total, tick


def resume(run: Run, players: DcganPlayers, digest: str) -> tuple[int, float]:
    """Load the newest snapshot that can be read; images seen and seconds spent so far, or zeros without any.

    A damaged snapshot is passed over with a line in the log; one of other settings is an `ErsatzError`.
    """
    for path in list_snapshots(run.path):
        try:
            tensors, metadata = load_snapshot(path)
        except ErsatzError as error:
            print(f"Passing over a snapshot: {error}", flush=True)
            continue
        if metadata["config_sha256"] != digest:
            raise ErsatzError(
                f"{path} was made with other settings than this run's; a snapshot of the same run was expected. "
                "Move it out of the snapshots folder and resume."
            )
        try:
            players.load_state(tensors)
        except (KeyError, RuntimeError) as error:
            raise ErsatzError(
                f"{path} does not hold the networks of this run ({error}); a snapshot of the same run was expected. "
                "Move it out of the snapshots folder and resume."
            ) from error
        return metadata["images_seen"], metadata["seconds"]
    return 0, 0.0


def refuse_explosion(run: Run, meters: dict[str, float], images_seen: int) -> None:
    """Raise an alarm and an `ErsatzError` when a loss or gradient is no longer a finite number."""
    broken = [name for name, value in meters.items() if not math.isfinite(value)]
    if not broken:
        return
    snapshots = list_snapshots(run.path)
    kept = f"The last good snapshot is {snapshots[0].name}" if snapshots else "There is no snapshot yet"
    sentence = (
        f"Training exploded before {images_seen / 1000:g} kimg: {', '.join(broken)} became infinite or not a number. "
        f"{kept}; train again with lower g_lr and d_lr or a larger batch."
    )
    run.raise_alarm("explosion", sentence, kimg=images_seen / 1000)
    raise ErsatzError(sentence)
