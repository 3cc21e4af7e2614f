"""Scores beside their floors, and what speaks for or against memorisation, as figures and as tables."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.quality.quality_scores import SCORES_FILE, QualityScores, rows_table
from engine.report.figures import figure_scores
from engine.report.quality_tables import readable_memorisation, readable_scores, score_notes
from engine.store.runs import Run
from pages.components.charts import chart, drawn
from pages.components.class_choice import choose_class
from pages.components.files import stamp
from pages.components.format import plain, plain_sentence
from pages.quality.score_status import score_cards

ALL = "All classes"
MEANING = "What it says"


def scores(run: Run, found: QualityScores) -> None:
    """The scores by the questions that they answer, then every one beside what real images give against real images."""
    compared(found)
    class_name = _class(run, found)
    score_cards(found, class_name)
    rows = rows_table(found.scores)
    figure = drawn("scores", stamp(run.path / SCORES_FILE), lambda: figure_scores(rows))
    chart(figure, f"scores-{run.id}", "scores", lambda: rows)
    st.caption(
        "Real against real: halves of the real images at the same counts. No generator can be expected to come nearer "
        "than that, and small sets give high floors."
    )
    with st.expander("All numbers, and what they say", icon=":material/table:"):
        _table(readable_scores(found, class_name), score_notes(found.scores, class_name))
        st.markdown("**Does it copy?**")
        if class_name not in {row.class_name for row in found.memorisation}:
            class_name = ""  # a pool of one class: its measures are those of the whole pool
        _table(readable_memorisation(found, class_name), score_notes(found.memorisation, class_name))
    with st.container(horizontal=True), st.popover("Files of this check", icon=":material/download:"):
        for name in (SCORES_FILE, "neighbours.parquet", "embedding.parquet"):
            path = run.path / name
            if path.is_file():
                st.download_button(
                    name, path.read_bytes, f"{run.id}-{name}", icon=":material/download:", on_click="ignore"
                )


def compared(found: QualityScores) -> None:
    """What was compared with what, and by which features."""
    counts = found.counts
    features = " · ".join(filter(None, (found.extractor.name, found.extractor.input)))
    st.caption(
        f"{counts.pool} synthetic images against {counts.train} real training images, with {counts.valid} "
        f"validation images as holdout. Features: {plain(features)}. No test image was read."
    )


def _table(table: pd.DataFrame, notes: list[str]) -> None:
    """The numbers as a table, and below it in whole sentences what each of them says, and what has to be known."""
    st.dataframe(table.drop(columns=MEANING), hide_index=True, height="content")
    meanings = zip(table.iloc[:, 0], table[MEANING], strict=True)
    st.markdown("\n".join(f"* **{plain(name)}**: {plain_sentence(meaning)}" for name, meaning in meanings if meaning))
    for note in notes:
        st.caption(plain_sentence(note))


def _class(run: Run, found: QualityScores) -> str:
    """The class whose numbers the tables show; "" for the whole pool."""
    classes = list(dict.fromkeys(row.class_name for row in found.scores))
    if len(classes) < 2:
        return classes[0] if classes else ""
    return choose_class("Of", classes, "of", words=lambda name: plain(name) or ALL, in_url=True)
