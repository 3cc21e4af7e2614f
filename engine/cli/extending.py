"""`sweep extend RUN --seeds N`: repetitions that are added to a finished sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.cli.runs import named_run
from engine.configs import SweepConfig
from engine.store.errors import ErsatzError
from engine.sweep.extension import extended

MAY_BE_GIVEN = {"seeds", "device", "gpus"}


def extension(runs: Sequence[str], settings: dict[str, Any]) -> SweepConfig:
    """The settings of the sweep that goes on from a finished one; of the options only `--seeds` and where it runs."""
    if len(runs) != 1 or "seeds" not in settings:
        raise ErsatzError(
            "It is not said which sweep is to have how many repetitions; expected `sweep extend RUN --seeds N`, with "
            "the id of one finished sweep."
        )
    if others := sorted(settings.keys() - MAY_BE_GIVEN):
        raise ErsatzError(
            f"--{others[0].replace('_', '-')} was given, but repetitions are added under the settings that a sweep "
            "has; expected --seeds alone. Start a new sweep for other settings."
        )
    config = extended(named_run(runs[0], "sweep"), settings["seeds"])
    return config.model_copy(update={name: value for name, value in settings.items() if name != "seeds"})
