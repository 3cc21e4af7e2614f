"""What a sweep found in words: the verdict, those of other arms, failed self-checks, and what it may not claim."""

from __future__ import annotations

import streamlit as st

from engine.report.headline_answers import of_patients
from engine.report.style import ARMS
from engine.report.tables import measure_of
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE
from pages.components.format import plain, plain_badge, plain_sentence

VERDICTS = {
    "helps": (st.success, ":material/trending_up:", "green"),
    "harms": (st.error, ":material/trending_down:", "red"),
    "no relevant difference": (st.info, ":material/equal:", "blue"),
    "no evidence": (st.info, ":material/trending_flat:", "blue"),
}


def show_verdict(summary: SweepSummary) -> None:
    """The verdict in words, on top of everything else."""
    control_badge(summary)
    verdict = summary.verdict
    box, icon, _ = VERDICTS[verdict.verdict]
    box(f"**Verdict: {verdict.verdict}.** {plain_sentence(verdict.sentence)}", icon=icon)
    if verdict.needed:
        words = "What it would need to tell" if verdict.verdict == "no evidence" else "What is needed next"
        st.caption(f"{words}: {plain_sentence(verdict.needed)}")
    st.caption(_about(summary))
    if summary.rule == FORMER_RULE:
        st.caption(f"Judged by the rule of its time ({plain(summary.rule)}).")
    for check in summary.checks:
        if not check.ok:
            st.error(
                f"Self-check failed, **{plain(_words(check.name))}**: {plain_sentence(check.sentence)}",
                icon=":material/rule:",
            )
    others = {arm: found for arm, found in summary.verdicts.items() if arm != summary.primary_arm}
    if others:
        with st.expander(f"Other arms ({len(others)}, exploratory)", icon=":material/alt_route:"):
            st.caption("Looked at beside the verdict, and not corrected for being several: reasons to look again.")
            for arm, found in others.items():
                _, icon, colour = VERDICTS[found.verdict]
                st.markdown(
                    f":{colour}[{icon} **{ARMS[arm].title}: {found.verdict}.**] {plain_sentence(found.sentence)}"
                )


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
    parts = [f"About {title} by {summary.level}" + (f" of {ARMS[arm].title}" if arm else "")]
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
