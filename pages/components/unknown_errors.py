"""What a page shows instead of a stack trace: a sentence, where the trace is, and a report to take away."""

from __future__ import annotations

import streamlit as st

from engine.jobs.error_report import report
from engine.store.errors import ErsatzError
from engine.store.unknown_errors import of_the_disk, recorded
from pages.components.errors import show_error
from pages.components.home import home
from pages.components.people import Role, may


def on_script_error(error: Exception) -> bool:
    """For `st.App`: True, since the error is on the page then. An error of the disk is no unknown one."""
    known = error if isinstance(error, ErsatzError) else of_the_disk(error)
    if known is not None:
        show_error(known)
        return True
    sentence, path = recorded(home(), error, f"On the page {st.context.url or ''}")
    if not may(Role.EDITOR):  # whose server it is, where it is and what it holds is no matter of theirs
        st.error("Something went wrong that Ersatz does not know. Whoever runs this server finds it in its log.")
        return True
    place = f" The details are in {path}." if path else " The server's own log has the details."
    show_error(f"{sentence}{place} Load the page again; if it repeats, a report helps to mend it.")
    st.download_button(
        "Pack a report",
        lambda: report(home()),
        "ersatz-report.zip",
        "application/zip",
        key=f"report-{path.stem if path else 'error'}",
        icon=":material/bug_report:",
        help="Versions, stack traces and settings, without images and without the names that this program knows.",
        on_click="ignore",
    )
    return True
