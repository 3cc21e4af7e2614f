"""The process that does a run: `python -m engine.jobs.worker RUN`, started by the run's supervisor.

The engine is called with two hooks, `report` and `should_stop`; how it ended goes to `status.json`, and the stack
trace of an error to the log alone.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.configs import (
    Config,
    DcganConfig,
    DryRunConfig,
    ImportConfig,
    JourneyConfig,
    NetworkConfig,
    PoolConfig,
    ProjectionConfig,
    QualityConfig,
    RankingConfig,
    StyleganConfig,
    SweepConfig,
    TrainingConfig,
    parse_config,
)
from engine.presets import step_settings
from engine.store.errors import ErsatzError, RunDeleted, is_out_of_memory
from engine.store.files import disk_errors, is_leftover, read_json
from engine.store.home import Home
from engine.store.locks import is_held
from engine.store.log import log_to_stdout
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run, State

logger = logging.getLogger("engine.jobs.worker")  # not __name__: this module runs as __main__

REPORT_SECONDS = 0.2
LOOK_SECONDS = 0.2


def work(home: Home, run_id: str) -> None:
    """Do a run that its supervisor holds the lock of, and record how it ended."""
    run = Run(home, run_id)
    config = parse_config(run.config())
    if not is_held(run.lock_path):
        raise ErsatzError(
            f"Run {run_id} has no supervisor; workers are started by it alone. "
            f"Start the run with `python -m engine resume {run_id}`."
        )
    hooks = Hooks(run)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, hooks.on_signal)
    logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {config.plain()['kind']} {run_id}")
    _clear(run.path.rglob(".*"))
    try:
        try:
            with disk_errors(run.path):
                outcome = do(run, config, hooks.report, hooks.should_stop)
            hooks.flush()
            state, error = State(outcome), ""
        except RunDeleted:
            raise
        except Exception as failure:
            if not run.exists():
                raise RunDeleted(run_id) from failure
            traceback.print_exc()
            # What breaks while everything is being ended, such as the helpers of a sweep, is no failure of the run.
            state = State.STOPPED if hooks.stopping else State.FAILED
            error = sentence(failure, run)
        run.update(state=state, ended=time.time(), error=error)
        logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {state} {error}".rstrip())
    except RunDeleted:
        run.remove_leftovers()


def do(run: Run, config: Config, report: Report, should_stop: ShouldStop) -> Outcome:
    """The work itself; each kind imports what it needs, torch above all, only here."""
    match config:
        case ImportConfig():
            return _import(run, config, report, should_stop)
        case DcganConfig() | StyleganConfig():
            return _train(run, config, report, should_stop)
        case DryRunConfig():
            from engine.gans.dry_run import dry_run

            return dry_run(run, config, report, should_stop)
        case NetworkConfig():
            return _import_network(run, config, report, should_stop)
        case ProjectionConfig():
            from engine.projection.projecting import project

            return project(run, config, report, should_stop)
        case PoolConfig():
            from engine.sampling.pools import make_pool

            return make_pool(run, config, report, should_stop)
        case QualityConfig():
            from engine.quality.running import check_quality

            return check_quality(run, config, report, should_stop)
        case RankingConfig():
            from engine.quality.ranking import rank_snapshots

            return rank_snapshots(run, config, report, should_stop)
        case SweepConfig():
            return _sweep(run, config, report, should_stop)
        case JourneyConfig():
            return _journey(run, config, report, should_stop)
    raise TypeError(f"no way to do {type(config).__name__}")


def _import(run: Run, config: ImportConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    from engine.datasets.each import ImportStopped
    from engine.datasets.importing import import_dataset

    folder = run.home.dataset(config.name)
    # The former worker may have been killed half-way, or between the last step of the import and its record of it.
    _clear(folder.parent.glob(".*"), of=folder)
    if folder.exists() and ImportConfig.build(read_json(folder / "dataset.json")["config"]) == config:
        return "finished"
    try:
        import_dataset(run.home, config, report, should_stop)
    except ImportStopped:
        return "stopped"
    return "finished"


def _train(run: Run, config: TrainingConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    from engine.sampling.export import export_generator

    if isinstance(config, StyleganConfig) and config.gpus > 1:
        from engine.jobs.ranks import train_on_ranks

        outcome = train_on_ranks(run, config, report, should_stop)
    else:
        outcome = train_here(run, config, report, should_stop)
    if outcome == "finished":
        kimg = run.status().total
        report(Progress("exporting", kimg, kimg, "kimg"))
        export_generator(run)
    return outcome


def train_here(run: Run, config: TrainingConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train in this process, which is the worker or one of its ranks; the first of them alone computes scores."""
    from engine.gans.distributed import is_first
    from engine.gans.training import train

    if not (isinstance(config, StyleganConfig) and config.metrics and is_first()):
        return train(run, config, report, should_stop)

    from engine.datasets.dataset import Dataset
    from engine.gans.devices import choose_device
    from engine.quality.training_scores import training_scores

    dataset = Dataset.open(run.home, config.dataset)
    score = training_scores(config, dataset, choose_device(config.device), report, should_stop)
    if score:
        run.update(result={"scores": score.facts})
    return train(run, config, report, should_stop, score)


def _import_network(run: Run, config: NetworkConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    from engine.gans.exchange.importing import import_network
    from engine.sampling.export import export_generator

    outcome = import_network(run, config, report, should_stop)
    if outcome == "finished":
        export_generator(run)
    return outcome


def _sweep(run: Run, config: SweepConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    from engine.report.html import write_report
    from engine.sweep.runner import run_sweep

    outcome = run_sweep(run, config, report, should_stop)
    if outcome == "finished":
        write_report(run)
    return outcome


def _clear(paths: Iterable[Path], of: Path | None = None) -> None:
    """Remove what a former worker that was killed left half-written."""
    for path in list(paths):
        if is_leftover(path, of):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _journey(run: Run, config: JourneyConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    from engine.jobs.journey import run_journey

    settings = step_settings(config)
    sweeps = [settings[step] for step in ("published", "sweep") if settings[step]]
    networks = {(sweep.get("classifier", "small-cnn"), sweep.get("weights", "")) for sweep in sweeps}
    networks.add((settings["quality"].get("extractor", "auto"), settings["quality"].get("weights", "")))
    for name, weights in sorted(networks):
        if name not in ("small-cnn", "auto", "pixels"):
            from engine.features.weights import resolve_weights

            # Found or downloaded now: their lack must not show after hours of training.
            resolve_weights(name, weights)
    return run_journey(run, config, report, should_stop)


class Hooks:
    """`report` and `should_stop` of one run, both cheap enough for an inner loop."""

    def __init__(self, run: Run):
        self._run = run
        self._pending: Progress | None = None
        self._stage = ""
        self._reported = self._looked = 0.0
        self.stopping = False

    def report(self, progress: Progress) -> None:
        """Write progress to `status.json`, a few times a second at most, and a new stage at once."""
        self._pending = progress
        if progress.stage != self._stage or time.monotonic() - self._reported > REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the progress that is still waiting."""
        if self._pending is not None:
            progress, self._pending = self._pending, None
            self._run.update(stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit)
            self._stage, self._reported = progress.stage, time.monotonic()

    def should_stop(self) -> bool:
        """Whether somebody asked for a stop; looks at the disk a few times a second at most."""
        if not self.stopping and time.monotonic() - self._looked > LOOK_SECONDS:
            if not self._run.exists():
                raise RunDeleted(self._run.id)
            self.stopping = self._run.stop_requested()
            self._looked = time.monotonic()
        return self.stopping

    def on_signal(self, *_: Any) -> None:
        """SIGTERM and SIGINT are requests to stop too: a machine that shuts down loses nothing."""
        self.stopping = True


def sentence(error: Exception, run: Run) -> str:
    """What the user reads: the sentence of an `ErsatzError`, or one about memory, or where to find the stack trace."""
    if isinstance(error, ErsatzError):
        return str(error)
    text = f"{type(error).__name__}: {error}"
    if is_out_of_memory(error):
        return (
            "The memory ran out; choose a smaller batch or smaller images, or end other programs, "
            f"and start again. ({_shorten(text)})"
        )
    return (
        f"An error that Ersatz does not know ended the run ({_shorten(text)}). "
        f"The stack trace is at the end of {run.log_path}."
    )


def _shorten(text: str) -> str:
    first = text.strip().splitlines()[0]
    return first if len(first) <= 200 else first[:200] + "..."


if __name__ == "__main__":
    log_to_stdout()
    work(Home.from_environment(), sys.argv[1])
