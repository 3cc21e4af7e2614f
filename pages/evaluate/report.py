"""The report of a sweep, to take away; written again when reviewers have spoken since."""

from __future__ import annotations

import streamlit as st

from engine.review.latest import last_said
from engine.store.runs import Run, State
from pages.components.cli_subprocess import run_cli
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.run_summary import config_of, state_of

SECONDS = 600.0


def report_button(run: Run) -> None:
    """Save the report as it was written."""
    report = run.path / "report.html"
    if report.is_file():
        st.download_button(
            "Report (HTML)",
            report.read_bytes,
            f"{run.id}-report.html",
            "text/html",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
            help="Everything on this page and behind it in one file, to send or to print.",
        )


def report_again(run: Run) -> None:
    """Offer to write a report that is missing, or that does not know what reviewers have said since."""
    report = run.path / "report.html"
    if state_of(run) is not State.FINISHED:
        return
    config = config_of(run)
    pools = {config["pool"], *(fold["pool"] for fold in config.get("folds", ()))} - {""}
    if not report.is_file():
        words = "The report is not there."
    elif max((last_said(home(), pool) for pool in pools), default=0.0) > report.stat().st_mtime:
        words = "Reviewers have judged images of its pool since the report was written."
    else:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Write the report again", icon=":material/sync:", key=f"report-{run.id}", **guarded(Role.EDITOR)
        )
        st.caption(words)
    show_command(f"python -m engine report {run.id}")
    if pressed:
        write(run)


def write(run: Run) -> None:
    """Write the report, in a process of its own."""
    require(Role.EDITOR)
    with st.spinner("Writing the report…"):
        written = done(lambda: run_cli("report", run.id, seconds=SECONDS))
    if written:
        st.toast("The report is up to date.", icon=":material/check:")
        st.rerun()
