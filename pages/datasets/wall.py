"""The image wall: by class, split and finding, page by page; a press on a name enlarges the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.manifest import is_usable, left_out, usable
from pages.components.paging import part_shown
from pages.components.thumbnails import in_columns, side_by_side, thumbnail_width
from pages.datasets.audit_texts import LEFT_OUT, OF_THE_WHOLE, finding_title, split_word
from pages.datasets.pictures import wall
from pages.datasets.reading import affected_by, manifest_of, sealed_of, written

PAGE = 48
"""Images on one page of the wall."""
ANY = "any"
OUT = "left-out"


@st.fragment
def image_wall(dataset: Dataset) -> None:
    """The stored images that fit the filters."""
    now = written(dataset)
    manifest = manifest_of(now)
    chosen = filters(dataset, manifest)
    rows = matching(manifest, *chosen, among=lambda finding: affected_by(dataset, now).get(finding, []))
    hidden = rows["sha256"].isin(sealed_of(dataset))
    if hidden.any():
        st.caption(f":material/encrypted: {int(hidden.sum()):,} more are sealed test images, which no page shows.")
        rows = rows[~hidden]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{len(rows):,} image{'s' * (len(rows) != 1)}. A press on one enlarges it.", width="content")
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            width = thumbnail_width()
            together = chosen[0] == ANY and side_by_side(dataset.classes)
        here = slice(0) if together else part_shown(len(rows), PAGE, of=(dataset.name, *chosen))
    if rows.empty:
        st.info("No image fits these filters. Take one of them back.", icon=":material/filter_alt_off:")
        return

    def draw(shown: pd.DataFrame, of: str = "") -> None:
        captions = [caption(row) for _, row in shown.iterrows()]
        among = rows[rows["class"] == of] if of else rows
        wall(dataset, shown, captions, f"wall{of}", width, among["path"].tolist())

    if together:
        in_columns(rows, dataset.classes, PAGE, (dataset.name, *chosen), draw)
    else:
        draw(rows.iloc[here])


def choose_finding(name: str) -> None:
    """Let the wall show the images of a finding when it is drawn next."""
    st.session_state.update({"class": ANY, "split": ANY, "finding": name})


def filters(dataset: Dataset, manifest: pd.DataFrame) -> tuple[str, str, str]:
    """Class, split and finding to show, all three in the URL."""
    found = [finding["name"] for finding in dataset.info.audit.findings]
    about = [ANY, *(name for name in found if name not in OF_THE_WHOLE)]
    if not is_usable(manifest).all():
        about.append(OUT)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Class",
            [ANY, *dataset.classes],
            format_func=lambda name: "All classes" if name == ANY else name,
            key="class",
            bind="query-params",
            width=240,
        )
        split = st.segmented_control(
            "Split",
            [ANY, *SPLITS],
            default=ANY,
            required=True,
            format_func=lambda split: "All" if split == ANY else split_word(split).capitalize(),
            key="split",
            bind="query-params",
        )
        finding = st.selectbox(
            "Finding",
            about,
            format_func=lambda name: {ANY: "All images", OUT: "Left out"}.get(name) or finding_title(name),
            key="finding",
            bind="query-params",
            help="Only the images that a finding of the audit is about, those that belong together side by side; or "
            "those that a remedy left out.",
            width=300,
        )
    return name or ANY, split or ANY, finding or ANY


def matching(
    manifest: pd.DataFrame, name: str, split: str, finding: str, among: Callable[[str], list[str]]
) -> pd.DataFrame:
    """The rows that fit all filters; those `among` the images of a finding in its order."""
    if finding == OUT:
        rows = left_out(manifest)
    elif finding == ANY:
        rows = usable(manifest)
    else:
        rows = manifest.set_index("path", drop=False).loc[among(finding)]
    if name != ANY:
        rows = rows[rows["class"] == name]
    return rows[rows["split"] == split] if split != ANY else rows


def caption(row: pd.Series) -> str:
    """The file's name, or why the image is left out."""
    return LEFT_OUT.get(row["excluded"], row["excluded"]) if row["excluded"] else Path(row["source"]).name
