"""What runs are called where several are to be told apart: a browser answers a choice with the label alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from engine.store.runs import Run
from pages.components.format import moment
from pages.components.run_summary import status_of, title


def told_apart(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by what they stand for, which is added to those that are the same."""
    often = Counter(labels.values())
    return {option: f"{label} · {option}" if often[label] > 1 else label for option, label in labels.items()}


def labels_of(runs: Iterable[Run]) -> dict[str, str]:
    """Title and time of each run, by its id, for a choice among them."""
    return told_apart({run.id: f"{title(run)} · {moment(status_of(run).created)}" for run in runs})


def short_names(runs: Sequence[Run], without: str = "") -> list[str]:
    """A title for each of a few runs beside each other, `without` a beginning that all have; where two have the same,
    with their times."""
    titles = {run.id: title(run).removeprefix(without) for run in runs}
    often = Counter(titles.values())
    named = {
        run.id: f"{titles[run.id]} · {moment(status_of(run).created)}" if often[titles[run.id]] > 1 else titles[run.id]
        for run in runs
    }
    return list(told_apart(named).values())
