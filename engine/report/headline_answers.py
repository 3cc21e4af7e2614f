"""The first screen of a report: how sure is the verdict, compared to what, is any image a copy, did anything leak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engine.quality.quality_scores import MemorisationMeasure
from engine.report.data_facts import known_patients, unknown_patients
from engine.report.difference_panel import ends
from engine.report.ledger_facts import declared
from engine.report.quality_tables import show_percent
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.sweep_words import is_probe
from engine.report.tables import METRICS, measure_of, show_p, show_share
from engine.sweep.arms import control_of
from engine.sweep.checks import LEAK_CHECKS
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import Headline, headline
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import Patients
from engine.sweep.tally import above, below
from engine.sweep.verdict_words import level

LEAKS = ("test-is-validation", "synthetic-in-test")
"""Flaws of a published protocol that let something of the test reach the training or its choices."""


@dataclass(frozen=True)
class Answer:
    """One question of the first screen; `tone` says whether the answer is good, bad or not known."""

    question: str
    answer: str
    detail: str
    tone: Literal["good", "bad", "unknown", "plain"] = "plain"


def answers(sources: Sources) -> list[Answer]:
    """What a reader wants to know before anything else, beside the verdict itself."""
    return [_how_sure(sources), _compared_to_what(sources), _copies(sources), _leaks(sources)]


def primary_arm(sources: Sources) -> str:
    """The arm that the verdict is about."""
    return sources.summary.primary_arm or "real+synthetic"


def told(sources: Sources) -> Headline:
    """The verdict in a word and a line."""
    return headline(sources.summary, sources.config)


def decisive(sources: Sources) -> Comparison | None:
    """The comparison that the headline quotes: with the control that decides, over all shares where none is claimed;
    its interval and p are those that the verdict uses."""
    return next(iter(told(sources).rows), None)


def of_patients(patients: Patients | None) -> str:
    """` of 12 patients`, or of how many test images the patient is unknown; empty where none is known."""
    if patients is None or not patients.known:
        return ""
    if patients.images_without:
        return f", {patients.images_without} of them of unknown patients"
    source = patients.known - patients.named
    if not patients.named:
        return f" of {source} patient{'s' * (source != 1)}"
    return f" of {f'{source} patients and ' * (source > 0)}{patients.named} groups read from file names"


def _how_sure(sources: Sources) -> Answer:
    summary, config = sources.summary, sources.config
    question, row = "How sure is that?", decisive(sources)
    kind = "real and synthetic" if "synthetic-in-test" in config.flaws else "real"
    images = f"{summary.n_test} {kind} test images{of_patients(summary.patients)}"
    folds = f", {len(config.folds)} folds" if config.folds else ""
    base = f"{config.seeds} paired {'seed' if config.seeds == 1 else 'seeds'}{folds}, {images}."
    if row is None:
        return Answer(question, "Nothing was compared", base, "unknown")
    measure = measure_of(row.metric, summary.positive_class)
    difference = measure.show_difference(row.mean_difference)
    title = measure.title + (" by patient" if summary.level == "patient" else "")
    where = "on the mean over the shares" if row.is_mean else f"at {show_share(row.ratio)}"
    what = f"{title} against {ARMS[row.against].title.lower()} {where}"
    over_all = told(sources).tallies[0]
    if row.n < 2:
        detail = f"{what}: {difference}, from one training of each arm, which cannot be told from luck. {base}"
        return Answer(question, "Not at all", detail, "bad")
    both = math.isfinite(row.low_total)
    low, high = ends(row)
    p = show_p(row.p_corrected) + ("" if row.ratio == config.primary_ratio else " corrected")
    alone = both and row.ratio == config.primary_ratio
    together = f", declared {declared(sources)}" if alone else ", all shares together" if len(config.ratios) > 1 else ""
    noise = f"seeds and test images{together}" if both else "seeds"
    stands = "95 %" if not both else level(row)
    detail = (
        f"{what}: {measure.show_interval(low, high, signed=True)} ({stands}, over {noise}), p {p}. {over_all} {base}"
    )
    if row.n < QUICK_LOOK_BELOW:
        return Answer(question, f"Too few repetitions to tell: {difference} so far", detail, "unknown")
    shown = above(row) or below(row)
    return Answer(question, f"{'Significant' if shown else 'Not significant'}: {difference}", detail)


def _compared_to_what(sources: Sources) -> Answer:
    config, arm = sources.config, primary_arm(sources)
    control = control_of(arm)
    if is_probe(config):
        steps = "Every trial was fitted until it converged."
    elif config.epochs:
        passes = f"{config.epochs} pass{'es' * (config.epochs != 1)}"
        steps = f"Every trial took {passes} over its own images, so larger sets trained for longer."
    else:
        most = " at most (a training ended when its validation loss no longer fell)" if config.patience else ""
        steps = f"Every arm took the same {config.steps} optimiser step{'s' * (config.steps != 1)}{most}."
    majority = METRICS["accuracy"].show(sources.summary.majority_accuracy)
    guess = f"Always naming the largest class would reach an accuracy of {majority}."
    others = [ARMS[other].title.lower() for other in config.arms if other not in (arm, control)]
    beside = f"Beside it: {', '.join(others)}. " if others else ""
    if arm not in config.arms:
        return Answer("Compared to what?", "No arm held synthetic images", f"{beside}{steps} {guess}", "bad")
    if control in config.arms:
        answer = "As many repeated real images" if arm.startswith("real") else "Repeated real images in their place"
        return Answer("Compared to what?", answer, f"{beside}{steps} {guess}", "plain")
    detail = f"No arm repeats real images to the same count, so more images cannot be told from better ones. {steps}"
    return Answer("Compared to what?", "The real images alone", f"{detail} {guess}", "bad")


def _copies(sources: Sources) -> Answer:
    question = "Is any image a copy?"
    if not sources.qualities:
        detail = "No check of the pool was found. It is made by: " + ", ".join(
            f"python -m engine quality {source.pool.run.id}" for source in sources.pools if source.pool
        )
        return Answer(question, "Not looked for", detail.removesuffix("It is made by: "), "unknown")
    images = sum(len(quality.neighbours) for quality in sources.qualities)
    copies = sum(quality.found.flagged("copy") for quality in sources.qualities)
    near = sum(quality.found.flagged("near-copy") for quality in sources.qualities)
    left = excluded_images(sources)
    gone = f" {left} left the pool before the sweep." if left else ""
    extractors = dict.fromkeys(quality.found.extractor.name for quality in sources.qualities)
    features = "".join(f"{name} features and " for name in extractors if name != "pixels")
    of_all = [row for q in sources.qualities for row in q.found.memorisation if row.class_name == ""]
    unseen = [row.value for row in of_all if row.measure == "unseen_copy_share"]
    attacks = [row for row in of_all if row.measure == "attack_auc"]
    among = (
        f" Searched among held-out images, where there can be no copy, {show_percent(max(unseen))} would be."
        if unseen
        else ""
    )
    moved = "moved and mirrored" if all(quality.config["pixel_shift"] for quality in sources.qualities) else "mirrored"
    how = f"Each was compared with every training image by {features}pixels, {moved} too."
    expected = [row.expected for row in of_all if row.measure == "copy_share"]
    if expected and not any(math.isnan(share) for share in expected):
        held_out = min(quality.found.counts.valid for quality in sources.qualities)
        how += f" Of {held_out} held-out real images {show_percent(max(expected))} would be called a copy.{among}"
    gone += _attack(attacks)
    if unchecked := [source.name for source in sources.pools if source.quality is None]:
        gone += f" Not checked: the pool of {', '.join(unchecked)}."
    if not copies and not near:
        tone: Literal["good", "bad", "unknown"] = "unknown" if unchecked or any(map(_tells, attacks)) else "good"
        return Answer(question, "None was found", f"{how} {images} synthetic images.{gone}", tone)
    words = f"{copies or 'no'} {'copy' if copies == 1 else 'copies'}, {near} near {'copy' if near == 1 else 'copies'}"
    words = words[0].upper() + words[1:]
    tone = "bad" if copies > left else "unknown" if near or unchecked else "good"  # near copies are to be looked at
    return Answer(question, f"{words} of {images}", f"{how}{gone}", tone)


def _attack(attacks: list[MemorisationMeasure]) -> str:
    """The attack that did best, in a sentence; empty where none was tried."""
    if not attacks:
        return ""
    best = max(attacks, key=lambda row: row.low)
    did = "tells who was trained on better than chance" if _tells(best) else "did not find who was trained on"
    return f" An attack on the pool {did} (AUC {best.value:.2f}, {best.low:.2f} to {best.high:.2f}; 0.5 is chance)."


def _tells(row: MemorisationMeasure) -> bool:
    return row.low > row.expected


def excluded_images(sources: Sources) -> int:
    """Images that had left the pool when the sweep began; of sweeps of before, those that have left it by now."""
    counted = sources.summary.pool_excluded
    if counted is not None:
        return int(sum(counted.values()))
    return sum(len(source.pool.left_out) for source in sources.pools if source.pool)


def _leaks(sources: Sources) -> Answer:
    question = "Did anything leak?"
    found = leaks(sources)
    if found:
        return Answer(question, "Yes, or it may have", " ".join(found), "bad")
    if not any(check.id in LEAK_CHECKS for check in sources.summary.checks):
        return Answer(
            question, "Not looked for", "This sweep was made before the program checked for leaks.", "unknown"
        )
    detail = (
        "No test or validation image (by its pixels) is among the training images, those the generators saw, or the "
        "pool."
    )
    if sources.summary.unknown_training:
        detail = (
            "No test or validation image (by its pixels) is among the training images or in the pool. What the pool's "
            "generator saw is not known."
        )
    elif sources.summary.declared_training:
        detail += " What the generators saw is what their makers declare."
    known = known_patients(sources)
    if known is None:
        detail += " The data set is gone, so which images show the same patient was not looked at."
        return Answer(question, "Not as far as can be seen", detail, "unknown")
    if known.torn:
        groups = "A group has" if known.torn == 1 else f"{known.torn} groups have"
        return Answer(question, "It may have", f"{detail} {groups} images in several splits.", "bad")
    if not known.all:
        what = "Which images show the same patient is not known, so that was not checked."
        if known.any:
            what = f"{unknown_patients(known)} The others were checked: each patient or group is in one split."
        return Answer(question, "Not as far as can be seen", f"{detail} {what}", "unknown")
    detail += " No patient is in two splits."
    if sources.summary.unknown_training or sources.summary.declared_training:
        return Answer(question, "Not as far as can be seen", detail, "unknown")
    return Answer(question, "Nothing was found", detail, "good")


def leaks(sources: Sources) -> list[str]:
    """What may have carried knowledge of the test set into the training, in sentences."""
    found = [deviation.sentence for deviation in sources.summary.departures if deviation.name in LEAKS]
    found += [check.sentence for check in sources.summary.checks if not check.ok and check.id in LEAK_CHECKS]
    if sources.unknown_start:
        found.append("A generator began with networks of which nobody here knows what images they saw.")
    if sources.dataset is not None:
        info = sources.dataset.info
        accepted = info.frozen.accepted if info.frozen else ()
        found += [finding["sentence"] for finding in info.audit.findings if finding["name"] in accepted]
    return found
