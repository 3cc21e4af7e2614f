"""Accept or reject one picture after the other: it is shown large beside its nearest real one, with keys A, R and U."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import streamlit as st

from engine.review.decisions import ACCEPT, REJECT, UNDECIDED, Decision
from pages.components.errors import keep
from pages.components.format import plain
from pages.components.images import pair_url, stored_url
from pages.components.people import Role, guarded
from pages.components.picture_dialog import VIEWER, look_closer
from pages.components.picture_viewer import Pane, begin
from pages.components.pressable import look_button, tile
from pages.components.widget_keys import widget_key
from pages.review.cards import NAMELESS, beside, decision_badge, flag_badge, in_words, panes_of, say
from pages.review.judging import Judging
from pages.review.key_r import press_with_r

LARGE = 336
"""Pixels of a picture; two of them and the buttons stand side by side from 1280 px."""
GAP, PANEL = 10, 300
AT, DONE = "review-at", "review-done"


def one_by_one(now: Judging, paths: list[str], of: object) -> None:
    """The picture whose turn it is among `paths`; `of` is what they were chosen by: another choice begins anew."""
    at = _place(now, paths, of)
    path = paths[at]
    facts = cast(pd.Series, now.pool.manifest.set_index("path").loc[path])
    mine = cast(pd.Series, now.own.loc[path]) if path in now.own.index else None
    decided = len(set(paths) & set(now.own.index))
    near, other, words = beside(now, path)
    panes = panes_of(now.pool.path / path, f"{facts['class']} {facts['seed']}", other, words)
    with tile("judged", horizontal=True, gap="medium", vertical_alignment="top"):
        _large(panes)
        with st.container(width=PANEL, gap="small"):
            st.progress(decided / len(paths), f"Picture {at + 1} of {len(paths)} · you decided on {decided}")
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.markdown(f"**{plain(facts['class'])}** · seed {facts['seed']}", width="content")
                flag_badge(near)
                decision_badge(mine)
                if look_button("Look closer", "judged", icon=":material/zoom_in:"):
                    begin(VIEWER)
                    look_closer(lambda _: panes)
            if facts["excluded"]:
                st.caption(f"Out of the pool: {plain(facts['excluded'])}")
            _buttons(now, paths, at, mine)
            _others(now, path, mine)
            if other is None:
                st.caption(
                    "With a quality check of this pool, the real picture that is most like it stands here beside it."
                )


def _place(now: Judging, paths: list[str], of: object) -> int:
    """The place of the picture to show; at first that of the first one that this reviewer has not decided on."""
    known = st.session_state.get(AT)
    if known is None or known[0] != of or known[1] >= len(paths):
        first = next((place for place, path in enumerate(paths) if path not in now.own.index), 0)
        st.session_state[AT] = (of, first)
        st.session_state[DONE] = []
    return st.session_state[AT][1]


def _large(panes: Sequence[Pane]) -> None:
    """The picture, with the one beside it in the same one."""
    there = [(pane, pane.picture) for pane in panes if isinstance(pane.picture, Path) and pane.picture.is_file()]
    if len(there) < len(panes):
        st.caption("The file of a picture that belongs here is gone.")
    name, alt = " · ".join(pane.name for pane, _ in there), ", ".join(pane.alt for pane, _ in there)
    paths = [path for _, path in there]
    times = [path.stat().st_mtime for path in paths]
    if len(paths) == 2:
        _picture(pair_url(paths[0], paths[1], (times[0], times[1]), LARGE), name, 2 * LARGE + GAP, alt)
    elif paths:
        _picture(stored_url(paths[0], times[0], LARGE), name, LARGE, alt)


def _picture(url: str, caption: str, width: int, alt: str) -> None:
    """A picture of that width, or as wide as a narrow screen."""
    with st.container(width=width):
        st.image(url, caption=caption, width="stretch", alt=alt)


def _buttons(now: Judging, paths: list[str], at: int, mine: pd.Series | None) -> None:
    """Accept and Reject lead on to the next picture; Undo takes back what was decided last, and leads back to it."""
    path = paths[at]
    role = guarded(Role.REVIEWER, disabled=not now.who, help=None if now.who else NAMELESS)
    reject = widget_key("reject", now.pool.run.id, now.who, path)
    common: dict[str, Any] = {"width": "stretch", "on_click": keep, **role}
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Accept",
            icon=":material/check:",
            shortcut="A",
            key=widget_key("accept", now.pool.run.id, now.who, path),
            args=(_decide, now, paths, at, ACCEPT),
            **common,
        )
        st.button(
            "Reject (R)",
            icon=":material/block:",
            key=widget_key("reject", now.pool.run.id, now.who, path),
            args=(_decide, now, paths, at, REJECT),
            **common,
        )
    last = _last(paths, mine, at)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Undo my last decision",
            icon=":material/undo:",
            shortcut="U",
            key=widget_key("undo", now.pool.run.id, now.who, last),
            width="stretch",
            on_click=keep,
            args=(_undo, now, paths, last),
            **guarded(Role.REVIEWER, disabled=last is None, help="Takes back what you decided last."),
        )
    with st.container(horizontal=True, gap="small"):
        for label, icon, shortcut, there in (
            ("Previous", ":material/chevron_left:", "Left", at - 1),
            ("Next", ":material/chevron_right:", "Right", at + 1),
        ):
            st.button(
                label,
                icon=icon,
                shortcut=shortcut,
                key=f"{label.lower()}-picture",
                width="stretch",
                disabled=not 0 <= there < len(paths),
                on_click=_go,
                args=(there,),
            )
    press_with_r(reject)


def _others(now: Judging, path: str, mine: pd.Series | None) -> None:
    """What others said of it; not before this reviewer has said something, who would else follow them."""
    said = now.table[(now.table["path"] == path) & (now.table["reviewer"] != now.who)].to_dict("records")
    if said and mine is None:
        people = "1 other reviewer" if len(said) == 1 else f"{len(said)} other reviewers"
        st.caption(f"{people} decided on it; what they said is shown once you have.")
        return
    for theirs in said:
        st.caption(f"{plain(theirs['reviewer'])}: {plain(in_words(theirs))}")


def _decide(now: Judging, paths: list[str], at: int, decision: Decision) -> None:
    say(now.pool, [paths[at]], now.who, decision)
    st.session_state[DONE].append(paths[at])
    _go(min(at + 1, len(paths) - 1))


def _last(paths: list[str], mine: pd.Series | None, at: int) -> str | None:
    """What Undo takes back: what was decided last here, else the decision on the picture that is shown."""
    done = [path for path in st.session_state.get(DONE, ()) if path in paths]
    return done[-1] if done else paths[at] if mine is not None else None


def _undo(now: Judging, paths: list[str], path: str) -> None:
    say(now.pool, [path], now.who, UNDECIDED)
    if path in st.session_state[DONE]:
        st.session_state[DONE].remove(path)
    _go(paths.index(path))


def _go(place: int) -> None:
    st.session_state[AT] = (st.session_state[AT][0], place)
