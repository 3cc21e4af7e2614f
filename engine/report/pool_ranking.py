"""Sweeps that differ in the pool alone, read for a ranking of their pools, and the ranking as a table.

Beside the gains stand the quality scores of the newest check of each pool, since a good score is no promise of a gain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.configs import SweepConfig
from engine.quality.quality_scores import QualityScores
from engine.report.pool_verdict import newest_scores
from engine.report.quality_tables import score_of
from engine.report.sweep_comparison import read_swept, same_test
from engine.report.tables import METRICS, Measure, show_p, show_share
from engine.store.errors import ErsatzError
from engine.store.runs import Run, list_runs
from engine.sweep.pool_ranking import Gain, PoolResult, Ranking, Task, rank_pools
from engine.sweep.splits import named_splits
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

MAY_DIFFER = {"kind", "name", "pool", "pool_sha256", "folds", "quality", "beside", "device", "gpus"}
"""Settings in which the sweeps of a ranking may differ: what they are called, the pool, and where they ran."""
SHOWN = ("kid", "coverage", "copy_share")


@dataclass(frozen=True)
class PoolRanking:
    """A ranking, with the sweep and the check of each pool in its order."""

    ranking: Ranking
    runs: tuple[Run, ...]
    checks: tuple[QualityScores | None, ...]


def rank_sweeps(runs: Sequence[Run]) -> PoolRanking:
    """The pools of two or more finished sweeps ranked; an `ErsatzError` when these are not alike but for the pool."""
    if len({run.id for run in runs}) < len(runs) or len(runs) < 2:
        raise ErsatzError("A ranking of pools takes two or more different sweeps, each named once. Name another.")
    configs, summaries = [_config(run) for run in runs], [_summary(run) for run in runs]
    for run, config in zip(runs[1:], configs[1:], strict=True):
        if other := _unlike(configs[0], config):
            raise ErsatzError(
                f"The sweeps {runs[0].id} and {run.id} differ in {other}; sweeps that differ in the pool alone are "
                "expected, else the difference may be of that. Make a sweep with the same settings."
            )
    if len({_pools(config) for config in configs}) < len(configs):
        raise ErsatzError("Two of the sweeps are on the same pool; one sweep of each pool is expected. Leave one out.")
    swept = [read_swept(run) for run in runs]
    for run, one in zip(runs[1:], swept[1:], strict=True):
        if not same_test(swept[0], one):
            raise ErsatzError(
                f"The sweeps {runs[0].id} and {run.id} were tested on other images; the same are expected to rank "
                "their pools. Make the sweeps on one data set."
            )
    first, config = summaries[0], configs[0]
    if first.primary_arm is None:
        raise ErsatzError(f"The sweep {runs[0].id} has no arm with synthetic images, so that there is no pool to rank.")
    task = Task(
        arm=first.primary_arm,
        metric=first.metric,
        level=first.level,
        classes=first.classes,
        positive=first.classes.index(first.positive) if first.positive in first.classes else 0,
        primary_ratio=config.primary_ratio,
        claims=all(each.claims for each in configs)
        and all(check.ok for summary in summaries for check in summary.checks),
    )
    names = _names(runs, configs)
    results = [
        PoolResult(
            name=name,
            trials=one.trials,
            test_images=one.test_images,
            metrics=one.metrics,
            control=summary.control,
            unknown_training=summary.unknown_training,
        )
        for name, one, summary in zip(names, swept, summaries, strict=True)
    ]
    ranking = rank_pools(results, task)
    places = [next(n for n, one in enumerate(results) if one is ranked.pool) for ranked in ranking.pools]
    ordered = tuple(runs[place] for place in places)
    checks = tuple(newest_scores(runs[0].home, configs[place].pool) for place in places)
    return PoolRanking(ranking, ordered, checks)


def alike(run: Run) -> list[Run]:
    """The sweep and all finished ones that differ from it in the pool alone: of each pool the newest, and this one."""
    own = _config(run)
    found, taken = [run], {_pools(own)}
    for other in list_runs(run.home, "sweep"):  # newest first
        if other.id == run.id or not (other.path / SUMMARY_FILE).is_file():
            continue
        try:
            config = _config(other)
        except ErsatzError:  # of another version
            continue
        if _pools(config) not in taken and not _unlike(own, config):
            taken.add(_pools(config))
            found.append(other)
    return found


def readable_ranking(found: PoolRanking) -> pd.DataFrame:
    """The ranking in words and units, a row a pool."""
    ranking, rows = found.ranking, []
    measure = METRICS[ranking.metric]
    for place, (ranked, check) in enumerate(zip(ranking.pools, found.checks, strict=True), 1):
        row = {"Rank": str(place), "Pool": ranked.pool.called}
        for title, gains in (("real images", ranked.over_real), ("duplicates", ranked.over_duplicates)):
            for ratio, gain in gains.items():
                if (math.isnan(ratio) and math.isnan(ranking.ratio)) or ratio == ranking.ratio:
                    row |= _gain(gain, title, measure)
        row["Corrected"] = f"control: {ranked.outcome}" if ranked.pool.control else ranked.outcome
        scores = check.of_class("") if check is not None else {}
        for name in SHOWN:
            row[score_of(name).title] = score_of(name).show(scores[name].value) if name in scores else "–"
        row["Features"] = check.extractor.name if check is not None else "not checked"
        rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def where_ranked(ranking: Ranking) -> str:
    """Where the numbers of the table stand."""
    if math.isnan(ranking.ratio):
        shares = ", ".join(show_share(ratio) for ratio in ranking.ratios)
        return f"the mean over the shares {shares}"
    return f"a share of {show_share(ranking.ratio)}"


def _gain(gain: Gain, title: str, measure: Measure) -> dict[str, str]:
    show, interval = measure.show_difference, measure.show_interval
    told = f"{show(gain.difference)} ({interval(gain.low, gain.high, signed=True)})"
    return {f"Gain over {title} (95 %)": told, f"p, {title}": show_p(gain.p)}


def _config(run: Run) -> SweepConfig:
    values = run.config()
    if values["kind"] != "sweep":
        raise ErsatzError(f"{run.id} is a {values['kind']} run; a finished sweep is expected.")
    return SweepConfig.build(values).completed()


def _summary(run: Run) -> SweepSummary:
    if not (run.path / SUMMARY_FILE).is_file():
        raise ErsatzError(f"The sweep {run.id} is {run.state()} and has no verdict yet; a finished one is expected.")
    return SweepSummary.read(run.path / SUMMARY_FILE)


def _unlike(one: SweepConfig, other: SweepConfig) -> str:
    """The first setting in which two sweeps differ and should not, in words; empty where they are alike."""
    for name in SweepConfig.model_fields:
        if name not in MAY_DIFFER and getattr(one, name) != getattr(other, name):
            return f"{name.replace('_', ' ')} ({getattr(one, name)} and {getattr(other, name)})"
    splits = [[(fold.dataset, fold.dataset_fingerprint) for fold in named_splits(config)] for config in (one, other)]
    return "" if splits[0] == splits[1] else "the splits of their data"


def _pools(config: SweepConfig) -> tuple[str, ...]:
    return tuple(fold.pool for fold in named_splits(config))


def _names(runs: Sequence[Run], configs: Sequence[SweepConfig]) -> list[str]:
    """The names of the pools, with the run where a name stands twice; the sweep's where the pool is gone."""
    names = []
    for run, config in zip(runs, configs, strict=True):
        pool = Run(run.home, _pools(config)[0])
        try:
            names.append(str(pool.config()["name"]))
        except ErsatzError:
            names.append(config.name)
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        f"{name} [{_pools(config)[0]}]" if name in twice else name for name, config in zip(names, configs, strict=True)
    ]
