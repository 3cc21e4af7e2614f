"""The map of a data set: images that look alike lie near each other; a lasso chooses some, to look at and to mark."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.configs import FeatureMapConfig
from engine.datasets.dataset import Dataset
from engine.datasets.manifest import usable
from engine.quality.results import FeatureMapResult
from engine.quality.stored_map import drawn_of
from engine.report.figures import figure_dataset_map
from engine.store.runs import State
from pages.components.charts import chart
from pages.components.command import command_line, show_command
from pages.components.format import plain
from pages.components.people import Role, guarded
from pages.components.place import choose_place
from pages.components.runs import run_header, start
from pages.datasets.audit_texts import split_word
from pages.datasets.marking import mark
from pages.datasets.pictures import wall
from pages.datasets.reading import Mapped, manifest_of, map_of, maps_of, sealed_of, tags_now, written

DRAW, AGAIN = "Draw the map", "Draw it again"
SHOWN = 36
"""Pictures of a choice that are shown."""
BY = {"class": "Class", "split": "Split", "tags": "Tag"}


def show_map(dataset: Dataset) -> None:
    """The map that was drawn last, or the way to one."""
    found = map_of(dataset)
    newest = next(iter(maps_of(dataset)), None)
    state = newest.state() if newest is not None else State.FINISHED
    if newest is not None and state is not State.FINISHED:
        with st.container(border=True):
            st.markdown("**Map on its way**" if state.is_active else "**The last map**")
            run_header(newest)
    if found is None:
        if not state.is_active:
            nothing_yet(dataset)
        return
    the_map(dataset, found, state.is_active)


def nothing_yet(dataset: Dataset) -> None:
    """What a map is for, and the button that draws it."""
    st.markdown("**A map of the images by what they show**")
    st.caption(
        "A pretrained network describes each image by numbers; images with like numbers are put near each other. So "
        "odd ones, series of near copies, and pictures of another scanner stand out, and can be chosen with a lasso. "
        "Drawing it goes on when this tab is closed."
    )
    draw(dataset, DRAW, primary=True)


def draw(dataset: Dataset, label: str, primary: bool = False) -> None:
    """The button that starts a run, and its command."""
    config = FeatureMapConfig(dataset=dataset.name)
    place = choose_place("feature-map", f"map-{dataset.name}")
    pressed = st.button(
        label,
        icon=":material/scatter_plot:",
        type="primary" if primary else "tertiary",
        key=f"draw-map-{dataset.name}",
        **guarded(Role.EDITOR),
    )
    if pressed and start(config, place=place) is not None:
        st.rerun()
    if primary:
        show_command(command_line(config, place=place))


@st.fragment
def the_map(dataset: Dataset, found: Mapped, active: bool) -> None:
    """The figure beside the images that are chosen in it."""
    points = with_facts(dataset, found.places)
    says(dataset, found, points)
    key = f"dataset-map-{found.run.id}"
    left, right = st.columns([3, 2], gap="medium")
    with left:
        tagged = (points["tags"] != "").any()
        by = st.segmented_control(
            "Colours by",
            [name for name in BY if name != "tags" or tagged],
            default="class",
            required=True,
            format_func=BY.__getitem__,
            key="map-by",
            bind="query-params",
        )
        figure = figure_dataset_map(points, by or "class")
        picked = chart(figure, key, f"{dataset.name}-map", lambda: points, on_select="rerun", several=True)
        st.caption(
            "Draw around points to choose them, or press one. Only who lies near whom can be read: the axes, and the "
            "distances between groups, mean nothing."
        )
    paths = [str(point["customdata"][0]) for point in picked.selection.points if point.get("customdata")]
    rows = points[points["path"].isin(set(paths))]
    with right:
        if rows.empty:
            st.info(
                "Nothing is chosen: draw around some points, and their pictures appear here.", icon=":material/gesture:"
            )
        else:
            chosen(dataset, rows)
    if not active:
        draw(dataset, AGAIN)


def with_facts(dataset: Dataset, places: pd.DataFrame) -> pd.DataFrame:
    """The places of the images that are still there and may be shown, with their present split, class and tags."""
    rows = usable(manifest_of(written(dataset)))
    rows = rows[~rows["sha256"].isin(sealed_of(dataset))]
    points = places[["path", "x", "y"]].merge(rows, on="path")
    tags = tags_now(dataset)
    points["tags"] = [", ".join(tags.get(sha256, ())) for sha256 in points["sha256"]]
    points["split"] = [split_word(split) for split in points["split"]]
    points["name"] = [Path(source).name for source in points["source"]]
    return points


def says(dataset: Dataset, found: Mapped, points: pd.DataFrame) -> None:
    """How many images are on it, by which features, and whether it still fits."""
    told = found.run.status().result_as(FeatureMapResult)
    if told is not None:
        part = f"{told.images:,}" if told.images == told.of else f"{told.images:,} of {told.of:,}, drawn by lot,"
        features = f"the features of {plain(told.extractor)}"
        if told.extractor == "pixels":
            features = "their shrunk pixels, as the weights of no pretrained network were on this machine"
        st.caption(f"{part} images by {features}.")
    rows = usable(manifest_of(written(dataset)))
    rows = rows[~rows["sha256"].isin(sealed_of(dataset))]
    if told is not None and told.images == told.of and drawn_of(rows) != drawn_of(points):
        st.warning(
            "Images came in again or are sealed since this map was drawn; draw it again.", icon=":material/update:"
        )


def chosen(dataset: Dataset, rows: pd.DataFrame) -> None:
    """The chosen images, counted, and what can be done with them."""
    counts = rows.groupby("class").size()
    told = ", ".join(f"{plain(str(name))} {count:,}" for name, count in counts.items())
    st.markdown(f"**{len(rows):,} chosen**: {told}")
    mark(dataset, rows)
    shown = rows.head(SHOWN)
    wall(
        dataset, shown, [str(tags or name) for tags, name in zip(shown["tags"], shown["name"], strict=True)], key="map"
    )
    if len(rows) > SHOWN:
        st.caption(f"… and {len(rows) - SHOWN:,} more.")
