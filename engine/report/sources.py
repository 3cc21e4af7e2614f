"""Everything a report of a sweep draws on, read from the run folders of the sweep, its parents and its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from engine.configs import SweepConfig
from engine.configs.evaluation import Fold
from engine.datasets.dataset import Dataset
from engine.publications.publication import Publication
from engine.publications.table import PUBLICATIONS
from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.quality.results import RankingResult
from engine.quality.snapshot_ranking import RANKING_FILE, Ranking, sentence_of
from engine.report.review_source import ReviewSource, read_review
from engine.review.study import Study
from engine.sampling.exported import GeneratorInfo, read_info
from engine.sampling.pools import Pool
from engine.store.csv_cells import read_table
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.parquet import read_parquet
from engine.store.runs import Run, State, Status, each, list_runs
from engine.sweep.rejudging import rejudged_of
from engine.sweep.splits import named_splits
from engine.sweep.standing import Standing, standing_of
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

T = TypeVar("T")


@dataclass(frozen=True)
class RankingSource:
    """The ranking of a training's snapshots."""

    run: Run
    found: Ranking
    margin: float | None
    """Of KID; as `engine.configs.RankingConfig.margin`."""
    sentence: str


@dataclass(frozen=True)
class GeneratorSource:
    """One generator behind a pool."""

    run: Run
    config: dict[str, Any]
    status: Status
    info: GeneratorInfo
    rows: list[dict[str, Any]]
    ranking: RankingSource | None = None


@dataclass(frozen=True)
class QualitySource:
    """The check of a pool, and its tables."""

    run: Run
    config: dict[str, Any]
    status: Status
    found: QualityScores
    neighbours: pd.DataFrame
    embedding: pd.DataFrame


@dataclass(frozen=True)
class PoolSource:
    """A pool with the data set it was made for; a sweep over folds has one a fold. What was deleted since is None."""

    name: str
    dataset: Dataset | None
    pool: Pool | None
    config: dict[str, Any]
    status: Status | None
    quality: QualitySource | None
    review: ReviewSource | None = None


@dataclass(frozen=True)
class Sources:
    """A finished sweep and what is behind it; what was deleted since is None and named in `missing`."""

    run: Run
    config: SweepConfig
    status: Status
    summary: SweepSummary
    trials: pd.DataFrame
    metrics: pd.DataFrame | None
    """The long table of every metric at every level; sweeps of before have none."""
    test_images: pd.DataFrame | None
    valid_images: pd.DataFrame | None
    """The validation images in the order of the trials' scores of them; sweeps of before have none."""
    dataset: Dataset | None
    pools: list[PoolSource]
    generators: list[GeneratorSource]
    beside: Sources | None = None
    """The sweep that is shown beside this one, such as the published protocol's."""
    publication: Publication | None = None
    """What was published on this preset."""
    missing: list[str] = field(default_factory=list)
    standing: Standing = field(default_factory=lambda: Standing(0))
    """Where the sweep stands among those that read its test set, as the ledger knows it now."""
    first: SweepSummary | None = None
    """What it was found to be at first, where `summary` is a second judgement."""

    @property
    def unknown_start(self) -> bool:
        """Whether a generator began with networks whose training images are not known."""
        starts = (source.info.start or {} for source in self.generators)
        return any(start.get("unknown_images") for start in starts)

    @property
    def qualities(self) -> list[QualitySource]:
        return [source.quality for source in self.pools if source.quality is not None]

    @property
    def studies(self) -> list[Study]:
        """The reader studies that a reviewer has finished."""
        return [study for source in self.pools if source.review is not None for study in source.review.studies]


def read_sources(run: Run, beside: bool = True, rejudged: bool = False) -> Sources:
    """Read a sweep's folder and those of its parents; an `ErsatzError` unless it is a sweep that has finished.

    With `rejudged` the summary is that of its second judgement.
    """
    values = run.config()
    if values["kind"] != "sweep":
        raise ErsatzError(f"{run.id} is a run of kind {values['kind']}; a report is made of a sweep.")
    config = SweepConfig.build(values)
    if not (run.path / SUMMARY_FILE).is_file():
        raise ErsatzError(
            f"The sweep {run.id} has no summary yet ({run.state().value}); a finished sweep is expected. "
            f"Wait for its end, or resume it with `python -m engine resume {run.id}`."
        )
    first = SweepSummary.read(run.path / SUMMARY_FILE)
    again = rejudged_of(run) if rejudged else None
    if rejudged and again is None:
        raise ErsatzError(
            f"The sweep {run.id} was not judged again; a second judgement is expected. Make it with "
            f"`python -m engine judge {run.id}`, or take the first one."
        )
    summary = again or first
    config, trials = config.at(summary.seeds), read_parquet(run.path / "trials.parquet")  # as far as it was read
    missing: list[str] = []
    pools = [_pool(run.home, split, config, missing) for split in named_splits(config)]
    references = list(dict.fromkeys(name for source in pools for name in _makers(source)))
    rankings = _newest(run.home, "ranking", "run")
    generators = [_or_missing(missing, _generator, run.home, name, rankings) for name in references]
    wanted = config.beside if beside else ""
    other = _or_missing(missing, read_sources, Run(run.home, wanted), False) if wanted else None
    metrics = run.path / "metrics.parquet"
    return Sources(
        run=run,
        config=config,
        status=run.status(),
        summary=summary,
        trials=trials[trials["seed"] < config.first_seed + summary.seeds],
        metrics=read_parquet(metrics) if metrics.is_file() else None,
        test_images=_table_of_images(run.path / "test_images.csv"),
        valid_images=_table_of_images(run.path / "valid_images.csv"),
        dataset=_or_missing(missing, Dataset.open, run.home, config.dataset),
        pools=pools,
        generators=[generator for generator in generators if generator is not None],
        beside=other,
        publication=PUBLICATIONS.get(config.repeats),
        missing=list(dict.fromkeys(missing)),
        standing=standing_of(run, config, first.classifier.weights_sha256),
        first=first if again is not None else None,
    )


def _table_of_images(path: Path) -> pd.DataFrame | None:
    return read_table(path, dtype=str, keep_default_na=False) if path.is_file() else None


def _or_missing(missing: list[str], read: Callable[..., T], *arguments: Any) -> T | None:
    """What `read` gives, or None with its sentence in `missing`."""
    try:
        return read(*arguments)
    except ErsatzError as error:
        missing.append(str(error))
        return None


def _pool(home: Home, fold: Fold, config: SweepConfig, missing: list[str]) -> PoolSource:
    run = Run(home, fold.pool)
    pool = _or_missing(missing, _open_pool, run)
    return PoolSource(
        name=fold.dataset,
        dataset=_or_missing(missing, Dataset.open, home, fold.dataset),
        pool=pool,
        config=run.config() if pool else {},
        status=run.status() if pool else None,
        quality=_or_missing(missing, _quality, home, fold.pool, "" if config.folds else config.quality),
        review=_or_missing(missing, read_review, home, fold.pool),
    )


def _makers(source: PoolSource) -> list[str]:
    """The runs of the generators behind a pool; of a mixture or a control, those of the pools that it is made of."""
    sampled = [reference["run"] for reference in source.config.get("generators", ())]
    return sampled or ([each.run for each in source.pool.info.generators] if source.pool is not None else [])


def _open_pool(run: Run) -> Pool:
    run.config()  # a deleted run is named as such
    return Pool.open(run)


def _quality(home: Home, pool: str, chosen: str) -> QualitySource | None:
    """The check of a pool: the chosen one, or its newest that has finished."""
    run = Run(home, chosen) if chosen else _newest(home, "quality", "pool").get(pool)
    if run is None:
        return None
    config = run.config()
    if not (run.path / SCORES_FILE).is_file():
        raise ErsatzError(f"The quality run {run.id} has no scores ({run.state().value}); a finished one is expected.")
    return QualitySource(
        run=run,
        config=config,
        status=run.status(),
        found=QualityScores.read(run.path / SCORES_FILE),
        neighbours=read_parquet(run.path / "neighbours.parquet"),
        embedding=read_parquet(run.path / "embedding.parquet"),
    )


def _newest(home: Home, kind: str, of: str) -> dict[str, Run]:
    """The newest finished run of a kind for each value of a field of its config."""
    known = each(list_runs(home, kind), lambda run: (run.status(), run.config()))
    finished = [(run, *found) for run, found in known if found[0].state is State.FINISHED]
    return {config[of]: run for run, _, config in sorted(finished, key=lambda one: one[1].created)}


def _generator(home: Home, run_id: str, rankings: dict[str, Run]) -> GeneratorSource:
    run = Run(home, run_id)
    return GeneratorSource(
        run=run,
        config=run.config(),
        status=run.status(),
        info=read_info(run.path),
        rows=run.read_metrics()[0],
        ranking=_ranking(rankings.get(run_id)),
    )


def _ranking(run: Run | None) -> RankingSource | None:
    if run is None or not (run.path / RANKING_FILE).is_file():
        return None
    found = Ranking.read(run.path / RANKING_FILE)
    finished = run.status().result_as(RankingResult) is not None
    margin = run.config().get("margin")
    # Said anew: what rankings of earlier versions said was not tested.
    return RankingSource(run, found, margin, sentence_of(found, margin) if finished else "")
