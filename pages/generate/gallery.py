"""The pictures of a finished pool: page by page, each with what its manifest says, and the whole to take away."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NoReturn

import pandas as pd
import streamlit as st

from engine.report.pool_facts import origin_in_words
from engine.sampling.pools import MANIFEST_FILE, SOURCE, Pool, pool_zip
from engine.store.runs import Run
from pages.components.class_choice import choose_class
from pages.components.format import amount, picture_form, plain, plain_sentence
from pages.components.home import home
from pages.components.images import stored_url
from pages.components.navigation import script
from pages.components.paging import part_shown
from pages.components.people import read_only
from pages.components.picture_viewer import Pane, begin, place, turning, viewer
from pages.components.pools import open_pool
from pages.components.pressable import look_button, tile
from pages.components.run_summary import run_named
from pages.components.runs import run_link
from pages.components.thumbnails import BESIDE, SIZE, in_columns, side_by_side, thumbnail_width
from pages.components.views import go
from pages.generate.opened import look_as

PAGE = 30
"""Pictures of a pool on one page of its wall."""
VIEWER = "pool-viewer"
IN, OUT = "In the pool", "Left out"
HELD = ("of-class", "shows", "page", SIZE, BESIDE)
"""What the widgets of the wall hold in the URL."""


def gallery(run: Run) -> None:
    """What a finished pool holds, what comes next, and its wall."""
    pool = open_pool(run)
    metrics = {
        "Pictures": amount(len(pool.rows())),
        "Left out": amount(len(pool.left_out)),
        "Classes": str(len(pool.classes)),
        "Size": picture_form(pool.info.size, pool.info.mode),
    }
    for sentence in origin_in_words(pool.info, len(pool.manifest)):
        st.markdown(sentence)
    if pool.info.origin is not None and pool.info.origin.found:
        with st.expander("What was found in the images when they came", icon=":material/search:", expanded=True):
            st.markdown("\n".join(f"- {sentence}" for sentence in pool.info.origin.found))
    with st.container(horizontal=True):
        for label, value in metrics.items():
            st.metric(label, value, border=True, width="content")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Check its quality", type="primary", icon=":material/fact_check:", key=f"check-{run.id}"):
            st.switch_page(script("quality"), query_params={"run": run.id})
        if st.button("Evaluate with it", icon=":material/query_stats:", key=f"evaluate-{run.id}"):
            st.switch_page(script("evaluate"), query_params={"pool": run.id})
        st.download_button(
            "Pool (ZIP)",
            lambda: pool_zip(open_pool(run)),
            f"{run.id}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            disabled=read_only(),
            help="A public demo hands out no whole pools; single pictures are yours to take."
            if read_only()
            else "The pictures that are not left out, with the dataset.json that StyleGAN's programs read.",
        )
        st.download_button(
            "Manifest (CSV)",
            (run.path / MANIFEST_FILE).read_bytes,
            f"{run.id}-manifest.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
    wall_of(run)


@st.fragment
def wall_of(run: Run) -> None:
    """One class, or all of them side by side, page by page."""
    pool = open_pool(run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        classes = st.container(width="content")
        shown = IN
        if len(pool.left_out):
            shown = st.segmented_control("Show", [IN, OUT], default=IN, required=True, key="shows", bind="query-params")
        width = thumbnail_width()
        together = side_by_side(pool.classes)
        name = pool.classes[0]
        if not together:
            name = choose_class("Class", pool.classes, "of-class", in_url=True, place=classes)
    rows = pool.rows() if shown == IN else pool.left_out
    if together:
        in_columns(
            rows,
            pool.classes,
            PAGE,
            (run.id, shown),
            lambda part, name: _tiles(pool, part, rows[rows["class"] == name], width),
        )
        return
    rows = rows[rows["class"] == name]
    if rows.empty:
        st.caption(f"No picture of {name} is {shown.lower()}.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        here = part_shown(len(rows), PAGE, of=(run.id, name, shown))
        last = min(here.stop, len(rows))
        st.caption(
            f"Pictures {(here.start or 0) + 1:,} to {last:,} of {len(rows):,} of {name}, {shown.lower()}; press one to "
            "look closer."
        )
    _tiles(pool, rows.iloc[here], rows, width)


def _tiles(pool: Pool, shown: pd.DataFrame, among: pd.DataFrame, width: int) -> None:
    """Pictures, each over the button that opens it; `among` are those that can be turned to from there."""
    with st.container(horizontal=True, gap="small"):
        for row in shown.to_dict("records"):
            path = pool.path / row["path"]
            with tile(row["path"], width=width, gap=None, horizontal_alignment="center"):
                if path.is_file():
                    st.image(stored_url(path, path.stat().st_mtime, width), width=width, alt=_alt(row))
                if look_button(_called(row), row["path"], help=plain(row["excluded"]) or None):
                    begin(VIEWER)
                    closer(pool, row, among)


@st.dialog("A picture of the pool", width="large", icon=":material/zoom_in:")
def closer(pool: Pool, row: dict[Hashable, Any], among: pd.DataFrame | None = None) -> None:
    """The picture in the viewer, which leads to its neighbours in `among`, and what the manifest says of it."""
    at, count = 0, 1
    if among is not None:
        count = len(among)
        at = place(VIEWER, count, among["path"].tolist().index(row["path"]))
        row = among.iloc[at].to_dict()
    path = pool.path / row["path"]
    pane = Pane(path, f"{row['class']}, {_called(row).lower()}", _alt(row))
    viewer([pane], key=VIEWER, at=at, count=count, turn=turning(VIEWER), label="Picture of the pool")
    if not path.is_file():
        st.error(
            plain_sentence(f"{path.name} is missing; the manifest says that the pool has it. Make the pool again.")
        )
        return
    if row["excluded"]:
        st.warning(f"Left out: {plain(row['excluded'])}", icon=":material/block:")
    st.markdown(f"**{plain(row['class'])}**, {_called(row).lower()}")
    if row.get(SOURCE):
        st.caption(f"From {plain(row[SOURCE])}")
    st.caption(f"{plain(row['path'])} · SHA-256 of its pixels `{row['sha256']}`")
    generator = run_named(home(), row["generator"])
    with st.container(horizontal=True, vertical_alignment="center"):
        if generator is not None:
            run_link(generator)
            if pool.info.origin is None and st.button(
                "Explore around it", icon=":material/explore:", key=f"explore-{row['path']}"
            ):
                explore_around(generator, pool, row)
        st.download_button(
            "Picture (PNG)",
            path.read_bytes,
            f"{pool.run.id}-{path.name}",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
        )


def explore_around(generator: Run, pool: Pool, row: dict[Hashable, Any]) -> NoReturn:
    """Show the same picture under Explore."""
    look = look_as(generator, str(row["class"]), pool.info)
    st.session_state["seed"] = int(row["seed"])
    go("Explore", HELD, run=generator.id, seed=str(row["seed"]), **look)


def _called(row: dict[Hashable, Any]) -> str:
    """By its seed, or by its number where nothing here made it."""
    return f"Number {row['seed']}" if row.get(SOURCE) else f"Seed {row['seed']}"


def _alt(row: dict[Hashable, Any]) -> str:
    return f"Picture of the pool, {row['class']}, {_called(row).lower()}"
