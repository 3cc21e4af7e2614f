"""The image wall: by class, split and finding, page by page; a press on a name enlarges the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.finalize import BY_HAND
from engine.datasets.manifest import is_usable, left_out, usable
from engine.quality.stored_map import by_likeness
from pages.components.format import plain
from pages.components.paging import part_shown
from pages.components.people import Role, guarded
from pages.components.query_params import put
from pages.components.thumbnails import in_columns, side_by_side, thumbnail_width
from pages.components.widget_keys import widget_key
from pages.datasets.audit_texts import LEFT_OUT, OF_THE_WHOLE, finding_title, split_word
from pages.datasets.editing import edited
from pages.datasets.marking import bring_back
from pages.datasets.pictures import wall
from pages.datasets.reading import affected_by, manifest_of, map_of, sealed_of, tags_now, written

PAGE = 48
"""Images on one page of the wall."""
ANY = "any"
OUT = "left-out"


@st.fragment
def image_wall(dataset: Dataset) -> None:
    """The stored images that fit the filters."""
    now = written(dataset)
    manifest = manifest_of(now)
    tags = tags_now(dataset)
    name, split, finding, tag = filters(dataset, manifest, tags)
    rows = matching(manifest, name, split, finding, among=lambda finding: affected_by(dataset, now).get(finding, []))
    if tag != ANY:
        rows = rows[[tag in tags.get(sha256, ()) for sha256 in rows["sha256"]]]
    hidden = rows["sha256"].isin(sealed_of(dataset))
    if hidden.any():
        st.caption(f":material/encrypted: {int(hidden.sum()):,} more are sealed test images, which no page shows.")
        rows = rows[~hidden]
    like = st.query_params.get("like", "")
    rows = most_alike_first(dataset, rows, like) if like else rows
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{len(rows):,} image{'s' * (len(rows) != 1)}. A press on one enlarges it.", width="content")
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            width = thumbnail_width()
            together = name == ANY and side_by_side(dataset.classes)
        shown_by = (dataset.name, name, split, finding, tag, like)
        here = slice(0) if together else part_shown(len(rows), PAGE, of=shown_by)
    if rows.empty:
        st.info("No image fits these filters. Take one of them back.", icon=":material/filter_alt_off:")
        return

    def draw(shown: pd.DataFrame, of: str = "") -> None:
        captions = [caption(row, tags) for _, row in shown.iterrows()]
        among = rows[rows["class"] == of] if of else rows
        wall(dataset, shown, captions, f"wall{of}", width, among["path"].tolist())

    if together:
        in_columns(rows, dataset.classes, PAGE, shown_by, draw)
    else:
        draw(rows.iloc[here])
    back_in(dataset, rows)


def most_alike_first(dataset: Dataset, rows: pd.DataFrame, like: str) -> pd.DataFrame:
    """The rows in the order of their likeness to the image `like`, those that are not on the map last; and the way
    back to the usual order."""
    found = map_of(dataset)
    place = found.places[found.places["path"] == like] if found is not None else pd.DataFrame()
    if found is None or place.empty:
        st.caption("The image that the others were to be sorted by is not on the map: this is the usual order.")
        return rows
    order = by_likeness(found.places, found.directions, str(place["sha256"].iloc[0]))
    ranks = {sha256: rank for rank, sha256 in enumerate(order)}
    off = int((~rows["sha256"].isin(ranks)).sum())
    last = f" {off:,} are not on the map and come last." if off else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        told = f":material/sort: The most alike to {plain(Path(like).name)} first, by the features of the map.{last}"
        st.caption(told, width="content")
        st.button(
            "Usual order", icon=":material/undo:", type="tertiary", key="usual-order", on_click=put, args=("like", "")
        )
    return rows.assign(rank=rows["sha256"].map(ranks)).sort_values("rank", kind="stable").drop(columns="rank")


def back_in(dataset: Dataset, rows: pd.DataFrame) -> None:
    """The way back for images that were left out by hand."""
    out = rows[rows["excluded"] == BY_HAND]
    if out.empty or dataset.frozen:
        return
    if st.button(
        f"Take the {len(out):,} that were left out by hand back in",
        icon=":material/undo:",
        key=widget_key("back-in", written(dataset), tuple(out["path"])),
        **guarded(Role.EDITOR),
    ):
        edited("Taking them back in…", lambda: bring_back(dataset, out))


def choose_finding(name: str) -> None:
    """Let the wall show the images of a finding when it is drawn next."""
    st.session_state.update({"class": ANY, "split": ANY, "finding": name, "tag": ANY})


def filters(dataset: Dataset, manifest: pd.DataFrame, tags: Mapping[str, Sequence[str]]) -> tuple[str, str, str, str]:
    """Class, split, finding and tag to show, all in the URL."""
    used = sorted({name for names in tags.values() for name in names}, key=str.casefold)
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
        tag: str | None = ANY
        if used:
            tag = st.selectbox(
                "Tag",
                [ANY, *used],
                format_func=lambda tag: "Any or none" if tag == ANY else tag,
                key="tag",
                bind="query-params",
                width=180,
            )
    return name or ANY, split or ANY, finding or ANY, tag or ANY


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


def caption(row: pd.Series, tags: Mapping[str, Sequence[str]]) -> str:
    """The file's name, or its tags, or why the image is left out."""
    if not row["excluded"] and row["sha256"] in tags:
        return ", ".join(tags[row["sha256"]])
    return LEFT_OUT.get(row["excluded"], row["excluded"]) if row["excluded"] else Path(row["source"]).name
