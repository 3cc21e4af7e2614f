"""The headline of a finished sweep, wherever a page names its verdict."""

from __future__ import annotations

import streamlit as st

from engine.configs import SweepConfig
from engine.jobs.kinds import parse_config
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.headline import Headline, Tone, headline
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.files import read_model
from pages.components.format import plain
from pages.components.run_summary import config_of

TONES: dict[Tone, tuple[str, str]] = {
    "helps": (":material/trending_up:", "green"),
    "harms": (":material/trending_down:", "red"),
    "no relevant difference": (":material/equal:", "blue"),
    "no evidence": (":material/trending_flat:", "blue"),
    "no verdict": (":material/hourglass_empty:", "orange"),
    "control": (":material/science:", "orange"),
}
"""Icon and colour of what is read first."""


def read_sweep(run: Run) -> tuple[SweepSummary, SweepConfig] | None:
    """What a sweep found, and its settings as far as they were done; None where there is nothing that can be read."""
    try:
        summary, config = read_model(run.path / SUMMARY_FILE, SweepSummary), parse_config(config_of(run))
    except (OSError, ErsatzError):
        return None
    return (summary, config.at(summary.seeds)) if isinstance(config, SweepConfig) else None


def headline_of(run: Run) -> Headline | None:
    """From the numbers of its summary, also of sweeps of before; None where there is none that can be read."""
    found = read_sweep(run)
    return headline(*found) if found else None


def show_word(found: Headline) -> None:
    """The verdict in its colour."""
    icon, colour = TONES[found.tone]
    st.header(f":{colour}[{icon} {plain(found.word)}]", anchor=False)
