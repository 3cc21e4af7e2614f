"""What an import would read, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs import ImportConfig
from engine.datasets.previewing import Preview, preview
from engine.datasets.reading.header import Header, header_of
from engine.datasets.reading.questions import Question
from engine.store.csv_cells import table_text
from engine.store.errors import ErsatzError
from engine.store.home import Home
from pages.components.ahead import compute_ahead
from pages.components.format import plain, plain_sentence
from pages.components.home import home
from pages.components.people import Role, require
from pages.datasets.audit_texts import split_word, what_to_do

EXAMPLES = 6
"""Images of each class shown."""
WITHOUT_EFFECT = (
    *("name", "freeze", "remedies", "train_share", "valid_share", "split_counts", "train_per_class"),
    "skip_unreadable",
)
"""Settings that change nothing of what is matched."""
KEPT = 600
"""Seconds for which it is known what was found."""
FORM = ("size", "mode", "resize", "window", "positive")
"""Settings that change how the images are stored and what they are called, but not which."""


def matched_by(config: ImportConfig) -> dict[str, Any]:
    """The settings on which it depends what is matched."""
    return {name: value for name, value in config.plain().items() if name not in (*WITHOUT_EFFECT, *FORM)}


def look_at(config: ImportConfig) -> Preview:
    """What would be imported; an `ErsatzError` when the layout is not understood, a `Question` when it is unclear."""
    require(Role.EDITOR)  # it reads any path of this machine
    seen = _looked(*_looked_up(config), preview)
    if isinstance(seen, Question):
        raise seen
    return seen


def look_ahead(config: ImportConfig) -> None:
    """`look_at` while nobody waits yet."""
    require(Role.EDITOR)
    values, changed = _looked_up(config)
    compute_ahead(("import", config.source, config.layout, changed), [lambda: _looked(values, changed, preview)], KEPT)


def header_seen(config: ImportConfig) -> Header | None:
    """The columns of the source's CSV; None where it has none, or cannot be opened."""
    require(Role.EDITOR)
    values, changed = _looked_up(config)
    return _header({name: value for name, value in values.items() if name not in FORM}, changed)


def _looked_up(config: ImportConfig) -> tuple[dict[str, Any], float]:
    """The settings that change what is seen, and when the source was changed last."""
    path = Path(config.source)
    changed = path.stat().st_mtime if config.source and path.exists() else 0.0
    return {name: value for name, value in config.plain().items() if name not in WITHOUT_EFFECT}, changed


@st.cache_data(max_entries=8, ttl=KEPT, show_spinner="Looking at the files…")
def _header(values: dict[str, Any], changed: float) -> Header | None:
    require(Role.EDITOR)
    try:
        return header_of(ImportConfig.build({**values, "name": "preview"}))
    except ErsatzError:  # the preview says it
        return None


@st.cache_data(max_entries=8, ttl=KEPT, show_spinner="Looking at the files…")
def _looked(
    values: dict[str, Any], changed: float, _preview: Callable[[ImportConfig, Home, int], Preview]
) -> Preview | Question:
    """A question is kept as well: the page is drawn several times until it is answered.

    `_preview` is the engine's, which may download: it comes from who has asked for the role.
    """
    try:
        return _preview(ImportConfig.build({**values, "name": "preview"}), home(), EXAMPLES)
    except Question as question:
        return question


def show_preview(config: ImportConfig, seen: Preview, leave_out: Callable[[], None]) -> None:
    """How many images of how many classes and patients, and what stands in the way of an import.

    `leave_out` is what the button below the problems does.
    """
    total = sum(sum(splits.values()) for splits in seen.counts.values())
    if config.layout == "phantom":
        st.badge("Phantom data: says nothing about patients", icon=":material/science:", color="orange")
    with st.container(horizontal=True):
        st.metric("Images", f"{total:,}", border=True)
        st.metric("Classes", len(seen.counts), border=True)
        st.metric(
            "Patients",
            f"{seen.groups:,}" if seen.groups else "not named",
            help="Patients, or other groups whose images must stay together. Without their names, each image counts as "
            "its own, and near copies are kept together. If a CSV has a column for them, choose it as patient column.",
            border=True,
        )
        if seen.positive:
            st.metric(
                "Positive class",
                plain(seen.positive),
                help="What is looked for: its share found is the sensitivity. It can be changed, now and later.",
                border=True,
            )
    if seen.problems:
        problems(seen.problems, config.skip_unreadable, leave_out)
    if seen.tiny_classes:
        st.warning(plain_sentence(seen.tiny_classes), icon=":material/group:")
    if all(name.isdigit() for name in seen.counts):
        st.info(
            f"The classes are called {', '.join(seen.counts)}: give them names beside their pictures.",
            icon=":material/label:",
        )
    notes = [f"* {plain_sentence(note)}" for note in seen.notes]
    st.caption("\n".join([f":material/folder: Read as: {plain(seen.layout)}.\n", *notes]))


def show_details(seen: Preview) -> None:
    """Counts, sizes and forms of the originals, and what is kept for subgroups."""
    fold = st.expander(
        "Counts, sizes and forms of the originals", icon=":material/table:", key="originals", on_change="rerun"
    )
    if fold.open:  # tables take a browser long
        left, right = fold.columns(2)
        with left:
            st.markdown("**Classes and splits**")
            st.dataframe(counts_table(seen), alt="Images of each class in each split of the source")
        with right:
            st.markdown("**Originals**")
            st.dataframe(kinds_table(seen), hide_index=True, alt="Sizes, forms and bit depths of the originals")
    for name, values in seen.metadata.items():
        told = ", ".join(f"{plain(value) or 'unknown'} ({count})" for value, count in list(values.items())[:8])
        st.caption(f"Kept for subgroups: **{plain(name)}**: {told}{', …' if len(values) > 8 else ''}")


def counts_table(seen: Preview) -> pd.DataFrame:
    """Images by class and split, the splits in their order."""
    table = pd.DataFrame(seen.counts).T.fillna(0).astype(int)
    table = table.rename(columns={"": "to be split", **{name: split_word(name) for name in table.columns if name}})
    table.index.name = "class"
    return table


def kinds_table(seen: Preview) -> pd.DataFrame:
    """What the originals are like: the five most frequent sizes, modes and bit depths."""
    kinds = []
    # three channels are no colour yet: they may be equal
    words = {"L": "grey", "RGB": "three channels", "RGBA": "three channels and alpha", "LA": "grey with alpha"}
    words |= {"P": "palette", "1": "black and white", "I;16": "grey", "I": "grey", "F": "grey, decimal numbers"}
    words |= {"MONOCHROME2": "grey (MONOCHROME2)", "MONOCHROME1": "grey, inverted (MONOCHROME1)"}
    for what, found in (("size", seen.sizes), ("form", seen.modes), ("bits", seen.bits)):
        if what == "size" and len(found) > 5:
            kinds.append((what, sizes_between(seen.sizes), sum(found.values())))
            continue
        first = list(found.items())[:5]
        kinds += [(what, words.get(kind, kind.replace("x", "×")), count) for kind, count in first]
        if rest := list(found.items())[5:]:
            kinds.append((what, f"{len(rest)} others", sum(count for _, count in rest)))
    return pd.DataFrame(kinds, columns=["what", "found", "images"])


def sizes_between(sizes: dict[str, int]) -> str:
    """`134×187 to 957×821`, when there are too many sizes to list."""
    pairs = sorted((tuple(map(int, size.split("x"))) for size in sizes), key=lambda pair: pair[0] * pair[1])
    return " to ".join(f"{width}×{height}" for width, height in (pairs[0], pairs[-1]))


def problems(found: dict[str, str], left_out: bool, leave_out: Callable[[], None]) -> None:
    """Files that cannot be used, with what to do about each."""
    told = f"{len(found):,} file{'s' * (len(found) != 1)} cannot be used"
    if left_out:
        st.warning(f"{told} and will be left out; the data set records which.", icon=":material/filter_alt:")
    else:
        st.error(f"{told}. Mend or remove them and preview again, or leave them out.", icon=":material/error:")
    table = pd.DataFrame(
        [(name, reason, what_to_do(reason)) for name, reason in found.items()],
        columns=["file", "what is wrong", "what to do"],
    )
    st.dataframe(table, hide_index=True, alt="Files that cannot be used, with the reason and what to do")
    with st.container(horizontal=True):
        if not left_out:
            st.button("Leave these files out", icon=":material/filter_alt:", on_click=leave_out)
        st.download_button(
            "List of these files (CSV)",
            table_text(table),
            "files-to-mend.csv",
            "text/csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
