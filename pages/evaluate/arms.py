"""The arms of a sweep, each with what it answers, to be chosen one by one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.report.style import ARMS
from engine.sweep.arms import CLASSICAL, control_of, is_synthetic

MEANING = {
    "real": "The real training images alone. Everything else is compared with them.",
    LEARNING_CURVE: "Fewer of the real images: the learning curve. Could more images help here at all?",
    "real+duplicates": "Real images repeated to the same count: tells new images from merely more of the same.",
    "real+synthetic": "Synthetic images added to the real ones.",
    "replaced+duplicates": "A share of the real images replaced by repeats of the others: the control of the next.",
    "replaced+synthetic": "A share of the real images replaced by synthetic ones; the total stays the same.",
    "synthetic": "Synthetic images alone, tested on real ones. It has no control, so it can show harm only.",
}
"""Of the arms without classical augmentation, in the order of the page."""


def choose_arms(chosen: Sequence[str], key: str) -> tuple[str, ...]:
    """Boxes for every arm, as it is and with classical augmentation; the chosen ones with the primary arm first.

    `chosen` are ticked at first. An arm that was the first synthetic one of these stays the first, because the verdict
    is about it.
    """
    arms = []
    with st.container(border=True):
        name, plain, classical = st.columns([6, 1.1, 1.4], vertical_alignment="bottom")
        name.markdown("**Arms**: what the classifier is trained on")
        plain.caption("As it is")
        classical.caption("Augmented")
        for arm, meaning in MEANING.items():
            name, plain, classical = st.columns([6, 1.1, 1.4], vertical_alignment="center")
            name.markdown(f"**{ARMS[arm].title}.** {meaning}")
            for column, each in ((plain, arm), (classical, arm + CLASSICAL)):
                if each not in ARMS:
                    continue
                ticked = column.checkbox(
                    ARMS[each].title,
                    each == "real" or each in chosen,
                    key=f"arm-{key}-{each}",
                    disabled=each == "real",
                    label_visibility="collapsed",
                )
                arms += [each] if ticked else []
    order = [arm for arm in chosen if arm in arms]
    return (*order, *(arm for arm in ARMS if arm in arms and arm not in order))


def missing_controls(config: SweepConfig) -> list[str]:
    """One sentence for each synthetic arm that the plan cannot say *helps* about."""
    return [
        f"{ARMS[arm].title} has no control: without {ARMS[control].title} nobody can tell new images from more images."
        for arm in config.arms
        if is_synthetic(arm) and (control := control_of(arm)) is not None and control not in config.arms
    ]
