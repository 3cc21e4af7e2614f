"""What belongs to a run: everything that it was made from, and the checks of what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine.datasets.dataset import Dataset
from engine.datasets.folds import fold_of
from engine.jobs.kinds import kind_shown
from engine.jobs.results import PipelineResult
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, each, list_runs


def lineage(run: Run) -> list[Run]:
    """The run with all that its result rests on, the oldest first: parents that its settings name, their parents, the
    imports of their data sets, and the finished checks of their pools; of a journey what it made, too.

    What was deleted or is damaged is left out.
    """
    home = run.home
    settings = {other.id: config for other, config in each(list_runs(home), Run.config)}
    found: dict[str, None] = {}
    wanted = [run.id]
    while wanted:
        run_id = wanted.pop()
        if run_id in found or run_id not in settings:
            continue
        found[run_id] = None
        config = settings[run_id]
        wanted += [text for text in _texts(config) if text in settings]
        wanted += _made_by(Run(home, run_id), config)
        names = with_parents(home, kind_shown(config["kind"]).datasets_needed(config))
        wanted += [other for other in _imports(settings, names) if config["kind"] != "import"]
        if config["kind"] == "pool":
            wanted += [other for other, theirs in settings.items() if _checks(home, other, theirs, run_id)]
    made = each((Run(home, run_id) for run_id in found), Run.status)
    return [one for one, _ in sorted(made, key=lambda pair: (pair[1].created, pair[0].id))]


def datasets_of(runs: list[Run]) -> list[str]:
    """The names of the data sets that these runs are about, in their order."""
    names: dict[str, None] = {}
    for _, config in each(runs, Run.config):
        kind = kind_shown(config["kind"])
        if not kind.made_of_runs:
            names |= dict.fromkeys((kind.dataset_of(config), *kind.datasets_needed(config)))
    home = runs[0].home if runs else None
    return with_parents(home, tuple(name for name in names if name)) if home else []


def with_parents(home: Home, names: Sequence[str]) -> list[str]:
    """Data sets with those that they are folds of, which come first; of one that is gone its name alone."""
    found: dict[str, None] = {}
    for name in names:
        try:
            found |= dict.fromkeys(filter(None, (fold_of(Dataset.open(home, name)).get("parent", ""), name)))
        except ErsatzError:
            found[name] = None
    return list(found)


def _imports(settings: dict[str, dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    for run_id, config in settings.items():
        if config["kind"] == "import" and config["name"] in names:
            yield run_id


def _checks(home: Home, run_id: str, config: dict[str, Any], pool: str) -> bool:
    """Whether a run is a finished check of the pool."""
    return config["kind"] == "quality" and config.get("pool") == pool and Run(home, run_id).state() is State.FINISHED


def _made_by(run: Run, config: dict[str, Any]) -> list[str]:
    if not kind_shown(config["kind"]).made_of_runs:
        return []
    try:
        made = run.status().result_as(PipelineResult)
    except ErsatzError:
        return []
    return made.runs() if made else []


def _texts(value: Any) -> Iterator[str]:
    """Every text in plain settings."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
