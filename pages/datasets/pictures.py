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
from pages.components.picture_viewer import Pane, begin, place, turning, viewer
from pages.components.pressable import look_button, tile
from pages.components.views import go
from pages.datasets.audit_texts import LEFT_OUT, split_word
from pages.datasets.reading import map_of, sealed_of, tags_now

VIEWER = "image-viewer"
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
    st.image(stored_url(path, path.stat().st_mtime, width), caption=caption, width=width, alt=_alt(row))


def _alt(row: Any) -> str:
    return f"Image of class {row.class_name}, {split_word(row.split)} part, {Path(row.source).name}"


def named(rows: pd.DataFrame) -> list[Any]:
    """Rows of a manifest as tuples; `class` is no name that Python allows."""
    return list(rows.rename(columns={"class": "class_name"}).itertuples(index=False))


def wall(
    dataset: Dataset,
    rows: pd.DataFrame,
    captions: Sequence[str],
    key: str,
    width: int = 104,
    among: Sequence[str] | None = None,
) -> None:
    """Images side by side, as many in a row as fit; a press on one opens it, and leads to those `among` the paths."""
    with st.container(horizontal=True, gap="small"):
        for row, caption in zip(named(rows), captions, strict=True):
            with tile(f"{key}-{row.path}", width=width, gap="xxsmall"):
                show_picture(dataset, row, width)
                most = 14 * width // 104
                label = f"{caption[: most - 1]}…" if len(caption) > most else caption
                if look_button(plain(label), f"{key}-{row.path}", help=f"Enlarge {plain(row.source)}"):
                    begin(VIEWER)
                    enlarge(dataset, row.path, rows["path"].tolist() if among is None else among)


@st.dialog("Image", width="large")
def enlarge(dataset: Dataset, path: str, among: Sequence[str] = ()) -> None:
    """One image in the viewer, which leads to those `among` the paths, with all that the manifest knows of it."""
    rows = dataset.manifest
    sealed = rows["path"][rows["sha256"].isin(sealed_of(dataset))]
    shown = [each for each in among if each not in set(sealed)] if path in among else []
    at = place(VIEWER, len(shown), shown.index(path)) if path in shown else 0
    path = shown[at] if path in shown else path
    chosen = rows[rows["path"] == path]
    row = named(chosen)[0]
    with st.container(horizontal=True):
        with st.container(width="stretch"):
            if row.sha256 in sealed_of(dataset):
                show_picture(dataset, row, 0)
            else:
                pane = Pane(dataset.path / row.path, Path(row.source).name, _alt(row))
                viewer([pane], key=VIEWER, at=at, count=max(len(shown), 1), turn=turning(VIEWER), label="Image")
        with st.container(width=230):
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
