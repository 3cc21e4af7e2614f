"""Which runs the Runs page lists; every choice is part of the link."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from engine.jobs.kinds import kinds
from engine.store.runs import State
from pages.components.alarms import alarms_of
from pages.components.run_summary import RunSummary

WIDTH = 190
ALARM = "alarm"
"""Among the states: whatever has one, in whichever state it is."""


@dataclass(frozen=True)
class Filter:
    """What a run must be to be listed; an empty tuple asks for nothing."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    archived: bool = False
    text: str = ""

    def passes(self, seen: RunSummary) -> bool:
        """Whether a run is listed."""
        said = f"{seen.title} {seen.run.id} {seen.dataset} {seen.about.owner} {' '.join(seen.about.tags)}".lower()
        return (
            (self.archived or not seen.about.archived)
            and (
                not self.states or seen.state in self.states or (ALARM in self.states and bool(alarms_of(seen.status)))
            )
            and (not self.kinds or seen.kind in self.kinds)
            and (not self.datasets or seen.dataset in self.datasets)
            and (not self.tags or not set(self.tags).isdisjoint(seen.about.tags))
            and (not self.owners or seen.about.owner in self.owners)
            and all(word in said for word in self.text.lower().split())
        )


def chosen_filter(seen: list[RunSummary]) -> Filter:
    """The controls, which offer only what there is to choose among."""

    def choice(label: str, key: str, options: list[str], words: dict[str, str] | None = None) -> tuple[str, ...]:
        if len(options) < (1 if key == "tag" else 2):
            return ()
        if key in st.session_state:  # a saved view may name what is not here any more
            st.session_state[key] = [value for value in st.session_state[key] if value in options]
        picked = st.multiselect(
            label,
            options,
            key=key,
            bind="query-params",
            placeholder="All",
            format_func=words.__getitem__ if words else str,
            width=WIDTH,
        )
        return tuple(picked)

    present = {one.state.value for one in seen}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="search",
            bind="query-params",
            type="search",
            placeholder="Title, id, tag, …",
            live=True,
            width=WIDTH + 40,
        )
        alarmed = [ALARM] if any(alarms_of(one.status) for one in seen) else []
        states = choice("State", "state", [*(state.value for state in State if state.value in present), *alarmed])
        there = {one.kind for one in seen}
        labels = {kind.name: kind.label for kind in kinds() if kind.name in there}
        of_kinds = choice("Kind", "kind", list(labels), labels)
        datasets = choice("Data set", "dataset", sorted({one.dataset for one in seen} - {""}))
        tags = choice("Tag", "tag", sorted({tag for one in seen for tag in one.about.tags}))
        owners = choice("Owner", "owner", sorted({one.about.owner for one in seen} - {""}))
        archived = False
        if any(one.about.archived for one in seen):
            archived = st.toggle("Archived too", key="archived", bind="query-params")
    return Filter(states, of_kinds, datasets, tags, owners, archived, text or "")
