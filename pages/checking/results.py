"""What a check found: in sentences first, then its scores beside their floors, its copies and its feature map."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.checking.copies import copies
from pages.checking.feature_map import feature_map
from pages.checking.planning import pool_of
from pages.checking.scores import scores
from pages.parts.files import json_of, table_of
from pages.parts.phantom import phantom_badge

SCREENS = (
    "These are screens, not privacy guarantees: no copy found does not mean that none is there. And no score here "
    "predicts whether the images help a classifier; only a sweep tells."
)
FIRST = 3
"""Sentences shown at once below the worst one."""
SCORES, PAIRS, MAP = "Scores", "Nearest neighbours", "Feature map"


def results(run: Run) -> None:
    """Everything that a check found, as far as it has come."""
    path = run.path / "scores.json"
    if not path.is_file():
        if run.state().is_active:
            st.info("The scores appear here as soon as they are computed.", icon=":material/hourglass_top:")
        return
    found = json_of(path)
    neighbours = _table(run, "neighbours.parquet")
    pool = open_pool(run)
    phantom_badge(found["dataset"])
    in_words(found, pool)
    with_scores, with_pairs, with_map = st.tabs([SCORES, PAIRS, MAP], key="part", bind="query-params")
    if with_scores.open:
        with with_scores:
            compared(found)
            scores(run, found)
            st.caption(" ".join(found["limits"] or [SCREENS]))
    if with_pairs.open:
        with with_pairs:
            copies(run, neighbours, pool)
    if with_map.open:
        with with_map:
            feature_map(run, _table(run, "embedding.parquet"), neighbours)


def in_words(found: dict[str, Any], pool: Pool | None) -> None:
    """The worst sentence, how many images were flagged, and what else there is to say."""
    first, *others = found["sentences"] or ["This check has nothing to say."]
    copied = found["flags"].get("copy", 0) + found["flags"].get("near-copy", 0)
    box, icon = (st.warning, ":material/content_copy:") if copied else (st.info, ":material/fact_check:")
    box(f"**{first}**", icon=icon)
    flag_cards(found, pool)
    _bullets(others[:FIRST])
    if rest := others[FIRST:]:
        with st.expander(f"{len(rest)} more in words", icon=":material/notes:"):
            _bullets(rest)


def _bullets(sentences: list[str]) -> None:
    st.markdown("\n".join(f"* {sentence}" for sentence in sentences))


def flag_cards(found: dict[str, Any], pool: Pool | None) -> None:
    """How many images were flagged, and how many are in the pool now."""
    copied, near, repeats, left = st.columns(4)
    images = found["counts"]["pool"]
    for column, name, flag, help_text in (
        (copied, "Copies", "copy", "As near to a training image as hardly any held-out real image is, both by features "
         "and by pixels, even when moved or mirrored."),
        (near, "Near copies", "near-copy", "As near as that in one of the two ways only, or a little less so."),
        (repeats, "Repeats", "repeat", "Equal, or nearly equal, to another image of the pool."),
    ):  # fmt: skip
        column.metric(name, f"{found['flags'].get(flag, 0)} of {images}", border=True, help=help_text)
    if pool is None:
        left.metric("In the pool now", "–", border=True, help="The pool was deleted since.")
        return
    excluded = int((pool.manifest["excluded"] != "").sum())
    left.metric(
        "In the pool now",
        f"{len(pool.manifest) - excluded} of {len(pool.manifest)}",
        border=True,
        help="Images that sweeps may use; the others were excluded and stay on disk.",
    )


def compared(found: dict[str, Any]) -> None:
    """What was compared with what, and by which features."""
    extractor, counts = found["extractor"], found["counts"]
    features = " · ".join(str(part) for part in (extractor["name"], extractor["input"]) if part)
    st.caption(
        f"{counts['pool']} synthetic images against {counts['train']} real training images, with {counts['valid']} "
        f"validation images as holdout. Features: {features}. No test image was read."
    )


def open_pool(run: Run) -> Pool | None:
    """The pool of a check as it is now; None when it was deleted."""
    found = pool_of(run)
    if found is None:
        return None
    try:
        return Pool.open(found)
    except ErsatzError:
        return None


def _table(run: Run, name: str) -> pd.DataFrame | None:
    path = run.path / name
    return table_of(path) if path.is_file() else None
