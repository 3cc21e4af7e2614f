"""What the reviewers' decisions mean for the pool: who rejected what, and taking it out or back."""

from __future__ import annotations

import streamlit as st

from engine.review.decisions import RULES, Rule, bring_back, decisions, take_out, taken_out, tally, to_take_out
from engine.sampling.pools import Pool
from pages.components.errors import done
from pages.components.format import plain
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.pools import warn_of_sweeps
from pages.components.widget_keys import widget_key
from pages.review.judging import Judging


def standing(judging: Judging) -> Rule:
    """How far the reviewers are, and the buttons that act on what a rule rejects; the rule."""
    pool, counts = judging.pool, tally(judging.table)
    inside = pool.rows()["path"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric("In the pool", f"{len(inside)} of {len(pool.manifest)}", border=True, width=180)
        decided = int(inside.isin(judging.own.index).sum())
        st.metric("You decided on", f"{decided} of {len(inside)}", border=True, width=180)
        st.metric("Reviewers", judging.table["reviewer"].nunique(), border=True, width=120)
        st.metric("Rejected by somebody", int((counts["rejects"] > 0).sum()), border=True, width=190)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rule: Rule = st.segmented_control(
            "What leaves the pool",
            list(RULES),
            default="any",
            required=True,
            key="rule",
            bind="query-params",
            format_func={"any": "Rejected by any", "majority": "By the majority", "all": "By all"}.__getitem__,
            help="Of those who decided on a picture: "
            + "; ".join(f"**{name}**: {meaning}" for name, meaning in RULES.items())
            + ".",
        )
        going = to_take_out(pool, judging.table, rule)
        back = len(taken_out(pool))
        if st.button(
            f"Take the rejected {len(going)} out…" if len(going) else "Nothing to take out",
            icon=":material/block:",
            key=widget_key("take-out", pool.run.id, rule),
            **guarded(Role.EDITOR, disabled=going.empty),
        ):
            take_out_dialog(pool, rule)
        if back and st.button(
            f"Bring {back} back…",
            icon=":material/undo:",
            key=widget_key("bring-back", pool.run.id),
            **guarded(Role.EDITOR),
        ):
            bring_back_dialog(pool)
    return rule


@st.dialog("Take the rejected pictures out of the pool?")
def take_out_dialog(pool: Pool, rule: Rule) -> None:
    """Say how many for which reasons, ask, then exclude them."""
    require(Role.EDITOR)
    reasons = to_take_out(pool, decisions(home(), pool.run.id), rule)
    st.write(
        f"**{_pictures(len(reasons))}** will be left out of sweeps that start from now on, and these say so. Nothing "
        "is deleted: the files stay, and the pool can have them back."
    )
    for reason, count in reasons.value_counts().head(8).items():
        st.caption(f"{count} · {plain(reason)}")
    warn_of_sweeps(pool)
    with st.container(horizontal=True):
        if st.button(
            "Take out",
            type="primary",
            icon=":material/block:",
            key=widget_key("take-out-now", pool.run.id, *reasons.index),
        ) and done(take_out, pool, rule):
            st.toast(f"{_pictures(len(reasons))} taken out", icon=":material/check:")
            st.rerun()
        if st.button("Keep", key="take-out-not"):
            st.rerun()


@st.dialog("Bring pictures back into the pool?")
def bring_back_dialog(pool: Pool) -> None:
    """Ask, then restore what left the pool by review alone."""
    require(Role.EDITOR)
    count = len(taken_out(pool))
    st.write(
        f"**{_pictures(count)}** that reviewers rejected will be in the pool again, for sweeps that start from now on. "
        "What a quality check or a person excluded stays out, and what reviewers said stays known."
    )
    warn_of_sweeps(pool)
    with st.container(horizontal=True):
        if st.button(
            "Bring back", type="primary", icon=":material/undo:", key=widget_key("bring-back-now", pool.run.id, count)
        ) and done(bring_back, pool):
            st.toast(f"{_pictures(count)} brought back", icon=":material/check:")
            st.rerun()
        if st.button("Leave out", key="bring-back-not"):
            st.rerun()


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
