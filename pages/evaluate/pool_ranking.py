"""The pools of the sweeps that are compared, ranked: gains corrected for being several, beside the quality scores."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.report.pool_ranking import PoolRanking, rank_sweeps, readable_ranking, where_ranked
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.summary_model import SUMMARY_FILE
from pages.components.command import show_command
from pages.components.files import stamp
from pages.components.format import plain_sentence


def ranked_pools(runs: Sequence[Run]) -> None:
    """The ranking, or why these sweeps give none."""
    st.subheader("Which pool helps most")
    try:
        found = _ranked(tuple(stamp(run.path / SUMMARY_FILE) for run in runs), list(runs))
    except ErsatzError as error:
        st.caption(f"Pools are ranked by sweeps that differ in the pool alone. {plain_sentence(error)}")
        return
    for sentence in found.ranking.sentences:
        st.markdown(f"- {plain_sentence(sentence)}")
    table = readable_ranking(found)
    if not table.empty:
        st.dataframe(table, hide_index=True, height="content")
        st.caption(
            f"Gains at {where_ranked(found.ranking)}; 95 % intervals and p for other seeds and test images, corrected "
            f"for {len(table)} pools. The scores are those of each pool's newest check; scores of image quality do not "
            "tell which pool helps."
        )
    show_command(f"python -m engine sweep rank {' '.join(run.id for run in runs)}")


@st.cache_data(max_entries=16, show_spinner=False)
def _ranked(written: tuple[object, ...], _runs: list[Run]) -> PoolRanking:
    return rank_sweeps(_runs)
