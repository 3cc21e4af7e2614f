"""What a planned sweep can show at best, and what it costs, before anybody waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.configs import SweepConfig
from engine.report.sweep_words import is_probe, trained_for
from engine.store.runs import State, list_runs
from engine.sweep.arms import arm_rule, plan
from engine.sweep.metrics import LOSSES
from engine.sweep.power import Detectable
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.verdict_words import NAMES
from pages.components.format import duration, plain
from pages.components.home import home
from pages.components.run_summary import config_of, status_of, title
from pages.quality.planning import time_before

CARD = 250
"""Pixels of a figure on its card."""


def in_numbers(limits: Detectable, config: SweepConfig) -> None:
    """The smallest difference that this sweep finds, and what limits it."""
    what = "patients" if config.level == "patient" else "images"
    st.markdown("**The plan in numbers**")
    with st.container(horizontal=True):
        _figures(config, limits, what)
    if limits.difference is not None and not too_few(config):
        st.caption(f"{limits.promise} More {limits.limited_by} would lower it most.")


def too_few(config: SweepConfig) -> str:
    """Why this sweep can claim nothing, whatever comes out; empty when it can."""
    if config.seeds >= QUICK_LOOK_BELOW:
        return ""
    return (
        f"With {_count(config.seeds, 'repetition')} this is a quick look that claims nothing, whatever comes out. The "
        f"protocol asks for at least {QUICK_LOOK_BELOW}, better 8: how much fewer of them vary is too poorly known."
    )


def _figures(config: SweepConfig, limits: Detectable, what: str) -> None:
    st.metric(
        "Smallest difference",
        limits.amount,
        "that it can find",
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=CARD,
        help="A true difference of this size, to the duplicates and to the real images alone, is found four times in "
        f"five{limits.reason}.",
    )
    st.metric(
        f"Test {what}",
        f"{limits.n_test}",
        f"± {100 * limits.half_width:.1f} points by chance",
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=CARD,
        help=f"Half the 95 % Wilson interval of an accuracy of {100 * limits.at:.0f} % on so many test {what}"
        + (f" of {limits.patients} patients or groups" if limits.patients < limits.n_test else "")
        + ". More of them make it smaller; more seeds do not.",
    )
    st.metric(
        "Repetitions",
        config.seeds,
        f"at least {QUICK_LOOK_BELOW} to claim",
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=CARD,
        help=f"Paired seeds. That fewer than {QUICK_LOOK_BELOW} claim nothing is a rule of the protocol, not a "
        "consequence of the test.",
    )
    st.metric(
        "Trials",
        len(plan(config)),
        "classifiers, trained and tested",
        delta_color="off",
        delta_arrow="off",
        border=True,
        width=CARD,
        help="One for every arm, share and seed" + (" of every fold." if config.folds else "."),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def in_plain_words(limits: Detectable, config: SweepConfig) -> str:
    """What the smallest difference means, for somebody who never planned a study."""
    if limits.difference is None and too_few(config):
        return (
            "This sweep cannot show any difference for sure: it gives a first impression, and **no verdict**, whatever "
            "comes out."
        )
    if limits.metric in LOSSES:
        return limits.refusal
    if limits.difference is None:
        return (
            f"{limits.n_test} test {'patients' if config.level == 'patient' else 'images'}. {limits.refusal} It gives "
            "a first impression, and the verdict will most likely be **no evidence**."
        )
    points, at = 100 * limits.difference, 100 * limits.at
    step = f" (say from {at:.0f} % right to {at + points:.1f} %)" if limits.metric == "accuracy" else ""
    return (
        f"If synthetic images truly make the classifier's {NAMES[limits.metric]} better by **{limits.amount}** or more"
        f"{step}, this sweep finds it four times in five. A smaller effect will mostly be missed, and the verdict will "
        "say **no evidence**, which is not the same as no effect."
    )


def cost(config: SweepConfig) -> str:
    """What the trials do, in a sentence."""
    trials = len(plan(config))
    if config.classifier == "small-cnn":
        return (
            f"{trials} times a small network is trained from scratch ({_each(config)}), several at once where there is "
            "room."
        )
    if config.training == "fine-tuned":
        return (
            f"{trials} times the whole {config.classifier} is trained ({_each(config)}). On a GPU this takes minutes a "
            "trial, on a CPU it can take hours."
        )
    views = f", and {config.views} augmented views of each," if _augmented(config.arms) else ""
    return (
        f"The features of every image{views} are computed once and kept, which takes most of the "
        f"time; then {trials} small classifiers are trained on them ({_each(config)})."
    )


def _augmented(arms: Sequence[str]) -> bool:
    return any(arm_rule(arm).classical for arm in arms)


def _each(config: SweepConfig) -> str:
    return trained_for(config) + ("" if is_probe(config) else f", {config.batch} images a step")


def time_needed(config: SweepConfig) -> str:
    """How long it will take on this machine, from the last sweep of its kind here; empty when there was none."""
    for run in list_runs(home(), "sweep"):
        earlier, status = config_of(run), status_of(run)
        if any(earlier[name] != getattr(config, name) for name in ("classifier", "training", "head", "dataset")):
            continue
        if _augmented(earlier["arms"]) != _augmented(config.arms):
            continue  # augmented views take most of the time where features are computed once
        if status.state is not State.FINISHED or not (status.started and status.ended and status.total):
            continue
        took = status.ended - status.started
        more = len(plan(config)) / status.total
        if config.classifier == "small-cnn" or config.training == "fine-tuned":
            more *= config.steps * config.batch / (earlier["steps"] * earlier["batch"])
        return (
            f"About **{duration(took * more)}** on this machine if it is as busy as before: {plain(title(run))} took "
            f"{duration(took)} for {status.total:g} trials."
        )
    return ""


def known_pace(config: SweepConfig) -> str:
    """For the first sweep on features: what the last quality check took, which computes them too."""
    before = time_before()
    if config.classifier == "small-cnn" or config.training == "fine-tuned" or not before:
        return "How long that takes is not known before the first one has run here."
    return f"As a measure: {before} What it computed is not computed again."
