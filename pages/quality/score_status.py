"""Scores as plain answers: does it look real, is it varied, does it copy; coloured by what real images score."""

from __future__ import annotations

import math
from collections.abc import Iterator

import streamlit as st

from engine.quality.quality_scores import AnyScore, MemorisationMeasure, QualityScores
from engine.report.quality_tables import score_of

GOOD, WORSE, FAR = "good", "worse", "far"
LOOKS = {
    GOOD: ("green", ":material/check_circle:"),
    WORSE: ("orange", ":material/change_history:"),
    FAR: ("red", ":material/error:"),
}
"""Told apart by shape as well as by colour."""
WORST = {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0, "two_sample": 1.0, "diversity": 0.0}
"""The worst value that a score can take, of those that have one."""
QUESTIONS = {
    "Do the images look real?": ("precision", "density", "kid", "fid", "two_sample"),
    "Are they as varied as real ones?": ("recall", "coverage", "diversity"),
    "Are they copies?": ("copy_share", "unseen_copy_share", "authpct", "copy_ratio"),
    "Do they give away who was trained on?": ("attack_auc", "attack_tpr", "dcr_share", "c_t"),
}
ANSWERS = {
    GOOD: "As real images",
    WORSE: "Worse than real images",
    FAR: "Far from real images",
}
COPY_ANSWERS = {GOOD: "No sign of it", WORSE: "Look at the pairs", FAR: "Look at the pairs"}
PRIVACY_ANSWERS = {GOOD: "Not found by these tests", WORSE: "More than chance", FAR: "More than chance"}
"""Of tests that may miss much: what is not found may be there."""
CARD = 360
"""Pixels of a card."""
LEGEND = (
    ":green[:material/check_circle:] as real images score against each other, or better (the 95 % intervals meet) · "
    ":orange[:material/change_history:] worse than that · :red[:material/error:] more than half of the way to the "
    "worst possible value. FID and KID have no worst value and are never red. No colour says whether the images help a "
    "classifier: only a sweep tells."
)


def score_status(row: AnyScore) -> str:
    """What a score or a measure of memorisation is beside its floor: good, worse or far; empty when it has none."""
    value, floor = row.value, row.floor
    if not (math.isfinite(value) and math.isfinite(floor)):
        return ""
    low, high = _ends(value, row.low, row.high)
    floor_low, floor_high = _ends(floor, row.floor_low, row.floor_high)
    better = score_of(row.name).better
    too_high, too_low = low > floor_high, high < floor_low
    if not {"lower": too_high, "higher": too_low, "near": too_high or too_low}[better]:
        return GOOD
    worst = WORST.get(row.name)
    return FAR if worst is not None and abs(value - floor) > abs(value - worst) else WORSE


def cards(found: QualityScores, class_name: str) -> None:
    """The questions with their answers, and below each the scores that it is answered by."""
    rows: dict[str, AnyScore] = {row.name: row for row in found.memorisation if row.class_name == ""}
    rows |= found.of_class(class_name)
    with st.container(horizontal=True):
        for question, names in QUESTIONS.items():
            own = {name: rows[name] for name in names if name in rows}
            if own:
                _card(question, own, _answers(names))
    st.caption(LEGEND)


def _answers(names: tuple[str, ...]) -> dict[str, str]:
    if "attack_auc" in names:
        return PRIVACY_ANSWERS
    return COPY_ANSWERS if "copy_share" in names else ANSWERS


def _card(question: str, rows: dict[str, AnyScore], answers: dict[str, str]) -> None:
    found = [score_status(row) for row in rows.values()]
    worst = next((level for level in (FAR, WORSE, GOOD) if level in found), "")
    with st.container(border=True, width=CARD, gap="small"):
        st.markdown(f"**{question}**")
        if worst:
            colour, icon = LOOKS[worst]
            st.badge(answers[worst], icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown("  \n".join(_lines(rows)))


def _lines(rows: dict[str, AnyScore]) -> Iterator[str]:
    for name, row in rows.items():
        score, level = score_of(name), score_status(row)
        mark = f":{LOOKS[level][0]}[{LOOKS[level][1]}]" if level else ":gray[:material/remove:]"
        against = "expected" if isinstance(row, MemorisationMeasure) else "real"
        beside = f" · {against} {score.show(row.floor)}" if math.isfinite(row.floor) else ""
        yield f"{mark} {score.title} **{score.show(row.value)}**{beside}"


def _ends(value: float, low: float, high: float) -> tuple[float, float]:
    return (low if math.isfinite(low) else value), (high if math.isfinite(high) else value)
