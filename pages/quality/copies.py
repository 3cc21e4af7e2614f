"""Pairs of synthetic images and their nearest training images, and what may leave the pool for it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from engine.datasets.manifest import left_out, usable
from engine.sampling.pools import Pool
from engine.store.runs import Run
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import plain_badge
from pages.components.images import picture
from pages.components.paging import part_shown
from pages.components.people import Role, guarded, require
from pages.components.picture_viewer import begin
from pages.components.pools import warn_of_sweeps
from pages.components.pressable import look_button, tile
from pages.components.query_params import several_in_url
from pages.components.widget_keys import widget_key
from pages.quality.closer_pairs import FEATURES, PIXELS, VIEWER, beside, closer_pair, facts

PAGE = 12
"""Pairs on one page of the gallery."""
WIDTH = 132
"""Pixels of a picture."""
PAIR = 2 * WIDTH + 52
"""Pixels of a pair in its frame."""
FLAGS = {"copy": "Copies", "near-copy": "Near copies", "repeat": "Repeats", "": "Not flagged"}
"""In the order of the gallery, the worst first."""
COLOURS: dict[str, Literal["red", "orange", "violet", "gray"]] = {
    "copy": "red",
    "near-copy": "orange",
    "repeat": "violet",
    "": "gray",
}


def copies(run: Run, neighbours: pd.DataFrame | None, pool: Pool | None, folder: Path | None) -> None:
    """The gallery of pairs, filtered by flag and class, and the buttons that take images out of the pool."""
    if neighbours is None:
        st.info("This check wrote no table of nearest neighbours.")
        return
    if pool is None or folder is None:
        st.info("The pool or the data set of this check was deleted since, so that no pictures can be shown.")
        return
    excluded = pool.manifest.set_index("path")["excluded"]
    table = neighbours.assign(excluded=neighbours["path"].map(excluded).fillna(""))
    shown, by, filters = filtered(run, table)
    with_buttons(run, pool, shown)
    if shown.empty:
        st.caption("No image passes this filter.")
        return
    here = part_shown(len(shown), PAGE, of=(run.id, *filters))
    with st.container(horizontal=True, gap="small"):
        for row in shown.iloc[here].to_dict("records"):
            pair(run, row, by, pool, folder, shown)
    st.caption(
        "Ratio: distance to the nearest training image over the mean distance to those behind it; far below 1, one "
        "training image is much nearer than all others. Pixel distance: after the best small shift, turn, zoom and "
        "mirroring."
    )


def filtered(run: Run, table: pd.DataFrame) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """The rows that the reader asks for, the worst first, which neighbour to show beside them, and what was asked."""
    counts = table["flag"].value_counts()
    present = [flag for flag in FLAGS if counts.get(flag, 0)]
    worst = [flag for flag in present if flag] or present
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        flags = several_in_url(
            "Show", present, "flags", f"flags-{run.id}", worst, lambda flag: f"{FLAGS[flag]} ({counts[flag]})"
        )
        classes = ["", *sorted(table["class"].unique())]
        name = st.selectbox(
            "Class",
            classes,
            format_func=lambda name: name or "All",
            key="pairs-of",
            bind="query-params",
            width=180,
        )
        by = st.segmented_control(
            "Nearest by",
            [FEATURES, PIXELS],
            default=FEATURES,
            required=True,
            key="by",
            bind="query-params",
            help="Features find the same content, pixels the same picture.",
        )
    order = {flag: place for place, flag in enumerate(FLAGS)}
    wanted = table[table["flag"].isin(flags)]
    if name:
        wanted = wanted[wanted["class"] == name]
    nearness = "ratio" if by == FEATURES else "pixel_distance"
    wanted = wanted.assign(order=wanted["flag"].map(order)).sort_values(["order", nearness], kind="stable")
    return wanted, by, (*flags, name, by)


def with_buttons(run: Run, pool: Pool, shown: pd.DataFrame) -> None:
    """Exclude everything flagged that the filter shows, or restore what was excluded of it.

    Images that nothing speaks against can be excluded one by one, but not all at a stroke.
    """
    inside = usable(shown)
    here = inside.loc[inside["flag"] != "", "path"].tolist()
    gone = left_out(shown)["path"].tolist()
    with st.container(horizontal=True, vertical_alignment="center"):
        if here and st.button(
            f"Exclude these {len(here)}…", icon=":material/block:", key=f"exclude-{run.id}", **guarded(Role.EDITOR)
        ):
            flags = [FLAGS[flag].lower() for flag in dict.fromkeys(shown["flag"]) if flag]
            exclude_dialog(pool, here, f"{' and '.join(flags)}, seen by {run.id}")
        if gone and st.button(
            f"Restore these {len(gone)}…", icon=":material/undo:", key=f"restore-{run.id}", **guarded(Role.EDITOR)
        ):
            restore_dialog(pool, gone)
    flags = [flag for flag in dict.fromkeys(shown["flag"]) if flag]
    if here and flags:
        show_command(
            "\n".join(f"python -m engine exclude {pool.run.id} --from {run.id} --flag {flag}" for flag in flags)
        )


def pair(
    run: Run,
    row: Mapping[Hashable, Any],
    by: str,
    pool: Pool,
    folder: Path,
    among: pd.DataFrame | None = None,
) -> None:
    """A synthetic image beside its nearest training image, or a repeat beside the image that it repeats; a press on
    either opens both, and leads to the pairs `among` these rows."""
    other, caption = beside(row, by, pool, folder)
    with tile(f"pair-{row['path']}", border=True, width=PAIR, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.badge(plain_badge(row["flag"]) or "not flagged", color=COLOURS[row["flag"]])
            if row["excluded"]:
                pressed = st.button(
                    "Restore", icon=":material/undo:", key=f"back-{run.id}-{row['path']}", **guarded(Role.EDITOR)
                )
            else:
                pressed = st.button(
                    "Exclude", icon=":material/block:", key=f"out-{run.id}-{row['path']}", **guarded(Role.EDITOR)
                )
        with st.container(horizontal=True, gap="small"):
            for path, words in ((pool.path / row["path"], "Synthetic"), (other, caption)):
                if path.is_file():
                    shown = picture(path, path.stat().st_mtime, WIDTH)
                    st.image(shown, caption=words, width=WIDTH, alt=f"{words} image of the class {row['class']}")
        st.caption(facts(row, by))
        looked = look_button("Look closer", f"pair-{row['path']}", icon=":material/zoom_in:")
    if looked:
        begin(VIEWER)
        closer_pair(pd.DataFrame([row]) if among is None else among, row["path"], by, pool, folder)
    if pressed and row["excluded"]:
        restore_dialog(pool, [row["path"]])
    elif pressed:
        exclude_dialog(pool, [row["path"]], f"{row['flag'] or 'judged by eye'}, seen by {run.id}")


@st.dialog("Exclude from the pool?")
def exclude_dialog(pool: Pool, paths: list[str], reason: str) -> None:
    """Ask for the reason, then take images out of the pool."""
    st.write(
        f"**{_images(len(paths))}** will be left out of sweeps that start from now on, and these say so. "
        "Nothing is deleted: the files stay, and Restore takes them back."
    )
    warn_of_sweeps(pool)
    given = st.text_input("Reason", reason, max_chars=200).strip()
    with st.container(horizontal=True):
        if st.button(
            "Exclude",
            type="primary",
            icon=":material/block:",
            key=widget_key("exclude-now", pool.run.id, *paths),
            **guarded(Role.EDITOR, disabled=not given),
        ) and done(_exclude, pool, paths, given):
            st.toast(f"{_images(len(paths))} excluded", icon=":material/check:")
            st.rerun()
        if st.button("Keep", key="exclude-not"):
            st.rerun()


@st.dialog("Restore to the pool?")
def restore_dialog(pool: Pool, paths: list[str]) -> None:
    """Ask, then take excluded images back."""
    st.write(f"**{_images(len(paths))}** will be in the pool again, for sweeps that start from now on.")
    warn_of_sweeps(pool)
    with st.container(horizontal=True):
        if st.button(
            "Restore",
            type="primary",
            icon=":material/undo:",
            key=widget_key("restore-now", pool.run.id, *paths),
            **guarded(Role.EDITOR),
        ) and done(_restore, pool, paths):
            st.toast(f"{_images(len(paths))} restored", icon=":material/check:")
            st.rerun()
        if st.button("Leave out", key="restore-not"):
            st.rerun()


def _exclude(pool: Pool, paths: list[str], reason: str) -> None:
    require(Role.EDITOR)
    pool.exclude(paths, reason)


def _restore(pool: Pool, paths: list[str]) -> None:
    require(Role.EDITOR)
    pool.restore(paths)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
