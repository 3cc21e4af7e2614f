"""`summary.json` as a model: what a sweep found, in numbers that pages and reports show as they are."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from engine.datasets.positive_class import ORIGINS
from engine.store.versioned import Number, Result, Versioned
from engine.sweep.analysis_units import Level
from engine.sweep.checks import Check, check_id
from engine.sweep.comparisons import Comparison
from engine.sweep.learning_curve import LearningCurve
from engine.sweep.look_results import LookResult
from engine.sweep.power import Detectable
from engine.sweep.protocol_deviations import Deviation, DroppedRuns
from engine.sweep.subgroup_differences import Interaction, SubgroupDifference
from engine.sweep.verdict import FORMER_RULE, Verdict

SUMMARY_FILE = "summary.json"
REJUDGED_FILE = "summary.rejudged.json"
"""What the sweep was found to be when it was judged again by a later rule."""


class Classifier(Result):
    """The classifier in words; of networks that begin untrained, nothing but the name is known."""

    name: str
    training: str = ""
    head: str = ""
    weights: str = ""
    weights_sha256: str = ""
    input: str = ""


class Patients(Result):
    """Patients of the test images."""

    known: int
    """Patients whom the source names, and groups that stand for patients by the names of their files."""
    images_without: int
    """Test images of unknown patients."""
    named: int = 0
    """Of those known, the groups that were read from file names: a guess at patients."""
    mixed: int = 0
    """Patients with images of several classes."""


class Fold(Result):
    """A fold and how much it holds; a sweep without folds has one."""

    fold: int
    dataset: str
    dataset_fingerprint: str
    pool: str
    n_train: int
    n_valid: int
    n_test: int
    n_groups: int


class Cell(Result):
    """The sweep's metric in an arm and ratio, with its 95 % interval."""

    arm: str
    ratio: float
    n: int
    metric: str = "accuracy"
    mean: Number
    low: Number
    high: Number
    interval_for: Literal["seeds", "seeds and test patients"] = "seeds"
    """Whose luck the interval holds for; in sweeps of before that of the seeds alone, on these test images."""
    n_real: int
    n_synthetic: int
    means: dict[str, Number]
    """The means of every metric."""


class Subgroup(Result):
    """The sweep's metric in a subgroup of the test images, with its 95 % interval for seeds and test images."""

    column: str
    value: str
    arm: str
    ratio: float
    metric: str
    mean: Number
    low: Number
    high: Number
    n: int


class RealNoise(Result):
    """The accuracy of real images alone, with a 95 % interval over the test images (whole groups where known)."""

    mean: Number
    low: Number
    high: Number


class DifferenceNoise(RealNoise):
    """A difference of accuracies, with its interval over the test images."""

    arm: str = "real+synthetic"
    ratio: float
    against: str


class TestNoise(Result):
    """How much the choice of test images moves accuracies and differences."""

    __test__: ClassVar[bool] = False  # nothing for pytest

    real: RealNoise
    differences: tuple[DifferenceNoise, ...] = ()


class External(Result):
    """What the same trials found on a second data set; it stands beside the result and decides nothing."""

    dataset: str
    dataset_fingerprint: str
    n_images: int
    n_groups: int
    n_units: int
    """What is counted: images or patients."""
    cells: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]
    """Of the arm that the verdict is about with its controls, in the sweep's metric."""
    averages: tuple[Comparison, ...] = ()
    verdict: Verdict
    """By the same rule on these images, in which nothing is claimed."""


class Rejudged(Result):
    """When a finished sweep was judged again, and by which rules; times are seconds since the epoch."""

    time: float
    program: str
    """Name and version of the program that judged again."""
    rule: str
    first_rule: str
    first_time: float
    """When it was judged at first."""


class SweepSummary(Versioned):
    """What a sweep found. What sweeps of before did not keep has a default.

    Version 2: p and intervals are those of `max_t.py`, and the verdict asks for both controls; see `rule`.
    """

    LATEST: ClassVar[int] = 2

    dataset: str
    dataset_fingerprint: str = ""
    phantom: bool = False
    pool: str = ""
    classifier: Classifier
    classes: list[str]
    positive: str = ""
    """The positive one of two classes; of more classes nothing, or in sweeps of before the last of them."""
    positive_origin: str = ""
    """Where that came from (`engine.datasets.positive_class.ORIGINS`); sweeps of before took it from the names."""
    metric: str = "accuracy"
    log_clip: Number = math.nan
    """The log score takes no probability for smaller than this; of sweeps of before there is no log score."""
    level: Level = "image"
    majority_accuracy: Number = math.nan
    """Accuracy of always naming the class most frequent in the (fold's) training images."""
    n_train: int
    n_valid: int
    n_test: int
    n_groups: int = 0
    n_units: int = 0
    """What is counted: test images or patients."""
    patients: Patients | None = None
    folds: tuple[Fold, ...] = ()
    seeds: int
    steps: int
    batch: int
    detectable: Detectable
    cells: tuple[Cell, ...] = ()
    comparisons: tuple[Comparison, ...]
    averages: tuple[Comparison, ...] = ()
    """Comparisons of the mean over the ratios (their `ratio` is unknown), where there are several."""
    baselines: tuple[Comparison, ...] = ()
    """Comparisons of the arms without synthetic images."""
    subgroups: tuple[Subgroup, ...] = ()
    subgroup_differences: tuple[SubgroupDifference, ...] = ()
    """Of the arm that the verdict is about, in each subgroup; sweeps of before have none."""
    interactions: tuple[Interaction, ...] = ()
    """Whether those differ between the subgroups of a column."""
    test_noise: TestNoise
    primary_arm: str | None = None
    """The arm that the verdict is about."""
    verdict: Verdict
    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """Of every synthetic arm; all but the primary arm's are exploratory."""
    rule: str = FORMER_RULE
    """What the verdicts were judged by."""
    external: External | None = None
    declared: str = ""
    """Where metric, share and margin were declared, and whether other sweeps had read the test set by then (what
    follows "declared"); empty of sweeps of before the ledger."""
    rejudged: Rejudged | None = None
    """Of a second judgement; the first has none."""
    looks: tuple[LookResult, ...] = ()
    """Of a sweep that is read at several planned numbers of repetitions, or to which some were added."""
    learning_curve: LearningCurve | None = None
    """What shares of the real images give; None where the sweep had no such arm."""
    departures: tuple[Deviation, ...] = ()
    checks: tuple[Check, ...] = ()
    dropped: DroppedRuns | None = None
    pool_images: int = 0
    generators_a_class: int = 1
    """Generators of each class that took turns over the seeds."""
    pool_excluded: dict[str, int] | None = None
    """Images that had left the pools, by reason; None of sweeps that did not count them."""
    control: str = ""
    """What stood in place of synthetic images, of a sweep on a control pool: its verdict is no result on any."""
    unknown_training: bool = False
    """Whether nobody here knows what real images the generators of the pool saw."""
    declared_training: bool = False
    """Whether that is known from a declaration of the pool's makers alone."""

    @property
    def positive_class(self) -> str:
        """The positive one of two classes; empty with more, where every metric is a mean over all of them."""
        return self.positive if len(self.classes) == 2 else ""

    @property
    def positive_in_words(self) -> str:
        """`melanoma (named at the import)`: the positive class and where that came from; empty with more classes."""
        if not self.positive_class:
            return ""
        return f"{self.positive_class} ({ORIGINS[self.positive_origin or 'guessed']})"

    @field_validator("comparisons", "baselines", mode="before")
    @classmethod
    def _of_before(cls, rows: Any) -> Any:
        """A comparison without a named arm is of the one synthetic arm that there was at first; p was corrected by
        Holm's procedure and named after it."""
        if not isinstance(rows, list):
            return rows
        return [
            {"arm": "real+synthetic", **row, "p_corrected": row.get("p_corrected", row.get("p_holm"))}
            if isinstance(row, dict)
            else row
            for row in rows
        ]

    @field_validator("checks", mode="before")
    @classmethod
    def _with_ids(cls, rows: Any) -> Any:
        """Checks of before there were ids are known by their words."""
        if not isinstance(rows, list):
            return rows
        return [{**row, "id": check_id(row)} if isinstance(row, dict) and "name" in row else row for row in rows]
