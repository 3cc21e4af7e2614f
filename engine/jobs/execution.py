"""What a worker does for the kinds of runs that take steps of several parts of the engine, one after the other."""

from __future__ import annotations

from engine.configs import ImportConfig, NetworkConfig, SweepConfig, TrainConfig
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run


def import_dataset(run: Run, config: ImportConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Import the data set, unless a former worker has; returns how it ended."""
    from engine.datasets import importing
    from engine.datasets.dataset_info import DatasetInfo
    from engine.datasets.watched import ImportStopped

    folder = run.home.dataset(config.name)
    # The former worker may have been killed between the last step of the import and its record of it.
    if folder.exists() and ImportConfig.build(DatasetInfo.read(folder / "dataset.json").config) == config:
        report(Progress("audit and split", 1, 1, "steps"))
        return "finished"
    try:
        importing.import_dataset(run.home, config, report, should_stop)
    except ImportStopped:
        return "stopped"
    return "finished"


def import_network(run: Run, config: NetworkConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Import the networks, and export the generator of an import that has finished; returns how it ended."""
    from engine.gans.nvidia_pkl import importing
    from engine.sampling.export import export_generator

    outcome = importing.import_network(run, config, report, should_stop)
    if outcome == "finished":
        export_generator(run)
    return outcome


def train(run: Run, config: TrainConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train, here or in several ranks, and export the generator of a training that has finished; how it ended."""
    from engine.sampling.export import export_generator

    if config.ranks > 1:
        from engine.jobs.ranks import train_on_ranks

        outcome = train_on_ranks(run, config, report, should_stop)
    else:
        outcome = train_here(run, config, report, should_stop)
    if outcome == "finished":
        kimg = run.status().total
        report(Progress("exporting", kimg, kimg, "kimg"))
        export_generator(run)
    return outcome


def train_here(run: Run, config: TrainConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train in this process, which is the worker or one of its ranks; the first of them alone computes scores."""
    from engine.gans.distributed import is_first
    from engine.gans.training import train as train_generator

    if not (config.scores and is_first()):
        return train_generator(run, config, report, should_stop)

    from engine.datasets.dataset import Dataset
    from engine.devices import choose_device
    from engine.quality.results import TrainingResult
    from engine.quality.training_scores import training_scores

    dataset = Dataset.open(run.home, config.dataset)
    score = training_scores(config, dataset, choose_device(config.device), report, should_stop)
    if score:
        run.update(result=TrainingResult(scores=score.facts).plain())
    return train_generator(run, config, report, should_stop, score)


def keep_reading(run: Run) -> None:
    """A deleted sweep has still read its test images: one of before the ledger is written down there first."""
    from engine.datasets.test_readings import write_down

    write_down(run.home)


def sweep(run: Run, config: SweepConfig, report: Report, should_stop: ShouldStop, spread: bool = False) -> Outcome:
    """Train and test every trial, and write the report of a sweep that has finished; returns how it ended.

    `spread` leaves the trials to others (`engine.sweep.fan_out`).
    """
    from engine.report.html import write_report
    from engine.sweep.runner import run_sweep

    outcome = run_sweep(run, config, report, should_stop, spread=spread)
    if outcome == "finished":
        write_report(run)
    return outcome
