"""What a data set is: its counts, sizes, where it came from and what was done to its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.manifest import usable
from engine.datasets.patients import known_of
from engine.report.dataset_figures import class_counts
from engine.report.figures import figure_class_counts, figure_sizes
from engine.store.errors import ErsatzError
from pages.components.charts import chart
from pages.components.command import command_line, show_command
from pages.components.deleting import delete_button
from pages.components.format import moment, plain, plain_sentence
from pages.components.people import Role, may
from pages.components.views import way_to
from pages.datasets.positive import positive_class
from pages.datasets.reading import manifest_of, written
from pages.datasets.removal import removal_dialog
from pages.datasets.views import IMPORT


def show_facts(dataset: Dataset) -> None:
    """Figures, origin, the command that made it, and its deletion."""
    manifest = manifest_of(written(dataset))
    metrics(dataset, manifest)
    positive_class(dataset)
    left, right = st.columns(2)
    with left:
        chart(
            figure_class_counts(manifest),
            "class-counts",
            f"{dataset.name}-classes",
            table=lambda: class_counts(manifest).reset_index(),
        )
    with right:
        sizes(dataset, manifest)
    with st.expander("Where it came from, and what was done to every image", icon=":material/history:"):
        for name, value in origin(dataset).items():
            st.markdown(f"**{plain(name)}**: {plain_sentence(value)}")
        for note in dataset.info.provenance.notes:
            st.caption(plain_sentence(note))
    st.download_button(
        "Manifest (CSV)",
        lambda: (dataset.path / "manifest.csv").read_bytes(),
        f"{dataset.name}-manifest.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )
    if may(Role.EDITOR):
        command(dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        way_to("Import again with changes", ":material/restart_alt:", "import-again", IMPORT, **{"from": dataset.name})
        if delete_button("Delete this data set…", f"delete-{dataset.name}", kind="tertiary"):
            removal_dialog(dataset)


def metrics(dataset: Dataset, manifest: pd.DataFrame) -> None:
    """The numbers that say what it is."""
    kept = usable(manifest)
    known = known_of([dataset])
    out = len(manifest) - len(kept)
    with st.container(horizontal=True):
        st.metric("Images", f"{len(kept):,}", help=f"{out} more were left out." if out else None, border=True)
        st.metric("Classes", len(dataset.classes), help=", ".join(dataset.classes), border=True)
        st.metric(
            "Stored form",
            f"{dataset.size}×{dataset.size}",
            help="Grey" if dataset.mode == "L" else "Colour (RGB)",
            border=True,
        )
        st.metric(
            "Patients",
            f"{known.patients:,}" if known.patients else "unknown",
            help="Patients, or other groups, that the source names: by a CSV column, folders or DICOM files."
            + (
                f" {known.images_without:,} images are of unknown patients." if known.patients and not known.all else ""
            ),
            border=True,
        )
        if known.named or known.sets:
            st.metric(
                "Other groups",
                f"{known.named + known.sets:,}",
                help=f"{known.named:,} were read from file names and {known.sets:,} are sets of copies that were "
                "joined; all of them stay in one split, and nobody knows whether they are patients.",
                border=True,
            )


def sizes(dataset: Dataset, manifest: pd.DataFrame) -> None:
    """How large the originals are; one size needs no figure."""
    kinds = manifest.groupby(["width", "height"]).size()
    if len(kinds) == 1:
        ((width, height),) = kinds.index
        st.markdown("**Sizes of the source images**")
        st.markdown(f"All {len(manifest):,} are {width}×{height} pixels.")
        return
    chart(
        figure_sizes(manifest),
        "sizes",
        f"{dataset.name}-sizes",
        table=lambda: manifest[["source", "class", "split", "width", "height", "mode", "bits"]],
    )


def origin(dataset: Dataset) -> dict[str, Any]:
    """Where the images came from and how they were stored, in words."""
    provenance = dataset.info.provenance
    done = provenance.preprocessing
    source = provenance.source
    # visitors need not know the folders of this machine
    shown = source if may(Role.EDITOR) else Path(source).name
    told: dict[str, Any] = {"Source": f"`{shown}`" if source else "drawn by the program (phantom)"}
    if fold := provenance.fold:
        told["Cross-validation"] = f"fold {fold['number']} of {fold['folds']} of {fold['parent']}"
    recorded = {
        "Read as": provenance.layout,
        "Images found": provenance.images,
        "Imported by Ersatz": provenance.ersatz,
    }
    told |= {label: value for label, value in recorded.items() if value}
    if provenance.time is not None:
        told["Imported"] = moment(provenance.time)
    for label, names in provenance.labels.items():
        if names != [label]:
            told[f"Class {label}"] = "found as " + plain(", ".join(names))
    resized = {
        "pad": "padded with black to a square",
        "crop": "cropped to a square",
        "stretch": "stretched to a square",
    }
    if done:
        told["Every image"] = ", ".join(
            part
            for part in (
                resized.get(done.get("resize", ""), ""),
                f"resized to {dataset.size}×{dataset.size} ({done.get('filter')})",
                "grey" if dataset.mode == "L" else "colour",
                f"EXIF orientation: {done.get('orientation', '').replace('EXIF ', '')}",
                f"transparency {done.get('alpha')}",
            )
            if part
        )
    if depth := done.get("depth"):
        told["Depth"] = f"{depth['black']:g} became black, {depth['white']:g} white"
    return told


def command(dataset: Dataset) -> None:
    """The command that imports it the same way; folds come from their parent."""
    if fold := dataset.info.provenance.fold:
        show_command(f"python -m engine dataset folds {fold['parent']} --folds {fold['folds']} --seed {fold['seed']}")
        return
    try:
        show_command(command_line(ImportConfig.build(dataset.info.config)))
    except ErsatzError:  # imported by a version with other settings
        return
