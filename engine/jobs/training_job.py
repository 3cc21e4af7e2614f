"""A training from its first image to the exported generator, in the worker or in several ranks that it starts."""

from __future__ import annotations

from engine.configs import TrainConfig
from engine.gans.distributed import is_first
from engine.gans.training import train
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run


def execute(run: Run, config: TrainConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train, and export the generator of a training that has finished; returns how it ended."""
    from engine.sampling.export import export_generator

    if config.ranks > 1:
        from engine.jobs.torchrun import train_on_ranks

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
    if not (config.scores and is_first()):
        return train(run, config, report, should_stop)

    from engine.datasets.dataset import Dataset
    from engine.devices import choose_device
    from engine.quality.results import TrainingResult
    from engine.quality.training_scores import training_scores

    dataset = Dataset.open(run.home, config.dataset)
    score = training_scores(config, dataset, choose_device(config.device), report, should_stop)
    if score:
        run.update(result=TrainingResult(scores=score.facts).plain())
    return train(run, config, report, should_stop, score)
