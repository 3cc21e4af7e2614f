"""What the audit found: each finding with its pictures side by side, what mends it and what that would change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.datasets.remedy_preview import Effect
from pages.components.command import show_command
from pages.components.format import plain, plain_sentence
from pages.components.paging import part_shown
from pages.components.people import Role, guarded, require
from pages.components.picture_viewer import begin
from pages.components.pressable import look_button, tile
from pages.components.views import go
from pages.datasets.audit_texts import OF_THE_WHOLE, REMEDIES, SEVERITIES, WHAT_THEY_DO, finding_title, split_word
from pages.datasets.editing import edited
from pages.datasets.pictures import VIEWER, enlarge, named, show_picture
from pages.datasets.reading import foreseen, manifest_of, written
from pages.datasets.wall import choose_finding

EXAMPLES = 4
"""Sets of pictures of a finding on one page."""
IN_A_SET = 4
"""Pictures shown of one set."""


def show_findings(dataset: Dataset) -> None:
    """All findings, the gravest first, and what was mended already."""
    findings = dataset.info.audit.findings
    mended(dataset)
    grave = [finding for finding in findings if finding["severity"] in ("leak", "conflict")]
    if not grave:
        st.success("No leak between the splits and no conflict of labels.", icon=":material/check_circle:")
    for finding in findings:
        show_finding(dataset, finding)
    remedies = list(dict.fromkeys(finding["remedy"] for finding in findings if finding["remedy"]))
    fix = "".join(f" --fix {name}" for name in remedies if not dataset.frozen)
    show_command(f"python -m engine dataset audit {dataset.name}{fix}")


def mended(dataset: Dataset) -> None:
    """The remedies that were applied, what each changed, and the way back while the split is open."""
    applied = dataset.info.config["remedies"]
    if not applied:
        return
    with st.container(border=True):
        st.markdown("**Mended**")
        for name in applied:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge(REMEDIES[name], icon=":material/build:", color="green")
                st.caption(sentence_after(manifest_of(written(dataset)), name), width="stretch")
                if not dataset.frozen and st.button(
                    "Undo",
                    icon=":material/undo:",
                    key=f"undo-{name}",
                    **guarded(Role.EDITOR, help=f"Take back: {REMEDIES[name].lower()}."),
                ):
                    edited("Going back and looking again…", partial(undo, dataset, name))


def show_finding(dataset: Dataset, finding: dict[str, Any]) -> None:
    """One finding: what was found, its pictures, and the button that mends it."""
    colour, icon, word = SEVERITIES[finding["severity"]]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(word, icon=icon, color=colour)
            st.markdown(f"**{finding_title(finding['name'])}**", width="stretch")
        st.markdown(plain(finding["sentence"]))
        if finding["remedy"] and not dataset.frozen:
            remedy(dataset, finding)
        examples(dataset, finding)


def remedy(dataset: Dataset, finding: dict[str, Any]) -> None:
    """The button that mends a finding, with what it does and what it would change."""
    name = finding["remedy"]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            REMEDIES.get(name, name),
            icon=":material/build:",
            key=f"remedy-{dataset.name}-{finding['name']}",
            **guarded(Role.EDITOR, help="Can be undone until the split is frozen."),
        )
        told = sentence_before(foreseen(dataset, written(dataset), name))
        st.caption(f"{WHAT_THEY_DO.get(name, '')} {plain_sentence(told)}", width="stretch")
    if pressed:
        edited("Mending and looking again…", lambda: mend(dataset, name))


def mend(dataset: Dataset, name: str) -> None:
    """Apply a remedy; the split stays open for a look at the result."""
    require(Role.EDITOR)
    editing.apply_remedies(dataset, [name])
    st.toast(f"{plain(REMEDIES.get(name, name))}: done.", icon=":material/build:")


def undo(dataset: Dataset, name: str) -> None:
    """Take a remedy back."""
    require(Role.EDITOR)
    editing.undo_remedies(dataset, [name])
    st.toast(f"{REMEDIES[name]}: taken back.", icon=":material/undo:")


def sentence_before(effect: Effect) -> str:
    """`Would leave out 2 of 48 images (bleed: 24 → 23, normal: 24 → 23).`"""
    before, after = effect.units
    total = sum(count for count, _ in effect.images.values())
    if effect.left_out:
        parts = [f"{name}: {old:,} → {new:,}" for name, (old, new) in effect.images.items() if old != new]
        return f"Would leave out {effect.left_out:,} of {total:,} images ({', '.join(parts)})."
    if effect.moved:
        return f"Would move {effect.moved:,} of {total:,} images to another split, and leave none out."
    if before != after:
        return f"Would join the {total:,} images into {after:,} groups that stay together ({before:,} without it)."
    return "Nothing would change now: they lie together already, and would stay so when the set is split again."


def sentence_after(manifest: pd.DataFrame, remedy: str) -> str:
    """`Left out 2 of 48 images (bleed: 1, normal: 1).`"""
    out = manifest[manifest["excluded"] == remedy]
    if out.empty:
        groups = manifest.loc[manifest["group"] != "", "group"].nunique()
        if not groups:
            return "It left no image out."
        return f"There are {groups:,} groups now, each in one split." if groups > 1 else "1 group is in one split now."
    parts = ", ".join(f"{name}: {count:,}" for name, count in out["class"].value_counts().sort_index().items())
    return f"Left out {len(out):,} of {len(manifest):,} images ({parts})."


@st.fragment
def examples(dataset: Dataset, finding: dict[str, Any]) -> None:
    """The pictures that a finding is about, those that belong together side by side, page by page."""
    sets = finding["examples"]
    if not sets:
        return
    rows = {row.path: row for row in named(manifest_of(written(dataset)))}
    name = finding["name"]
    pictures = st.container(horizontal=True, gap="medium")
    here = part_shown(len(sets), EXAMPLES, key=f"examples-{dataset.name}-{name}", in_url=False)
    with pictures:
        for number, paths in enumerate(sets[here], start=here.start):
            together(dataset, [rows[path] for path in paths[:IN_A_SET] if path in rows], f"{name}-{number}")
    more = name not in OF_THE_WHOLE and finding["count"] > sum(map(len, sets[:EXAMPLES]))
    if more and st.button("All of them on the image wall", icon=":material/photo_library:", key=f"all-{name}"):
        choose_finding(name)
        go("images", dataset=dataset.name, finding=finding_title(name))


def together(dataset: Dataset, rows: Sequence[Any], key: str) -> None:
    """Pictures that belong together, each with where it stands."""
    with st.container(border=len(rows) > 1, horizontal=True, gap="small", width="content"):
        for number, row in enumerate(rows):
            with tile(f"{key}-{number}", width=128, gap="xxsmall"):
                show_picture(dataset, row, 128)
                st.caption(f"{row.class_name}, {split_word(row.split)}" if row.split else row.class_name)
                label = str(row.source).rsplit("/", 1)[-1]
                label = f"{label[:14]}…" if len(label) > 15 else label
                if look_button(plain(label), f"{key}-{number}", help=f"Enlarge {plain(row.source)}"):
                    begin(VIEWER)
                    enlarge(dataset, row.path, [each.path for each in rows])
