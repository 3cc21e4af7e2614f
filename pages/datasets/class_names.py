"""The classes as they were found: pictures of each, and beside them a field for its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from engine.configs import ImportConfig
from engine.datasets.class_mapping import safe_name
from engine.datasets.previewing import Preview
from engine.datasets.reading.header import Header
from engine.datasets.reading.tables.csv_columns import LABEL_COLUMNS, LESSER_LABEL_COLUMNS
from engine.datasets.reading.tables.csv_header import key as plain_name
from engine.store.errors import ErsatzError
from pages.components.format import plain
from pages.components.images import picture_url
from pages.components.picture_dialog import look_closer, picture_of_wall
from pages.components.picture_viewer import Pane

PICTURED = 8
"""Classes shown with pictures; more have their names only."""
NAMED_HERE = 24
"""More labels than this are renamed in one line of the form, as no field for each would be found again."""
PICTURE, GAP = 84, 16

Rename = Callable[[Mapping[str, Any]], None]
"""Takes the settings that a new name changes."""


def named_here(seen: Preview | None) -> bool:
    """Whether each label has a field of its own."""
    return seen is not None and 0 < len(seen.labels) <= NAMED_HERE


def show_classes(seen: Preview, config: ImportConfig, header: Header | None, form: str, rename: Rename) -> None:
    """One row a class: its name, to be changed, its images counted, and some of them as they would be stored."""
    st.markdown(f"**As they would be stored**: {config.size}×{config.size} pixels")
    if named_here(seen) and (names := names_by_column(seen, config, header)):
        suggestion(names, seen, config, form, rename)
    # in the order of what was found, so that no row moves when it gets a name
    classes = dict.fromkeys([seen.labels[label] for label in sorted(seen.labels)] or seen.counts)
    for place, name in enumerate(classes):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            with st.container(width=220, gap="xxsmall"):
                if named_here(seen):
                    for label in [label for label, of in seen.labels.items() if of == name]:
                        name_field(label, name, seen, config, form, rename)
                else:
                    st.markdown(plain(name))
                st.caption(f"{sum(seen.counts.get(name, {}).values()):,} images")
            if place < PICTURED:
                examples(seen.examples.get(name, []), name, f"{form}-examples-{place}")


def examples(images: Sequence[np.ndarray], name: str, key: str) -> None:
    """Images of a class as they would be stored, side by side; they open by a press."""

    def words(number: int) -> str:
        return f"Example {number + 1} of class {name}"

    def closer(at: int) -> list[Pane]:
        return [Pane(picture_url(images[at], images[at].shape[1]), words(at), words(at))]

    # where there is no room beside the name, all of them go below it
    with st.container(horizontal=True, gap="small", width=max(len(images), 1) * (PICTURE + GAP)):
        for number, image in enumerate(images):
            if picture_of_wall(picture_url(image, PICTURE), str(number + 1), words(number), f"{key}-{number}", PICTURE):
                look_closer(closer, len(images), number)


def name_field(label: str, name: str, seen: Preview, config: ImportConfig, form: str, rename: Rename) -> None:
    """The name of one label, which may also be that of another, whose images then join it."""
    widget = f"{form}-name-{label}"
    st.session_state[widget] = name
    st.text_input(
        f"Name of “{plain(label)}”",
        key=widget,
        help="As it will stand on every page. The same name for two joins them into one class, which is then renamed "
        "as one; its own name again parts one of them from it.",
        on_change=lambda: rename(renamed(seen, config, of_class(label, st.session_state[widget], seen))),
    )


def of_class(label: str, wanted: str, seen: Preview) -> dict[str, str]:
    """The new names when one label gets another: those that are of one class with it follow, be it that their splits
    call it otherwise; a label that gets its own name back goes alone."""
    if wanted.strip() in ("", label):
        return {label: wanted}
    return {other: wanted for other, of in seen.labels.items() if of == seen.labels[label]}


def renamed(seen: Preview, config: ImportConfig, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The settings that give labels these names, and that follow them where they name a class.

    Every label is named, as an import asks for once one is; none, where all are called what they were.
    """
    names = {label: wanted.get(label, name).strip() or label for label, name in seen.labels.items()}
    before = {seen.labels[label]: _safe(name) for label, name in names.items() if label in wanted}
    return {
        "class_names": {} if all(label == name for label, name in names.items()) else names,
        "only_classes": tuple(dict.fromkeys(before.get(name, name) for name in config.only_classes)),
        "positive": before.get(config.positive, config.positive),
    }


def suggestion(names: Mapping[str, str], seen: Preview, config: ImportConfig, form: str, rename: Rename) -> None:
    """Names that the column of the classes tells, at one press."""
    told = " and ".join(f"{label} as {name}" for label, name in names.items())
    st.button(
        f"Name {plain(told)}",
        icon=":material/lightbulb:",
        help="The column of the classes is called so, and its cells are 0 and 1.",
        key=f"{form}-names-by-column",
        on_click=lambda: rename(renamed(seen, config, names)),
    )


def names_by_column(seen: Preview, config: ImportConfig, header: Header | None) -> dict[str, str]:
    """`{"0": "no-hemorrhage", "1": "hemorrhage"}` for cells of 0 and 1 in a column called so; none for `label`."""
    column = config.label_column or (header.guesses["label_column"] if header else "")
    general = {*LABEL_COLUMNS, *LESSER_LABEL_COLUMNS}
    if set(seen.labels) != {"0", "1"} or config.class_names or not column or plain_name(column) in general:
        return {}
    name = _safe(column)
    return {"0": f"no-{name}", "1": name} if not name.isdigit() else {}


def _safe(name: str) -> str:
    try:
        return safe_name(name)
    except ErsatzError:  # of signs alone, which the import refuses in a sentence
        return name
