"""Which snapshot of a training makes the best images? KID of each against the validation images.

<run>/
    ranking.json   the `Ranking`: one object a snapshot, oldest first; written anew after each

The validation images took no part in the training, and they are not those that a classifier is tested on: a snapshot
may be chosen by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.configs import RankingConfig
from engine.datasets.dataset import Dataset
from engine.devices import choose_device, describe, exact_arithmetic, on_device
from engine.features.backbones import Backbone
from engine.features.cache import STEP, FeatureCache, Interrupted
from engine.features.extractors import open_extractor
from engine.gans.checkpoints import load_generator, read_metadata
from engine.gans.grids import to_bytes
from engine.gans.snapshots import list_generators
from engine.gans.stylegan2.networks import (
    Generator,
    one_hot,
)
from engine.quality.fid_kid import kernel_distance
from engine.quality.results import RankingResult
from engine.quality.snapshot_ranking import RANKING_FILE, RankedSnapshot, Ranking
from engine.sampling.latents import latents
from engine.store.errors import ErsatzError
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run

PIXELS_AT_ONCE = 2**18
"""Bounds the memory of a batch: 64 images of 64 px, 4 of 256 px."""


def rank_snapshots(
    run: Run, config: RankingConfig, report: Report = silent, should_stop: ShouldStop = never
) -> Outcome:
    """Score every snapshot that is not in `ranking.json` yet, and name the best.

    All are asked for the same seeds, with the classes in the proportion of the validation images, so that they differ
    by the generator alone. Raises `ErsatzError` when there is no snapshot, or too few validation images.
    """
    training = Run(run.home, config.run)
    snapshots = list_generators(training.path)
    if not snapshots:
        raise ErsatzError(f"Run {training.id} has no snapshot to rank; at least one is expected. Train further.")
    snapshots = snapshots[: config.snapshots or None]
    device = choose_device(config.device)
    run.update(device=describe(device))
    extractor = open_extractor(config.extractor, device, config.weights)
    done = {row.snapshot: row for row in _read(run)}
    try:
        reals, class_share = _validation(run, snapshots[0], extractor, report, should_stop)
        for number, path in enumerate(reversed(snapshots)):
            if path.name in done:
                continue

            def go_on(images: int, at: int = number) -> None:
                if should_stop():
                    raise Interrupted
                report(Progress("ranking", at + images / config.images, len(snapshots), "snapshots"))

            fakes, kimg = _features_of(path, config, class_share, extractor, go_on)
            kid = kernel_distance(reals, fakes, config.seed)
            done[path.name] = RankedSnapshot(snapshot=path.name, kimg=kimg, kid=kid.value, low=kid.low, high=kid.high)
            _ranking(done.values()).write_to(run.path / RANKING_FILE)
    except Interrupted:
        return "stopped"
    report(Progress("ranking", len(snapshots), len(snapshots), "snapshots"))
    facts = {"extractor": extractor.name, "n_real": len(reals), "n_synthetic": config.images}
    run.update(result=RankingResult(**conclude(_ranking(done.values())), **facts).plain())
    return "finished"


def conclude(ranking: Ranking) -> dict[str, Any]:
    """best (name of the snapshot with the lowest KID), last, clear (whether it beats the last), and a sentence.

    The best is clearly better only where the two intervals do not meet: the lowest of several numbers looks better
    than it is.
    """
    best, last = ranking.best, ranking.last
    told = f"{best.kid:.3g} ({best.low:.3g} to {best.high:.3g})"
    clear = best.high < last.low
    if best == last:
        sentence = f"The last snapshot, of {best.kimg:g} kimg, has the lowest KID, {told}."
    else:
        sentence = (
            f"The snapshot of {best.kimg:g} kimg has the lowest KID, {told}; the last one, of {last.kimg:g} "
            f"kimg, has {last.kid:.3g} ({last.low:.3g} to {last.high:.3g}). "
        )
        sentence += (
            "It is clearly better: export it."
            if clear
            else "The intervals meet: within their noise the two are equally good, and there is no need to change."
        )
    return {"best": best.snapshot, "last": last.snapshot, "clear": clear, "sentence": sentence}


def _ranking(rows: Iterable[RankedSnapshot]) -> Ranking:
    return Ranking(snapshots=tuple(sorted(rows, key=lambda row: row.kimg)))


def _read(run: Run) -> tuple[RankedSnapshot, ...]:
    path = run.path / RANKING_FILE
    return Ranking.read(path).snapshots if path.is_file() else ()


def _validation(
    run: Run, snapshot: Path, extractor: Backbone, report: Report, should_stop: ShouldStop
) -> tuple[np.ndarray, dict[str, float]]:
    """Features [N, D] of the validation images of the classes that the generator makes, and each class's share."""
    facts = read_metadata(snapshot)
    dataset = Dataset.open(run.home, facts["dataset"])
    dataset.require_frozen()
    # Of another split, it may have been trained on what are the validation images now.
    dataset.require_fingerprint(facts["dataset_fingerprint"], f"The snapshot {snapshot}")
    rows = dataset.rows("valid")
    rows = rows[rows["class"].isin(facts["classes"])].drop_duplicates("sha256")
    if len(rows) < 2:
        raise ErsatzError(
            f"The data set {dataset.name} has {len(rows)} validation images of {', '.join(facts['classes'])}; some "
            "dozens are expected to compare snapshots with. Import it with a larger validation part."
        )
    cache = FeatureCache(run.home, extractor)
    features = cache.features(dataset.pixels(rows), list(rows["sha256"]), report=report, should_stop=should_stop)
    return features, {str(name): float(share) for name, share in rows["class"].value_counts(normalize=True).items()}


@torch.inference_mode()
@exact_arithmetic()
def _features_of(
    path: Path,
    config: RankingConfig,
    class_share: dict[str, float],
    extractor: Backbone,
    go_on: Callable[[int], None],
) -> tuple[np.ndarray, float]:
    """Features [M, D] of images of a snapshot's averaged generator, and its kimg."""
    generator, facts = load_generator(path)
    generator = on_device(generator, extractor.device)
    batch = max(1, PIXELS_AT_ONCE // facts["size"] ** 2)
    names = facts["classes"]
    shares = [class_share.get(name, 0.0) for name in names]
    labels = np.random.default_rng(config.seed).choice(len(names), config.images, p=shares)
    parts = []
    for start in range(0, config.images, STEP):
        shown = []
        for first in range(start, min(start + STEP, config.images), batch):
            go_on(first)
            rows = range(first, min(first + batch, start + STEP, config.images))
            z = torch.from_numpy(latents([config.seed + row for row in rows], facts["z_dim"])).to(extractor.device)
            label = torch.from_numpy(labels[rows]).to(extractor.device) if facts["conditional"] else None
            if isinstance(generator, Generator):
                shown.append(to_bytes(generator(z, one_hot(label, generator.architecture.classes))))
            else:
                shown.append(to_bytes(generator(z, label)))
        parts.append(extractor.features(np.concatenate(shown)))
    return np.concatenate(parts), facts["images_seen"] / 1000
