"""The splits that a sweep reads: one data set with its pool, or one of each for every fold of a cross-validation.

Free of torch: what a sweep would read is known, and refused if unsound, before it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.configs.evaluation import Fold
from engine.datasets.dataset import Dataset
from engine.datasets.patients import PATIENT, with_patients
from engine.sampling.pools import SOURCE, Pool
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.arms import Drawing, Mixture, extra_count

IDENTITY = ["path", "class", "group", PATIENT, "sha256"]
"""Columns of the data set that say which image it is, of which class and of whom."""


@dataclass(frozen=True)
class Split:
    """A frozen data set and the pool made for it; a sweep without folds has one, number 0."""

    fold: int
    dataset: Dataset
    pool: Pool


def named_splits(config: SweepConfig) -> tuple[Fold, ...]:
    """What the config says of each split; the fixed split is written like a fold."""
    fixed = Fold(
        dataset=config.dataset,
        dataset_fingerprint=config.dataset_fingerprint,
        pool=config.pool,
        pool_sha256=config.pool_sha256,
    )
    return config.folds or (fixed,)


def open_splits(home: Home, config: SweepConfig) -> list[Split]:
    """The sweep's data sets and pools; an `ErsatzError` when one is absent or not finished."""
    return [
        Split(fold, Dataset.open(home, named.dataset), Pool.open(Run(home, named.pool)))
        for fold, named in enumerate(named_splits(config))
    ]


def pinned(config: SweepConfig, splits: Sequence[Split]) -> SweepConfig:
    """The config with the hashes of what is there now, so that a later change is noticed."""
    hashes = [{"dataset_fingerprint": split.dataset.fingerprint, "pool_sha256": split.pool.sha256} for split in splits]
    if not config.folds:
        return config.model_copy(update=hashes[0])
    folds = tuple(fold.model_copy(update=update) for fold, update in zip(config.folds, hashes, strict=True))
    return config.model_copy(update={"folds": folds})


def pool_part(split: Split, config: SweepConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the pool that trials may train on, and rows set aside for the test set (none in a sound sweep).

    Excluded images are in neither. The flaw synthetic-in-test puts so many images of each class among the test images
    as the largest ratio says of the real ones there; they are the last of the pool, and no trial trains on them.
    """
    rows = split.pool.rows()
    rows = rows[rows["class"].isin(config.extra_classes or split.dataset.classes)]
    if "synthetic-in-test" not in config.flaws:
        return rows, rows.iloc[:0]
    reals = split.dataset.rows("test")["class"].value_counts()
    aside = [of_class.tail(extra_count(reals[name], max(config.ratios))) for name, of_class in rows.groupby("class")]
    set_aside = pd.concat(aside) if aside else rows.iloc[:0]
    return rows.drop(set_aside.index), set_aside


def drawing_of(split: Split, rows: pd.DataFrame) -> Drawing:
    """What decides, beside the seed, which of these rows of the pool a trial draws."""
    return Drawing(split.pool.makers(rows), _mixture_of(split, rows))


def _mixture_of(split: Split, rows: pd.DataFrame) -> Mixture | None:
    """Of which pool each of these rows of a mixed pool is; None for other pools."""
    origin = split.pool.info.origin
    if origin is None or origin.kind != "mixed":
        return None
    place = {parent.run: number for number, parent in enumerate(origin.parents)}
    parts = rows[SOURCE].str.partition("/")[0].map(place).to_numpy(np.int64)
    return Mixture(parts, tuple(parent.share for parent in origin.parents))


def test_table(splits: Sequence[Split], config: SweepConfig) -> pd.DataFrame:
    """The test images in the order of the scores, fold by fold: the content of `test_images.csv`.

    Columns: path, class, group, known_patient, sha256, the metadata columns of `config.subgroups`, fold, and synthetic
    (0 or 1). The path of a synthetic image begins with the id of its pool's run.
    """
    tables = []
    for split in splits:
        columns = [*IDENTITY, *config.subgroups]
        real = with_patients(split.dataset, "test")[columns]
        _, aside = pool_part(split, config)
        synthetic = aside[["path", "class", "sha256"]].assign(path=f"{split.pool.run.id}/" + aside["path"])
        both = pd.concat([real.assign(synthetic=0), *([synthetic.assign(synthetic=1)] if len(synthetic) else [])])
        tables.append(both.fillna("").assign(fold=split.fold))
    return pd.concat(tables, ignore_index=True)


def valid_table(splits: Sequence[Split], config: SweepConfig) -> pd.DataFrame:
    """The validation images in the order of the trials' `valid_scores`, fold by fold: `valid_images.csv`.

    Columns: path, class, group, known_patient, sha256 and fold. Where the test images serve as validation images, as
    published, they are these.
    """
    if "test-is-validation" in config.flaws:
        return test_table(splits, config)[[*IDENTITY, "fold"]]
    tables = [with_patients(split.dataset, "valid")[IDENTITY].assign(fold=split.fold) for split in splits]
    return pd.concat(tables, ignore_index=True)
