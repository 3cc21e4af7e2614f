"""Datasets: import with a preview, audit, remedies, split, freezing; the images by class, split and finding."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import Dataset, list_datasets
from engine.datasets.uploads import remove_old_uploads
from engine.store.runs import Run, State, list_runs
from pages.components.format import plain
from pages.components.header import page_header
from pages.components.home import home
from pages.components.people import Role, may, require
from pages.components.phantom import phantom_badge
from pages.components.run_summary import config_of, state_of
from pages.components.runs import choice_in_url, run_in_url, run_row
from pages.components.views import choose_view, lead_to, view_in_url
from pages.datasets.browsing import FIELD
from pages.datasets.catalogue import show_catalogue
from pages.datasets.facts import show_facts
from pages.datasets.findings import show_findings
from pages.datasets.folds import show_folds
from pages.datasets.freezing import freezing
from pages.datasets.importing import followed_import, new_import, settings_again
from pages.datasets.map import show_map
from pages.datasets.split import show_split
from pages.datasets.views import ALL, IMPORT, PARTS
from pages.datasets.wall import image_wall

ONE = "facts"
SHOW = {
    "facts": show_facts,
    "findings": show_findings,
    "images": image_wall,
    "map": show_map,
    "split": show_split,
    "folds": show_folds,
}


def import_in_url() -> Run | None:
    """The import that the URL names, if it is one."""
    run = run_in_url()
    return run if run is not None and config_of(run)["kind"] == "import" else None


def map_in_url() -> str:
    """The data set of the map that the URL names as a run; '' if it names none."""
    run = run_in_url()
    return str(config_of(run)["dataset"]) if run is not None and config_of(run)["kind"] == "feature-map" else ""


def importing(datasets: dict[str, Dataset], followed: Run | None) -> None:
    """An import on its way, or a new one."""
    if followed is not None:
        followed_import(followed)
        if followed.state().is_active:
            return
    elif active := [run for run in list_runs(home(), "import") if state_of(run).is_active]:
        for run in active:
            run_row(run)
    elif not datasets and not st.session_state.get(FIELD):
        st.info(
            "There is no data set yet. Show where your images are, or take the phantom to try things out.",
            icon=":material/photo_library:",
        )
    new_import(datasets, settings_again(datasets))


def one(datasets: dict[str, Dataset], view: str) -> None:
    """One data set: state and next step, then a part of it."""
    wanted = st.query_params.get("dataset")
    if wanted and wanted not in datasets:
        st.warning(f"There is no data set {plain(wanted)} here; this is another one.", icon=":material/link_off:")
    labels = {name: dataset.label for name, dataset in datasets.items()}
    name = choice_in_url("Data set", newest_first(datasets), "dataset", "dataset", labels.__getitem__, row=top)
    dataset = datasets[name]
    phantom_badge(name)
    freezing(dataset)
    grave = sum(finding["severity"] != "info" for finding in dataset.info.audit.findings)
    words = PARTS | ({"findings": f"Findings ({grave})"} if grave else {})
    choose_view(list(words), view, words.__getitem__, label="Part of the data set", key="datasets-part")
    SHOW[view](dataset)


def newest_first(datasets: dict[str, Dataset]) -> list[str]:
    """The names, the data set imported last first."""
    return sorted(datasets, key=lambda name: -(datasets[name].info.provenance.time or 0))


def tidy_up() -> None:
    """Remove uploads that nothing needs any more."""
    require(Role.EDITOR)
    remove_old_uploads(home())


top = page_header(
    "Datasets",
    "Your images: imported once, checked for copies and leaks, split by patient, and frozen before any training.",
    links=("run",),
)
if may(Role.EDITOR):
    tidy_up()
datasets = {dataset.name: dataset for dataset in list_datasets(home())}
followed = import_in_url()
if followed and followed.state() is State.FINISHED and (imported := config_of(followed)["name"]) in datasets:
    lead_to("facts" if datasets[imported].frozen else "findings", dataset=str(imported), run="")
    followed = None

if (drawn := map_in_url()) and drawn in datasets:
    lead_to("map", dataset=drawn, run="")

usual = IMPORT if followed is not None or not datasets else ONE
view = view_in_url((*PARTS, ALL, IMPORT) if datasets else (), usual)
words = {ONE: "One data set", ALL: f"All data sets ({len(datasets)})", IMPORT: "Import"}
if datasets:
    with top:
        choose_view(list(words), ONE if view in PARTS else view, words.__getitem__)
if view == IMPORT:
    importing(datasets, followed)
elif view == ALL:
    show_catalogue(datasets)
else:
    one(datasets, view)
