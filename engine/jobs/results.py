"""What a journey has made so far, and what it found in the end."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, field_serializer

from engine.store.versioned import Result
from engine.sweep.results import SweepResult

Runs = Annotated[tuple[str, ...], BeforeValidator(lambda ids: (ids,) if isinstance(ids, str) else ids)]
"""Ids of runs; in a file, that of a journey without folds stands alone."""


class PipelineResult(Result):
    """The runs of each step, as they are made, then the verdict of the last sweep. Nothing in it is always there."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    size: str = ""
    """How long trainings and trials are; empty for a journey that has no sizes."""
    size_sentence: str = ""
    """What was measured for that, and chosen."""
    imported: str = Field(default="", alias="import")
    """Empty when the data set was there before."""
    mended: str = ""
    """What was changed by hand in a data set that was there before, in a sentence."""
    notes: tuple[str, ...] = ()
    """What the import left out, decided or suggests, in sentences."""
    dataset: str = ""
    folds: tuple[str, ...] = ()
    """The data sets of the folds; none without a cross-validation."""
    train: tuple[str, ...] = ()
    """The generators of all folds."""
    pool: Runs = ()
    """One of each fold."""
    quality: Runs = ()
    published: str = ""
    """The sweep as published."""
    sweep: str = ""
    """The last sweep, which is the sound one unless the published one is asked for alone."""
    verdict: str = ""
    sentence: str = ""
    word: str = ""
    headline: str = ""
    """Of the last sweep, as its own result has them."""

    def runs(self) -> list[str]:
        """The ids of all runs so far, in the order of the steps."""
        made = (self.imported, *self.train, *self.pool, *self.quality, self.published, self.sweep)
        return list(dict.fromkeys(filter(None, made)))

    @property
    def shown(self) -> str:
        """The verdict as lists show it; empty before there is one."""
        told = SweepResult(verdict=self.verdict, sentence=self.sentence, word=self.word, headline=self.headline)
        return told.shown if self.verdict else ""

    def plain(self) -> dict[str, Any]:
        """JSON-able values of what there is."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @field_serializer("pool", "quality")
    def _alone(self, ids: tuple[str, ...]) -> str | list[str]:
        return list(ids) if self.folds or len(ids) != 1 else ids[0]
