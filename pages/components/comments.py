"""Comments on a run, for every page that shows one."""

from __future__ import annotations

import streamlit as st

from engine.review.comments import LONGEST, Comment, add_comment, change_comment, comments_on, take_back_comment
from engine.store.runs import Run
from pages.components.deleting import delete_button
from pages.components.errors import done
from pages.components.format import moment, plain
from pages.components.home import home
from pages.components.people import Role, guarded, may, require
from pages.components.reviewer import author, name_field
from pages.components.runs import live


def comments(run: Run) -> None:
    """What people said of a run, the oldest first, and a field to say more."""
    live(_thread, False)(run)


def _thread(run: Run) -> None:
    for comment in comments_on(run):
        show_comment(comment)
    if not may(Role.REVIEWER):
        st.button("Comment", icon=":material/add_comment:", key=f"comment-{run.id}", **guarded(Role.REVIEWER))
        return
    name_field(f"comment-name-{run.id}")
    sent = st.session_state.get("comments-sent", 0)  # a new key empties the field after it was sent
    with st.form(f"comment-form-{run.id}-{sent}", border=False):
        text = st.text_area("Comment", max_chars=LONGEST, height=90, placeholder="What should the others know?")
        pressed = st.form_submit_button("Comment", icon=":material/add_comment:")
    if pressed and say(run, text):
        st.session_state["comments-sent"] = sent + 1
        st.rerun()


def say(run: Run, text: str) -> bool:
    """Write a comment in the name of whoever sits here; whether it could be written."""
    require(Role.REVIEWER)
    return done(add_comment, run, author(), text)


def show_comment(comment: Comment) -> None:
    """One comment with its author; who wrote it may change it or take it back."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            changed = f" · changed {moment(comment.changed)}" if comment.changed else ""
            st.caption(f"**{plain(comment.author)}** · {moment(comment.written)}{changed}", width="content")
            if comment.author == author() and may(Role.REVIEWER):
                with st.container(horizontal=True, width="content"):
                    if st.button("Change", icon=":material/edit:", type="tertiary", key=f"change-{comment.id}"):
                        change_dialog(comment)
                    if delete_button("Take back", f"back-{comment.id}", role=Role.REVIEWER, kind="tertiary"):
                        take_back_dialog(comment)
        st.text(comment.text)


@st.dialog("Change your comment")
def change_dialog(comment: Comment) -> None:
    """The text again, to be changed."""
    require(Role.REVIEWER)
    text = st.text_area("Comment", comment.text, max_chars=LONGEST, height=160, key=f"change-text-{comment.id}")
    if st.button(
        "Save", type="primary", icon=":material/check:", key=f"save-{comment.id}", disabled=not text.strip()
    ) and done(change_comment, home(), comment.id, author(), text):
        st.rerun()


@st.dialog("Take your comment back?")
def take_back_dialog(comment: Comment) -> None:
    """Ask, then take a comment back."""
    require(Role.REVIEWER)
    st.write("Nobody will see it any more.")
    with st.container(horizontal=True):
        if delete_button("Take back", f"take-back-{comment.id}", role=Role.REVIEWER) and done(
            take_back_comment, home(), comment.id, author()
        ):
            st.rerun()
        if st.button("Keep it"):
            st.rerun()
