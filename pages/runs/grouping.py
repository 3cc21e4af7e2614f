"""Runs by what made them: a journey with its steps below it; what was started by hand by its data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.jobs.results import PipelineResult
from engine.store.errors import ErsatzError
from pages.components.format import moment
from pages.components.run_summary import RunSummary


class Group(NamedTuple):
    """Where a run stands: the title of its group, whether it is a step of a journey, and its place in the list."""

    title: str
    inside: bool
    place: tuple[int, int]


def groups(seen: Sequence[RunSummary]) -> dict[str, Group]:
    """The group of each run by its id; of `seen`, the newest first, the group with the newest run comes first.

    Within a journey the steps follow it in their order; else the newest run stands first.
    """
    made_by: dict[str, tuple[RunSummary | None, int]] = {}
    for journey in (one for one in seen if one.kind == "journey"):
        made_by.setdefault(journey.run.id, (journey, 0))
        for number, run_id in enumerate(_made(journey), start=1):
            made_by.setdefault(run_id, (journey, number))
    order: dict[str, int] = {}
    found = {}
    for number, one in enumerate(seen):
        whole, step = made_by.get(one.run.id, (None, number))
        name = whole.run.id if whole else f"of {one.dataset}"
        title = f"{whole.title} · {moment(whole.status.created)}" if whole else one.dataset
        place = order.setdefault(name, len(order))
        found[one.run.id] = Group(title, whole is not None and whole.run.id != one.run.id, (place, step))
    return found


def _made(journey: RunSummary) -> list[str]:
    try:
        made = journey.status.result_as(PipelineResult)
    except ErsatzError:
        return []
    return made.runs() if made else []
