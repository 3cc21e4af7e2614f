"""The latest verdict on top of the page: a word, one line with what decides, and the differences beside it."""

from __future__ import annotations

import math

import streamlit as st

from engine.report.difference_sketch import Row, deciding_bars
from engine.report.tables import show_share
from engine.sweep.results import SweepResult
from pages.components.format import plain, plain_sentence
from pages.components.headlines import headline_of, show_word
from pages.components.phantom import phantom_badge
from pages.components.run_summary import RunSummary
from pages.components.runs import run_link
from pages.components.sweep_difference import Deciding, Difference, deciding


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
                unit, control = found.measure.difference_unit, _control(found)
                alt = f"Differences to {control} that the verdict rests on. {found.told.line}"
                st.html(deciding_bars(rows_of(found), control, unit, alt))


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
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Latest verdict", width="content")
        phantom_badge(dataset)
    told = found.told if found else headline_of(sweep.run)
    if told is not None:
        show_word(told)
        st.markdown(plain_sentence(told.line))
        st.caption("  \n".join(map(plain_sentence, (*told.tallies[:1], *told.notes))))
    else:  # its numbers cannot be read any more
        st.header(plain(result.shown.capitalize()), anchor=False)
        st.markdown(plain_sentence(result.sentence))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        run_link(sweep.run, "See it on Evaluate")
        with st.popover("In full", icon=":material/gavel:", type="tertiary"):
            st.markdown(f"**{plain(result.verdict.capitalize())}.** {plain_sentence(result.sentence)}")
