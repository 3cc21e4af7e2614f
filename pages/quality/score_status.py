"""The answers of a check as coloured cards: do the images look real, vary, copy, or give anybody away?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import streamlit as st

from engine.quality.quality_scores import AnyScore, MemorisationMeasure, QualityScores
from engine.report.pool_verdict import FAR, GOOD, QUESTIONS, WORSE, PoolVerdict, level_of
from engine.report.quality_tables import score_of
from pages.components.format import plain_sentence
from pages.components.pool_standing import ICONS

LOOKS = {level: ICONS[level] for level in (GOOD, WORSE, FAR)}
"""Told apart by shape as well as by colour."""
CARD, ANSWER = 360, 266
"""Pixels of a card of scores, and of one that answers a question: four stand side by side from 1280 px."""


def answer_cards(verdict: PoolVerdict) -> None:
    """Each question with its answer in a colour and the reason."""
    with st.container(horizontal=True):
        for each in verdict.answers:
            with st.container(border=True, width=ANSWER, height="stretch", gap="small"):
                st.markdown(f"**{each.question}**")
                colour, icon = ICONS[each.level]
                st.badge(each.words, icon=icon, color=colour)
                if each.reason:
                    st.caption(plain_sentence(f"{each.reason[0].upper()}{each.reason[1:]}."))


def score_cards(found: QualityScores, class_name: str) -> None:
    """The questions, and below each the scores that it is answered by, of one class or of all together."""
    rows: dict[str, AnyScore] = {row.name: row for row in found.memorisation if row.class_name == ""}
    rows |= found.of_class(class_name)
    with st.container(horizontal=True):
        for question, names in QUESTIONS.items():
            own = {name: rows[name] for name in names if name in rows}
            if own:
                with st.container(border=True, width=CARD, gap="small"):
                    st.markdown(f"**{question}**")
                    st.markdown("  \n".join(_lines(own, rows)))


def _lines(own: dict[str, AnyScore], beside: dict[str, AnyScore]) -> Iterator[str]:
    for name, row in own.items():
        score, level = score_of(name), level_of(row, beside)
        mark = f":{ICONS[level][0]}[{ICONS[level][1]}]" if level else ":gray[:material/remove:]"
        against = "expected" if isinstance(row, MemorisationMeasure) else "real"
        floor = f" · {against} {score.show(row.floor)}" if math.isfinite(row.floor) else ""
        yield f"{mark} {score.title} **{score.show(row.value)}**{floor}"
