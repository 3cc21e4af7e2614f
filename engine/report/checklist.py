"""What reporting guidelines ask for, and how far this program can answer it from what it knows of a sweep.

Two of them: CLAIM, the checklist for artificial intelligence in medical imaging (Tejani et al., 2024 update, 44 items),
and TRIPOD+AI for prediction models (Collins et al. 2024, 27 items). The items stand in short words of our own with the
numbers of the guidelines; whoever submits a paper fills in the original forms. What only people know (ethics, funding,
why and for whom) is marked as theirs. An item is "partly" answered where the program knows a part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from engine.report.data_facts import known_patients, split_words
from engine.report.headline_answers import primary_arm
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.sweep_words import classifier_in_words, listed, trained_for
from engine.report.tables import measure_of

AUTHORS = "for the authors"
FILLED = "filled in"
PARTLY = "partly filled in"
COLUMNS = ["guideline", "item", "topic", "status", "answer", "section"]
SOURCES = {
    "CLAIM 2024": "Tejani et al., Radiology: Artificial Intelligence 2024; 6: e240300",
    "TRIPOD+AI": "Collins et al., BMJ 2024; 385: e078378",
}


@dataclass(frozen=True)
class Answer:
    """What the program knows of an item, and the section of the report where more of it stands."""

    text: str
    section: str
    whole: bool = True
    """Whether nothing is left to the authors."""


Told = Callable[[Sources], Answer | None]


def checklist(sources: Sources) -> pd.DataFrame:
    """One row an item: `guideline, item` (its number)`, topic, status, answer, section` (of the report)."""
    rows = []
    for guideline, items in (("CLAIM 2024", CLAIM), ("TRIPOD+AI", TRIPOD)):
        for number, topic, told in items:
            answer = told(sources) if told is not None else None
            status = AUTHORS if answer is None else FILLED if answer.whole else PARTLY
            rows.append(
                (guideline, number, topic, status, answer.text if answer else "", answer.section if answer else "")
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def checklist_sentence(table: pd.DataFrame) -> str:
    """How many items are answered, and how many are left."""
    counts = Counter(table["status"])
    return (
        f"Of {len(table)} items {counts[FILLED]} are filled in, {counts[PARTLY]} partly, and {counts[AUTHORS]} are for "
        "the authors. In words of our own, with the numbers of the guidelines: "
        f"{'; '.join(f'{name} ({source})' for name, source in SOURCES.items())}. It does not stand in for their forms."
    )


def _kind(sources: Sources) -> Answer:
    return Answer(
        "A comparison of classifiers trained with and without synthetic images (GAN) on one data set.", "Methods", False
    )


def _aim(sources: Sources) -> Answer:
    arm = ARMS[primary_arm(sources)].title
    return Answer(
        f"Whether synthetic images help: {arm} against the real images alone and against as many duplicates, in "
        f"{measure_of(sources.config.metric, sources.summary.positive_class).title} by {sources.config.level}.",
        "Methods",
        False,
    )


def _source(sources: Sources) -> Answer | None:
    return None if sources.dataset is None else Answer(f"{sources.dataset.label}.", "Data", False)


def _eligibility(sources: Sources) -> Answer | None:
    return None if sources.dataset is None else Answer(
        "Which images were left out after the import, and why.", "Participants", False
    )  # fmt: skip


def _preparation(sources: Sources) -> Answer | None:
    if sources.dataset is None:
        return None
    form = "grey" if sources.dataset.mode == "L" else "colour"
    return Answer(f"Stored as {sources.dataset.size} x {sources.dataset.size} pixels, {form}.", "Methods")


def _missing(sources: Sources) -> Answer | None:
    return None if sources.dataset is None else Answer(
        "Values that are not known are counted; nothing was imputed. An image of unknown patient stands for itself.",
        "Participants",
    )  # fmt: skip


def _labels(sources: Sources) -> Answer:
    classes = sources.summary.classes
    return Answer(f"Classes as the data set has them: {listed(classes)}. How they were established is not known here.",
                  "Data", False)  # fmt: skip


def _partition(sources: Sources) -> Answer | None:
    if sources.config.folds:
        return Answer(f"{len(sources.config.folds)} folds.", "Data")
    if sources.dataset is None:
        return None
    return Answer(f"{split_words(sources.dataset).removesuffix(',').capitalize()}.", "Data")


def _disjoint(sources: Sources) -> Answer | None:
    known = known_patients(sources)
    if known is None:
        return None
    level = "patient" if known.all else "patient, where it is known, else image" if known.any else "image"
    torn = f"; {known.torn} groups have images in several parts" if known.torn else ""
    return Answer(f"Disjoint by {level}{torn}.", "Data")


def _size(sources: Sources) -> Answer:
    found = sources.summary.detectable
    told = found.refusal if found.difference is None else found.promise
    return Answer(
        f"{sources.summary.n_test} test images and {sources.config.seeds} seeds. {told}",
        "Limits",
        False,
    )


def _model(sources: Sources) -> Answer:
    return Answer(f"{classifier_in_words(sources.config)}.".capitalize(), "Methods")


def _software(sources: Sources) -> Answer:
    return Answer("Versions of every library are recorded.", "Provenance")


def _start(sources: Sources) -> Answer:
    weights = sources.summary.classifier.weights
    scratch = sources.config.classifier == "small-cnn"
    told = "Random, by seed." if scratch else f"Weights {weights or 'unknown'}; the head at random, by seed."
    return Answer(told, "Methods", scratch or bool(weights))


def _training(sources: Sources) -> Answer:
    return Answer(f"{trained_for(sources.config).capitalize()}; {sources.config.seeds} seeds.", "Methods")


def _selection(sources: Sources) -> Answer:
    return Answer(f"By validation images: {sources.config.select}.", "Methods")


def _ensembling(sources: Sources) -> Answer:
    return Answer("No scores were averaged over networks; results are means over trainings.", "Methods")


def _metrics(sources: Sources) -> Answer:
    title = measure_of(sources.config.metric, sources.summary.positive_class).title
    return Answer(f"{title} by {sources.config.level}, chosen in the settings; others beside it.", "Numbers")


def _uncertainty(sources: Sources) -> Answer:
    return Answer(
        "95 % intervals for other seeds and test patients; see the methods paragraph for the test.", "Methods"
    )


def _robustness(sources: Sources) -> Answer:
    subgroups = sources.config.subgroups
    told = f"Every share, the controls, and subgroups by {listed(list(subgroups))}." if subgroups else (
        "Every share and the controls; no subgroup was looked at."
    )  # fmt: skip
    return Answer(told, "Numbers", False)


def _internal(sources: Sources) -> Answer:
    kind = "every fold's held-out part" if sources.config.folds else "the test part"
    return Answer(f"On {kind} of {sources.config.dataset}: {sources.summary.n_test} images.", "Numbers")


def _external(sources: Sources) -> Answer | None:
    external = sources.summary.external
    return None if external is None else Answer(
        f"Every classifier was read on all {external.n_images} images of {external.dataset}, which decides nothing.",
        "On another data set",
    )  # fmt: skip


def _flow(sources: Sources) -> Answer | None:
    return None if sources.dataset is None else Answer("Found, left out and why, by part and class.", "Participants")


def _characteristics(sources: Sources) -> Answer | None:
    if sources.dataset is None:
        return None
    return Answer("Classes by part, and which values are not known; age, sex and the like only where given.",
                  "Participants", False)  # fmt: skip


def _performance(sources: Sources) -> Answer:
    cells = [cell for cell in sources.summary.cells if cell.arm == "real"]
    if not cells:
        return Answer("By arm, with intervals.", "Numbers")
    measure, cell = measure_of(sources.summary.metric, sources.summary.positive_class), cells[0]
    luck = "other seeds alone" if cell.interval_for == "seeds" else "other seeds and test patients"
    return Answer(
        f"Real images alone: {measure.title} {measure.show(cell.mean)} ({measure.show_interval(cell.low, cell.high)}, "
        f"95 % for {luck}).",
        "Numbers",
    )


def _diagnostic(sources: Sources) -> Answer:
    return Answer(
        "Sensitivity, specificity, AUROC, calibration and decision curves by arm, with intervals.", "Outcomes"
    )


def _failures(sources: Sources) -> Answer:
    return Answer(
        "Confusion matrices and results by class; the images got wrong are shown on the page.", "Numbers", False
    )


def _limits(sources: Sources) -> Answer:
    return Answer("Those that follow from data and settings.", "Limits", False)


def _protocol(sources: Sources) -> Answer:
    return Answer("Every setting, seed and hash of the sweep.", "Provenance", False)


def _fairness(sources: Sources) -> Answer | None:
    return _robustness(sources) if sources.config.subgroups else None


def _balance(sources: Sources) -> Answer:
    return Answer("Counts by class and part.", "Participants", False)


def _output(sources: Sources) -> Answer:
    aim, target = sources.config.operating_point, sources.config.operating_target
    point = f"; also at a threshold with a {aim} of {100 * target:g} % on the validation images" if (
        len(sources.summary.classes) == 2
    ) else ""  # fmt: skip
    return Answer(f"A probability for each class; named is the largest{point}.", "Outcomes")


def _difference_of_parts(sources: Sources) -> Answer | None:
    if sources.dataset is None:
        return None
    other = sources.summary.external
    also = f" {other.dataset} is another data set, and how it differs is not looked at." if other is not None else ""
    return Answer(f"Both parts are of one data set; how they differ by class and patient.{also}", "Participants", False)


def _specification(sources: Sources) -> Answer:
    return Answer("Settings and seeds with which the same classifiers are trained again; no network is kept.",
                  "Provenance", False)  # fmt: skip


CLAIM: tuple[tuple[str, str, Told | None], ...] = (
    ("1", "Title or abstract names the kind of AI", None),
    ("2", "Abstract with design, methods, results, conclusions", None),
    ("3", "Background, and the clinical use intended", None),
    ("4", "Aims and hypotheses", _aim),
    ("5", "Prospective or retrospective", None),
    ("6", "Goal of the study", _kind),
    ("7", "Where the data come from", _source),
    ("8", "Who and what was included and excluded", _eligibility),
    ("9", "Preparation of the images", _preparation),
    ("10", "Choice of parts of the data", _eligibility),
    ("11", "De-identification", None),
    ("12", "Handling of missing data", _missing),
    ("13", "How the images were acquired", None),
    ("14", "Reference standard: definition", _labels),
    ("15", "Reference standard: why this one", None),
    ("16", "Reference standard: who annotated", None),
    ("17", "Annotation of the test set", None),
    ("18", "Variability of annotators", None),
    ("19", "How the data were divided", _partition),
    ("20", "Level at which the parts are disjoint", _disjoint),
    ("21", "Size of the test sample, and why", _size),
    ("22", "The model in detail", _model),
    ("23", "Software", _software),
    ("24", "Initial parameters", _start),
    ("25", "Training", _training),
    ("26", "How the final model was chosen", _selection),
    ("27", "Ensembling", _ensembling),
    ("28", "Metrics", _metrics),
    ("29", "Uncertainty and significance", _uncertainty),
    ("30", "Robustness and sensitivity analyses", _robustness),
    ("31", "Explainability", None),
    ("32", "Evaluation on internal data", _internal),
    ("33", "Evaluation on external data", _external),
    ("34", "Registration of a clinical trial", None),
    ("35", "Numbers included and excluded", _flow),
    ("36", "Characteristics of cases in each part", _characteristics),
    ("37", "Performance with its uncertainty", _performance),
    ("38", "Diagnostic performance and its precision", _diagnostic),
    ("39", "Analysis of failures", _failures),
    ("40", "Limitations", _limits),
    ("41", "Implications for practice", None),
    ("42", "Where the full protocol is", _protocol),
    ("43", "Availability of software, model and data", _protocol),
    ("44", "Funding", None),
)

TRIPOD: tuple[tuple[str, str, Told | None], ...] = (
    ("1", "Title: development or evaluation, population, outcome", None),
    ("2", "Abstract", None),
    ("3", "Background, use intended, known inequalities", None),
    ("4", "Objectives", _aim),
    ("5", "Data: sources, dates", _source),
    ("6", "Participants: setting, eligibility, treatments", _eligibility),
    ("7", "Preparation of the data", _preparation),
    ("8", "Outcome: definition, assessors, blinding", _labels),
    ("9", "Predictors", _preparation),
    ("10", "Sample size", _size),
    ("11", "Missing data", _missing),
    ("12", "Analysis: use of data, model, training, evaluation", _uncertainty),
    ("13", "Class imbalance", _balance),
    ("14", "Fairness", _fairness),
    ("15", "Output of the model, thresholds", _output),
    ("16", "Differences of training and evaluation data", _difference_of_parts),
    ("17", "Ethical approval", None),
    ("18", "Open science: funding, interests, protocol, data, code", _protocol),
    ("19", "Involvement of patients and the public", None),
    ("20", "Participants: flow and characteristics", _flow),
    ("21", "Numbers in each analysis", _internal),
    ("22", "The full model, so that others can use it", _specification),
    ("23", "Performance with intervals, subgroups", _performance),
    ("24", "Updating of the model", None),
    ("25", "Interpretation", None),
    ("26", "Limitations", _limits),
    ("27", "Usability in practice", None),
)
