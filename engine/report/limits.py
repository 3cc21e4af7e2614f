"""What a verdict does not show, in sentences that hold for this sweep."""

from __future__ import annotations

import math

from engine.configs import SweepConfig
from engine.datasets.patients import Known
from engine.sweep.metrics import LOSSES, RANKING
from engine.sweep.pool_words import DECLARED_TRAINING
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE
from engine.sweep.verdict_words import NAMES, capitalised

PHANTOM = (
    "The images are a procedural phantom made by this program, not patients. "
    "The verdict shows that the method works; it says nothing about any disease."
)


CONTROL = (
    "This is a control, made to show what such a sweep would notice: no synthetic image was judged, and the verdict is "
    "no result on any generator."
)
UNKNOWN_TRAINING = (
    "The pool was made elsewhere, and whether its generator saw test images is not known. If it did, the verdict is "
    "too favourable; equal and nearly equal images were looked for, and a generator can give test images away without "
    "repeating one."
)


UNKNOWN_START = (
    "A generator began with networks of which nobody here knows what images they were trained on. If images of the "
    "test set were among them, the verdict is too favourable."
)


MEMORISED = (
    "The search for copies is a screen and the attack on the patients' privacy is one of many: that they find nothing "
    "guarantees nothing, since an image may give a patient away in ways that no distance shows. Scores of image "
    "quality do not predict whether the images help a classifier."
)
NOT_MEASURED = (
    "Whether synthetic images help a classifier says nothing about their privacy: a generator may have memorised "
    "training images. That was not measured for this pool."
)


def limits(
    config: SweepConfig,
    summary: SweepSummary,
    phantom: bool,
    unknown_start: bool = False,
    checked: int = 0,
    known: Known | None = None,
    shared: str = "",
) -> list[str]:
    """One sentence a limit, the most important first.

    `checked`: how many of the pools (one, or one a fold) were searched for copies; `known`: what is known of the
    patients, None where the data set is gone; `shared`: what the parts of the split have in common
    (`leaking_parts`).
    """
    found = (
        (CONTROL, bool(summary.control)),
        (PHANTOM, phantom),
        (UNKNOWN_TRAINING, summary.unknown_training),
        (DECLARED_TRAINING, summary.declared_training),
        (UNKNOWN_START, unknown_start),
    )
    sentences = [sentence for sentence, holds in found if holds]
    if shared:
        sentences.append(
            f"The split has {shared}: a classifier may recognise test images that are like those it was trained on, "
            "and every measure of the test part is too favourable."
        )
    split, pool = ("these folds", "these pools") if config.folds else ("split", "this pool")
    sentences.append(
        f"It holds for this data set and {split}, this classifier ({config.classifier}), {pool} and these settings. "
        "Another generator, a longer training or more real images may give another answer."
    )
    sentences.append(_test_set(summary))
    sentences.append(_repetitions(config, summary))
    sentences += _narrow(summary)
    once = "The one seed fixes" if config.seeds == 1 else "The seeds repeat"
    repeated = (
        f"Each fold has a split and generators of its own; every generator was trained once, and every seed meets the "
        f"same folds. {dependent_folds(len(config.folds))}"
        if config.folds
        else _once(once, summary.generators_a_class)
    )
    if summary.positive_class and summary.positive_origin in ("", "guessed"):
        sentences.append(
            f"Which class is positive was taken from the names, and nobody confirmed it: {summary.positive_class}. If "
            "it is the other one, sensitivity and specificity change places, and average precision is of the wrong "
            "class; accuracy, balanced accuracy, macro F1 and AUROC stay as they are."
        )
    sentences += [repeated, f"The checks for copies and leaks are screens, not proof. {_patients(known)}"]
    pools = max(1, len(config.folds))
    if 0 < checked < pools:
        sentences.append(f"Only {checked} of {pools} pools were searched for copies.")
    sentences += [
        MEMORISED if checked else NOT_MEASURED,
        "This is a tool for research. It is no medical device, and no result here is a reason for a clinical decision.",
    ]
    return sentences


FEW_PATIENTS = 30
NEAR_CEILING = 0.95


def _narrow(summary: SweepSummary) -> list[str]:
    """Where simulated intervals were found too narrow (docs/protocol.md): few patients, ranks, near the ceiling."""
    real = next((cell.mean for cell in summary.cells if (cell.arm, cell.ratio) == ("real", 0.0)), math.nan)
    why = {
        f"{summary.n_groups} test images or groups of them are few": 0 < summary.n_groups <= FEW_PATIENTS,
        f"{NAMES[summary.metric]} is a metric of ranks": summary.metric in RANKING,
        "nearly all images are named right": summary.metric not in LOSSES and real >= NEAR_CEILING,
    }
    reasons = [words for words, holds in why.items() if holds]
    if summary.rule == FORMER_RULE or not reasons:
        return []
    return [
        f"{capitalised(' and '.join(reasons))}: where a difference is truly there, 95 % intervals of differences are "
        "too short in such sweeps, on the side of the larger difference (simulated ones held the truth in 86 to 93 %)."
    ]


def _once(seeds: str, generators: int) -> str:
    """What the seeds repeat, and what was made once."""
    if generators == 1:
        return (
            f"{seeds} the classifier's training and the choice of synthetic images. The split of the data and the "
            "training of the generators were not repeated: each was made once."
        )
    return (
        f"{seeds} the classifier's training and the choice of synthetic images, and {generators} generators a class, "
        "trained alike with seeds of their own, took turns. The split of the data was made once."
    )


def _repetitions(config: SweepConfig, summary: SweepSummary) -> str:
    """What so few repetitions cannot carry, by the rule of the sweep."""
    seeds = f"{config.seeds} seed{'s' if config.seeds > 1 else ''}"
    if summary.rule == FORMER_RULE:
        smallest_p = min(1.0, 2.0 ** (1 - config.seeds))
        return f"With {seeds} the smallest possible p of a paired comparison is {smallest_p:.2g}, before " + (
            "Holm's correction: this sweep is a quick look and can claim nothing."
            if smallest_p > ALPHA
            else f"Holm's correction over {len(config.ratios)} shares: after it none below 0.05 was possible, and this "
            "sweep could claim nothing."
            if smallest_p * len(config.ratios) > ALPHA
            else "Holm's correction over the shares."
        )
    if config.seeds < QUICK_LOOK_BELOW:
        return (
            f"With {seeds} this sweep is a quick look and can claim nothing: the protocol asks for {QUICK_LOOK_BELOW}, "
            "a rule of its own and not a consequence of the test."
        )
    if summary.detectable.difference is None:
        return f"{summary.n_test} test images, {seeds}: {summary.detectable.refusal}"
    return (
        f"With {seeds}, {len(config.ratios)} share{'s' if len(config.ratios) > 1 else ''} and this test set: "
        f"{summary.detectable.promise} Smaller ones are mostly missed."
    )


def _patients(known: Known | None) -> str:
    """How far the checks can know that two pictures are of one patient."""
    found = "They find equal and near-equal images; "
    if known is not None and known.all:
        return f"{found}that two different pictures are of one patient they know from the source's own ids alone."
    if known is None or not known.any:
        return f"{found}they cannot find two different pictures of one patient, for no patient is known here."
    unknown = []
    if known.images_without:
        unknown.append(f"the patient of {known.images_without} of {known.images} images is unknown")
    if known.images_named:
        unknown.append(f"the patient of {known.images_named} images was guessed from the name of the file")
    return f"{found}they cannot find every two pictures of one patient, for {' and '.join(unknown)}."


def dependent_folds(count: int) -> str:
    """Why results of folds are no independent repetitions."""
    why = (
        f"The training sets of the {count} folds overlap, and what one fold tests on, others train on"
        if count > 2
        else "What one fold tests on, the other trains on"
    )
    return f"{why}: folds are not independent of each other, nor are seeds over them, and no interval allows for that."


def _test_set(summary: SweepSummary) -> str:
    """How far the choice of test images alone moves a result."""
    noise, half_width = summary.test_noise.real, summary.detectable.half_width
    contained = any(not math.isnan(comparison.low_total) for comparison in summary.comparisons)
    of = ""
    if summary.patients is not None and summary.patients.known and summary.level == "patient":
        source, named = summary.patients.known - summary.patients.named, summary.patients.named
        told = " and ".join(
            [f"{source} known patients"] * bool(source)
            + [f"{named} groups that stand for patients by their file names"] * bool(named)
        )
        of = f" of {told}, and it is by patient that it was judged"
    return (
        f"The test set has {summary.n_test} images{of}. At an accuracy of 85 % that alone leaves an uncertainty of "
        f"±{100 * half_width:.1f} points (Wilson, 95 %). Drawn anew (whole groups where they are known), "
        f"the test set would put the accuracy of real images alone between {100 * noise.low:.1f} % and "
        f"{100 * noise.high:.1f} %; "
        + (
            "intervals over the seeds alone do not contain this; those over seeds and test images, of arms and of "
            "differences, do."
            if contained
            else "the intervals over seeds do not contain this."
        )
    )
