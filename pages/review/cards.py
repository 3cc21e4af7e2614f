"""One picture of a pool with what was said of it, and the buttons to say more."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd
import streamlit as st

from engine.review.decisions import ACCEPT, BY_REVIEW, REJECT, UNDECIDED, Decision, decide
from engine.sampling.pools import Pool
from pages.components.errors import keep
from pages.components.format import plain, plain_badge
from pages.components.images import stored_url
from pages.components.people import Role, guarded, require
from pages.components.picture_dialog import VIEWER, look_closer
from pages.components.picture_viewer import Pane, begin
from pages.components.pressable import look_button, tile
from pages.review.judging import Judging
from pages.review.reasons import chosen_reason

WIDTH = 152
"""Pixels of a picture."""
ALONE, BESIDE = WIDTH + 72, 2 * WIDTH + 52
"""Pixels of a card."""
COLOURS: dict[str, Literal["red", "orange", "violet"]] = {"copy": "red", "near-copy": "orange", "repeat": "violet"}
NAMELESS = "Enter your name first."


def card(judging: Judging, path: str, facts: pd.Series, own: pd.DataFrame, said: pd.DataFrame) -> None:
    """A synthetic picture beside its nearest real one, where that is known, and what others `said` of the page."""
    near, other, words = beside(judging, path)
    mine = cast(pd.Series, own.loc[path]) if path in own.index else None
    number = f"{facts['class']} {facts['seed']}"
    panes = panes_of(judging.pool.path / path, number, other, words)
    with tile(path, border=True, width=BESIDE if other else ALONE, gap="small"):
        with st.container(horizontal=True, gap="small"):
            for pane in panes:
                _picture(pane)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if look_button(plain(number), path):
                begin(VIEWER)
                look_closer(lambda _: panes)
            flag_badge(near)
            decision_badge(mine)
        for theirs in said[said["path"] == path].to_dict("records"):
            st.caption(f"{plain(theirs['reviewer'])}: {plain(in_words(theirs))}")
        if facts["excluded"]:
            st.caption(f"Out of the pool: {plain(facts['excluded'].removeprefix(BY_REVIEW))}")
        _buttons(judging, path, mine)


def flag_badge(near: pd.Series | None) -> None:
    """What a check flagged of a picture, if anything."""
    if near is not None and near["flag"]:
        st.badge(plain_badge(near["flag"]), color=COLOURS[near["flag"]])


def decision_badge(mine: pd.Series | None) -> None:
    """What this reviewer decided, if anything."""
    if mine is not None:
        accepted = mine["decision"] == ACCEPT
        st.badge(
            "accepted" if accepted else plain_badge(mine["reason"]),
            icon=":material/check:" if accepted else ":material/block:",
            color="green" if accepted else "red",
        )


def beside(judging: Judging, path: str) -> tuple[pd.Series | None, Path | None, str]:
    """What the check knows of a picture, the one to show beside it, and what that is."""
    known = judging.beside
    if known is None or path not in known.table.index:
        return None, None, ""
    near = cast(pd.Series, known.table.loc[path])
    if near["flag"] == "repeat" and near.get("twin"):
        return near, judging.pool.path / near["twin"], "Its twin in the pool"
    return near, known.folder / near["neighbour"] if known.folder else None, "Nearest real"


def panes_of(picture: Path, number: str, other: Path | None, words: str) -> list[Pane]:
    """A synthetic picture, that the `number` names, and the one beside it (see `beside`), where that is known."""
    panes = [Pane(picture, "Synthetic", f"Synthetic {number}")]
    return panes if other is None else [*panes, Pane(other, words, f"{words}, beside {number}")]


def _picture(pane: Pane) -> None:
    path = pane.picture
    if isinstance(path, Path) and path.is_file():
        st.image(stored_url(path, path.stat().st_mtime, WIDTH), caption=pane.name, width=WIDTH, alt=pane.alt)


def in_words(decision: Mapping[Hashable, Any]) -> str:
    """A decision in a few words."""
    return "accepted" if decision["decision"] == ACCEPT else f"rejected, {decision['reason']}"


def _buttons(judging: Judging, path: str, mine: pd.Series | None) -> None:
    """Accept and Reject, or after that to take it back."""
    role = guarded(Role.REVIEWER, disabled=not judging.who, help=None if judging.who else NAMELESS)
    arguments = (say, judging.pool, [path], judging.who)
    with st.container(horizontal=True, gap="small"):
        if mine is not None:
            st.button(
                "Undo", icon=":material/undo:", key=f"undo-{path}", on_click=keep, args=(*arguments, UNDECIDED), **role
            )
            return
        st.button(
            "Accept",
            icon=":material/check:",
            key=f"yes-{path}",
            width="stretch",
            on_click=keep,
            args=(*arguments, ACCEPT),
            **role,
        )
        st.button(
            "Reject",
            icon=":material/block:",
            key=f"no-{path}",
            width="stretch",
            on_click=keep,
            args=(*arguments, REJECT),
            **role,
        )


def say(pool: Pool, paths: list[str], who: str, decision: Decision) -> None:
    """Keep a decision for everybody to see; a rejection with the reason that is chosen at this moment."""
    require(Role.REVIEWER)
    decide(pool, paths, who, decision, chosen_reason() if decision == REJECT else "")
