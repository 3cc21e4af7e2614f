"""Repetitions that are added to a finished sweep: as a look that was planned, or as what claims nothing more.

Whoever adds repetitions to a sweep until it claims something finds what is not there. A look that was planned has its
share of alpha (`looks.py`). Any other addition keeps the verdict that was there, and its own numbers are exploratory.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from engine.configs import SweepConfig
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.home import Home
from engine.store.parquet import read_parquet
from engine.store.repair import whole
from engine.store.runs import Run, State
from engine.sweep.look_results import LookResult
from engine.sweep.looks import is_planned
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from engine.sweep.verdict import PHANTOM, Verdict
from engine.sweep.verdict_words import repetitions

FIRST_FILE = "first_summary.json"
"""The summary of the sweep that was extended, kept beside the new one."""
TRIALS_FILE = "trials.parquet"
MAY_DIFFER = frozenset({"name", "seeds", "stop_at_claim", "extends", "device", "gpus", "quality", "beside", "repeats"})
"""Settings on which the trials that are there do not depend."""
UNPLANNED = "Repetitions were added after a look that was not planned: exploratory, and nothing beyond that is claimed."


def extended(run: Run, seeds: int) -> SweepConfig:
    """The settings of a sweep with so many repetitions that takes over the trials of this finished one.

    Raises `ErsatzError` when it has not finished or has as many already.
    """
    config, summary = SweepConfig.build(run.config()), _finished(run)
    if seeds <= summary.seeds:
        raise ErsatzError(
            f"The sweep {run.id} has {repetitions(summary.seeds)}; a larger number than that is expected, and {seeds} "
            f"was given. Give more{_planned_next(config, summary.seeds)}."
        )
    return SweepConfig.build({**config.plain(), "seeds": seeds, "extends": run.id, "stop_at_claim": False})


def next_planned(config: SweepConfig, seeds: int) -> int | None:
    """The next planned look of a sweep that was read at so many repetitions."""
    return next((look for look in config.looks if look > seeds), None)


def require_same(home: Home, config: SweepConfig) -> None:
    """Refuse to add repetitions under other settings or on other images than those of the trials that are there."""
    if not config.extends:
        return
    run = Run(home, config.extends)
    _finished(run)
    before, now = SweepConfig.build(run.config()).plain(), config.plain()
    for name in sorted(before.keys() - MAY_DIFFER):
        if before[name] != now[name]:
            raise ErsatzError(
                f"{name} is {_short(now[name])}, and was {_short(before[name])} in the sweep {run.id}, to which "
                "repetitions are to be added; the same is expected. Start a new sweep instead."
            )


def take_over(run: Run, config: SweepConfig) -> SweepSummary | None:
    """Copy the trials and the summary of the sweep that is extended, once; its summary, None where none is extended."""
    if not config.extends:
        return None
    if whole(run, run.path / FIRST_FILE, SweepSummary.read) is None:
        first = Run(run.home, config.extends)
        _finished(first)
        trials = whole(run, run.path / TRIALS_FILE, read_parquet)
        for source, target in ((TRIALS_FILE, TRIALS_FILE), (SUMMARY_FILE, FIRST_FILE)):  # the summary last: then all
            if target == TRIALS_FILE and trials is not None:
                continue  # these are among them, and those added since
            with replacing(run.path / target) as temporary:
                shutil.copyfile(first.path / source, temporary)
    return first_of(run)


def first_of(run: Run) -> SweepSummary | None:
    """The summary of the sweep to which this one added repetitions; None where it added to none."""
    path = run.path / FIRST_FILE
    return SweepSummary.read(path) if path.is_file() else None


def with_first_verdict(summary: SweepSummary, first: SweepSummary | None, config: SweepConfig) -> SweepSummary:
    """The summary, with the first verdict in the place of its own where repetitions were added without a plan."""
    if first is None or is_planned(config):
        return summary
    planned = tuple(look for look in first.looks if look.planned)
    kept = planned[-1].verdict if planned and len(planned) < len(first.looks) else first.verdict
    before = planned or (_only(first, kept),)
    now = LookResult(
        number=0,
        of=before[-1].of,
        seeds=summary.seeds,
        fraction=float("nan"),
        spent=before[-1].spent,
        alpha=float("nan"),
        verdict=replace(
            summary.verdict,
            verdict="no evidence",
            claims=False,
            sentence=f"Exploratory: {_without_claim(summary.verdict)}",
        ),
        planned=False,
    )
    told = _exploratory(kept, summary.verdict, summary.seeds)
    verdicts = {**summary.verdicts, **({summary.primary_arm: told} if summary.primary_arm else {})}
    return summary.model_copy(update={"verdict": told, "verdicts": verdicts, "looks": (*before, now)})


def _exploratory(first: Verdict, now: Verdict, seeds: int) -> Verdict:
    return replace(first, sentence=f"{first.sentence} {UNPLANNED} With {repetitions(seeds)}: {_without_claim(now)}")


def _without_claim(now: Verdict) -> str:
    """The numbers of a verdict: a claim leaves its opening, "synthetic images help: ", behind."""
    sentence = now.sentence.removeprefix(PHANTOM)
    return sentence if now.verdict == "no evidence" else sentence.split(": ", 1)[-1]


def _only(first: SweepSummary, verdict: Verdict) -> LookResult:
    """The one look of a sweep that was read once."""
    return LookResult(
        number=1, of=1, seeds=first.seeds, fraction=1.0, spent=0.05, alpha=0.05, verdict=verdict, planned=True
    )


def _finished(run: Run) -> SweepSummary:
    kind, state = run.kind, run.state()
    if kind != "sweep" or state is not State.FINISHED or not (run.path / SUMMARY_FILE).is_file():
        raise ErsatzError(
            f"{run.id} is a {kind} run and {state}; a sweep that has finished is expected, to add repetitions to."
        )
    return SweepSummary.read(run.path / SUMMARY_FILE)


def _planned_next(config: SweepConfig, seeds: int) -> str:
    look = next_planned(config, seeds)
    return f", such as the next planned look, {look}" if look else ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
