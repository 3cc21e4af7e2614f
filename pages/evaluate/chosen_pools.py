"""How the pools of a planned sweep stand: their newest checks, before anything is started with them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.report.pool_verdict import FAR, GOOD, ORDER, Level, PoolChecks, checks_of
from engine.store.runs import Run
from pages.components.format import plain
from pages.components.home import home
from pages.components.navigation import script
from pages.components.pool_standing import newest_verdict, show_standing, show_verdict
from pages.components.run_summary import title


def show_pools(images: dict[str, Any]) -> Level:
    """The standing of the chosen pool with twelve of its pictures, or of those of the folds that are not green.

    The worst level; empty when none was checked.
    """
    if images.get("pool"):
        run = Run(home(), images["pool"])
        checks = checks_of(home(), run.id)
        level = show_standing(run, checks, quiet_when_good=True)
        _way(run, checks, level)
        return level
    found: list[Level] = []
    for fold in images.get("folds", ()):
        run = Run(home(), fold["pool"])
        verdict = newest_verdict(run)
        if verdict is None:
            continue
        found.append(verdict.level)
        if verdict.level != GOOD or verdict.control:
            st.markdown(f"**{plain(title(run))}**")
            show_verdict(verdict)
    return next((level for level in ORDER if level in found), "")


def _way(run: Run, checks: PoolChecks, level: Level) -> None:
    """To the check that says so or is under way, or to a check where there is none."""
    if checks.finished is not None:
        label = "See what is wrong" if level == FAR else ""
    else:
        label = "Check it first" if checks.under_way is None else "Watch the check"
    if label:
        st.page_link(
            script("quality"),
            label=label,
            icon=":material/fact_check:",
            query_params={"run": (checks.finished or checks.under_way or run).id},
            width="content",
        )
