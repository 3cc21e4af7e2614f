"""Where the images come from: a path of this machine, an upload, a public collection, or the phantom."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit as st

from engine.datasets.reading.tables.npz import PREFIX
from engine.datasets.uploads import ARCHIVES, PICTURES, SUFFIXES, TABLES, save_upload
from pages.components.errors import made, show_error
from pages.components.home import home
from pages.components.people import Role, require
from pages.datasets.browsing import FIELD, browser

PATH, FOLDER, FILES, PUBLIC, PHANTOM = "path", "folder", "files", "public", "phantom"
WAYS = {
    PATH: "Folder on this machine",
    FOLDER: "Upload a folder",
    FILES: "Upload a ZIP or files",
    PUBLIC: "Public collection",
    PHANTOM: "Phantom (demo)",
}
PHANTOM_SOURCE = {"source": "", "layout": "phantom", "name": "phantom"}
"""The settings of the one source that is no file: its slices are drawn."""
PUBLIC_SETS = {
    "pneumoniamnist": "Chest films of children: pneumonia or not (5,856)",
    "breastmnist": "Breast ultrasound: malignant or not (780)",
    "bloodmnist": "Blood cells, 8 kinds (17,092)",
    "dermamnist": "Skin lesions, 7 kinds (10,015)",
    "octmnist": "Retina OCT, 4 kinds (109,309)",
    "pathmnist": "Colon tissue, 9 kinds (107,180)",
    "retinamnist": "Fundus photographs, 5 grades (1,600)",
    "organamnist": "Abdominal CT, 11 organs (58,830)",
    "tissuemnist": "Kidney cells, 8 kinds (236,386)",
}
SIZES = {28: "", 64: "_64", 128: "_128", 224: "_224"}
HOW = """
**What is understood**

- a folder with one folder for each class, with or without `train`, `valid` and `test` above them
- a flat folder with a CSV that names each image and its class (and its patient, if known)
- DICOM files, NIfTI volumes, TIFF of any depth, HEIC; several frames or slices in a file are asked about
- a ZIP of any of these, or a NumPy file (`.npz`); DICOM files without an ending are sent as a ZIP
- `medmnist:NAME`, a public collection

The files are only read. Nothing is written before you have seen what was matched.
"""


def way_of_arrival(default: str) -> str:
    """How the images arrive."""
    return st.segmented_control(
        "Where the images are",
        list(WAYS),
        default=default,
        format_func=lambda way: WAYS[way],
        required=True,
        label_visibility="collapsed",
        key="way",
        bind="query-params",
    )


def source_of(way: str, last: str) -> dict[str, Any] | None:
    """The settings `source`, `layout` and `name` for the way in which the images arrive; None as long as none did.

    `last` is the source of the newest data set, near which the next one may lie.
    """
    match way:
        case "phantom":
            return dict(PHANTOM_SOURCE)
        case "public":
            return from_medmnist()
        case "path":
            return from_path(last)
    return from_upload(whole_folder=way == FOLDER)


def from_path(last: str) -> dict[str, Any] | None:
    """A folder or file of the machine that runs the dashboard."""
    text = st.text_input(
        "Folder, CSV, ZIP or .npz file",
        placeholder="/data/brain-mri",
        key=FIELD,
        help=HOW,
    ).strip()
    with st.expander("Look for it on this machine", icon=":material/folder_open:", expanded=not text):
        browser(last)
    if not text:
        return None
    try:
        path = text if text.startswith(PREFIX) else str(Path(text).expanduser().resolve())
        Path(path).exists()
    except (OSError, RuntimeError, ValueError) as error:
        show_error(f"{text} cannot be opened ({error}); a readable folder or file is expected.")
        return None
    return {"source": path, "name": suggested_name(path.removeprefix(PREFIX))}


def from_medmnist() -> dict[str, Any]:
    """A public collection of small medical images, downloaded once."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Collection", list(PUBLIC_SETS), format_func=lambda name: f"{name}: {PUBLIC_SETS[name]}")
        size = st.segmented_control("Pixels", list(SIZES), default=28, required=True)
    st.caption("Downloaded from the authors' archive (Zenodo) on the first look, and kept in the home's cache.")
    full = f"{name}{SIZES[size]}"
    return {"source": f"{PREFIX}{full}", "name": full}


def from_upload(whole_folder: bool) -> dict[str, Any] | None:
    """Files that the browser sends; they are believed to be hostile and kept until the import has finished."""
    require(Role.EDITOR)
    kinds = (*TABLES, *PICTURES) if whole_folder else SUFFIXES
    files = st.file_uploader(
        "Drop a folder here" if whole_folder else "One ZIP or .npz; or images with a CSV",
        type=[suffix.removeprefix(".") for suffix in kinds],
        accept_multiple_files="directory" if whole_folder else True,
        help=HOW,
        key=f"upload-{'folder' if whole_folder else 'files'}",
    )
    if not files:
        return None
    source = made(lambda: save_upload(home(), files))
    if source is None:
        return None
    first = files[0].name.split("/")[0] if "/" in files[0].name else ""
    alone = files[0].name if source.name.lower().endswith(ARCHIVES) else ""
    return {"source": str(source), "name": suggested_name(alone or first or "upload")}


def suggested_name(path: str) -> str:
    """A name for a data set that comes from this path."""
    return re.sub(r"[^a-z0-9._-]+", "-", Path(path).stem.lower()).strip("-._")[:80] or "dataset"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with a number when there is a data set of that name."""
    names = [name, *(f"{name[:76]}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)
