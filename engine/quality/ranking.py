"""Which snapshot of a training makes the best images? KID of each against the validation images.

<run>/
    ranking.json         the `Ranking`: one object a snapshot, oldest first; written anew after each
    influences.parquet   what each patient and each seed moves the KID of each snapshot by; differences are tested on it

The validation images took no part in the training, and they are not those that a classifier is tested on: a snapshot
may be chosen by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
from engine.quality.paired_kid import Moved, differences, moved_by
from engine.quality.real_baselines import distinct_groups
from engine.quality.results import RankingResult
from engine.quality.snapshot_ranking import RANKING_FILE, RankedSnapshot, Ranking, sentence_of
from engine.sampling.latents import latents
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.parquet import read_parquet
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import whole
from engine.store.runs import Run

INFLUENCES_FILE = "influences.parquet"
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
    moved = _read_moved(run)
    done = {row.snapshot: row for row in _read(run) if row.snapshot in moved}
    try:
        reals, patients, class_share = _validation(run, snapshots[0], extractor, report, should_stop)
        for number, path in enumerate(reversed(snapshots)):
            if path.name in done:
                continue

            def go_on(images: int, at: int = number) -> None:
                if should_stop():
                    raise Interrupted
                report(Progress("ranking", at + images / config.images, len(snapshots), "snapshots"))

            fakes, kimg = _features_of(path, config, class_share, extractor, go_on)
            kid = kernel_distance(reals, fakes, config.seed)
            moved[path.name] = moved_by(reals, fakes, patients)
            _write_moved(run, moved)
            done[path.name] = RankedSnapshot(snapshot=path.name, kimg=kimg, kid=kid.value, low=kid.low, high=kid.high)
            _ranking(done.values(), moved).write_to(run.path / RANKING_FILE)
    except Interrupted:
        return "stopped"
    report(Progress("ranking", len(snapshots), len(snapshots), "snapshots"))
    facts = {"extractor": extractor.name, "n_real": len(reals), "n_synthetic": config.images}
    run.update(result=RankingResult(**conclude(_ranking(done.values(), moved), config.margin), **facts).plain())
    return "finished"


def conclude(ranking: Ranking, margin: float | None = None) -> dict[str, Any]:
    """best (name of the snapshot with the lowest KID), last, clear (whether it beats the last), and a sentence."""
    return {
        "best": ranking.best.snapshot,
        "last": ranking.last.snapshot,
        "clear": ranking.clear,
        "sentence": sentence_of(ranking, margin),
    }


def _ranking(rows: Iterable[RankedSnapshot], moved: dict[str, Moved]) -> Ranking:
    """The snapshots, each with its difference to the best."""
    found = Ranking(snapshots=tuple(sorted(rows, key=lambda row: row.kimg)))
    best = found.best.snapshot
    of_pairs = differences({row.snapshot: row.kid for row in found.snapshots}, moved)
    told = []
    for row in found.snapshots:
        if row.snapshot != best:
            behind = of_pairs[row.snapshot, best]
            named = {"behind": behind.value, "behind_low": behind.low, "behind_high": behind.high, "behind_p": behind.p}
            row = row.model_copy(update=named)
        told.append(row)
    return Ranking(snapshots=tuple(told))


def _read_moved(run: Run) -> dict[str, Moved]:
    """By snapshot; none before the first, and in rankings of earlier versions, whose snapshots are scored again."""
    path = run.path / INFLUENCES_FILE
    return whole(run, path, _moved_of) or {}


def _moved_of(path: Path) -> dict[str, Moved]:
    table = read_parquet(path)
    reals = (table["of"] == "patient").to_numpy()
    return {
        name: Moved(table.loc[reals, name].to_numpy(), table.loc[~reals, name].to_numpy())
        for name in table.columns
        if name != "of"
    }


def _write_moved(run: Run, moved: dict[str, Moved]) -> None:
    first = next(iter(moved.values()))
    table = pd.DataFrame({"of": ["patient"] * len(first.patients) + ["seed"] * len(first.seeds)})
    table = table.assign(**{name: np.concatenate((each.patients, each.seeds)) for name, each in moved.items()})
    with replacing(run.path / INFLUENCES_FILE) as temporary:
        table.to_parquet(temporary, index=False)


def _read(run: Run) -> tuple[RankedSnapshot, ...]:
    found = whole(run, run.path / RANKING_FILE, Ranking.read)
    return found.snapshots if found else ()


def _validation(
    run: Run, snapshot: Path, extractor: Backbone, report: Report, should_stop: ShouldStop
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Features [N, D] of the validation images of the generator's classes, their patients [N], and each class's share.

    An image of unknown patient is a patient of its own.
    """
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
    patients = distinct_groups(rows["group"].to_numpy(str))
    shares = {str(name): float(share) for name, share in rows["class"].value_counts(normalize=True).items()}
    return features, patients, shares


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
