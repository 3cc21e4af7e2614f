"""Images of a data set on the page: large enough to see, described for screen readers, and all that is known of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.datasets.dataset import Dataset
from pages.components.format import plain
from pages.components.images import stored_url
from pages.components.views import go
from pages.datasets.audit_texts import LEFT_OUT, split_word
from pages.datasets.reading import map_of, sealed_of, tags_now

LARGE = 480
FILTERS = ("class", "split", "finding", "tag")
"""What the filters of the wall keep in the URL."""
KNOWN = {
    "class": "Class",
    "split": "Split",
    "group": "Group (patient, or set of copies)",
    "source": "Source",
    "excluded": "Left out",
    "near": "Set of near copies",
}
OWN = ("path", "sha256", "phash", "width", "height", "mode", "bits", "given", "given_group", "moved", "out_by_hand")


def show_picture(dataset: Dataset, row: Any, width: int, caption: str | None = None) -> None:
    """One stored image; one whose file is gone says so, and so does a sealed one, which is not shown."""
    path = dataset.path / row.path
    if row.sha256 in sealed_of(dataset):
        st.caption(":material/encrypted: sealed")
        return
    if not path.is_file():
        st.caption(f"{plain(path.name)} is gone")
        return
    alt = f"Image of class {row.class_name}, {split_word(row.split)} part, {Path(row.source).name}"
    st.image(stored_url(path, path.stat().st_mtime, width), caption=caption, width=width, alt=alt)


def named(rows: pd.DataFrame) -> list[Any]:
    """Rows of a manifest as tuples; `class` is no name that Python allows."""
    return list(rows.rename(columns={"class": "class_name"}).itertuples(index=False))


def wall(dataset: Dataset, rows: pd.DataFrame, captions: Sequence[str], key: str, width: int = 104) -> None:
    """Images side by side, as many in a row as fit; the button below each opens it large."""
    with st.container(horizontal=True, gap="small"):
        for row, caption in zip(named(rows), captions, strict=True):
            with st.container(width=width, gap="xxsmall"):
                show_picture(dataset, row, width)
                label = f"{caption[:13]}…" if len(caption) > 14 else caption
                told = f"Enlarge {plain(row.source)}"
                if st.button(plain(label), key=f"{key}-{row.path}", type="tertiary", help=told):
                    enlarge(dataset, row.path)


@st.dialog("Image", width="large")
def enlarge(dataset: Dataset, path: str) -> None:
    """One image, large, with all that the manifest knows of it."""
    rows = dataset.manifest
    chosen = rows[rows["path"] == path]
    row = named(chosen)[0]
    with st.container(horizontal=True):
        show_picture(dataset, row, LARGE)
        with st.container(width=300):
            for name, value in facts(chosen.iloc[0]).items():
                st.markdown(f"**{name}**  \n{value}")
            if tags := tags_now(dataset).get(row.sha256):
                st.markdown(f"**Tags**  \n{plain(', '.join(tags))}")
            found = map_of(dataset)
            if found is not None and (found.places["sha256"] == row.sha256).any():
                alike = st.button(
                    "Most alike first",
                    icon=":material/sort:",
                    key="most-alike",
                    help="Sorts the images by how alike they are to this one, by the features of the map.",
                )
                if alike:
                    go("images", without=FILTERS, dataset=dataset.name, like=path)


def facts(row: pd.Series) -> dict[str, str]:
    """What the manifest knows of an image, for people."""
    told = {label: plain(row[name]) for name, label in KNOWN.items() if str(row.get(name, ""))}
    told["Split"] = split_word(row["split"])
    if row.get("moved"):
        told["Split"] += ", moved there by hand"
    if row["excluded"]:
        told["Left out"] = LEFT_OUT.get(row["excluded"]) or plain(row["excluded"])
    told["Original"] = f"{row['width']}×{row['height']} pixels, {row['mode']}, {row['bits']} bits"
    told["Stored as"] = plain(row["path"])
    told["SHA-256 of its pixels"] = f"`{row['sha256'][:16]}…`"
    others = {name: value for name, value in row.items() if name not in (*KNOWN, *OWN) and str(value)}
    return told | {_words(name): plain(value) for name, value in others.items()}


def _words(column: Any) -> str:
    return plain(str(column).removeprefix("meta_").replace("_", " ")).capitalize()
