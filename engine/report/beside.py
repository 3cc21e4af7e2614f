"""What was published, the published protocol repeated here, and the sound one: side by side, with what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from engine.published import Publication, PublishedRow
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.tables import METRICS, readable_cells, show_share

SHOWN = ("accuracy", "sensitivity", "specificity")


def published_table(publication: Publication) -> pd.DataFrame:
    """The rows of the publication as numbers, one a row of theirs."""
    return pd.DataFrame([asdict(row) for row in publication.rows])


def readable_published(publication: Publication) -> pd.DataFrame:
    """The rows of the publication in words and units, beside the arm of ours that comes nearest."""
    rows = publication.rows
    table = {"Their training images": [row.name for row in rows], "Nearest arm here": [_nearest(row) for row in rows]}
    for metric in SHOWN:
        values = [getattr(row, metric) for row in rows]
        if any(value is not None for value in values):
            table[METRICS[metric].title] = [METRICS[metric].show(value) for value in values]
    table["Test images"] = ["–" if row.n_test is None else str(row.n_test) for row in rows]
    if any(row.note for row in rows):
        table["Note"] = [row.note for row in rows]
    return pd.DataFrame(table)


def _nearest(row: PublishedRow) -> str:
    return ARMS[row.arm].title + (f", {show_share(row.ratio)}" if row.ratio else "")


def side(sources: Sources, title: str) -> dict[str, Any]:
    """One of the two sweeps: what it is called, its verdict, its table and what it departs from."""
    summary, config = sources.summary, sources.config
    metric = summary.get("metric", "accuracy")
    cells = readable_cells(sources.trials, metric)
    keep = ["Arm", "Share", "Seeds", METRICS[metric].title, "95 % interval"]
    return {
        "title": title,
        "run": sources.run.id,
        "verdict": summary["verdict"],
        "claims": config.claims,
        "departures": summary.get("departures", []),
        "cells": cells[keep],
        "facts": facts(sources),
    }


def facts(sources: Sources) -> dict[str, str]:
    """The settings by which two protocols differ most, in a few words each."""
    config = sources.config
    trained = "from scratch" if config.classifier == "small-cnn" else config.training
    length = f"{config.epochs} epochs" if config.epochs else f"{config.steps} steps in every arm"
    return {
        "Classifier": f"{config.classifier}, {trained}",
        "Head": "its own" if config.classifier == "small-cnn" else config.head,
        "Training": f"{length}, batch {config.batch}, {config.optimizer} at {config.completed().lr:g}",
        "Seeds": str(config.seeds),
        "Shares": ", ".join(show_share(ratio) for ratio in config.ratios),
        "Judged by": f"{METRICS[config.metric].title}, by {config.level}",
        "Flaws repeated": ", ".join(config.flaws) or "none",
    }


def changed(one: dict[str, str], other: dict[str, str]) -> pd.DataFrame:
    """The settings in which two sweeps differ: one row a setting."""
    rows = [(name, one[name], other[name]) for name in one if one[name] != other[name]]
    return pd.DataFrame(rows, columns=["Setting", "As published", "Sound"])
