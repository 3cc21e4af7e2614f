"""Homes made up for tests of reports and pages: data sets and runs as the engine leaves them, without its work."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pandas as pd
from PIL import Image

from engine.configs import (
    DcganConfig,
    GeneratorReference,
    ImportConfig,
    JourneyConfig,
    PoolConfig,
    QualityConfig,
    RankingConfig,
    StyleganConfig,
    SweepConfig,
)
from engine.datasets.dataset import Dataset, frozen_now, write_manifest
from engine.datasets.folds import make_folds
from engine.sampling.exported import combined, digests
from engine.store.files import write_json
from engine.store.hashing import sha256_file, sha256_pixels
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from engine.sweep.arms import Trial, arm_rule, plan
from engine.sweep.metric_table import METRICS_FILE, metric_table
from engine.sweep.metrics import confusion_matrix, metrics, positive_class
from engine.sweep.splits import open_splits, test_table
from engine.sweep.summary import summarise

CLASSES = ("bleed", "normal")
COUNTS = {"train": 20, "valid": 6, "test": 12}
SIZE = 32


def picture(seed: int, class_name: str) -> np.ndarray:
    """A grey disc `[SIZE, SIZE]`, with a bright spot in the class bleed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    image = 20 + 110 * (np.hypot(x / rng.uniform(0.8, 1.0), y) < SIZE * 0.42) + rng.normal(0, 10, (SIZE, SIZE))
    if class_name == "bleed":
        image += 90 * (np.hypot(x - rng.uniform(-6, 6), y - rng.uniform(-6, 6)) < rng.uniform(2, 5))
    return image.clip(0, 255).astype(np.uint8)


def make_dataset(home: Home, name: str = "phantom", frozen: bool = True, sexes: bool = False) -> Dataset:
    """A phantom data set with one finding of its audit, and with `sexes` a metadata column."""
    folder = home.dataset(name)
    rows, seed = [], 0
    for class_name in CLASSES:
        (folder / "images" / class_name).mkdir(parents=True)
        for split, count in COUNTS.items():
            for _ in range(count):
                image = picture(seed, class_name)
                path = f"images/{class_name}/{seed:05d}.png"
                Image.fromarray(image).save(folder / path)
                row = {"path": path, "class": class_name, "split": split, "group": f"P{seed:03d}"}
                row |= {"sha256": sha256_pixels(image), "phash": f"{seed:016x}", "width": 64 + seed % 3, "height": 64}
                row |= {"mode": "L", "bits": 8, "source": path, "excluded": ""}
                rows.append({**row, "sex": ("female", "male")[seed % 2]} if sexes else row)
                seed += 1
    manifest = pd.DataFrame(rows)
    write_manifest(folder / "manifest.csv", manifest)
    finding = {"name": "near-copies", "sentence": "2 pairs of images look nearly the same.", "count": 2}
    finding |= {"severity": "info", "examples": [], "remedy": "drop-copies"}
    info = {
        "name": name,
        "config": ImportConfig(
            name=name, layout="phantom", size=SIZE, metadata_columns=("sex",) if sexes else ()
        ).plain(),
        "classes": list(CLASSES),
        "size": SIZE,
        "mode": "L",
        "frozen": None,
        "audit": {"findings": [finding]},
        "provenance": {"preprocessing": {}},
        "phantom": True,
        "label": "Phantom: drawn by the program",
    }
    if frozen:
        info["frozen"] = frozen_now(manifest, info, [])
    write_json(folder / "dataset.json", info)
    return Dataset.open(home, name)


def fingerprint(home: Home) -> str:
    return Dataset.open(home, "phantom").fingerprint


def set_state(run: Run, state: State, **changes: Any) -> Run:
    """Record a state as the supervisor would; a running one needs its lock held to be believed."""
    now = time.time()
    ended = now if state.is_final else None
    run.update(state=state, started=now - 300, ended=ended, device="CPU, 2 threads", **changes)
    return run


def make_training(
    home: Home,
    class_name: str,
    state: State = State.FINISHED,
    kimg: float = 12.0,
    done: float | None = None,
    **changes: Any,
) -> Run:
    """A DCGAN training of one class with its curves, its sample grids and, once finished, its generator."""
    config = DcganConfig(
        dataset="phantom",
        dataset_fingerprint=fingerprint(home),
        class_name=class_name,
        kimg=kimg,
        g_channels=32,
        d_channels=32,
    )
    run = create_run(home, config.plain(), f"train phantom {class_name}")
    done = kimg if done is None else done
    rng = np.random.default_rng(0)
    for tick in np.arange(0.5, done + 0.01, 0.5):
        run.append_metrics(
            {
                "kimg": float(tick),
                "seconds": 20.0 * float(tick),
                "g_loss": 1.5 + 1.2 * (1 - np.exp(-tick / 4)) + rng.normal(0, 0.15),
                "d_loss": 0.4 + 0.9 * np.exp(-tick / 2) + rng.normal(0, 0.08),
                "d_real": float(np.clip(0.5 + 0.3 * (1 - np.exp(-tick / 3)) + rng.normal(0, 0.03), 0, 1)),
                "d_fake": float(np.clip(0.5 - 0.3 * (1 - np.exp(-tick / 3)) + rng.normal(0, 0.03), 0, 1)),
                "g_grad_norm": 2.0 + rng.random(),
                "d_grad_norm": 1.0 + rng.random(),
                "images_per_second": 50.0 + rng.normal(0, 2),
                "memory_gib": 0.6,
                "time": time.time(),
            }
        )
    (run.path / "samples").mkdir()
    _grid(class_name, 0, 0.0).save(run.path / "samples" / "reals.png")
    for images in range(0, int(done * 1000) + 1, 2000):
        _grid(class_name, 1000, 60 * np.exp(-images / 4000)).save(run.path / "samples" / f"fakes-{images:09d}.png")
    if state is State.FINISHED:
        (run.path / "generator.onnx").write_bytes(_network(class_name))
        write_json(
            run.path / "generator.json",
            {
                "gan": "dcgan",
                "architecture": "recipe",
                "sha256": sha256_file(run.path / "generator.onnx"),
                "run": run.id,
                "snapshot": f"network-{int(done * 1000):09d}.safetensors",
                "kimg": done,
                "z_dim": 100,
                "size": SIZE,
                "channels": 1,
                "mode": "L",
                "classes": [class_name],
                "dataset_classes": list(CLASSES),
                "conditional": False,
                "class_name": class_name,
                "dataset": "phantom",
                "dataset_fingerprint": fingerprint(home),
                "agreement": 1e-6,
            },
        )
    return set_state(run, state, stage="Training", done=done, total=kimg, unit="kimg", **changes)


def make_pool_run(home: Home, trainings: list[Run], images: int = 20, dataset: str = "phantom") -> Run:
    """A finished pool of these trainings' generators."""
    references = tuple(
        GeneratorReference(run=run.id, sha256=sha256_file(run.path / "generator.onnx")) for run in trainings
    )
    config = PoolConfig(
        name="phantom-pool",
        dataset=dataset,
        dataset_fingerprint=Dataset.open(home, dataset).fingerprint,
        generators=references,
        images_per_class=images,
    )
    run = create_run(home, config.plain(), "pool phantom")
    rows = []
    for reference, class_name in zip(references, CLASSES, strict=True):
        (run.path / "images" / class_name).mkdir(parents=True)
        for seed in range(images):
            image = picture(5000 + seed, class_name)
            path = f"images/{class_name}/{seed:06d}.png"
            Image.fromarray(image).save(run.path / path)
            row = {"path": path, "class": class_name, "seed": seed, "generator": reference.run}
            row |= {"generator_sha256": reference.sha256, "sha256": sha256_pixels(image), "excluded": ""}
            rows.append(row)
    pd.DataFrame(rows).to_csv(run.path / "manifest.csv", index=False)
    (run.path / "training_images.txt").write_text("0" * 64 + "\n")
    write_json(
        run.path / "pool.json",
        {
            "classes": list(CLASSES),
            "size": SIZE,
            "channels": 1,
            "mode": "L",
            "dataset_fingerprint": config.dataset_fingerprint,
        },
    )
    return set_state(run, State.FINISHED, stage="Sampling", done=2 * images, total=2 * images, unit="images")


def make_trials(
    config: SweepConfig, labels: np.ndarray, gain: float = 0.4, fold: int = 0, reals: int = 40
) -> pd.DataFrame:
    """Trials of all arms in one fold, with scores drawn so that synthetic images add `gain` to the margin at 100 %."""
    classes = int(labels.max()) + 1
    noise = {seed: np.random.default_rng(seed).normal(0, 1, (len(labels), classes)) for seed in range(99)}
    rows = []
    for trial in (trial for trial in plan(config) if trial.fold == fold):
        margin = 1.2 + {"real+synthetic": gain * trial.ratio, "real+classical": 0.1}.get(trial.arm, 0.0)
        own = np.random.default_rng([trial.seed, round(100 * trial.ratio), len(trial.arm)])
        logits = margin * np.eye(classes)[labels] + noise[trial.seed] + own.normal(0, 0.3, (len(labels), classes))
        scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        rows.append(_trial_row(trial, config, labels, scores, reals))
    return pd.DataFrame(rows)


def _trial_row(trial: Trial, config: SweepConfig, labels: np.ndarray, scores: np.ndarray, reals: int) -> dict[str, Any]:
    confusion = confusion_matrix(labels, scores.argmax(1), scores.shape[1])
    rule, extra = arm_rule(trial.arm), round(reals * trial.ratio)
    stay = {"real": reals, "replaced": reals - extra, "none": 0}[rule.base]
    return {
        "arm": trial.arm,
        "ratio": trial.ratio,
        "seed": trial.seed,
        "fold": trial.fold,
        "steps": config.steps,
        "n_real": stay + (extra if rule.extra == "duplicates" else 0),
        "n_synthetic": extra if rule.extra == "synthetic" else 0,
        "valid_accuracy": 0.8,
        "best_step": 210,
        **metrics(labels, scores, 0),
        "confusion": json.dumps(confusion.tolist()),
        "scores": scores.ravel().tolist(),
        "seconds": 2.5,
    }


def make_sweep(
    home: Home,
    pool: Run | None = None,
    state: State = State.FINISHED,
    seeds: int = 8,
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> Run:
    """A sweep with these settings; unless finished it has half of its trials and no summary."""
    values = {"name": "phantom-sweep", "dataset": "phantom", "dataset_fingerprint": fingerprint(home)}
    values |= {"pool": pool.id if pool else "", "pool_sha256": "a" * 64, "seeds": seeds}
    config = SweepConfig.build({**values, **(settings or {})})
    run = create_run(home, config.plain(), "sweep phantom")
    dataset = Dataset.open(home, "phantom")
    splits = open_splits(home, config)
    test_images = test_table(splits, config)
    parts = [
        make_trials(
            config,
            test_images.loc[test_images["fold"] == split.fold, "class"].map(dataset.classes.index).to_numpy(),
            fold=split.fold,
            reals=len(split.dataset.rows("train")),
        )
        for split in splits
    ]
    trials = pd.concat(parts, ignore_index=True)
    finished = state is State.FINISHED
    kept = trials if finished else trials.iloc[: len(trials) // 2]
    kept.to_parquet(run.path / "trials.parquet")
    test_images.to_csv(run.path / "test_images.csv", index=False)
    result = {}
    if finished:
        positive = positive_class(dataset.classes)
        table = metric_table(trials, test_images, dataset.classes, positive, config.subgroups)
        table.to_parquet(run.path / METRICS_FILE)
        summary = summarise(config, splits, trials, test_images, table, {"name": "small-cnn"})
        write_json(run.path / "summary.json", summary)
        result = {"verdict": summary["verdict"]["verdict"], "sentence": summary["verdict"]["sentence"]}
    changes = {"result": result, **changes}
    return set_state(run, state, stage="Trials", done=len(kept), total=len(trials), unit="trials", **changes)


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
    "c_t": (-1.1, 0.0, None),
    "copy_ratio": (0.84, 0.9, 0.03),
}
FLAGS = {0: "copy", 3: "copy", 5: "near-copy", 9: "repeat", 11: "repeat"}
"""By place in the pool: the first of these lie in the first class."""


def make_quality(home: Home, pool: Run, state: State = State.FINISHED, flags: bool = True, **changes: Any) -> Run:
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
        _embedding(home, neighbours).to_parquet(run.path / "embedding.parquet")
        scores = _scores_json(config, neighbours)
        write_json(run.path / "scores.json", scores)
        result = {"sentence": scores["sentences"][0], "flags": scores["flags"]}
    changes = {"result": result, **changes}
    return set_state(run, state, stage="Neighbours", done=4, total=6, unit="steps", **changes)


def _neighbours(home: Home, pool: Run, flags: bool) -> pd.DataFrame:
    train = Dataset.open(home, "phantom").rows("train")
    images = pd.read_csv(pool.path / "manifest.csv", dtype=str, keep_default_na=False)
    rng = np.random.default_rng(4)
    rows = []
    for place, (_, image) in enumerate(images[images["excluded"] == ""].iterrows()):
        real = train[train["class"] == image["class"]].iloc[place % 20]
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


def _embedding(home: Home, neighbours: pd.DataFrame) -> pd.DataFrame:
    """Every training and pool image as a point in the plane."""
    train = Dataset.open(home, "phantom").rows("train")
    parts = [train[["path", "class"]].assign(split="train", flag="")]
    parts.append(neighbours[["path", "class", "flag"]].assign(split="synthetic"))
    points = pd.concat(parts, ignore_index=True)
    rng = np.random.default_rng(5)
    centre = points["class"].map({name: 6.0 * index for index, name in enumerate(CLASSES)}).to_numpy(float)
    aside = np.where(points["split"] == "synthetic", 1.0, 0.0)
    return points.assign(x=centre + aside + rng.normal(0, 1, len(points)), y=rng.normal(0, 1.5, len(points)))


def _scores_json(config: QualityConfig, neighbours: pd.DataFrame) -> dict[str, Any]:
    scores = []
    for class_name in ("", *CLASSES):
        for place, (metric, (value, floor, half)) in enumerate(SCORES.items()):
            shown = value * (1 + 0.02 * len(class_name) * (-1) ** place)
            row = {"class": class_name, "metric": metric, "value": shown, "low": shown - half, "high": shown + half}
            row |= {"n_real": 20 if class_name else 40, "n_synthetic": 16 if class_name else 32, "floor": floor}
            row |= {"floor_low": floor - half / 2, "floor_high": floor + half / 2, "note": ""}
            if metric == "fid":
                row |= {"low": None, "high": None, "note": "Too high below 2048 images; compare with its floor only."}
            scores.append(row)
    memorisation = [
        {"class": class_name, "measure": measure, "value": value, "expected": expected, "n": 16, "note": ""}
        | {"low": None if half is None else value - half, "high": None if half is None else value + half}
        for class_name in ("", *CLASSES)
        for measure, (value, expected, half) in MEMORISATION.items()
    ]
    counts = {flag: int((neighbours["flag"] == flag).sum()) for flag in ("copy", "near-copy", "repeat")}
    copies = counts["copy"] + counts["near-copy"]
    return {
        "pool": config.pool,
        "dataset": config.dataset,
        "dataset_fingerprint": config.dataset_fingerprint,
        "pool_sha256": config.pool_sha256,
        "extractor": {"name": "pixels", "weights": "", "weights_sha256": "", "input": "32 x 32 pixels"},
        "counts": {"train": 40, "valid": 12, "pool": len(neighbours), "excluded_before": 0},
        "scores": scores,
        "memorisation": memorisation,
        "flags": counts,
        "sentences": [
            f"{copies} of {len(neighbours)} synthetic images are as near to a training image as no held-out real is."
            if copies
            else "No synthetic image is nearer to a training image than held-out real images are.",
            "The pool varies less than the real images: diversity 0.78, real images 1.00.",
            "A classifier tells synthetic from real images in 83 % of cases; 50 % would be chance.",
        ],
        "limits": ["These are screens, not privacy guarantees.", "FID does not predict whether augmentation helps."],
        "excluded": 0,
    }


def make_ranking(home: Home, training: Run, state: State = State.FINISHED, **changes: Any) -> Run:
    """A ranking of a training's snapshots by KID; the best one is not the last."""
    run = create_run(home, RankingConfig(run=training.id, extractor="pixels").plain(), f"rank {training.id}")
    rows = []
    for kimg, kid in ((2.0, 0.21), (4.0, 0.12), (6.0, 0.07), (8.0, 0.05), (10.0, 0.046), (12.0, 0.062)):
        name = f"network-{int(1000 * kimg):09d}.safetensors"
        rows.append({"snapshot": name, "kimg": kimg, "kid": kid, "low": kid - 0.012, "high": kid + 0.014})
    if state is State.FINISHED:
        write_json(run.path / "ranking.json", rows)
        sentence = "The snapshot of 10 kimg has the lowest KID, 0.046 (0.034 to 0.06); the last one, of 12 kimg, 0.062."
        result = {"best": rows[4]["snapshot"], "last": rows[5]["snapshot"], "clear": False, "sentence": sentence}
        changes = {"result": result, **changes}
    return set_state(run, state, stage="Ranking", done=len(rows), total=len(rows), unit="snapshots", **changes)


def make_everything(home: Home, quality: bool = False) -> Run:
    """A home with the whole chain of a finished journey; returns its sweep."""
    make_dataset(home)
    trainings = [make_training(home, class_name) for class_name in CLASSES]
    pool = make_pool_run(home, trainings)
    if quality:
        make_quality(home, pool)
        make_ranking(home, trainings[0])
    return make_sweep(home, pool)


def make_pair(home: Home) -> Run:
    """A journey that swept as published (head-ct) and soundly beside it, with subgroups; returns the sound sweep."""
    make_dataset(home, sexes=True)
    pool = make_pool_run(home, [make_training(home, class_name) for class_name in CLASSES], images=40)
    make_quality(home, pool)
    published = {
        "name": "phantom-published",
        "repeats": "head-ct",
        "classifier": "resnet50",
        "head": "head-ct",
        "optimizer": "rmsprop",
        "epochs": 20,
        "arms": ("real", "real+classical", "real+synthetic+classical", "synthetic+classical"),
        "ratios": (1.0,),
        "flaws": ("synthetic-in-test", "dropped-runs"),
    }
    theirs = make_sweep(home, pool, seeds=1, settings=published)
    sound = {"classifier": "resnet50", "repeats": "head-ct", "beside": theirs.id}
    ours = make_sweep(home, pool, settings={**sound, "subgroups": ("sex",), "ratios": (0.5, 1.0)})
    journey = create_run(home, JourneyConfig(preset="head-ct", source="head_ct").plain(), "journey head-ct")
    set_state(journey, State.FINISHED, result={"published": theirs.id, "sweep": ours.id})
    return ours


def make_folded(home: Home, seeds: int = 6) -> Run:
    """A cross-validation with two folds, a pool each and a check of the first one; returns its sweep."""
    folds = []
    for fold in make_folds(make_dataset(home), 2):
        trainings = [make_training(home, class_name) for class_name in CLASSES]
        folds.append({"dataset": fold.name, "pool": make_pool_run(home, trainings, 40, fold.name).id})
    make_quality(home, Run(home, folds[0]["pool"]))
    settings = {"pool": "", "pool_sha256": "", "folds": folds, "ratios": (1.0,)}
    return make_sweep(home, seeds=seeds, settings=settings)


def _network(class_name: str) -> bytes:
    """An ONNX generator without training: a picture of its class, with a random pattern on it."""
    pattern = np.random.default_rng(1).normal(0, 0.04, (100, SIZE * SIZE)).astype(np.float32)
    base = (picture(0, class_name).reshape(1, -1) / 127.5 - 1).astype(np.float32)
    return _model(
        f"g (float[N, 100] z) => (float[N, 1, {SIZE}, {SIZE}] images) {{\n"
        "  patterned = MatMul(z, pattern)\n  flat = Add(patterned, base)\n  images = Reshape(flat, shape)\n}",
        pattern=pattern,
        base=base,
        shape=np.array([-1, 1, SIZE, SIZE]),
    )


def make_stylegan(home: Home, state: State = State.FINISHED, done: float = 12.0, **changes: Any) -> Run:
    """A conditional StyleGAN2-ADA training with its curves, its sample grids and, once finished, its generator."""
    config = StyleganConfig(dataset="phantom", dataset_fingerprint=fingerprint(home), conditional=True, kimg=12.0)
    run = create_run(home, config.completed(SIZE).plain(), "train phantom stylegan2")
    rng = np.random.default_rng(0)
    for tick in np.arange(0.5, done + 0.01, 0.5):
        row = {
            "kimg": float(tick),
            "seconds": 20.0 * float(tick),
            "g_loss": 1.2 + rng.normal(0, 0.1),
            "d_loss": 1.1 + rng.normal(0, 0.1),
            "d_real": 0.62 + rng.normal(0, 0.02),
            "d_fake": 0.38 + rng.normal(0, 0.02),
            "g_grad_norm": 2.0 + rng.random(),
            "d_grad_norm": 1.0 + rng.random(),
            "r1": 0.1 + 0.02 * rng.random(),
            "pl": 0.02 + 0.01 * rng.random(),
            "real_logits": 0.6 + rng.normal(0, 0.05),
            "fake_logits": -0.6 + rng.normal(0, 0.05),
            "augment_p": 0.02 * float(tick),
            "r_t": 0.6 + rng.normal(0, 0.1),
            "images_per_second": 50.0 + rng.normal(0, 2),
            "memory_gib": 0.9,
            "time": time.time(),
        }
        if tick % 2 == 0:
            kid = 0.2 * float(np.exp(-tick / 4)) + 0.02
            row |= {"kid": kid, "kid_low": kid - 0.01, "kid_high": kid + 0.01, "fid": 900 * kid}
            row |= {"train_logits": 0.7, "valid_logits": 0.7 - 0.02 * float(tick)}
        run.append_metrics(row)
    (run.path / "samples").mkdir()
    _grid(CLASSES[0], 0, 0.0).save(run.path / "samples" / "reals.png")
    for images in range(0, int(done * 1000) + 1, 2000):
        _grid(CLASSES[0], 1000, 60 * np.exp(-images / 4000)).save(run.path / "samples" / f"fakes-{images:09d}.png")
    if state is State.FINISHED:
        contents = {"mapping.onnx": _mapping(), "synthesis.onnx": _synthesis()}
        for name, content in contents.items():
            (run.path / name).write_bytes(content)
        files = digests(contents)
        write_json(
            run.path / "generator.json",
            {
                "gan": "stylegan2-ada",
                "architecture": "auto",
                "files": files,
                "sha256": combined(files),
                "run": run.id,
                "snapshot": f"network-{int(done * 1000):09d}.safetensors",
                "kimg": done,
                "z_dim": 100,
                "w_dim": 100,
                "num_ws": 4,
                "noise": [SIZE],
                "size": SIZE,
                "channels": 1,
                "mode": "L",
                "classes": list(CLASSES),
                "dataset_classes": list(CLASSES),
                "conditional": True,
                "class_name": "",
                "dataset": "phantom",
                "dataset_fingerprint": fingerprint(home),
                "agreement": 1e-6,
            },
        )
    return set_state(run, state, stage="Training", done=done, total=12.0, unit="kimg", **changes)


def _mapping() -> bytes:
    """An ONNX mapping without training: w is z, moved by the class and truncated towards 0, in every layer."""
    return _model(
        "m (float[N, 100] z, int64[N] label, float[P] psi, int64[K] cutoff) => (float[N, 4, 100] w) {\n"
        "  row = Unsqueeze(z, one)\n  every = Expand(row, layers)\n  share = Unsqueeze(psi, ends)\n"
        "  truncated = Mul(every, share)\n  number = Cast<to = 1>(label)\n  moved = Unsqueeze(number, ends)\n"
        "  number_k = Cast<to = 1>(cutoff)\n  nothing = Mul(number_k, zero)\n  still = Unsqueeze(nothing, ends)\n"
        "  shifted = Add(truncated, moved)\n  w = Add(shifted, still)\n}",
        psi=np.ones(1, np.float32),
        cutoff=np.array([4]),
        one=np.array([1]),
        layers=np.array([1, 4, 1]),
        ends=np.array([1, 2]),
        zero=np.zeros(1, np.float32),
    )


def _synthesis() -> bytes:
    """An ONNX synthesis without training: a picture with a pattern of the mean w, and noise, on it."""
    return _model(
        f"s (float[N, 4, 100] w, float[M, {SIZE * SIZE}] noise) => (float[N, 1, {SIZE}, {SIZE}] images) {{\n"
        "  mean = ReduceMean<axes = [1], keepdims = 0>(w)\n  patterned = MatMul(mean, pattern)\n"
        "  flat = Add(patterned, base)\n  fine = Mul(noise, strength)\n  noisy = Add(flat, fine)\n"
        "  images = Reshape(noisy, shape)\n}",
        noise=np.random.default_rng(2).normal(0, 1, (1, SIZE * SIZE)).astype(np.float32),
        pattern=np.random.default_rng(1).normal(0, 0.04, (100, SIZE * SIZE)).astype(np.float32),
        base=(picture(0, CLASSES[0]).reshape(1, -1) / 127.5 - 1).astype(np.float32),
        strength=np.array([0.02], np.float32),
        shape=np.array([-1, 1, SIZE, SIZE]),
    )


def _model(text: str, **initializers: np.ndarray) -> bytes:
    graph = onnx.parser.parse_graph(text)
    for name, value in initializers.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=10)
    return model.SerializeToString()


def _grid(class_name: str, first_seed: int, noise: float) -> Image.Image:
    rng = np.random.default_rng(first_seed)
    rows = [np.hstack([picture(first_seed + 6 * i + j, class_name) for j in range(6)]) for i in range(6)]
    grid = np.vstack(rows) + rng.normal(0, noise, (6 * SIZE, 6 * SIZE))
    return Image.fromarray(grid.clip(0, 255).astype(np.uint8))
