"""Results as typed, versioned models: what a run writes into its folder and everything else reads by attributes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json


def _to_nan(value: Any) -> Any:
    return math.nan if value is None else value


Number = Annotated[float, BeforeValidator(_to_nan)]
"""A float that may be unknown: nan in Python, null in JSON, which has no nan."""


class LaterVersion(ErsatzError):
    """A file that a later version of this program has written; it is not damaged."""


class Result(BaseModel):
    """A result or a part of one. Fields that a later version has added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def parse(cls, values: Any, origin: str) -> Self:
        """Validate `values`; an `ErsatzError` names `origin` and the first field that is not as expected."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the content"
            raise ErsatzError(
                f"{origin} is not as this program writes it ({field}: {first['msg']}); it was changed by hand or "
                "damaged. Restore it from a backup or make it again."
            ) from error

    def plain(self) -> dict[str, Any]:
        """JSON-able values, with null for what is not finite."""
        return _finite(self.model_dump(mode="json"))


class Versioned(Result):
    """The content of a JSON file of a run folder.

    A version is counted up when a field changes its meaning; files from before there were versions count as 1.
    """

    LATEST: ClassVar[int] = 1
    version: int = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """The content of a file. `ErsatzError` when it is missing, damaged or of a later version than is known."""
        return cls.parse(read_json(path), str(path))

    @classmethod
    def parse(cls, values: Any, origin: str) -> Self:
        """As `Result.parse`; an `ErsatzError` also where the version is a later one than is known."""
        found = values.get("version", 1) if isinstance(values, dict) else 1
        if isinstance(found, int) and found > cls.LATEST:
            raise LaterVersion(
                f"{origin} is of version {found}, and this program knows up to {cls.LATEST}. Open it with the program "
                "that wrote it, or a newer one."
            )
        return super().parse(values, origin)

    def write_to(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(path, self.plain())


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
