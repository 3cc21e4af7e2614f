"""The split: how many images of each class lie where, moves by hand, and drawing it anew."""

from __future__ import annotations

import shlex
from functools import partial

import pandas as pd
import streamlit as st

from engine.configs import ImportConfig
from engine.datasets import editing
from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.finalize import MOVED
from engine.datasets.manifest import usable
from pages.components.command import show_command
from pages.components.format import plain
from pages.components.forms import config_form
from pages.components.people import Role, guarded, require
from pages.components.views import way_to
from pages.components.widget_keys import widget_key
from pages.datasets.audit_texts import SEVERITIES, split_word
from pages.datasets.editing import edited
from pages.datasets.reading import manifest_of, units, written
from pages.datasets.views import IMPORT

FIELDS = ["split", "train_share", "valid_share", "split_counts", "train_per_class", "seed"]
ANY = "all"
WHAT_FOR = {
    "train": "Generators and classifiers learn from these.",
    "valid": "Settings are chosen on these.",
    "test": "The verdict comes from these alone; nothing learns from them.",
}


def show_split(dataset: Dataset) -> None:
    """Counts, then what can be changed while the split is open."""
    manifest = manifest_of(written(dataset))
    balance(manifest)
    leaks(dataset)
    if dataset.frozen:
        st.info(
            "The split is frozen, so that results on it stay comparable. To split otherwise, import the images again "
            "under another name.",
            icon=":material/lock:",
        )
        way_to("Import again with changes", ":material/restart_alt:", "import-again", IMPORT, **{"from": dataset.name})
        return
    with st.container(border=True):
        st.markdown("**Move by hand**")
        move_by_hand(dataset)
    with st.container(border=True):
        st.markdown("**Split again**")
        split_again(dataset)


def balance(manifest: pd.DataFrame) -> None:
    """Images by class and split, with the share of each split in each class: equal shares are a balanced split."""
    kept = usable(manifest)
    counts = pd.crosstab(kept["class"], kept["split"]).reindex(columns=list(SPLITS), fill_value=0)
    counts.loc["all classes"] = counts.sum()
    total = counts.sum(axis=1)
    table = pd.DataFrame(index=counts.index.rename("class"))
    for split in SPLITS:
        table[split_word(split).capitalize()] = counts[split]
        table[f"{split_word(split)} %"] = 100 * counts[split] / total
    st.dataframe(
        table,
        column_config={
            f"{split_word(split)} %": st.column_config.ProgressColumn(
                "of the class", min_value=0, max_value=100, format="%.0f %%", help=WHAT_FOR[split]
            )
            for split in SPLITS
        }
        | {split_word(split).capitalize(): st.column_config.NumberColumn(help=WHAT_FOR[split]) for split in SPLITS},
        alt="Number of images of each class in each split, with the share of the class",
    )


def leaks(dataset: Dataset) -> None:
    """Whether anything stands in two splits."""
    found = [finding for finding in dataset.info.audit.findings if finding["severity"] == "leak"]
    for finding in found:
        st.error(plain(finding["sentence"]), icon=SEVERITIES["leak"][1])
    if found:
        way_to("See them side by side", ":material/compare:", "to-findings", "findings", dataset=dataset.name)
    else:
        st.caption(":material/check_circle: No patient, and no picture, stands in two splits.")


@st.fragment
def move_by_hand(dataset: Dataset) -> None:
    """A table of what can be moved, to choose from, and a button for each split."""
    now = written(dataset)
    table = units(dataset, now)
    moved = manifest_of(now)
    count = int((moved[MOVED] != "").sum()) if MOVED in moved else 0
    st.caption(
        "Choose rows, then where they go. A row is a patient with all images, or a set of copies, or a single image: "
        "what belongs together always moves together."
        + (f" {count} images were moved by hand so far; splitting again forgets that." if count else "")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Class", [ANY, *dataset.classes], format_func=lambda name: "All classes" if name == ANY else name, width=220
        )
        split = st.segmented_control(
            "Now in",
            [ANY, *SPLITS],
            default=ANY,
            required=True,
            format_func=lambda split: "Anywhere" if split == ANY else split_word(split).capitalize(),
        )
        wanted = st.text_input("Name contains", icon=":material/search:", width=220)
    if name != ANY:
        table = table[table[name] > 0]
    if split != ANY:
        table = table[table["split"] == split]
    if wanted:
        table = table[table["name"].str.contains(wanted, case=False, regex=False)]
    table = table.reset_index(drop=True)
    shown = table.drop(columns="path").assign(split=table["split"].map(split_word))
    # the key changes with every edit: the rows chosen before are others then
    choice = st.dataframe(
        shown,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        height=320,
        key=f"units-{now.moments}-{name}-{split}-{wanted}",
        column_config={"name": "Patient, group or image", "split": "Now in", "images": "Images"},
        alt="Patients, groups or images, with their split and their images in each class",
    )
    rows = table.iloc[[row for row in choice.selection.rows if row < len(table)]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(rows):,} chosen**, {int(rows['images'].sum()):,} images →", width="content")
        for target in SPLITS:
            if st.button(
                split_word(target).capitalize(),
                key=widget_key(f"move-{target}", now, list(rows["path"])),
                **guarded(Role.EDITOR, disabled=rows.empty),
            ):
                edited("Moving and looking for leaks…", partial(move, dataset, rows, target))
    if len(rows):
        show_command(move_command(dataset, rows, "test"))


def move(dataset: Dataset, rows: pd.DataFrame, split: str) -> None:
    """Move these rows of the table to a split."""
    require(Role.EDITOR)
    editing.move(dataset, list(rows["path"]), split)
    st.toast(f"{int(rows['images'].sum())} images are {split_word(split)} images now.", icon=":material/move_item:")


def move_command(dataset: Dataset, rows: pd.DataFrame, split: str) -> str:
    """The command that moves these rows."""
    manifest = manifest_of(written(dataset)).set_index("path")
    words = ["python", "-m", "engine", "dataset", "move", dataset.name, "--to", split]
    for path in rows["path"][:20]:
        group = manifest.at[path, "group"]
        words += ["--group", str(group)] if group else ["--file", str(manifest.at[path, "source"])]
    return shlex.join(words) + (" …" if len(rows) > 20 else "")


def split_again(dataset: Dataset) -> None:
    """Draw the split with other shares, counts or another seed."""
    config = dataset.info.config
    values = config_form(
        ImportConfig,
        FIELDS,
        config,
        key=f"resplit-{dataset.name}-{written(dataset).moments}",
        labels={"split": "Splits", "train_share": "Share for training", "valid_share": "Share for validation"},
        submit="Split again",
        icon=":material/shuffle:",
        primary=False,
        disabled=guarded(Role.EDITOR)["disabled"],
    )
    if values is not None:
        edited("Splitting and looking for leaks…", lambda: resplit(dataset, values))
    changed = {name: config[name] for name in FIELDS if config[name] != ImportConfig.model_fields[name].default}
    words = ["python", "-m", "engine", "dataset", "split", dataset.name]
    for name, value in changed.items():
        if name != "train_per_class":
            told = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words += [f"--{name.replace('_', '-')}", told]
    show_command(shlex.join(words))


def resplit(dataset: Dataset, values: dict[str, object]) -> None:
    """Split again with these settings."""
    require(Role.EDITOR)
    editing.resplit(dataset, {name: values[name] for name in FIELDS})
    st.toast("The split was drawn again.", icon=":material/shuffle:")
