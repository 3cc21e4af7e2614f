"""Quality checks of a pool, and rankings of a training's snapshots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import QualityConfig, RankingConfig
from engine.datasets.dataset import Dataset
from engine.quality.quality_scores import Counts, Extractor, MemorisationMeasure, PoolScore, QualityScores
from engine.quality.snapshot_ranking import RankedSnapshot, Ranking, sentence_of
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated.datasets import CLASSES, fingerprint
from tests.fabricated.trainings import set_state

SCORES = {  # value and floor of the whole pool, and half the width of their intervals
    "fid": (92.4, 61.0, 6.0),
    "kid": (0.031, 0.001, 0.008),
    "precision": (0.71, 0.82, 0.06),
    "recall": (0.44, 0.80, 0.07),
    "density": (0.68, 0.98, 0.09),
    "coverage": (0.57, 0.93, 0.06),
    "two_sample": (0.83, 0.51, 0.05),
    "diversity": (0.78, 1.0, 0.03),
}
MEMORISATION = {  # value, what is expected of a clean generator, and half the width of the interval
    "copy_share": (0.05, 0.01, 0.03),
    "authpct": (0.61, 0.5, 0.08),
    "dcr_share": (0.56, 0.5, 0.07),
    "c_t": (-1.1, 0.0, math.nan),
    "copy_ratio": (0.84, 0.9, 0.03),
}
FLAGS = {0: "copy", 3: "copy", 5: "near-copy", 9: "repeat", 11: "repeat"}
"""By place in the pool: the first of these lie in the first class."""


def make_quality(
    home: Home,
    pool: Run,
    state: State = State.FINISHED,
    flags: bool = True,
    classes: Sequence[str] = CLASSES,
    **changes: Any,
) -> Run:
    """A quality run of a pool: once finished its scores, neighbours and feature map, with a few flagged images.

    The files are written as `engine.quality.running` leaves them. The pictures behind the flags are as fabricated as
    all others; the nearest neighbour of a pool image is a training image of its class, chosen in turn.
    """
    config = QualityConfig(
        name="phantom-pool",
        dataset="phantom",
        dataset_fingerprint=fingerprint(home),
        pool=pool.id,
        pool_sha256="a" * 64,
        extractor="pixels",
    )
    run = create_run(home, config.plain(), "quality phantom-pool")
    result: dict[str, Any] = {}
    if state is State.FINISHED:
        neighbours = _neighbours(home, pool, flags)
        neighbours.to_parquet(run.path / "neighbours.parquet")
        _embedding(home, neighbours, classes).to_parquet(run.path / "embedding.parquet")
        found = _quality_scores(config, neighbours, classes)
        found.write_to(run.path / "scores.json")
        result = {"sentence": found.sentences[0], "flags": found.flags}
    changes = {"result": result, **changes}
    return set_state(run, state, stage="Neighbours", done=4, total=6, unit="steps", **changes)


def _neighbours(home: Home, pool: Run, flags: bool) -> pd.DataFrame:
    train = Dataset.open(home, "phantom").rows("train")
    images = pd.read_csv(pool.path / "manifest.csv", dtype=str, keep_default_na=False)
    reals = {name: of_class.to_dict("records") for name, of_class in train.groupby("class")}
    rng = np.random.default_rng(4)
    rows = []
    for place, image in enumerate(images[images["excluded"] == ""].to_dict("records")):
        real = reals[image["class"]][place % len(reals[image["class"]])]
        flag = FLAGS.get(place, "") if flags else ""
        near = {"copy": 0.12, "near-copy": 0.35}.get(flag, 1.0)
        distance = near * rng.uniform(2.0, 4.5)
        row = {"path": image["path"], "class": image["class"], "sha256": image["sha256"], "neighbour": real["path"]}
        row |= {"neighbour_class": real["class"], "distance": distance, "ratio": near * rng.uniform(0.7, 0.98)}
        row |= {"own_distance": rng.uniform(2.2, 4.2), "pixel_neighbour": real["path"]}
        row |= {"pixel_distance": near * rng.uniform(0.08, 0.2), "shift_x": int(rng.integers(-2, 3))}
        row |= {"shift_y": int(rng.integers(-2, 3)), "mirrored": bool(place % 5 == 0)}
        rows.append({**row, "twin": images["path"].iloc[0] if flag == "repeat" else "", "flag": flag})
    return pd.DataFrame(rows)


def _embedding(home: Home, neighbours: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Every training and pool image as a point in the plane."""
    train = Dataset.open(home, "phantom").rows("train")
    parts = [train[["path", "class"]].assign(split="train", flag="")]
    parts.append(neighbours[["path", "class", "flag"]].assign(split="synthetic"))
    points = pd.concat(parts, ignore_index=True)
    rng = np.random.default_rng(5)
    centre = points["class"].map({name: 6.0 * index for index, name in enumerate(classes)}).to_numpy(float)
    aside = np.where(points["split"] == "synthetic", 1.0, 0.0)
    return points.assign(x=centre + aside + rng.normal(0, 1, len(points)), y=rng.normal(0, 1.5, len(points)))


def _quality_scores(config: QualityConfig, neighbours: pd.DataFrame, classes: Sequence[str]) -> QualityScores:
    scores = []
    for class_name in ("", *classes):
        for place, (metric, (value, floor, half)) in enumerate(SCORES.items()):
            shown = value * (1 + 0.02 * len(class_name) * (-1) ** place)
            row = PoolScore(
                class_name=class_name,
                metric=metric,
                value=shown,
                low=shown - half,
                high=shown + half,
                n_real=20 if class_name else 40,
                n_synthetic=16 if class_name else 32,
                floor=floor,
                floor_low=floor - half / 2,
                floor_high=floor + half / 2,
            )
            if metric == "fid":
                note = "Too high below 2048 images; compare with its floor only."
                row = row.model_copy(update={"low": math.nan, "high": math.nan, "note": note})
            scores.append(row)
    memorisation = [
        MemorisationMeasure(
            class_name=class_name,
            measure=measure,
            value=value,
            low=value - half,
            high=value + half,
            expected=expected,
            n=16,
        )
        for class_name in ("", *classes)
        for measure, (value, expected, half) in MEMORISATION.items()
    ]
    counts = {flag: int((neighbours["flag"] == flag).sum()) for flag in ("copy", "near-copy", "repeat")}
    copies = counts["copy"] + counts["near-copy"]
    return QualityScores(
        pool=config.pool,
        dataset=config.dataset,
        dataset_fingerprint=config.dataset_fingerprint,
        pool_sha256=config.pool_sha256,
        extractor=Extractor(name="pixels", input="32 x 32 pixels"),
        counts=Counts(train=40, valid=12, pool=len(neighbours)),
        scores=tuple(scores),
        memorisation=tuple(memorisation),
        flags=counts,
        sentences=(
            f"{copies} of {len(neighbours)} synthetic images are as near to a training image as no held-out real is."
            if copies
            else "No synthetic image is nearer to a training image than held-out real images are.",
            "The pool varies less than the real images: diversity 0.78, real images 1.00.",
            "A classifier tells synthetic from real images in 83 % of cases; 50 % would be chance.",
        ),
        limits=("These are screens, not privacy guarantees.", "FID does not predict whether augmentation helps."),
    )


def make_ranking(home: Home, training: Run, state: State = State.FINISHED, **changes: Any) -> Run:
    """A ranking of a training's snapshots by KID; the best one is not the last."""
    run = create_run(home, RankingConfig(run=training.id, extractor="pixels").plain(), f"rank {training.id}")
    rows = []
    for kimg, kid in ((2.0, 0.21), (4.0, 0.12), (6.0, 0.07), (8.0, 0.05), (10.0, 0.046), (12.0, 0.062)):
        name = f"network-{int(1000 * kimg):09d}.safetensors"
        row = RankedSnapshot(snapshot=name, kimg=kimg, kid=kid, low=kid - 0.012, high=kid + 0.014)
        if kimg != 10.0:  # the best
            behind = kid - 0.046
            told = {"behind": behind, "behind_low": behind - 0.019, "behind_high": behind + 0.019}
            row = row.model_copy(update={**told, "behind_p": 0.001 if behind > 0.019 else 0.2})
        rows.append(row)
    if state is State.FINISHED:
        ranking = Ranking(snapshots=tuple(rows))
        ranking.write_to(run.path / "ranking.json")
        result = {"best": rows[4].snapshot, "last": rows[5].snapshot, "clear": False, "sentence": sentence_of(ranking)}
        changes = {"result": result, **changes}
    return set_state(run, state, stage="Ranking", done=len(rows), total=len(rows), unit="snapshots", **changes)
