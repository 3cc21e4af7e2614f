"""Deleting runs, after saying what that means."""

from __future__ import annotations

import streamlit as st

from engine.jobs.deletion_impact import deletion_impact
from engine.jobs.submit import delete
from engine.store.runs import Run
from pages.components.deleting import delete_button
from pages.components.errors import done
from pages.components.format import amount, plain, plain_sentence
from pages.components.home import home
from pages.components.people import Role, require
from pages.components.run_summary import state_of, title
from pages.components.widget_keys import widget_key
from pages.runs.chosen import choose

MOST_NAMED = 8


@st.dialog("Delete for good?", icon=":material/delete:", width="medium")
def delete_dialog(runs: list[Run]) -> None:
    """Say what goes, what cannot be repeated and what stays, then delete."""
    active = [run for run in runs if state_of(run).is_active]
    if active:
        st.warning(f"{_named(active)} still runs or waits. Stop it first.", icon=":material/play_circle:")
        return
    meaning = deletion_impact(home(), runs)
    st.markdown(f"**{_named(runs)}**")
    which = f"`{runs[0].id}` · " if len(runs) == 1 else ""
    st.caption(f"{which}{amount(meaning.size / 2**20)} MiB become free.")
    st.markdown("**Lost for good**\n" + "".join(f"\n* {plain_sentence(sentence)}" for sentence in meaning.lost))
    if meaning.stays:
        st.markdown("**Stays**\n" + "".join(f"\n* {plain_sentence(sentence)}" for sentence in meaning.stays))
    if meaning.users:
        st.warning(
            f"Made from it: {_named(meaning.users)}. What these have made stays, but they cannot be repeated.",
            icon=":material/link_off:",
        )
    st.caption("To keep it out of sight only, archive it instead.")
    with st.container(horizontal=True):
        if delete_button(
            "Delete it" if len(runs) == 1 else f"Delete these {len(runs)}",
            widget_key("delete-now", *[run.id for run in runs], meaning.lost, meaning.stays, meaning.users),
        ) and done(remove, runs):
            choose([])
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def remove(runs: list[Run]) -> None:
    """Delete these runs."""
    require(Role.EDITOR)
    for run in runs:
        delete(run)


def _named(runs: list[Run]) -> str:
    more = f" and {len(runs) - MOST_NAMED} more" if len(runs) > MOST_NAMED else ""
    return "; ".join(run.id if run.damage() else plain(title(run)) for run in runs[:MOST_NAMED]) + more
