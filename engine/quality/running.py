"""Check a pool: scores beside their floors, a search for copies, and a map of the features.

<run>/
    neighbours.parquet   one row a pool image: its nearest training image in features and in pixels, and its flag
    embedding.parquet    path, class, split (train, valid or synthetic), sha256, flag, x, y
    scores.json          scores, measures of memorisation, flags, sentences, limits; written last

Images of the test part are never read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import QualityConfig
from engine.datasets.dataset import Dataset
from engine.devices import choose_device, describe
from engine.features.backbones import Backbone
from engine.features.cache import FeatureCache, Interrupted
from engine.features.extractors import open_extractor
from engine.quality.copies import Copies, Features, find_copies
from engine.quality.quality_scores import COPIES_RULE, SCORES_FILE, Counts, Extractor, PoolScore, QualityScores
from engine.quality.results import QualityResult
from engine.quality.scores import Images, pool_scores
from engine.quality.sentences import in_words_apart, limits
from engine.quality.tsne_projection import MOST, tsne_projection
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.parquet import read_parquet
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import whole
from engine.store.runs import Run

NEIGHBOURS_FILE = "neighbours.parquet"
EMBEDDING_FILE = "embedding.parquet"


def check_quality(run: Run, config: QualityConfig, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """Score the pool, search it for copies, and take those out of it if the config says so.

    Features are cached, so that a run stopped or killed computes none twice. Raises `ErsatzError` when the pool does
    not belong to the data set, when its generators saw validation images, or when there are too few images.
    """
    pool = Pool.open(Run(run.home, config.pool))
    found = whole(run, run.path / SCORES_FILE, QualityScores.read)
    tables = [whole(run, run.path / name, read_parquet) for name in (NEIGHBOURS_FILE, EMBEDDING_FILE)]
    if found is None or any(table is None for table in tables):  # else all but the last step was done before
        dataset = Dataset.open(run.home, config.dataset)
        _refuse_unsound(config, dataset, pool)
        device = choose_device(config.device)
        extractor = open_extractor(config.extractor, device, config.weights)
        run.update(device=describe(device))
        try:
            _check(run, config, dataset, pool, extractor, report, should_stop)
        except Interrupted:
            return "stopped"
    found = QualityScores.read(run.path / SCORES_FILE)
    report(Progress("map", 1, 1, "steps"))
    if config.exclude == "copies":
        flags = read_parquet(run.path / NEIGHBOURS_FILE, columns=["path", "flag"])
        pool.exclude(list(flags["path"][flags["flag"] == "copy"]), f"copy of a training image ({run.id})")
    run.update(
        result=QualityResult(
            sentence=found.sentences[0],
            flags=found.flags,
            excluded=found.excluded,
            extractor=found.extractor.name,
        ).plain()
    )
    return "finished"


def _refuse_unsound(config: QualityConfig, dataset: Dataset, pool: Pool) -> None:
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This quality check")
    if config.pool_sha256 not in ("", pool.images_sha256):
        raise ErsatzError(
            f"The images of the pool {config.pool} were made again since this check was set up. Set up a new check."
        )
    pool.require_made_for(dataset)
    seen = len(set(dataset.rows("valid")["sha256"]) & pool.training_hashes)
    if seen:
        raise ErsatzError(
            f"Leak: the generators of the pool were trained on {seen} validation images of {dataset.name}, which then "
            "cannot show how near an unseen image comes; none is allowed. Train generators on the training part."
        )


def _check(
    run: Run,
    config: QualityConfig,
    dataset: Dataset,
    pool: Pool,
    extractor: Backbone,
    report: Report,
    should_stop: ShouldStop,
) -> None:
    """Everything up to `scores.json`."""
    cache = FeatureCache(run.home, extractor)

    def part(name: str, rows: pd.DataFrame, pixels: np.ndarray) -> Features:
        def named(progress: Progress) -> None:
            report(replace(progress, stage=f"{progress.stage} of the {name} images"))

        found = cache.features(pixels, list(rows["sha256"]), report=named, should_stop=should_stop)
        return Features(found, pixels, rows.reset_index(drop=True))

    def step(done: int, total: int) -> None:
        if should_stop():
            raise Interrupted
        report(Progress("scores", done, total, "steps"))

    train, valid = (
        part(name, rows, dataset.pixels(rows))
        for name, rows in (("training", dataset.rows("train")), ("validation", dataset.rows("valid")))
    )
    pool_rows = pool.rows()
    fakes = part("synthetic", pool_rows, pool.pixels(pool_rows))

    # Copies first: they matter most.
    copies = find_copies(train, fakes, valid, config, report, should_stop)
    _write_table(run, NEIGHBOURS_FILE, copies.table)

    # Scores: each real picture once.
    reals = pd.concat((train.rows.assign(split="train"), valid.rows.assign(split="valid")), ignore_index=True)
    features = np.concatenate((train.features, valid.features))
    first = ~reals.duplicated("sha256").to_numpy()
    real = Images(features[first], dataset.labels(reals[first]), reals["group"][first].to_numpy(str))
    synthetic = Images(fakes.features, dataset.labels(fakes.rows), np.full(len(fakes), ""))
    scores, skipped = pool_scores(real, synthetic, dataset.classes, config.k, config.seed, step)

    # Map and summary.
    report(Progress("map", 0, 1, "steps"))
    shown = pd.concat((reals, fakes.rows.assign(split="synthetic", flag=copies.table["flag"])), ignore_index=True)
    _write_table(run, EMBEDDING_FILE, _map(shown, np.concatenate((features, fakes.features)), config.seed))
    report(Progress("map", 1, 1, "steps"))
    excluded = copies.flags.get("copy", 0) if config.exclude == "copies" else 0
    found = QualityScores(
        pool=pool.run.id,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        pool_sha256=pool.images_sha256,
        extractor=_described(extractor),
        counts=_counts(train, valid, fakes, pool),
        scores=tuple(scores),
        memorisation=tuple(copies.measures),
        flags=copies.flags,
        sentences=_worst_first(copies, scores),
        limits=(*_of_the_pool(pool), *limits(extractor.name, skipped, int((~first).sum()))),
        excluded=excluded,
        copies_rule=COPIES_RULE,
    )
    found.write_to(run.path / SCORES_FILE)


def _of_the_pool(pool: Pool) -> list[str]:
    """What is to be known of images that were not sampled here before their scores are read."""
    info = pool.info
    found = [f"This is a control: {info.control}, no synthetic images."] if info.control else []
    if info.unknown_training:
        found.append(
            "What the generator saw is not known. If held-out images were among it, they show no nearness of unseen "
            "ones, and copies of them were looked for only when the pool was imported."
        )
    return found


def _described(extractor: Backbone) -> Extractor:
    return Extractor(
        name=extractor.name,
        weights=extractor.weights_file,
        weights_sha256=extractor.weights_sha256,
        input=extractor.preprocessing,
    )


def _worst_first(copies: Copies, scores: list[PoolScore]) -> tuple[str, ...]:
    """What speaks against the pool before what does not: the first sentence stands for the check in lists of runs."""
    worse, others = in_words_apart(scores)
    bad, good = copies.sentences[: copies.against], copies.sentences[copies.against :]
    return (*bad, *worse, *good, *others)


def _counts(train: Features, valid: Features, fakes: Features, pool: Pool) -> Counts:
    return Counts(train=len(train), valid=len(valid), pool=len(fakes), excluded_before=len(pool.left_out))


def _map(shown: pd.DataFrame, features: np.ndarray, seed: int) -> pd.DataFrame:
    """Rows of embedding.parquet: all images, or a random choice where there are many; flagged ones always."""
    draw = np.random.default_rng(seed)
    table = shown[["path", "class", "split", "sha256"]].assign(flag=shown["flag"].fillna(""))
    chosen = []
    for synthetic in (False, True):
        rows = draw.permutation(np.flatnonzero((table["split"] == "synthetic") == synthetic))
        flagged = (table["flag"].iloc[rows] != "").to_numpy()
        chosen.append(rows[np.argsort(~flagged, kind="stable")][:MOST])
    rows = np.sort(np.concatenate(chosen))
    places: dict[str, Any] = dict(zip("xy", tsne_projection(features[rows], seed).T, strict=True))
    return table.iloc[rows].reset_index(drop=True).assign(**places)


def _write_table(run: Run, name: str, table: pd.DataFrame) -> None:
    with replacing(run.path / name) as temporary:
        table.to_parquet(temporary, index=False)
