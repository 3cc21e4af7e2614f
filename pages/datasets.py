"""Datasets: import, preview, audit, remedies and freezing; the images by class and split."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs import ImportConfig
from engine.datasets import editing
from engine.datasets.dataset import SPLITS, Dataset, list_datasets
from engine.datasets.importing import preview
from engine.datasets.uploads import SUFFIXES, remove_old_uploads, save_upload
from engine.presets import PRESETS
from engine.report.figures import figure_class_counts, figure_sizes
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.images import picture_wall
from pages.parts.runs import choice_in_url, config_of, run_header, run_in_url, start, title

PAGE = 60
"""Images on one page of the wall."""
SEVERITIES: dict[str, tuple[Any, str]] = {
    "conflict": ("red", ":material/error:"),
    "leak": ("red", ":material/water_drop:"),
    "warning": ("orange", ":material/warning:"),
    "info": ("blue", ":material/info:"),
}
REMEDIES = {
    "drop-copies": "Keep one of each copy",
    "drop-conflicts": "Drop the conflicting images",
    "join-groups": "Move each group into one split",
    "group-by-name": "Group by file name",
    "drop-blank": "Drop the blank images",
}
VIEWS = ("Data sets", "Import")
OWN = "No preset"
PATH, UPLOAD, PHANTOM = "Path on this machine", "Upload", "Phantom (demo)"
FORM_FIELDS = ["name", "size", "mode", "resize", "group_column", "label_column"]
MORE_FIELDS = [
    *("layout", "csv", "image_column", "split_column", "metadata_columns", "class_names", "only_classes", "window"),
    *("split", "train_share", "valid_share", "split_counts", "train_per_class", "seed", "remedies", "max_pixels"),
    "freeze",
]


@st.cache_data(max_entries=8, show_spinner=False)
def opened(name: str, written: float) -> tuple[dict[str, Any], pd.DataFrame]:
    """`dataset.json` and the manifest; `written` is the time of their last change."""
    dataset = Dataset.open(home(), name)
    return dataset.info, dataset.manifest


def show_dataset(dataset: Dataset) -> None:
    """Facts, figures, audit and images of one data set."""
    _, manifest = opened(dataset.name, changed(dataset))
    kept = manifest[manifest["excluded"] == ""]
    if dataset.is_phantom:
        st.warning(
            "This is a phantom: its images are drawn by the program. Nothing found on it holds for real patients.",
            icon=":material/science:",
        )
    columns = st.columns(4)
    columns[0].metric("Images", f"{len(kept):,}", help=f"{len(manifest) - len(kept)} more are excluded by remedies.")
    columns[1].metric("Classes", len(dataset.classes), help=", ".join(dataset.classes))
    columns[2].metric("Stored form", f"{dataset.size}×{dataset.size} {dataset.mode}")
    groups = kept.loc[kept["group"] != "", "group"].nunique()
    columns[3].metric("Groups", groups or "unknown", help="Patients, or whatever must stay in one split.")
    freezing(dataset)
    left, right = st.columns(2)
    left.plotly_chart(figure_class_counts(manifest), key="class-counts")
    right.plotly_chart(figure_sizes(manifest), key="sizes")
    st.subheader("Audit")
    findings = dataset.info["audit"]["findings"]
    if not findings:
        st.success("Nothing was found.", icon=":material/check_circle:")
    for finding in findings:
        show_finding(dataset, manifest, finding)
    st.subheader("Images")
    image_wall(dataset, kept)


def changed(dataset: Dataset) -> float:
    """When the data set was last written."""
    return max((dataset.path / name).stat().st_mtime for name in ("dataset.json", "manifest.csv"))


def freezing(dataset: Dataset) -> None:
    """Whether the split is frozen, and the button that freezes it."""
    if dataset.frozen:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("frozen", icon=":material/lock:", color="green")
            st.caption(f"Fingerprint `{dataset.fingerprint[:16]}`: every result on this data set names it.")
            st.page_link("pages/train.py", label="Train on it", icon=":material/model_training:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("not frozen", icon=":material/lock_open:", color="orange")
        st.caption(dataset.info.get("not_frozen") or "Training and sweeps need a frozen split.")
        if st.button("Freeze", type="primary", icon=":material/lock:"):
            freeze_dialog(dataset)


@st.dialog("Freeze the split?")
def freeze_dialog(dataset: Dataset) -> None:
    """Say what freezing means, then freeze."""
    counts = dataset.rows()["split"].value_counts()
    told = ", ".join(
        f"{counts.get(split, 0)} for {name}"
        for split, name in zip(SPLITS, ("training", "validation", "the test"), strict=True)
    )
    st.write(f"**{dataset.name}**: {told}. After this, images, classes and splits cannot change any more.")
    grave = [finding for finding in dataset.info["audit"]["findings"] if finding["severity"] in ("leak", "conflict")]
    for finding in grave:
        st.error(finding["sentence"], icon=SEVERITIES[finding["severity"]][1])
    accepted = not grave or st.checkbox("Freeze all the same; what is accepted is recorded with every result.")
    with st.container(horizontal=True):
        if st.button("Freeze the split", type="primary", icon=":material/lock:", disabled=not accepted):
            try:
                dataset.freeze(accept_findings=bool(grave))
            except ErsatzError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.rerun()
        if st.button("Not yet"):
            st.rerun()


def show_finding(dataset: Dataset, manifest: pd.DataFrame, finding: dict[str, Any]) -> None:
    """One finding of the audit: its sentence, its examples side by side, and the button that mends it."""
    colour, icon = SEVERITIES[finding["severity"]]
    with st.container(border=True):
        severity, sentence = st.columns([1, 8], vertical_alignment="center")
        severity.badge(finding["severity"], icon=icon, color=colour)
        sentence.markdown(finding["sentence"])
        with st.container(horizontal=True):
            if finding["remedy"] and not dataset.frozen:
                remedy_button(dataset, finding)
            if finding["examples"]:
                with st.popover(f"Examples ({len(finding['examples'])})", icon=":material/compare:"):
                    examples(dataset, manifest, finding)


def remedy_button(dataset: Dataset, finding: dict[str, Any]) -> None:
    """Apply a finding's remedy; the split stays open for a look at the result."""
    label = REMEDIES.get(finding["remedy"], finding["remedy"])
    if not st.button(label, icon=":material/build:", key=f"remedy-{finding['name']}"):
        return
    with st.spinner("Mending and looking again…"):
        try:
            editing.apply_remedies(dataset, [finding["remedy"]])
        except ErsatzError as error:
            st.error(str(error), icon=":material/error:")
            return
    st.rerun()


def examples(dataset: Dataset, manifest: pd.DataFrame, finding: dict[str, Any]) -> None:
    """Pictures that a finding is about, those that belong together side by side."""
    rows = manifest.set_index("path")
    for paths in finding["examples"]:
        captions = [f"{rows.at[path, 'class']}, {rows.at[path, 'split']}: {rows.at[path, 'source']}" for path in paths]
        picture_wall([dataset.path / path for path in paths], captions, width=160)


def image_wall(dataset: Dataset, kept: pd.DataFrame) -> None:
    """The stored images of a class and split, page by page."""
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    with left:
        name = st.segmented_control("Class", dataset.classes, default=dataset.classes[0], key=f"class-{dataset.name}")
    with middle:
        split = st.segmented_control("Split", SPLITS, default="train", key=f"split-{dataset.name}")
    rows = kept
    rows = rows[rows["class"] == name] if name else rows
    rows = rows[rows["split"] == split] if split else rows
    pages = max(1, -(-len(rows) // PAGE))
    with right:
        number = st.number_input("Page", 1, pages, 1, key=f"page-{dataset.name}-{name}-{split}") if pages > 1 else 1
    st.caption(f"{len(rows)} images, page {number} of {pages}")
    shown = rows.iloc[(number - 1) * PAGE : number * PAGE]
    captions = [Path(source).name[-24:] for source in shown["source"]]
    picture_wall([dataset.path / path for path in shown["path"]], captions, width=96)


def source_of(way: str) -> dict[str, Any] | None:
    """The fields `source` and `layout` for the way in which the images arrive; None until there is something."""
    if way == PHANTOM:
        return {"source": "", "layout": "phantom", "name": "phantom"}
    if way == PATH:
        text = st.text_input(
            "Folder, CSV, ZIP, .npz, or medmnist:NAME",
            placeholder="/data/brain-mri",
            key="import-path",
            help="A folder with a folder for each class, with or without train, valid and test above them; a flat "
            "folder with a CSV; a ZIP of either; a MedMNIST file; DICOM.",
        ).strip()
        if not text:
            return None
        path = text if text.startswith("medmnist:") else str(Path(text).expanduser().resolve())
        return {"source": path, "name": suggested_name(path.removeprefix("medmnist:"))}
    files = st.file_uploader(
        "One ZIP or .npz; or images with a CSV",
        type=[suffix.removeprefix(".") for suffix in SUFFIXES],
        accept_multiple_files=True,
        help="Kept below the home until the import has finished.",
    )
    if not files:
        return None
    try:
        source = save_upload(home(), files)
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return {"source": str(source), "name": suggested_name(files[0].name) if source.is_file() else "upload"}


def suggested_name(path: str) -> str:
    """A name for a data set that comes from this path."""
    return re.sub(r"[^a-z0-9._-]+", "-", Path(path).stem.lower()).strip("-._")[:80] or "dataset"


def new_import() -> None:
    """Source and settings, then a preview, then the start."""
    way = st.segmented_control("Where the images are", [PATH, UPLOAD, PHANTOM], default=PATH, required=True)
    base = source_of(way)
    if base is None:
        return
    fitting = [
        OWN,
        *(name for name, preset in PRESETS.items() if (preset.importing["layout"] == "phantom") == (way == PHANTOM)),
    ]
    chosen = st.selectbox(
        "Preset",
        fitting,
        index=len(fitting) - 1 if way == PHANTOM else 0,
        format_func=lambda name: name if name == OWN else PRESETS[name].title,
        help="Where the settings below start from.",
        key=f"import-preset-{way}",
    )
    defaults = {**base, **({} if chosen == OWN else PRESETS[chosen].importing), "source": base["source"]}
    values = config_form(
        ImportConfig,
        FORM_FIELDS,
        defaults,
        key=f"import-{base['source']}-{chosen}",
        more=MORE_FIELDS,
        submit="Preview",
        icon=":material/visibility:",
    )
    if values is not None:
        st.session_state["import-values"] = values
    previewed = st.session_state.get("import-values")
    if previewed and previewed["source"] == base["source"]:
        confirm(ImportConfig.build(previewed))


@st.cache_data(max_entries=8, show_spinner="Looking at the files…")
def previewed(config: dict[str, Any], written: float) -> dict[str, Any]:
    """What would be imported; `written` is the source's time, so that a changed source is looked at again."""
    return preview(ImportConfig.build(config), home()).as_values()


def confirm(config: ImportConfig) -> None:
    """What was matched, before anything is written, and the button that starts the import."""
    path = Path(config.source)
    try:
        seen = previewed(config.plain(), path.stat().st_mtime if config.source and path.exists() else 0.0)
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.subheader("Preview")
    total = sum(sum(splits.values()) for splits in seen["counts"].values())
    st.caption(f"Read as: {seen['layout']}")
    columns = st.columns(3)
    columns[0].metric("Images", f"{total:,}")
    columns[1].metric("Classes", len(seen["counts"]))
    columns[2].metric("Groups", seen["groups"] or "unknown", help="Patients, or whatever must stay in one split.")
    left, right = st.columns(2)
    counts = pd.DataFrame(seen["counts"]).T.fillna(0).astype(int).rename(columns={"": "to be split"})
    counts.index.name = "class"
    left.dataframe(counts)
    sizes = list(seen["sizes"].items())
    kinds = dict(sizes[:5])
    if others := sizes[5:]:
        kinds[f"{len(others)} other sizes"] = sum(count for _, count in others)
    kinds |= {**seen["modes"], **{f"{bits} bits": count for bits, count in seen["bits"].items()}}
    right.dataframe(pd.DataFrame({"size, mode, depth": list(kinds), "images": list(kinds.values())}), hide_index=True)
    for name, values in seen["metadata"].items():
        told = ", ".join(f"{value or 'unknown'} ({count})" for value, count in list(values.items())[:8])
        st.caption(f"Kept for subgroups: **{name}**: {told}{', …' if len(values) > 8 else ''}")
    for note in seen["notes"]:
        st.info(note, icon=":material/info:")
    if seen["problems"]:
        st.error(f"{len(seen['problems'])} files cannot be used; mend or remove them, then preview again.")
        st.dataframe(pd.DataFrame(seen["problems"].items(), columns=["file", "reason"]), hide_index=True)
    pressed = st.button("Start import", type="primary", icon=":material/play_arrow:", disabled=bool(seen["problems"]))
    if pressed and start(config):
        del st.session_state["import-values"]
        st.rerun()


def followed_import() -> Run | None:
    """The import that the URL names, if it is one."""
    run = run_in_url()
    return run if run is not None and config_of(run)["kind"] == "import" else None


st.title("Datasets")
remove_old_uploads(home())
datasets = {dataset.name: dataset for dataset in list_datasets(home())}
followed = followed_import()
if followed and followed.state() is State.FINISHED and (imported := config_of(followed)["name"]) in datasets:
    st.query_params.from_dict({"dataset": str(imported)})
    st.session_state["datasets-view"] = VIEWS[0]
    followed = None

st.session_state.setdefault("datasets-view", VIEWS[followed is not None or not datasets])
view = st.segmented_control("View", VIEWS, required=True, label_visibility="collapsed", key="datasets-view")
if view == "Import":
    if followed is not None:
        with st.container(border=True):
            st.markdown(f"**{title(followed)}**")
            run_header(followed)
    elif not datasets:
        st.info("There is no data set yet. Import your images, or the phantom to try things out.")
    new_import()
elif datasets:
    wanted = st.query_params.get("dataset")
    if wanted and wanted not in datasets:
        st.warning(f"There is no data set {wanted} here; this is another one.", icon=":material/link_off:")
    chosen = choice_in_url("Data set", list(datasets), "dataset", "dataset", lambda name: datasets[name].label)
    show_dataset(datasets[chosen])
else:
    st.info("There is no data set yet. Choose Import above.", icon=":material/photo_library:")
