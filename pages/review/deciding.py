"""Accept or reject: a pool's pictures, one large one at a time or as a wall, page by page."""

from __future__ import annotations

from typing import cast

import pandas as pd
import streamlit as st

from engine.review.decisions import ACCEPT
from engine.review.quiz import list_quizzes, progress
from engine.store.runs import Run
from pages.components.command import show_command
from pages.components.errors import keep, show_unsaved
from pages.components.home import home
from pages.components.navigation import script
from pages.components.paging import part_shown
from pages.components.people import Role, guarded
from pages.components.reviewer import name_field
from pages.components.runs import live, run_picker
from pages.components.widget_keys import widget_key
from pages.review.cards import NAMELESS, card, say
from pages.review.judging import MINE, Judging, judging
from pages.review.one_by_one import one_by_one
from pages.review.reasons import reason_field
from pages.review.taking_out import standing

PAGE = 12
"""Pictures on one page."""
ONE, WALL = "One by one", "Wall"
LISTED, TURNED = "review-listed", "review-page"


def accept_or_reject(pools: list[Run]) -> None:
    """Choose a pool and judge its pictures."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name_field("deciding-name")
        run = run_picker("pool", "review-pool", label="Pool", runs=pools)
    if run is not None:
        live(_judge, False)(run)


def _judge(run: Run) -> None:
    now = judging(run)
    show_unsaved()
    blind_first(now)
    wanted, class_name, shown_as = controls(now)
    paths = listed(now, wanted, class_name)
    if paths and shown_as == ONE:
        one_by_one(now, paths, st.session_state[LISTED][0])
    elif paths:
        gallery(now, paths)
    elif wanted == MINE and now.who:
        st.success("You have decided on every picture here.", icon=":material/task_alt:")
    else:
        st.caption("No picture passes this filter.")
    rule = standing(now)
    with st.container(horizontal=True):
        for page, label in (("quality", "Check its quality"), ("evaluate", "Evaluate with it")):
            st.page_link(script(page), label=label, icon=":material/arrow_forward:", query_params={"run": run.id})
    show_command(f"python -m engine review apply {run.id} --rule {rule}")


def blind_first(now: Judging) -> None:
    """Whoever can still judge these pictures blind is told before seeing which ones are synthetic."""
    quizzes = [quiz for quiz in list_quizzes(home(), now.pool.run.id) if now.who]
    seen = progress(home(), quizzes)
    if any(0 < seen[quiz.id].get(now.who, 0) < len(quiz.items) for quiz in quizzes):
        st.warning(
            "You are in the middle of “Real or fake?” on this pool. The pictures below are all synthetic: end the quiz "
            "first, and judge them blind.",
            icon=":material/visibility_off:",
        )


def controls(now: Judging) -> tuple[str, str, str]:
    """Which pictures to show and how, and the reason that a rejection is given."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        wanted = st.segmented_control(
            "Show",
            now.filters,
            default=MINE,
            required=True,
            key="show",
            bind="query-params",
            help="Undecided: by you. Flagged: what the newest quality check found too near to another picture.",
        )
        reason_field()
        with st.popover("View", icon=":material/tune:", help="Which class, and one by one or as a wall."):
            class_name = st.selectbox(
                "Class",
                ["", *now.pool.classes],
                format_func=lambda name: name or "All",
                key="class",
                bind="query-params",
                width=180,
            )
            shown_as = st.segmented_control(
                "Shown", [ONE, WALL], default=ONE, required=True, key="shown-as", bind="query-params"
            )
    return wanted, class_name, shown_as


def listed(now: Judging, wanted: str, class_name: str) -> list[str]:
    """What the filter let through when it was chosen: a picture that was just decided on stays where it is."""
    key = (now.pool.run.id, wanted, class_name, now.who)
    known = st.session_state.get(LISTED)
    if known is None or known[0] != key:
        known = st.session_state[LISTED] = (key, now.chosen(wanted, class_name))
    return known[1]


def gallery(now: Judging, paths: list[str]) -> None:
    """One page of pictures with their buttons."""
    # not in the address: a list of what is undecided is shorter at the next look, and a page of it another one
    here = part_shown(len(paths), PAGE, of=st.session_state[LISTED][0], key=TURNED, in_url=False)
    shown = paths[here]
    facts, own = now.pool.manifest.set_index("path"), now.own
    said = now.table[now.table["path"].isin(shown) & (now.table["reviewer"] != now.who)]
    with st.container(horizontal=True, gap="small"):
        for path in shown:
            card(now, path, cast(pd.Series, facts.loc[path]), own, said)
    open_ones = [path for path in shown if path not in own.index]
    with st.container(horizontal=True, vertical_alignment="center"):
        if open_ones:
            several = (
                f"Accept all {len(shown)}" if len(open_ones) == len(shown) else f"Accept the other {len(open_ones)}"
            )
            st.button(
                several,
                icon=":material/done_all:",
                key=widget_key("accept-rest", now.pool.run.id, *open_ones),
                on_click=keep,
                args=(say, now.pool, open_ones, now.who, ACCEPT),
                **guarded(Role.REVIEWER, disabled=not now.who, help=None if now.who else NAMELESS),
            )
        if here.stop < len(paths):
            st.button("Next page", icon=":material/arrow_forward:", key="next-page", on_click=turn)


def turn() -> None:
    """To the next page of the gallery."""
    st.session_state[TURNED] += 1
