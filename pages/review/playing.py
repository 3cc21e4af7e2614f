"""Real or fake? One picture after the other, until every picture of the quiz has an answer.

What the browser gets of a picture is the same for real and synthetic ones: its pixels written anew as a PNG within the
page, at one size, under its number in this reader's own order; no file's name, path or place in the quiz.
"""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from engine.review.quiz import (
    COLUMNS,
    LEAST_SURE,
    MOST_SURE,
    NONE,
    REAL,
    SYNTHETIC,
    UNASKED,
    Answer,
    Quiz,
    answer,
    answers,
    checked_sure,
    in_time,
    picture_path,
    require_images,
)
from pages.components.errors import keep, show_unsaved
from pages.components.home import home
from pages.components.images import stored_url
from pages.components.people import Role, may, require
from pages.components.picture_dialog import VIEWER, look_closer
from pages.components.picture_viewer import Pane
from pages.components.picture_viewer import begin as look_begins
from pages.components.pressable import look_button, tile
from pages.components.runs import live
from pages.components.widget_keys import widget_key
from pages.review.blinding import note_end, require_blind

PICTURE = 448
"""Least pixels of the picture."""
PLAYING, SHOWN, PRACTICE, SAID = "quiz-playing", "quiz-shown", "quiz-practice", "quiz-said"
WORDS = {
    REAL: ("Real", ":material/person:", "Left"),
    SYNTHETIC: ("Synthetic", ":material/auto_awesome:", "Right"),
}
"""Label, icon and key of an answer."""
SURE = {1: "a guess", 2: "unsure", 3: "fairly sure", 4: "sure", 5: "certain"}


def given(quiz: Quiz, reviewer: str) -> pd.DataFrame:
    """The answers of this reviewer so far; those of a viewer, whose game is practice, live in the session."""
    if may(Role.REVIEWER):
        table = answers(home(), quiz)
        return table[table["reviewer"] == reviewer]
    return pd.DataFrame(st.session_state.get(PRACTICE, {}).get(quiz.id, []), columns=COLUMNS)


def is_playing(quiz: Quiz, reviewer: str) -> bool:
    """Whether this tab shows the pictures of this quiz."""
    return st.session_state.get(PLAYING) == (quiz.id, reviewer)


def begin(quiz: Quiz, reviewer: str) -> None:
    """Show pictures from now on; the time of each runs from the moment at which it is shown first."""
    require_blind(quiz)
    require_images(home(), quiz)
    st.session_state[PLAYING] = (quiz.id, reviewer)


def pause(quiz: Quiz, reviewer: str) -> None:
    """Leave the pictures; what was answered is kept, and the time of the picture stands still."""
    st.session_state.pop(PLAYING, None)
    st.session_state.pop(SAID, None)
    times = _times(quiz, reviewer)
    for item, (before, since) in list(times.items()):
        if since is not None:
            times[item] = before + time.monotonic() - since, None


def play(quiz: Quiz, reviewer: str) -> None:
    """The picture whose turn it is; only this part is drawn again with each answer."""
    live(_turn, False)(quiz, reviewer)


def _turn(quiz: Quiz, reviewer: str) -> None:
    show_unsaved()
    done = set(given(quiz, reviewer)["item"])
    left = [item for item in quiz.order(reviewer) if item not in done]
    if not left:
        note_end(quiz, reviewer)
        pause(quiz, reviewer)
        st.rerun()
    item, number = left[0], len(quiz.items) - len(left) + 1
    with st.container(horizontal_alignment="center"):
        st.progress((number - 1) / len(quiz.items), f"Picture {number} of {len(quiz.items)}", width=PICTURE)
        path = picture_path(home(), quiz, item)
        alt = f"Picture {number}: real or synthetic?"
        with tile("quiz", width=PICTURE, gap=None, horizontal_alignment="center"):
            st.image(stored_url(path, path.stat().st_mtime, PICTURE), width="stretch", alt=alt)
            if look_button("Look closer", "quiz", icon=":material/zoom_in:"):
                look_begins(VIEWER)
                look_closer(lambda _: [Pane(path, f"Picture {number}", alt)])
        said = _said(quiz, reviewer, item)
        if said is None:
            if quiz.seconds:
                live(_clock, True, every=1.0)(quiz, reviewer, item)
            _answers(quiz, reviewer, item)
        else:
            _how_sure(quiz, reviewer, item, *said)
        if st.button("Pause", type="tertiary", icon=":material/pause:", key=f"pause-{quiz.id}"):
            pause(quiz, reviewer)
            st.rerun()
    _seconds(quiz, reviewer, item)  # its time begins when it is on its way to the browser


def _answers(quiz: Quiz, reviewer: str, item: int) -> None:
    """Real or synthetic; where the quiz asks how sure the reviewer is, that comes next."""
    with st.container(horizontal=True, horizontal_alignment="center", width=PICTURE):
        for said, (label, icon, shortcut) in WORDS.items():
            st.button(
                label,
                icon=icon,
                shortcut=shortcut,
                width=(PICTURE - 16) // 2,
                # a second press belongs to this picture, and not to the next one; the key is in the page, and tells
                # nothing of the picture's place in the quiz
                key=widget_key(said, quiz.id, reviewer, item),
                on_click=keep,
                args=(_say, quiz, reviewer, item, said),
            )


def _how_sure(quiz: Quiz, reviewer: str, item: int, said: Answer, seconds: float) -> None:
    """How sure of it, from 1 to 5; with that the answer is kept."""
    st.markdown(f"**{WORDS[said][0]}.** How sure are you?", text_alignment="center", width=PICTURE)
    with st.container(horizontal=True, horizontal_alignment="center", width=PICTURE, gap="small"):
        for sure in SURE:
            st.button(
                str(sure),
                shortcut=str(sure),
                width=(PICTURE - 4 * 16) // 5,
                key=widget_key(f"sure-{sure}", quiz.id, reviewer, item),
                on_click=keep,
                args=(give, quiz, reviewer, item, said, sure, seconds),
            )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", width=PICTURE):
        st.caption(f"{LEAST_SURE}: {SURE[LEAST_SURE]} · {MOST_SURE}: {SURE[MOST_SURE]}", width="content")
        st.button(
            "Change the answer",
            type="tertiary",
            icon=":material/undo:",
            shortcut="Backspace",
            key=widget_key("change", quiz.id, reviewer, item),
            on_click=_unsay,
        )


def _say(quiz: Quiz, reviewer: str, item: int, said: Answer) -> None:
    """Keep an answer, or remember it until the reviewer has said how sure it is; too late is none."""
    seconds = _seconds(quiz, reviewer, item)
    if quiz.rated and in_time(quiz, said, seconds) != NONE:
        st.session_state[SAID] = (quiz.id, reviewer, item, said, seconds)
    else:
        give(quiz, reviewer, item, said, UNASKED, seconds)


def _unsay() -> None:
    st.session_state.pop(SAID, None)


def _said(quiz: Quiz, reviewer: str, item: int) -> tuple[Answer, float] | None:
    """The answer to this picture that waits for how sure it is, and the seconds that it took; None without one."""
    kept = st.session_state.get(SAID)
    return None if kept is None or kept[:3] != (quiz.id, reviewer, item) else kept[3:]


def _clock(quiz: Quiz, reviewer: str, item: int) -> None:
    """The time that is left, drawn again every second; at its end the picture has no answer."""
    rest = quiz.seconds - _seconds(quiz, reviewer, item)
    if rest < 0:
        keep(give, quiz, reviewer, item, NONE, UNASKED, _seconds(quiz, reviewer, item))
        st.rerun()
    with st.container(horizontal_alignment="center"):
        st.progress(rest / quiz.seconds, f"{rest:.0f} s", width=PICTURE)


Times = dict[int, tuple[float, float | None]]
"""For each picture the seconds for which it was shown before the last pause, and since when it is shown again."""


def _seconds(quiz: Quiz, reviewer: str, item: int) -> float:
    """How long this picture has been shown."""
    times, now = _times(quiz, reviewer), time.monotonic()
    before, since = times.get(item, (0.0, None))
    since = now if since is None else since
    times[item] = before, since
    return before + now - since


def _times(quiz: Quiz, reviewer: str) -> Times:
    """Where a timer runs, a reviewer's are the server's: a tab that is loaded anew does not begin it again.

    Else they are the session's: whoever closes the tab for the night has not looked at a picture for hours.
    """
    if quiz.seconds and may(Role.REVIEWER):
        return _reviewers_times(quiz.id, reviewer)
    return st.session_state.setdefault(SHOWN, {}).setdefault(quiz.id, {})


@st.cache_resource(max_entries=1000, show_spinner=False)
def _reviewers_times(quiz_id: str, reviewer: str) -> Times:
    return {}


def give(quiz: Quiz, reviewer: str, item: int, said: Answer, sure: int, seconds: float) -> None:
    """Keep an answer at once; a viewer's stays in the session and is gone with it."""
    (record if may(Role.REVIEWER) else practise)(quiz, reviewer, item, said, sure, seconds)
    _unsay()


def record(quiz: Quiz, reviewer: str, item: int, said: Answer, sure: int, seconds: float) -> None:
    """Keep a reviewer's answer for everybody's results."""
    require(Role.REVIEWER)
    answer(home(), quiz, reviewer, item, said, seconds, sure)


def practise(quiz: Quiz, reviewer: str, item: int, said: Answer, sure: int, seconds: float) -> None:
    """Remember a viewer's answer in the session."""
    rows = st.session_state.setdefault(PRACTICE, {}).setdefault(quiz.id, [])
    if all(row[1] != item for row in rows):
        in_time_said = in_time(quiz, said, seconds)
        rows.append((reviewer, item, in_time_said, seconds, time.time(), checked_sure(quiz, in_time_said, sure)))
