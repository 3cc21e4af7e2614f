"""Whether the split is frozen, what freezing means, and what comes next."""

from __future__ import annotations

import streamlit as st

from engine.datasets import editing
from engine.datasets.audit import blocking
from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.seal import is_sealed
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import moment, plain
from pages.components.navigation import script
from pages.components.people import Role, guarded, person, require
from pages.components.widget_keys import widget_key
from pages.datasets.audit_texts import SEVERITIES
from pages.datasets.reading import counts_of, state_of, written
from pages.datasets.sealing import choose_seal, seal_button, sealed_state


def freezing(dataset: Dataset) -> None:
    """State, and the next step: Freeze while the split is open, Train once it is frozen."""
    word, icon, colour = state_of(dataset)
    if frozen := dataset.info.frozen:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.badge(word, icon=icon, color=colour)
            accepted = f" Accepted when it was frozen: {', '.join(frozen.accepted)}." if frozen.accepted else ""
            st.caption(
                f"Frozen {moment(frozen.time)}. Fingerprint `{dataset.fingerprint[:16]}`: every result on this data "
                f"set names it.{accepted}",
                width="stretch",
            )
            if st.button("Train on it", type="primary", icon=":material/model_training:"):
                st.switch_page(script("train"), query_params={"view": "new", "dataset": dataset.name})
            if not (sealed := is_sealed(dataset)):
                seal_button(dataset)
        if sealed:
            sealed_state(dataset)
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.badge(word, icon=icon, color=colour)
        grave = blocking(dataset.info.audit.findings)
        st.caption(
            "Look at the findings below; where there is a remedy, one press takes it. Then freeze the split: from then "
            "on it is settled which images are for training and which for the test."
            if not grave
            else f"{len(grave)} grave finding{'s' * (len(grave) != 1)} to mend before the split is frozen.",
            width="stretch",
        )
        pressed = st.button(
            "Freeze",
            type="secondary" if grave else "primary",
            icon=":material/lock:",
            key=f"freeze-{dataset.name}",
            **guarded(Role.EDITOR),
        )
    if pressed:
        freeze_dialog(dataset)


@st.dialog("Freeze the split?", width="medium")
def freeze_dialog(dataset: Dataset) -> None:
    """Say what freezing means, then freeze."""
    counts = counts_of(written(dataset))
    told = ", ".join(
        f"{counts.get(split, 0):,} for {name}"
        for split, name in zip(SPLITS, ("training", "validation", "the test"), strict=True)
    )
    st.markdown(f"**{dataset.name}**: {told}.")
    st.markdown(
        "- Images, classes and splits cannot change any more; remedies cannot be undone.\n"
        "- Generators see the training part alone. Every result names the split by its fingerprint.\n"
        "- To change anything later, import the images again under another name."
    )
    grave = blocking(dataset.info.audit.findings)
    for finding in grave:
        st.error(plain(finding["sentence"]), icon=SEVERITIES[finding["severity"]][1])
    accepted = not grave or st.checkbox("Freeze all the same; what is accepted is recorded with every result.")
    sealed = choose_seal(dataset)
    with st.container(horizontal=True):
        if st.button(
            "Freeze the split",
            type="primary",
            icon=":material/lock:",
            key=widget_key("freeze-now", written(dataset), grave),
            **guarded(Role.EDITOR, disabled=not accepted),
        ):
            freeze(dataset, accept_findings=bool(grave), sealed=sealed)
        if st.button("Not yet"):
            st.rerun()
    options = " --accept-findings" * bool(grave) + " --seal" * sealed
    show_command(f"python -m engine dataset freeze {dataset.name}{options}")


def freeze(dataset: Dataset, accept_findings: bool, sealed: bool = False) -> None:
    """Freeze what was looked at, and go on."""
    require(Role.EDITOR)
    if done(editing.freeze, dataset, accept_findings, sealed, person().name):
        st.toast("The split is frozen.", icon=":material/lock:")
        st.rerun()
