"""What a check found: its answers in colour and pictures first, then its sentences, scores, copies and feature map."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.quality.quality_scores import COPIES_RULE, FORMER_COPIES_RULE, SCORES_FILE, Flag, QualityScores
from engine.report.pool_verdict import FAR, LEGEND
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.components.files import read_model, table_of
from pages.components.format import plain_sentence
from pages.components.home import home
from pages.components.navigation import script
from pages.components.phantom import phantom_badge
from pages.components.pool_standing import samples, show_verdict, verdict_of_check
from pages.components.pools import open_pool, training_folder
from pages.components.run_summary import config_of
from pages.components.tabs import tabs
from pages.components.views import go
from pages.quality.copies import copies
from pages.quality.distances import distances
from pages.quality.feature_map import feature_map
from pages.quality.score_status import answer_cards
from pages.quality.scores import scores
from pages.quality.views import COMPARE, NEW

SCREENS = (
    "These are screens, not privacy guarantees: no copy found does not mean that none is there. And no score here "
    "predicts whether the images help a classifier; only a sweep tells."
)
CARD = 240
"""Pixels of a number on its card."""
FIRST = 4
"""Sentences shown at once."""
FLAG_CARDS: tuple[tuple[str, Flag, str], ...] = (
    (
        "Copies",
        "copy",
        "So much nearer to one training image than to all others as hardly any held-out real image is, nor this pool "
        "to images that no generator saw, even when moved, turned, resized a little or mirrored.",
    ),
    ("Near copies", "near-copy", "As near as that by features or by pixels only. A few of any pool are."),
    ("Repeats", "repeat", "Equal, or nearly equal, to another image of the pool."),
)
"""Title, flag, and what it means."""
SCORES, PAIRS, DISTANCES, MAP = "Scores", "Nearest neighbours", "Distances", "Feature map"


def results(run: Run, ended: bool) -> None:
    """Everything that a check found, once the whole page knows that it has `ended`.

    Before that, a press on what this live part shows would be lost when the page is drawn again.
    """
    path = run.path / SCORES_FILE
    if not (ended and path.is_file()):
        if not ended:
            st.info(
                "The scores appear here as soon as they are computed. It goes on when this tab is closed.",
                icon=":material/hourglass_top:",
            )
        return
    found = read_model(path, QualityScores)
    neighbours = _table(run, "neighbours.parquet")
    pool = pool_of(run)
    phantom_badge(found.dataset)
    verdict = verdict_of_check(run, pool.info.control if pool is not None else "")
    show_verdict(verdict, reasons=False)
    answer_cards(verdict)
    if pool is not None:
        samples(pool)
    st.caption(LEGEND)
    what_next(run, pool, _copies_left(neighbours, pool), verdict.level == FAR)
    in_words(found, pool)
    folder = training_folder(run)
    parts = {
        SCORES: lambda: scores(run, found),
        PAIRS: lambda: copies(run, neighbours, pool, folder),
        DISTANCES: lambda: distances(run, neighbours, pool, folder),
        MAP: lambda: feature_map(run, _table(run, "embedding.parquet"), found.counts, neighbours, pool, folder),
    }
    tabs(parts, "part")
    st.caption(plain_sentence(" ".join(found.limits or [SCREENS])))


def _copies_left(neighbours: pd.DataFrame | None, pool: Pool | None) -> int:
    """How many images that the check calls copies are still in the pool."""
    if neighbours is None or pool is None:
        return 0
    return int(pool.rows()["path"].isin(neighbours.loc[neighbours["flag"] == "copy", "path"]).sum())


def _show_pairs() -> None:
    st.session_state["part"] = PAIRS


def what_next(run: Run, pool: Pool | None, copies_left: int, is_red: bool) -> None:
    """Where a check leads: to its copies as long as the pool holds some, to the sweep, to people's eyes, or to the same
    with a change. A pool that `is_red` leads to its pictures first, and to no sweep by the main button."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if copies_left:
            st.button(
                f"Look at the {copies_left} copies" if copies_left > 1 else "Look at the copy",
                type="primary",
                icon=":material/content_copy:",
                key=f"copies-{run.id}",
                on_click=_show_pairs,
                help="They are still in the pool. Below, one press takes all of them out.",
            )
        if pool is not None:
            if is_red and st.button(
                "Look at all its pictures",
                type="secondary" if copies_left else "primary",
                icon=":material/photo_library:",
                key=f"pictures-{run.id}",
            ):
                st.switch_page(script("generate"), query_params={"run": pool.run.id})
            if st.button(
                _to_sweep(pool, is_red),
                type="secondary" if copies_left or is_red else "primary",
                icon=":material/query_stats:",
                key=f"evaluate-{run.id}",
            ):
                st.switch_page(script("evaluate"), query_params={"pool": pool.run.id})
            if st.button("Let experts judge the images", icon=":material/rate_review:", key=f"review-{run.id}"):
                st.switch_page(script("review"), query_params={"run": pool.run.id})
        if st.button("Compare with another check", icon=":material/compare_arrows:", key=f"compare-{run.id}"):
            go(COMPARE, run=run.id)
        if st.button("Check again with changes", icon=":material/edit:", key=f"again-{run.id}"):
            go(NEW, again=run.id)


def _to_sweep(pool: Pool, is_red: bool) -> str:
    """What the button to the sweep says: a control is there to be evaluated, whatever its colour."""
    if pool.info.control:
        return "Evaluate with this control"
    return "Evaluate with it all the same" if is_red else "Evaluate with this pool"


def in_words(found: QualityScores, pool: Pool | None) -> None:
    """How many images were flagged, and what else there is to say, the worst first."""
    flag_cards(found, pool)
    if found.copies_rule != COPIES_RULE:
        st.caption(FORMER_COPIES_RULE)
    told = found.sentences or ("This check has nothing to say.",)
    _bullets(told[:FIRST])
    if rest := told[FIRST:]:
        with st.expander(f"{len(rest)} more in words", icon=":material/notes:"):
            _bullets(rest)


def _bullets(sentences: Sequence[str]) -> None:
    st.markdown("\n".join(f"* {plain_sentence(sentence)}" for sentence in sentences))


def flag_cards(found: QualityScores, pool: Pool | None) -> None:
    """How many images were flagged, and how many are in the pool now."""
    images = found.counts.pool
    cards = st.container(horizontal=True)
    for name, flag, help_text in FLAG_CARDS:
        cards.metric(name, f"{found.flagged(flag)} of {images}", border=True, help=help_text, width=CARD)
    if pool is None:
        cards.metric("In the pool now", "–", border=True, help="The pool was deleted since.", width=CARD)
        return
    cards.metric(
        "In the pool now",
        f"{len(pool.rows())} of {len(pool.manifest)}",
        border=True,
        width=CARD,
        help="Images that sweeps may use; the others were excluded and stay on disk.",
    )


def pool_of(run: Run) -> Pool | None:
    """The pool of a check as it is now; None when it was deleted."""
    try:
        return open_pool(Run(home(), config_of(run)["pool"]))
    except ErsatzError:
        return None


def _table(run: Run, name: str) -> pd.DataFrame | None:
    path = run.path / name
    return table_of(path) if path.is_file() else None
