"""What a planned sweep can show at best, and what it costs, before anybody waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sweep.arms import arm_rule, plan
from engine.sweep.detectable import detectable, seeds_to_claim
from engine.sweep.levels import patients
from engine.sweep.statistics import ALPHA


def what_it_can_show(tested: Sequence[Dataset], config: SweepConfig) -> None:
    """The smallest difference that this sweep finds, before anybody waits for it; `tested` are its data sets."""
    rows = pd.concat([dataset.rows("test") for dataset in tested])
    by_patient = config.level == "patient"
    n_test = len(set(patients(rows))) if by_patient else len(rows)
    what = "patients" if by_patient else "images"
    limits = detectable(n_test, config.seeds, len(config.ratios))
    found, images, smallest_p, trials = st.columns(4)
    difference = limits["difference"]
    found.metric(
        "Smallest difference",
        "none" if difference is None else f"{100 * difference:.1f} points",
        "that it can find",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"A true difference to the duplicates of this size is found four times in five. Assumed: two trained "
        f"classifiers disagree on {100 * limits['disagreement']:.0f} % of the test {what}, half of it with every seed, "
        f"and seeds differ by {100 * limits['seed_spread']:.0f} point.",
    )
    images.metric(
        f"Test {what}",
        f"{n_test}",
        f"± {100 * limits['half_width']:.1f} points by chance",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"Half the 95 % Wilson interval of an accuracy of {100 * limits['at']:.0f} % on so many test {what}. More "
        "of them make it smaller; more seeds do not.",
    )
    smallest_p.metric(
        f"Smallest p of {_count(config.seeds, 'seed')}",
        f"{limits['smallest_p_holm']:.3f}",
        f"below {ALPHA} to claim",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"Sign-flip p with Holm's correction over {_count(len(config.ratios), 'share')}.",
    )
    trials.metric(
        "Trials",
        len(plan(config)),
        "arms x shares x seeds" + (" x folds" if config.folds else ""),
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    if limits["smallest_p_holm"] >= ALPHA:
        shares = len(config.ratios)
        st.warning(
            f"With {_count(config.seeds, 'seed')} and {_count(shares, 'share')} no p can fall below {ALPHA}: this is a "
            f"quick look that claims nothing. {seeds_to_claim(shares)} seeds{', or fewer shares,' * (shares > 1)} make "
            "a claim possible.",
            icon=":material/hourglass_disabled:",
        )
    elif difference is not None:
        st.caption(f"More {limits['limited_by']} would lower the smallest difference most.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def cost(config: SweepConfig) -> str:
    """What the trials do, in a sentence."""
    trials = len(plan(config))
    length = f"{config.epochs} epochs" if config.epochs else f"{config.steps} steps"
    each = f"{length} of {config.batch} images"
    if config.classifier == "small-cnn":
        return (
            f"Cost: {trials} trials train a small network from scratch, {each} each, in parallel where there is room."
        )
    if config.training == "fine-tuned":
        return (
            f"Cost: {trials} trials train the whole {config.classifier}, {each} each. On a GPU this takes minutes a "
            "trial, on a CPU it can take hours."
        )
    views = (
        f", and {config.views} augmented views of each," if any(arm_rule(arm).classical for arm in config.arms) else ""
    )
    return (
        f"Cost: the features of every image{views} are computed once and kept; the {trials} heads then train from "
        "them, which takes little more."
    )
