"""What a check of a pool found, as its run folder keeps it; read without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd
from pydantic import ConfigDict, Field

from engine.store.versioned import Number, Result, Versioned

SCORES_FILE = "scores.json"

COPIES_RULE = "swaps"
"""How copies and memory are judged: against the pool among unseen images, and with patients swapped."""

FORMER_COPIES_RULE = (
    "This check judged copies by distances to held-out images alone. That accuses smooth pools, and those of few or "
    "many-imaged patients, too often; check the pool again to have it judged by swaps."
)

Flag = Literal["copy", "near-copy", "repeat"]


class Extractor(Result):
    """The network whose features were compared."""

    name: str
    weights: str = ""
    weights_sha256: str = ""
    input: str = ""
    """What becomes of an image before the network."""


class Counts(Result):
    """How many images were looked at."""

    train: int
    valid: int
    pool: int
    excluded_before: int = 0
    """Images that had left the pool before."""


class PoolScore(Result):
    """One score of one class, beside its floor: what real images score against real ones."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    class_name: str = Field("", validation_alias="class", serialization_alias="class")
    """`class` in the file; '' is all classes together."""
    metric: str
    value: Number
    low: Number = math.nan
    high: Number = math.nan
    n_real: int
    n_synthetic: int
    floor: Number = math.nan
    """nan where the images are too few to be halved."""
    floor_low: Number = math.nan
    floor_high: Number = math.nan
    note: str = ""

    @property
    def name(self) -> str:
        return self.metric


class MemorisationMeasure(Result):
    """One measure of memorisation of one class, beside what clean images give. Shares are between 0 and 1."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    class_name: str = Field("", validation_alias="class", serialization_alias="class")
    """`class` in the file; '' is all classes together."""
    measure: str
    value: Number
    low: Number = math.nan
    high: Number = math.nan
    expected: Number = math.nan
    n: int
    note: str = ""

    @property
    def name(self) -> str:
        return self.measure

    @property
    def floor(self) -> float:
        """What it is held against, as a score is against its floor; without an interval."""
        return self.expected

    @property
    def floor_low(self) -> float:
        return math.nan

    @property
    def floor_high(self) -> float:
        return math.nan


AnyScore = PoolScore | MemorisationMeasure


class QualityScores(Versioned):
    """The content of `scores.json`."""

    pool: str
    dataset: str
    dataset_fingerprint: str
    pool_sha256: str
    extractor: Extractor
    counts: Counts
    scores: tuple[PoolScore, ...]
    memorisation: tuple[MemorisationMeasure, ...]
    flags: dict[str, int]
    """How many images have each flag."""
    sentences: tuple[str, ...]
    """The findings in words, the worst first."""
    limits: tuple[str, ...]
    """What the numbers do not say."""
    excluded: int = 0
    """Images that this check took out of the pool."""
    copies_rule: str = ""
    """`COPIES_RULE`; empty for checks of before, whose measures and sentences stay as they were."""

    def flagged(self, flag: Flag) -> int:
        """How many images have this flag."""
        return self.flags.get(flag, 0)

    def of_class(self, class_name: str) -> dict[str, AnyScore]:
        """Scores and measures of one class, or of all together (''), by their names."""
        return self.by_class().get(class_name, {})

    def by_class(self) -> dict[str, dict[str, AnyScore]]:
        """Scores and measures by class ('': of all together) and name, classes in the order of the rows."""
        found: dict[str, dict[str, AnyScore]] = {}
        rows: tuple[AnyScore, ...] = (*self.scores, *self.memorisation)
        for row in rows:
            found.setdefault(row.class_name, {})[row.name] = row
        return found


def rows_table(rows: Sequence[Result]) -> pd.DataFrame:
    """Rows of a result as a table, with the columns that they have in the file."""
    return pd.DataFrame([row.plain() for row in rows])
