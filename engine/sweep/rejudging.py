"""Judge a finished sweep again by the rule of now, from its stored trials; what it found at first stays beside it.

<run>/summary.rejudged.json     as summary.json, with when and by which rules
"""

from __future__ import annotations

import time

import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.test_readings import TEST_FILE
from engine.store.csv_cells import read_table
from engine.store.errors import ErsatzError
from engine.store.parquet import read_parquet
from engine.store.runs import Run
from engine.sweep.analysis_units import EXTERNAL_SCORES
from engine.sweep.extension import first_of, with_first_verdict
from engine.sweep.external import open_external
from engine.sweep.look_results import LookResult
from engine.sweep.metric_table import metric_table
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.splits import Split, named_splits, open_splits
from engine.sweep.standing import standing_of
from engine.sweep.summary import summarise
from engine.sweep.summary_model import REJUDGED_FILE, SUMMARY_FILE, Rejudged, SweepSummary
from engine.sweep.verdict import RULE
from engine.version import __version__

TRIALS_FILE = "trials.parquet"
NEEDED = ("arm", "ratio", "seed", "scores", "n_real", "n_synthetic", "confusion")
"""Columns of the trials that the present rule cannot do without."""


def rejudge(run: Run, config: SweepConfig) -> SweepSummary:
    """Judge the trials of a finished sweep by the present rule; writes `summary.rejudged.json` and returns it.

    `summary.json` is left as it is. Raises `ErsatzError`, in one sentence, when the sweep is not finished, when its
    trials lack what the rule needs, or when its data set or pool is gone or another.
    """
    if not (run.path / SUMMARY_FILE).is_file():
        raise ErsatzError(
            f"The sweep {run.id} has no summary yet ({run.state()}); only a finished sweep can be judged again. Wait "
            f"for its end, or resume it with `python -m engine resume {run.id}`."
        )
    first = SweepSummary.read(run.path / SUMMARY_FILE)
    trials, test_images = _stored(run, first)
    config = config.at(first.seeds)
    splits = _splits(run, config)
    classes = splits[0].dataset.classes
    trials = trials[trials["seed"] < config.first_seed + first.seeds]  # as far as it was read
    named = positive_of_sweep(config, splits[0].dataset, trials.to_dict("records"))[0]
    table = metric_table(trials, test_images, classes, positive_index(named, classes), config.subgroups)
    declared = standing_of(run, config, first.classifier.weights_sha256).where
    # checks draw training sets from the pool; where it was changed since, those that were made of it at the time count
    checks = None if _as_it_was(config, splits) else first.checks
    external = _external(run, config) if EXTERNAL_SCORES in trials else None
    again = summarise(
        config,
        splits,
        trials,
        test_images,
        table,
        first.classifier,
        declared,
        checks=checks,
        external=external,
        earlier=_earlier(first),
    )
    again = with_first_verdict(again, first_of(run), config)
    told = Rejudged(
        time=time.time(), program=f"Ersatz {__version__}", rule=RULE, first_rule=first.rule, first_time=_moment(run)
    )
    again = again.model_copy(
        update={
            "rejudged": told,
            "external": again.external or first.external,
            # of the pool as it was, whoever has left it since
            "pool_images": first.pool_images or again.pool_images,
            "pool_excluded": again.pool_excluded if first.pool_excluded is None else first.pool_excluded,
        }
    )
    again.write_to(run.path / REJUDGED_FILE)
    return again


def rejudged_of(run: Run) -> SweepSummary | None:
    """What a sweep was found to be when it was judged again; None where it was not."""
    path = run.path / REJUDGED_FILE
    return SweepSummary.read(path) if path.is_file() else None


def _stored(run: Run, first: SweepSummary) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The trials and test images of a sweep, complete and with all that the rule needs."""
    for name in (TRIALS_FILE, TEST_FILE):
        if not (run.path / name).is_file():
            raise _cannot(run, f"its folder has no {name}")
    trials = read_parquet(run.path / TRIALS_FILE)
    if missing := [name for name in NEEDED if name not in trials]:
        raise _cannot(run, f"its trials have no {missing[0]}, which they did not keep at the time")
    test_images = read_table(run.path / TEST_FILE, dtype=str, keep_default_na=False)
    for name in ("fold", "synthetic"):  # sweeps of before there were folds name none
        test_images[name] = test_images[name].astype(int) if name in test_images else 0
    trials = trials if "fold" in trials else trials.assign(fold=0)
    sizes = test_images["fold"].value_counts()
    expected = trials["fold"].map(sizes) * len(first.classes)
    if (trials["scores"].map(len) != expected).any():
        raise _cannot(run, f"the scores of its trials do not fit the images of {TEST_FILE}")
    return trials, test_images


def _splits(run: Run, config: SweepConfig) -> list[Split]:
    """The data sets and pools as the sweep had them."""
    try:
        splits = open_splits(run.home, config)
        for named, split in zip(named_splits(config), splits, strict=True):
            split.pool.rows()
            split.dataset.require_fingerprint(named.dataset_fingerprint, f"The sweep {run.id}")
    except ErsatzError as error:
        why = f"what it was made from is not there as it was ({str(error).rstrip('.')})"
        raise _cannot(run, why) from None
    return splits


def _external(run: Run, config: SweepConfig) -> Dataset | None:
    """The external data set as the sweep had it; None where it is gone or another, and what was found on it stays."""
    try:
        return open_external(run.home, config)
    except ErsatzError:
        return None


def _earlier(first: SweepSummary) -> tuple[LookResult, ...]:
    """The planned looks before the one at which the sweep was judged; they keep what they were."""
    return tuple(look for look in first.looks if look.planned and look.seeds < first.seeds)


def _as_it_was(config: SweepConfig, splits: list[Split]) -> bool:
    """Whether no image of the pools was excluded or put back since."""
    pairs = zip(named_splits(config), splits, strict=True)
    return all(named.pool_sha256 in ("", split.pool.sha256) for named, split in pairs)


def _cannot(run: Run, why: str) -> ErsatzError:
    return ErsatzError(
        f"The sweep {run.id} cannot be judged again: {why}; the rule of now needs it. Its first verdict stands, or "
        "make a new sweep."
    )


def _moment(run: Run) -> float:
    """When the sweep was judged at first: at its end."""
    status = run.status()
    return status.ended or status.created
