"""Cross-validation: the folds of a data set, made here, each a frozen data set of its own."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.folds import fold_names, fold_of, folds_of, make_folds
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.navigation import script
from pages.components.people import Role, guarded, require
from pages.components.views import way_to
from pages.datasets.audit_texts import split_word
from pages.datasets.reading import counts_of, written


def show_folds(dataset: Dataset) -> None:
    """What a cross-validation is for, the folds that there are, and the form that makes them."""
    if fold := fold_of(dataset):
        st.info(
            f"This is fold {fold['number']} of {fold['folds']} of {fold['parent']}: its test images are training or "
            "validation images in the other folds.",
            icon=":material/lock:",
        )
        way_to(f"Open {fold['parent']}", ":material/arrow_back:", "to-parent", "folds", dataset=fold["parent"])
        return
    st.markdown(
        "With few images, one small test set says little. A cross-validation divides the data set into folds; every "
        "image is a test image in exactly one of them. Each fold needs generators and a pool of its own, trained on "
        "that fold's training part alone, so it costs as many times the training."
    )
    if not dataset.frozen:
        st.info("Folds are made of a frozen data set. Freeze this one first.", icon=":material/lock_open:")
        return
    made = folds_of(dataset)
    if made:
        table_of(made)
        st.page_link(
            script("train"),
            label=f"Train on {made[0].name}",
            icon=":material/model_training:",
            query_params={"view": "new", "dataset": made[0].name},
        )
    else:
        new_folds(dataset)


def table_of(made: list[Dataset]) -> None:
    """The folds with the images in each part."""
    rows = []
    for fold in made:
        counts = counts_of(written(fold))
        rows.append({"fold": fold.name} | {split_word(split): counts.get(split, 0) for split in SPLITS})
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="The folds, with the images in each part")
    fact = fold_of(made[0])
    show_command(f"python -m engine dataset folds {fact['parent']} --folds {fact['folds']} --seed {fact['seed']}")


def new_folds(dataset: Dataset) -> None:
    """How many folds, and the button that makes them."""
    with st.form(f"folds-{dataset.name}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            count = st.number_input(
                "Folds", 2, 20, 5, help="Five is usual: each fold then tests on a fifth of the images.", width=160
            )
            seed = st.number_input("Seed", 0, value=0, help="Another seed divides otherwise.", width=160)
            pressed = st.form_submit_button(
                "Make the folds", type="primary", icon=":material/grid_view:", **guarded(Role.EDITOR)
            )
        st.caption(
            f"They become the data sets {', '.join(fold_names(dataset.name, 2))}, and so on. Images are shared, "
            "not copied, where the disk allows it."
        )
    show_command(f"python -m engine dataset folds {dataset.name} --folds {count} --seed {seed}")
    if pressed:
        make(dataset, int(count), int(seed))


def make(dataset: Dataset, count: int, seed: int) -> None:
    """Divide the data set, or say in a sentence why it cannot be divided so."""
    require(Role.EDITOR)
    with st.spinner("Dividing the images…"):
        divided = done(make_folds, dataset, count, seed)
    if divided:
        st.rerun()
