"""A kind of run of somebody else's package: everything about it is in this file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.configs import Config
from engine.jobs.kinds import register
from engine.jobs.run_kind import ImpactTexts, RunKind
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run


class CountdownConfig(Config):
    """How far to count."""

    kind: Literal["countdown"] = "countdown"
    name: str
    """What is counted for."""
    numbers: int = Field(default=3, ge=1)
    """Where it begins."""
    counted_in: str = ""
    """The home; filled in when the run is submitted."""


def prepare(home: Home, config: CountdownConfig) -> CountdownConfig:
    if config.name == "failure":
        raise ErsatzError("Nobody counts down to a failure; expected another name. Choose one.")
    return config.model_copy(update={"counted_in": home.root.name})


def execute(run: Run, config: CountdownConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    for number in range(config.numbers):
        if should_stop():
            return "stopped"
        run.append_metrics({"left": config.numbers - number})
        report(Progress("counting", number + 1, config.numbers, "numbers"))
    run.update(result={"sentence": f"Counted to {config.name}."})
    return "finished"


COUNTDOWN = RunKind(
    name="countdown",
    config=CountdownConfig,
    label="Countdown",
    prepare="tests.fabricated.countdown:prepare",
    execute="tests.fabricated.countdown:execute",
    deletion_impact=ImpactTexts(lost="The numbers that were counted."),
    outcome=lambda status: f"{status.done:g} numbers",
    curve=("left",),
)
register(COUNTDOWN)
