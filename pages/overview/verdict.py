"""The latest verdict on top of the page: a word, one line with what decides, and the differences beside it."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from engine.report.difference_sketch import Row, figure_differences
from engine.report.tables import show_share
from engine.sweep.results import SweepResult
from pages.components.charts import description
from pages.components.format import plain, plain_sentence
from pages.components.phantom import phantom_badge
from pages.components.run_summary import RunSummary
from pages.components.runs import run_link
from pages.components.sweep_difference import Deciding, Difference, deciding

WORDS: dict[str, tuple[str, Any, str]] = {
    "helps": ("Synthetic images help", "green", ":material/trending_up:"),
    "harms": ("Synthetic images harm", "red", ":material/trending_down:"),
    "no relevant difference": ("They make no relevant difference", "blue", ":material/equal:"),
    "no evidence": ("No evidence that they help or harm", "gray", ":material/trending_flat:"),
}
QUICK_LOOK = ("Quick look, no verdict", "gray", ":material/speed:")
CONTROL = ("A control, no verdict on synthetic images", "gray", ":material/science:")


def show_verdict(sweep: RunSummary, dataset: str) -> None:
    """The verdict of a finished sweep; nothing when it left none."""
    result = sweep.status.result_as(SweepResult)
    if result is None:
        return
    found = deciding(sweep)
    with st.container(border=True):
        left, right = st.columns([5, 6], gap="medium", vertical_alignment="center") if found else (st.container(), None)
        with left:
            _words(sweep, result, found, dataset)
        if found is not None and right is not None:
            with right:
                figure = figure_differences(rows_of(found), _control(found), found.measure.difference_unit)
                figure_alt = f"Differences that the verdict rests on. {description(figure)}. {found.line()}"
                st.plotly_chart(figure, key="overview-verdict", config={"displayModeBar": False}, alt=figure_alt)


def headline(result: SweepResult, found: Deciding | None) -> tuple[str, Any, str]:
    """What a sweep shows in a few words, with a colour and an icon; too few repetitions show nothing."""
    if result.control:
        return CONTROL
    if found is not None and found.quick_look:
        return QUICK_LOOK
    return WORDS.get(result.verdict, (result.verdict.capitalize(), "gray", ":material/gavel:"))


def rows_of(found: Deciding) -> list[Row]:
    """The rows of the figure: a share each, then all of them together."""
    rows = [_row(show_share(share), difference, found) for share, difference in found.shares.items()]
    return rows if len(rows) == 1 else [*rows, _row("All shares", found.whole, found)]


def _row(name: str, difference: Difference, found: Deciding) -> Row:
    scale = found.measure.scale
    low, high = (end if math.isfinite(end) else difference.value for end in (difference.low, difference.high))
    return Row(name, difference.value * scale, low * scale, high * scale)


def _control(found: Deciding) -> str:
    return "repeated real images" if "duplicates" in found.against else "the real images alone"


def _words(sweep: RunSummary, result: SweepResult, found: Deciding | None, dataset: str) -> None:
    words, colour, icon = headline(result, found)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Latest verdict", width="content")
        phantom_badge(dataset)
    st.subheader(f":{colour}[{icon} {words}]", anchor=False)
    if found is not None:
        unit = "Improvement" if found.measure.loss else "Change"
        st.markdown(plain_sentence(f"{unit} of {found.measure.title.lower()}: {found.line()}."))
    elif result.control:
        st.markdown(plain_sentence(f"{result.control} stood in place of synthetic images."))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        run_link(sweep.run, "See it on Evaluate")
        with st.popover("In full", icon=":material/gavel:", type="tertiary"):
            st.markdown(f"**{plain(result.verdict.capitalize())}.** {plain_sentence(result.sentence)}")
