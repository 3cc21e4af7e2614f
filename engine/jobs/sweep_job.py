"""A sweep in the worker, to its report."""

from __future__ import annotations

from engine.configs import SweepConfig
from engine.report.html import write_report
from engine.store.progress import Outcome, Report, ShouldStop
from engine.store.runs import Run
from engine.sweep.runner import run_sweep


def execute(run: Run, config: SweepConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Train and test every trial, and write the report of a sweep that has finished; returns how it ended."""
    outcome = run_sweep(run, config, report, should_stop)
    if outcome == "finished":
        write_report(run)
    return outcome
