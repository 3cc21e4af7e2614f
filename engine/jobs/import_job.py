"""An import in the worker, which may follow one that was killed half-way."""

from __future__ import annotations

from engine.configs import ImportConfig
from engine.datasets import importing
from engine.datasets.parallel_map import ImportStopped
from engine.store.files import clear_leftovers, read_json
from engine.store.progress import Outcome, Report, ShouldStop
from engine.store.runs import Run


def execute(run: Run, config: ImportConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Import the data set, unless a former worker has; returns how it ended."""
    folder = run.home.dataset(config.name)
    # The former worker may have been killed half-way, or between the last step of the import and its record of it.
    clear_leftovers(folder.parent.glob(".*"), of=folder)
    if folder.exists() and ImportConfig.build(read_json(folder / "dataset.json")["config"]) == config:
        return "finished"
    try:
        importing.import_dataset(run.home, config, report, should_stop)
    except ImportStopped:
        return "stopped"
    return "finished"
