"""What was published, the published protocol repeated here, and the sound one: side by side, with what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from engine.configs import SweepConfig
from engine.configs.evaluation import Fold
from engine.publications.publication import Publication, PublishedRow
from engine.report.outcomes import scored_sources
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.sweep_words import is_probe, trained_for
from engine.report.tables import METRICS, measure_of, readable_cells, show_share
from engine.sweep.headline import headline

SHOWN = ("accuracy", "sensitivity", "specificity")
UNTOLD = {"kind", "name", "dataset_fingerprint", "pool_sha256", "device", "gpus", "quality", "beside", "weights"}
"""Settings that name files or machines, and say nothing of a protocol."""
TOLD = {"lr": "Learning rate", "ratios": "Shares", "ratio_of": "Shares of", "repeats": "Repeats the publication of"}
"""Better words than the names of some settings."""


def published_table(publication: Publication) -> pd.DataFrame:
    """The rows of the publication as numbers, one a row of theirs."""
    return pd.DataFrame([asdict(row) for row in publication.rows])


def readable_published(publication: Publication) -> pd.DataFrame:
    """The rows of the publication in words and units, beside the arm of ours that comes nearest."""
    rows, positive = publication.rows, publication.preset.importing.get("positive", "")
    table = {"Their training images": [row.name for row in rows], "Nearest arm here": [_nearest(row) for row in rows]}
    for metric in SHOWN:
        values = [getattr(row, metric) for row in rows]
        if any(value is not None for value in values):
            table[measure_of(metric, positive).title] = [METRICS[metric].show(value) for value in values]
    table["Test images"] = ["–" if row.n_test is None else str(row.n_test) for row in rows]
    if any(row.note for row in rows):
        table["Note"] = [row.note for row in rows]
    return pd.DataFrame(table)


def _nearest(row: PublishedRow) -> str:
    return ARMS[row.arm].title + (f", {show_share(row.ratio)}" if row.ratio else "")


def side(sources: Sources, title: str) -> dict[str, Any]:
    """One of the two sweeps: what it is called, its verdict, its table and what it departs from."""
    summary, config = sources.summary, sources.config
    metric = summary.metric
    outcomes = scored_sources(sources)
    intervals = None if outcomes is None else outcomes.intervals()
    cells = readable_cells(sources.trials, metric, intervals, summary.positive_class)
    keep = ["Arm", "Share", "Seeds", measure_of(metric, summary.positive_class).title, "95 % interval"]
    return {
        "title": title,
        "run": sources.run.id,
        "told": headline(summary, config),
        "claims": config.claims,
        "departures": summary.departures,
        "cells": cells[keep],
        "facts": facts(config),
    }


def facts(config: SweepConfig) -> dict[str, str]:
    """The settings by which two protocols differ most, in a few words each."""
    trained = "from scratch" if config.classifier == "small-cnn" else config.training
    return {
        "Classifier": f"{config.classifier}, {trained}",
        "Head": "its own" if config.classifier == "small-cnn" else config.head,
        "Training": trained_for(config)
        + ("" if is_probe(config) else f", batch {config.batch}, {config.optimizer} at {config.completed().lr:g}"),
        "Seeds": str(config.seeds),
        "Shares": ", ".join(show_share(ratio) for ratio in config.ratios),
        "Judged by": f"{measure_of(config.metric, config.positive_class).title}, by {config.level}",
        "Flaws repeated": ", ".join(config.flaws) or "none",
    }


def every_difference(configs: Sequence[SweepConfig], names: Sequence[str]) -> pd.DataFrame:
    """All settings in which some sweeps differ: a row a setting, a column a sweep (its name in `names`)."""
    rows = {}
    for field in SweepConfig.model_fields:
        if field in UNTOLD:
            continue
        values = [_plain(getattr(config.completed(), field)) for config in configs]
        if len(set(values)) > 1:
            rows[TOLD.get(field, field.replace("_", " ").capitalize())] = values
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(names))
    return table.rename_axis("Setting").reset_index()


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(part.pool if isinstance(part, Fold) else _plain(part) for part in value) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"


def changed(one: dict[str, str], other: dict[str, str]) -> pd.DataFrame:
    """The settings in which two sweeps differ: one row a setting."""
    rows = [(name, one[name], other[name]) for name in one if one[name] != other[name]]
    return pd.DataFrame(rows, columns=["Setting", "As published", "Sound"])
