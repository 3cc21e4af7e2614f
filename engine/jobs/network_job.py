"""The import of a network in the worker, to its exported generator."""

from __future__ import annotations

from engine.configs import NetworkConfig
from engine.gans.nvidia_pkl.importing import import_network
from engine.sampling.export import export_generator
from engine.store.progress import Outcome, Report, ShouldStop
from engine.store.runs import Run


def execute(run: Run, config: NetworkConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Import the networks, and export the generator of an import that has finished; returns how it ended."""
    outcome = import_network(run, config, report, should_stop)
    if outcome == "finished":
        export_generator(run)
    return outcome
