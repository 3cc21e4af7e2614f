"""How a pool stands: what its newest check says, in its colour and with the reason, and twelve of its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.report.pool_verdict import FAR, GOOD, WORSE, Level, PoolChecks, PoolVerdict, checks_of, pool_verdict
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.components.files import read_model, stamp
from pages.components.format import plain, plain_sentence
from pages.components.home import home
from pages.components.picture_dialog import pressable_wall
from pages.components.picture_viewer import Pane
from pages.components.pools import open_pool

ICONS: dict[str, tuple[Literal["green", "orange", "red", "gray"], str]] = {
    GOOD: ("green", ":material/check_circle:"),
    WORSE: ("orange", ":material/change_history:"),
    FAR: ("red", ":material/error:"),
    "": ("gray", ":material/help:"),
}
"""Told apart by shape as well as by colour."""
TITLES: dict[str, str] = {
    FAR: "Do not evaluate with this pool before you know why.",
    WORSE: "Usable, with reservations.",
    GOOD: "Nothing speaks against this pool so far.",
    "": "",
}
SAMPLES = 12
PICTURE = 78
"""Pixels of a sample: twelve stand side by side from 1280 px."""


def newest_verdict(run: Run, checks: PoolChecks | None = None) -> PoolVerdict | None:
    """What the newest finished check says of a pool; None when it was not checked, or its scores are damaged.

    `checks` are those of the pool where they were looked for already.
    """
    check = (checks or checks_of(home(), run.id)).finished
    if check is None:
        return None
    try:
        return verdict_of_check(check, open_pool(run).info.control)
    except (OSError, ErsatzError):  # the page of the check says so, and offers to make them again
        return None


def verdict_of_check(check: Run, control: str = "") -> PoolVerdict:
    """What a finished check says of its pool, judged once: it looks at every class."""
    return _judged(*stamp(check.path / SCORES_FILE), control)


@st.cache_resource(max_entries=64, show_spinner=False)
def _judged(path: Path, written: float, size: int, control: str) -> PoolVerdict:
    return pool_verdict(read_model(path, QualityScores), control)


def show_verdict(verdict: PoolVerdict, *, reasons: bool = True) -> None:
    """The verdict in its colour, of a control what it is; without `reasons` where these stand below."""
    box = {FAR: st.error, WORSE: st.warning, GOOD: st.success}.get(verdict.level, st.info)
    found = [each for each in verdict.worst if verdict.level in (FAR, WORSE)]
    if verdict.control:
        told = f"A control: {verdict.control}, no synthetic images."
        told += " What is red here is what it was made for." * (verdict.level == FAR)
    else:
        told = TITLES[verdict.level]
    said = " ".join(f"{each.words}{f': {each.reason}' if reasons else ''}." for each in found)
    icon = ":material/science:" if verdict.control else ICONS[verdict.level][1]
    box(f"**{plain(told)}** {plain_sentence(said)}".strip(), icon=icon)


def control_badge(control: str) -> None:
    """That a pool is a control, and of what."""
    if control:
        st.badge(f"Control: {plain(control)}, no synthetic images", icon=":material/science:", color="orange")


def show_standing(run: Run, checks: PoolChecks, *, quiet_when_good: bool = False) -> Level:
    """What the newest of a pool's `checks` says, and twelve of its pictures; the level, empty if it was not checked."""
    pool = open_pool(run)
    verdict = newest_verdict(run, checks)
    if verdict is None:
        control_badge(pool.info.control)
        begin = "A check is under way" if checks.under_way else "Not checked yet"
        st.info(
            f"**{begin}.** Whether these images look real, are varied, or copy real ones, nobody has measured so far.",
            icon=ICONS[""][1],
        )
    elif not (quiet_when_good and verdict.level == GOOD and not verdict.control):
        show_verdict(verdict)
    samples(pool)
    return "" if verdict is None else verdict.level


def samples(pool: Pool) -> None:
    """Twelve pictures, drawn once and for all from what is in the pool, of each class as many as of the others."""
    rows = sampled(pool)
    panes = [Pane(pool.path / path, name, f"Synthetic picture of the class {name}") for path, name in rows]
    pressable_wall(panes, f"samples-{pool.run.id}", PICTURE)
    st.caption(f"{len(rows)} pictures of the pool, drawn at random and not chosen; the same at every look.")


def sampled(pool: Pool) -> list[tuple[str, str]]:
    """Path and class of up to twelve images, class by class, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    rows = pool.rows()
    by_class = {name: rows[rows["class"] == name]["path"].to_numpy() for name in pool.classes}
    drawn = {name: rng.permutation(paths) for name, paths in by_class.items() if len(paths)}
    found: list[tuple[str, str]] = []
    for place in range(SAMPLES):
        found += [(str(paths[place]), name) for name, paths in drawn.items() if place < len(paths)]
    chosen = found[:SAMPLES]
    return sorted(chosen, key=lambda each: list(drawn).index(each[1]))
