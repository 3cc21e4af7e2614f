"""How the pools of a planned sweep stand: their newest checks, before anything is started with them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.report.pool_verdict import FAR, GOOD, ORDER, Level, check_under_way, newest_check
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
        level = show_standing(run, quiet_when_good=True)
        _way(run, level)
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


def _way(run: Run, level: Level) -> None:
    """To the check that says so or is under way, or to a check where there is none."""
    check = newest_check(home(), run.id)
    if check is not None:
        label = "See what is wrong" if level == FAR else ""
    else:
        check = check_under_way(home(), run.id)
        label = "Check it first" if check is None else "Watch the check"
    if label:
        st.page_link(
            script("quality"),
            label=label,
            icon=":material/fact_check:",
            query_params={"run": (check or run).id},
            width="content",
        )
