"""What the table of the kinds knows of a run's files, so that a damaged one is told apart before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.jobs.run_kind import RunKind, Settings
from engine.store.damage import Check
from engine.store.errors import ErsatzError
from engine.store.runs import State, Status

FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What code that shows a run raises when a setting is missing or of another type than it expects."""


def check_by(known: Callable[[str], RunKind | None]) -> Check:
    """A check of runs by the kinds that are `known` by name; a run of another package's kind may be of none."""

    def check(config: Settings, status: Status) -> None:
        if kind := known(config["kind"]):
            _check(kind, config, status)

    return check


def _check(kind: RunKind, config: Settings, status: Status) -> None:
    """Raise `ErsatzError` when a list could not show a run of these files."""
    try:
        parsed = kind.parsed(config).plain()
    except ErsatzError as error:
        raise ErsatzError(
            f"config.json is damaged, or of another version of this program. {error} Restore it from a backup, or "
            "delete the run."
        ) from error
    for name, value in config.items():
        if name in parsed and _type(value) != _type(parsed[name]) and None not in (value, parsed[name]):
            raise ErsatzError(
                f"config.json is damaged: {name} is {str(value)[:60]!r}, and {_type(parsed[name])} is expected. "
                "Restore it from a backup, or delete the run."
            )
    try:
        kind.usual_title(config, "")
        kind.dataset_of(config)
        kind.datasets_needed(config)
        found = kind.result_of(status)
        if found and kind.dataset_of_result is not None:
            kind.dataset_of_result(found)
        if status.state is State.FINISHED:
            kind.outcome(status)
    except FAULTS as error:
        raise ErsatzError(
            f"config.json or status.json is damaged ({type(error).__name__}: {str(error)[:80]}); the settings and the "
            f"result of a {kind.in_a_sentence} are expected. Restore them from a backup, or delete the run."
        ) from error


def _type(value: Any) -> str:
    """The type of a JSON value in a word; whole numbers are numbers."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"
