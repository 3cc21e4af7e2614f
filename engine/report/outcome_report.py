"""The outcomes of a sweep beside its metric, for the command line: as values for JSON, and in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from engine.report.outcome_tables import (
    CALIBRATION,
    EXPLORATORY,
    differences_table,
    interaction_sentences,
    interactions_table,
    operating_words,
    readable_calibration,
    readable_operating_points,
    readable_subgroup_differences,
)
from engine.report.outcomes import Scored, scored_sources
from engine.report.sources import Sources
from engine.report.tables import readable_cells
from engine.store.errors import ErsatzError


def outcome_values(sources: Sources) -> dict[str, Any]:
    """`arms, calibration, operating_points, subgroup_differences, interactions`: lists of rows, null for unknown."""
    outcomes = _required(sources)
    points, summary = outcomes.operating_points, sources.summary
    return {
        "arms": _rows(outcomes.intervals(sources.config.level)),
        "calibration": _rows(outcomes.calibration),
        "operating_points": [] if points is None else _rows(points),
        "no_operating_point": outcomes.no_operating_point,
        "subgroup_differences": _rows(differences_table(summary.subgroup_differences)),
        "interactions": _rows(interactions_table(summary.interactions)),
    }


def outcome_text(sources: Sources) -> str:
    """The same in words, table by table."""
    outcomes, summary = _required(sources), sources.summary
    points = outcomes.operating_points
    columns = ["Arm", "Share", "Seeds"]
    cells = readable_cells(sources.trials, summary.metric, outcomes.intervals(), summary.positive_class)
    parts = [
        "Arms, by image (95 % for other seeds and test patients)",
        cells[[*columns, cells.columns[3], "95 % interval"]].to_string(index=False),
        CALIBRATION,
        readable_calibration(outcomes.calibration).to_string(index=False),
    ]
    if points is None or points.empty:
        parts.append(outcomes.no_operating_point)
    else:
        words = operating_words(points, outcomes.classes[outcomes.positive])
        parts += [words, readable_operating_points(points).to_string(index=False)]
    if summary.subgroup_differences:
        table = readable_subgroup_differences(differences_table(summary.subgroup_differences), summary.positive_class)
        parts += [EXPLORATORY, *interaction_sentences(summary.interactions), table.to_string(index=False)]
    return "\n\n".join(filter(None, parts))


def _required(sources: Sources) -> Scored:
    outcomes = scored_sources(sources)
    if outcomes is None:
        raise ErsatzError(
            f"The sweep {sources.run.id} has no scores of single test images; trials.parquet with scores and "
            "test_images.csv are expected. Sweep again to have them."
        )
    return outcomes


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain values; what is not finite is None."""
    return [
        {
            str(name): None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]
