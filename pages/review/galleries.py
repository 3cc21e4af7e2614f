"""Pictures that were taken for what they are not."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.review.agreement import mistaken
from engine.review.quiz import REAL, SYNTHETIC, Quiz
from pages.components.home import home
from pages.components.picture_dialog import pressable_wall, stored_pane

MOST = 12
"""Pictures shown at first."""
TITLES = {SYNTHETIC: "Synthetic, taken for real", REAL: "Real, taken for synthetic"}


def mistakes(quiz: Quiz, table: pd.DataFrame, title: str) -> None:
    """The synthetic images that fooled most, and the real ones that were doubted most."""
    st.subheader(title)
    folders = {SYNTHETIC: home().run(quiz.pool), REAL: home().dataset(quiz.dataset)}
    for source, words in TITLES.items():
        rows = mistaken(table, source)
        st.markdown(f"**{words}** ({len(rows)} of {sum(item.source == source for item in quiz.items)})")
        if rows.empty:
            st.caption("None.")
            continue
        shown = rows if len(rows) <= MOST or st.toggle(f"Show all {len(rows)}", key=f"all-{source}") else rows[:MOST]
        several = table["reviewer"].nunique() > 1
        captions = [
            f"{row['class']} · {row['mistaken']} of {row['reviewers']}" if several else row["class"]
            for row in shown.to_dict("records")
        ]
        files = [folders[source] / path for path in shown["path"]]
        pressable_wall([stored_pane(*each) for each in zip(files, captions, strict=True)], f"mistakes-{source}")
