"""What a sweep found: the card of its verdict, those of other arms, failed self-checks, and what it may not claim."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.configs import SweepConfig
from engine.report.difference_panel import ends, verdict_bars
from engine.report.headline_answers import of_patients
from engine.report.style import ARMS
from engine.report.tables import measure_of, show_p
from engine.store.runs import Run
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import ON_PHANTOM, Headline, headline
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE
from engine.sweep.verdict_words import level, repetitions
from pages.components.format import plain, plain_badge, plain_sentence
from pages.components.headlines import TONES, show_word

CARD_WIDTH = 540
"""Pixels; at 1280 the plot has as many beside it, and on a page of 800 or less its place is below."""


def verdict_card(run: Run, summary: SweepSummary, config: SweepConfig, beside: DeltaGenerator) -> None:
    """The verdict for who looks for five seconds: a word, a line and an interval; p and seeds wait behind Details."""
    found = headline(summary, config)
    with beside.container(border=True, width=CARD_WIDTH, key=f"verdict-{run.id}"):
        show_word(found)
        st.markdown(plain_sentence(found.line))
        if found.rows:
            alt = " ".join(map(_row_words, found.rows))
            st.html(verdict_bars(found.rows, summary.metric, summary.positive_class, alt))
        beside_line = [each for each in found.notes if each != ON_PHANTOM]  # which a badge above says
        st.caption("  \n".join(map(plain_sentence, (*found.tallies[:1], *beside_line))))
        control_badge(summary)
        with st.expander("Details", icon=":material/info:"):
            details(summary, found)


def show_headline(found: Headline) -> None:
    """Word, line and all tallies in a few lines, where there is no room for a card."""
    icon, colour = TONES[found.tone]
    st.markdown(f":{colour}[{icon} **{plain(found.word)}.**] {plain_sentence(found.line)}")
    for sentence in (*found.tallies, *found.notes):
        st.caption(plain_sentence(sentence))


def details(summary: SweepSummary, found: Headline) -> None:
    """Intervals, p and seeds, the verdict in the words in which it was given, and what it would need to tell more."""
    if found.rows:
        st.markdown("\n".join(f"* {plain_sentence(_row_words(row))}" for row in found.rows))
        if summary.rule == FORMER_RULE:
            st.caption("p: corrected by Holm's procedure over the shares.")
        else:
            st.caption("p and intervals: for the luck of seeds and test patients, corrected over the shares (max-t).")
    for sentence in found.tallies[1:]:
        st.caption(plain_sentence(sentence))
    verdict = summary.verdict
    st.markdown(f"**In full.** {plain_sentence(verdict.sentence)}")
    if verdict.needed:
        words = "What it would need to tell" if verdict.verdict == "no evidence" else "What is needed next"
        st.markdown(f"**{words}.** {plain_sentence(verdict.needed)}")
    st.caption(_about(summary))
    if summary.rule == FORMER_RULE:
        st.caption(f"Judged by the rule of its time ({plain(summary.rule)}).")


def _row_words(row: Comparison) -> str:
    """`Against real only: -1.5 points, -14.7 to +11.7 (95 %); p 0.969; 8 paired repetitions.`"""
    measure, (low, high) = measure_of(row.metric), ends(row)
    interval = f", {measure.show_interval(low, high, signed=True)} ({level(row)})" if row.n > 1 else ""
    against = ARMS[row.against].title
    where = "mean of the shares" if row.is_mean else f"{100 * row.ratio:g} %"
    difference = f"{measure.show_difference(row.mean_difference)}{interval}"
    p = f"p {show_p(row.p_corrected)}; {repetitions(row.n, 'paired ')}"
    return f"Against {against[0].lower()}{against[1:]}, {where}: {difference}; {p}."


def trouble(summary: SweepSummary) -> None:
    """Self-checks that failed: nothing stands above them."""
    for check in summary.checks:
        if not check.ok:
            st.error(
                f"Self-check failed, **{plain(_words(check.name))}**: {plain_sentence(check.sentence)}",
                icon=":material/rule:",
            )


def other_arms(summary: SweepSummary, config: SweepConfig) -> None:
    """The verdicts on the arms that the sweep is not about."""
    others = [arm for arm in summary.verdicts if arm != summary.primary_arm]
    if others:
        with st.expander(f"Other arms ({len(others)}, exploratory)", icon=":material/alt_route:"):
            st.caption("Looked at beside the verdict, and not corrected for being several: reasons to look again.")
            for arm in others:
                st.markdown(f"**{ARMS[arm].title}**")
                show_headline(headline(summary, config, arm))


def control_badge(summary: SweepSummary) -> None:
    """What is no result is marked as such wherever its verdict is shown."""
    if summary.control:
        st.badge(
            f"Control: {plain_badge(summary.control)}, no result on synthetic images",
            icon=":material/science:",
            color="orange",
        )


def _about(summary: SweepSummary) -> str:
    """What the verdict is about, and which images were left out."""
    arm = summary.primary_arm
    title = measure_of(summary.metric, summary.positive_class).title
    parts = [f"About {plain(title)} by {summary.level}" + (f" of {ARMS[arm].title}" if arm else "")]
    images = f"{summary.n_test} test images{of_patients(summary.patients)}"
    folds = summary.folds
    parts.append(images + (f", each tested in one of {len(folds)} folds" if len(folds) > 1 else ""))
    if summary.positive_class:
        parts.append(f"positive class {plain(summary.positive_in_words)}")
    left_out = summary.pool_excluded or {}
    if left_out:
        reasons = "; ".join(f"{count}: {plain(reason)}" for reason, count in left_out.items())
        parts.append(f"{sum(left_out.values())} pool images were left out ({reasons})")
    return " · ".join(parts)


def self_checks(summary: SweepSummary) -> None:
    """Every check that the program made of its own result."""
    if not summary.checks:
        st.caption("This sweep is of before the self-checks.")
        return
    st.caption("What the program checks of every result of its own; published tables are held to the same.")
    lines = []
    for check in sorted(summary.checks, key=lambda check: check.ok):
        mark = ":green[:material/check_circle:]" if check.ok else ":red[:material/error:]"
        lines.append(f"{mark} **{plain(_words(check.name))}**: {plain_sentence(check.sentence)}")
    st.markdown("  \n".join(lines))


def _words(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").capitalize()
