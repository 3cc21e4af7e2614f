"""The base of all configs: frozen, keyword-only, complete, validated with the field's name in the error."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.store.errors import ErsatzError


class Config(BaseModel):
    """A typed config; the docstring under each field is its help on the command line and on the page."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def build(cls, values: dict[str, Any]) -> Self:
        """Validate `values`; an `ErsatzError` names each wrong field, what was found and what was expected."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ErsatzError(_sentence(error)) from error

    def plain(self) -> dict[str, Any]:
        """The complete config as JSON-able values: the content of `config.json`."""
        return self.model_dump(mode="json")


def _sentence(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "config"
        reason = problem["msg"].removeprefix("Value error, ")
        found = f" is {problem['input']!r}" if problem["loc"] and problem["type"] != "missing" else ""
        problems.append(f"{field}{found}: {reason}")
    return "The settings are not valid: " + "; ".join(problems) + ". Correct the named field and start again."
