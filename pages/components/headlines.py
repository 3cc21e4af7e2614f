"""The headline of a finished sweep, wherever a page names its verdict."""

from __future__ import annotations

from engine.configs import SweepConfig
from engine.jobs.kinds import parse_config
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.headline import Headline, headline
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.files import read_model
from pages.components.run_summary import config_of


def headline_of(run: Run) -> Headline | None:
    """From the numbers of its summary, also of sweeps of before; None where there is none that can be read."""
    try:
        summary, config = read_model(run.path / SUMMARY_FILE, SweepSummary), parse_config(config_of(run))
    except (OSError, ErsatzError):
        return None
    return headline(summary, config.at(summary.seeds)) if isinstance(config, SweepConfig) else None
