"""What was published and the two protocols, as the report of a sweep shows them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from engine.report.numbered import html_table, inline
from engine.report.outcomes import scored_sources
from engine.report.protocol_comparison import changed, readable_published, side
from engine.report.protocol_overlay import Protocol, figure_protocols, overlay_points, overlay_words, protocol_of
from engine.report.publication_differences import changed_settings, differences
from engine.report.sources import Sources
from engine.sweep.checks import check_published


def beside_part(sources: Sources) -> dict[str, Any] | None:
    """What was published and the two protocols, where this sweep has something to stand beside."""
    publication, other = sources.publication, sources.beside
    if publication is None and other is None:
        return None
    own = side(sources, "Sound" if sources.config.claims else "As published")
    sides = [own]
    if other is not None:
        sides = [side(other, "Sound" if other.config.claims else "As published"), own]
    points = protocol_points(sources)
    assert points is not None
    settings = changed(sides[0]["facts"], sides[1]["facts"]) if len(sides) == 2 else None
    return {
        "figure": None
        if points.empty
        else inline(figure_protocols(points, sources.summary.metric, sources.summary.positive_class)),
        "figure_words": overlay_words(points),
        "publication": publication,
        "rows": html_table(readable_published(publication)) if publication is not None and publication.rows else "",
        "checks": check_published(publication.rows) if publication is not None else [],
        "sides": [{**each, "cells": html_table(each["cells"])} for each in sides],
        "settings": None if settings is None or settings.empty else html_table(settings),
        "differences": differences([other, sources] if other is not None else [sources]),
        "changed": [
            (title, None if table.empty else html_table(table))
            for title, table in (
                (each["title"], changed_settings(source))
                for each, source in zip(sides, [other, sources] if other is not None else [sources], strict=True)
            )
        ]
        if publication is not None
        else [],
    }


def protocol_points(sources: Sources) -> pd.DataFrame | None:
    """`overlay_points` of the metric that the sweep is judged by; None where it has nothing to stand beside."""
    if sources.publication is None and sources.beside is None:
        return None
    ordered = [each for each in (sources.beside, sources) if each is not None]
    return overlay_points(sources.publication, [_protocol(each) for each in ordered], sources.summary.metric)


def _protocol(sources: Sources) -> Protocol:
    outcomes = scored_sources(sources)
    return protocol_of(sources.config, sources.trials, None if outcomes is None else outcomes.intervals())
