"""What people said of runs, the newest first, and of one run."""

from __future__ import annotations

import streamlit as st

from engine.review.comments import comment_counts, recent_comments
from engine.store.runs import Run, list_runs
from pages.components.comments import comments, show_comment
from pages.components.format import plain
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.query_params import put
from pages.components.runs import run_in_url, run_link

NEWEST = 30
EVERY = ""


def remarks() -> None:
    """All comments with links to their runs; with `?run=` the comments on that run, and room for another."""
    runs = {run.id: run for run in list_runs(home())}
    labels = labels_of(runs.values())
    counts = comment_counts(home())
    linked = run_in_url()
    options = [EVERY, *runs]
    st.session_state["remarks-run"] = linked.id if linked is not None else EVERY

    def choose() -> None:
        put("run", st.session_state["remarks-run"])

    def words(run_id: str) -> str:
        if run_id == EVERY:
            return "All runs"
        said = f" · {counts[run_id]} comment{'' if counts[run_id] == 1 else 's'}" if run_id in counts else ""
        return f"{labels[run_id]}{said}"

    chosen = st.selectbox("Run", options, format_func=words, key="remarks-run", on_change=choose)
    if chosen != EVERY:
        comments(runs[chosen])
        return
    newest = recent_comments(home(), NEWEST)
    if not newest:
        st.info("Nobody has said anything yet. Choose a run above to comment on it.", icon=":material/forum:")
    for comment in newest:
        run = Run(home(), comment.run)
        if run.exists():
            run_link(run)
        else:
            st.caption(f"The run {plain(comment.run)} was deleted.")
        show_comment(comment)
    if sum(counts.values()) > NEWEST:
        st.caption(f"The newest {NEWEST} of {sum(counts.values())}; choose a run for all of its comments.")
