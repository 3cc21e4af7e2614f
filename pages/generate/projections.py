"""Projection: the w of a generator that comes nearest to a real image, searched by a job."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import streamlit as st

from engine.configs import ProjectionConfig
from engine.datasets.dataset import Dataset
from engine.datasets.seal import sealed_images
from engine.datasets.uploads import PICTURES, safe_name, save_upload
from engine.projection.results import ProjectionResult
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.errors import made
from pages.components.format import plain, plain_sentence
from pages.components.forms import config_form
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.people import Role, may, refusal, require
from pages.components.picture_dialog import look_closer, pressable_picture
from pages.components.picture_viewer import Pane
from pages.components.place import choose_place, place_option
from pages.components.query_params import put
from pages.components.run_summary import run_named
from pages.components.runs import config_of, live, run_header, start, state_of, status_of
from pages.components.views import go
from pages.generate.latent_tools import begin_with
from pages.generate.opened import command
from pages.generate.painting import opened

FROM_DATASET, UPLOADED = "From the data set", "Upload"
SHOWN = 288
LINKED = "projection-linked"
"""Where the page leaves the projection that a link names."""


def project(generator: Run) -> None:
    """Start projections into this generator, and look at those there are."""
    sampler = opened(generator)
    done = [run for run in list_runs(home(), "projection") if config_of(run)["generator"] == generator.id]
    again = run_named(home(), st.query_params.get("again", ""))
    former = config_of(again) if again is not None and config_of(again)["kind"] == "projection" else {}
    with st.expander("New projection", icon=":material/add:", expanded=not done or bool(former)):
        new_projection(generator, sampler, former)
    if not done:
        st.caption(
            "A projection shows what this generator can say of a real image, and gives its w to the other tools."
        )
        return
    names = {run.id: run for run in done}
    linked = st.session_state.pop(LINKED, "")
    if linked in names:
        st.session_state[f"projection-{generator.id}"] = linked
    chosen = st.selectbox(
        "Projection",
        list(names),
        format_func=labels_of(names.values()).__getitem__,
        key=f"projection-{generator.id}",
    )
    run = names[chosen]
    run_header(run)
    live(show, state_of(run).is_active)(run)


def new_projection(generator: Run, sampler: Sampler, former: dict[str, Any]) -> None:
    """Choose an image of the data set, or upload one, and start; filled in with the settings of a `former` one."""
    if not may(Role.EDITOR):
        st.caption(refusal(Role.EDITOR))
        return
    path = _image(generator, sampler)
    if path is None:
        return
    base: dict[str, Any] = {**former, "generator": generator.id, "image": str(path)}
    several = sampler.info.conditional
    place = choose_place("projection", f"project-{generator.id}")
    values = config_form(
        ProjectionConfig,
        [*(["class_name"] if several else []), "steps", "loss"],
        base,
        key=f"project-{generator.id}-{bool(former)}",
        more=["weights", "seed", "video", "device"],
        choices={"class_name": sampler.classes},
        submit="Project",
        icon=":material/center_focus_strong:",
    )
    if values is not None and start(ProjectionConfig.build(values), place=place):
        put("again", "")
        st.rerun()
    class_name = f" --class-name {shlex.quote(sampler.classes[0])}" if several else ""
    where = "".join(f" {word}" for word in place_option(place, "projection"))
    command(f"project {shlex.quote(generator.id)} {shlex.quote(str(path))}{class_name}{where}")


def _image(generator: Run, sampler: Sampler) -> Path | None:
    """The file of the image to project."""
    dataset = _dataset(sampler.info.dataset)
    sources = [FROM_DATASET, UPLOADED] if dataset else [UPLOADED]
    source = st.segmented_control("Image", sources, default=sources[0], key=f"project-source-{generator.id}")
    if source == FROM_DATASET and dataset is not None:
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        class_name = left.selectbox("Its class", dataset.classes, key="project-class")
        split = middle.selectbox("Split", ("test", "valid", "train"), key="project-split", help="Test: never seen.")
        rows = dataset.rows(split, class_name)
        sealed = rows["sha256"].isin(sealed_images(dataset.home, dataset))
        if sealed.any():
            st.info(f"{int(sealed.sum())} images of that split are sealed, and nobody may look at them yet.")
            rows = rows[~sealed]
        if rows.empty:
            st.info(f"There is no image of {class_name} in the split {split}; choose another.")
            return None
        number = right.number_input("Number", 1, len(rows), 1, key="project-number")
        path = dataset.path / rows.iloc[number - 1]["path"]
        pane = Pane(path, f"Image {number}", f"Image {number} of {class_name}, {split}")
        if pressable_picture(pane, "to-project", 128):
            look_closer(lambda _: [pane])
        return path
    upload = st.file_uploader("Picture", PICTURES, key=f"project-upload-{generator.id}")
    if upload is None:
        return None
    return made(lambda: _saved(upload))


def _saved(upload: Any) -> Path:
    require(Role.EDITOR)
    return save_upload(home(), [upload]) / safe_name(upload.name)


def _dataset(name: str) -> Dataset | None:
    try:
        return Dataset.open(home(), name) if name else None
    except ErsatzError:  # deleted since
        return None


def show(run: Run) -> None:
    """Target beside projection, and what came out."""
    columns = st.columns(3, gap="medium")
    names = {"target.png": "The real image", "projected.png": "Its nearest picture"}
    panes = [Pane(run.path / name, words, words) for name, words in names.items() if (run.path / name).is_file()]
    finished = state_of(run) is State.FINISHED
    for column, pane in zip(columns, panes, strict=False):
        with column:
            if pressable_picture(pane, f"projection-{pane.name}", SHOWN, offered=finished):
                look_closer(lambda _: panes)
    video = run.path / "projection.mp4"
    if video.is_file():
        columns[2].video(video.read_bytes(), loop=True, autoplay=True, muted=True)
        columns[2].caption("The search")
    if state_of(run) is not State.FINISHED:
        return
    if found := status_of(run).result_as(ProjectionResult):
        st.caption(f"Distance ({plain(found.loss)}): {found.distance:.4g}. {plain_sentence(found.notice)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "w (.npz)",
            (run.path / "w.npz").read_bytes,
            f"{run.id}-w.npz",
            icon=":material/download:",
            on_click="ignore",
        )
        if st.button("Morph from it", icon=":material/animation:", key=f"morph-{run.id}"):
            go("Morph", **begin_with(run))
