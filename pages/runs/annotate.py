"""What people say of runs: a title, tags, and that they are archived."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from engine.store.about import change_about, change_tags
from engine.store.runs import Run, list_runs
from pages.components.errors import done
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.run_summary import about_of, usual_title
from pages.components.widget_keys import widget_key


def rename(run: Run) -> None:
    """A title and tags for one run."""
    said = about_of(run)
    with (
        st.popover("Title and tags", key=f"say-{run.id}", icon=":material/label:", **guarded(Role.EDITOR)),
        st.form(f"about-{run.id}", border=False),
    ):
        title = st.text_input("Title", said.title, placeholder=usual_title(run), max_chars=120)
        tags = st.multiselect("Tags", known_tags(), said.tags, accept_new_options=True, placeholder="best, paper, …")
        pressed = st.form_submit_button("Save", type="primary", icon=":material/check:")
        if pressed and done(say, run, title, tags, set(said.tags) - set(tags)):
            st.rerun()


def tag(runs: list[Run]) -> None:
    """Tags that several runs get or lose together."""
    these = widget_key("tags", *[run.id for run in runs])
    with (
        st.popover("Tags", icon=":material/label:", key=f"say-{these}", **guarded(Role.EDITOR)),
        st.form(these, border=False),
    ):
        add = st.multiselect("Add", known_tags(), accept_new_options=True, placeholder="best, paper, …")
        worn = sorted({tag for run in runs for tag in about_of(run).tags})
        remove = st.multiselect("Take off", worn, placeholder="None", disabled=not worn)
        if st.form_submit_button("Save", type="primary", icon=":material/check:") and done(say_tags, runs, add, remove):
            st.rerun()


def archive(runs: list[Run]) -> None:
    """Take runs out of lists and choices, or put them back."""
    back = all(about_of(run).archived for run in runs)
    pressed = st.button(
        "Put back" if back else "Archive",
        icon=":material/unarchive:" if back else ":material/archive:",
        key=widget_key("archive", back, *[run.id for run in runs]),
        **guarded(
            Role.EDITOR,
            help=None if back else "Out of this list and out of the choices on other pages. Results keep it.",
        ),
    )
    if pressed and done(say_archived, runs, not back):
        st.rerun()


def known_tags() -> list[str]:
    """Every tag that some run has."""
    return sorted({tag for run in list_runs(home()) for tag in about_of(run).tags})


def say(run: Run, title: str, tags: Iterable[str], former: Iterable[str]) -> None:
    """Write a run's title and tags, without its `former` ones."""
    require(Role.EDITOR)
    change_about(run, title=title)
    change_tags(run, tags, former)


def say_tags(runs: Iterable[Run], add: Iterable[str], remove: Iterable[str]) -> None:
    """Write what tags runs get and lose."""
    require(Role.EDITOR)
    for run in runs:
        change_tags(run, add, remove)


def say_archived(runs: Iterable[Run], archived: bool) -> None:
    """Write that runs are archived, or are not."""
    require(Role.EDITOR)
    for run in runs:
        change_about(run, archived=archived)
