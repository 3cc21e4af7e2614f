"""All data sets of the home in one table; a press on a row opens one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.folds import fold_of
from pages.components.views import go
from pages.datasets.audit_texts import split_word
from pages.datasets.reading import counts_of, state_of, written


def show_catalogue(datasets: dict[str, Dataset]) -> None:
    """The table, newest first, with a search."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input("Name or class contains", icon=":material/search:", key="find", bind="query-params")
        folds = st.toggle("Show folds", key="with-folds", help="Data sets made for a cross-validation.")
    rows = [
        row_of(dataset)
        for dataset in datasets.values()
        if (folds or not fold_of(dataset)) and wanted.lower() in f"{dataset.label} {' '.join(dataset.classes)}".lower()
    ]
    if not rows:
        st.info("No data set fits this search.", icon=":material/search_off:")
        return
    table = pd.DataFrame(rows).sort_values("imported", ascending=False, na_position="last").reset_index(drop=True)
    st.caption(f"{len(table)} data set{'s' * (len(table) != 1)}. Choose a row to open it.")
    choice = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"catalogue-{st.session_state.get('opened-sets', 0)}",
        column_config={
            "name": st.column_config.TextColumn("Data set", width="medium"),
            "state": "Split",
            **{split_word(split): split_word(split).capitalize() for split in SPLITS},
            "form": "Stored form",
            "classes": st.column_config.ListColumn("Classes"),
            "imported": st.column_config.DatetimeColumn("Imported", format="D MMM YYYY, HH:mm"),
            "images": st.column_config.NumberColumn("Images", format="localized"),
            "findings": st.column_config.NumberColumn("Grave findings", help="Leaks between splits, label conflicts."),
        },
        alt="All data sets with their state, classes and numbers of images",
    )
    if choice.selection.rows:
        st.session_state["opened-sets"] = st.session_state.get("opened-sets", 0) + 1  # nothing is chosen on return
        go("facts", dataset=str(table.at[choice.selection.rows[0], "name"]))


def row_of(dataset: Dataset) -> dict[str, Any]:
    """One line of the table."""
    counts = counts_of(written(dataset))
    findings = dataset.info.audit.findings
    time = dataset.info.provenance.time
    return {
        "name": dataset.name,
        "state": state_of(dataset)[0] + (", phantom" if dataset.is_phantom else ""),
        "images": sum(counts.get(split, 0) for split in SPLITS),
        **{split_word(split): counts.get(split, 0) for split in SPLITS},
        "classes": dataset.classes,
        "form": f"{dataset.size}×{dataset.size} {'grey' if dataset.mode == 'L' else 'colour'}",
        "findings": sum(finding["severity"] in ("leak", "conflict") for finding in findings),
        "imported": datetime.fromtimestamp(time) if time else None,
    }
