"""Pools that no generator of this home makes: images made elsewhere, mixtures of pools, and controls."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig
from engine.datasets.dataset import Dataset, list_datasets
from engine.store.runs import Run, State
from pages.components.forms import config_form
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.place import choose_place
from pages.components.run_summary import config_of, state_of
from pages.components.runs import start
from pages.datasets.sources import FILES, PATH, WAYS, source_of

IMPORTED = ["name", "made_by", "trained_on", "classes", "class_name"]
READING = ["only_classes", "folders", "csv", "image_column", "label_column", "csv_encoding", "csv_header", "frames",
           "every", "mask_suffix", "layout", "skip_unreadable"]  # fmt: skip
LABELS = {"class_name": "All are of the class", "images_per_class": "Images per class (0: the usual)"}
EXPLAINED = """
Images of any diffusion model, tool or hospital: a folder with a folder for each class, a ZIP of it, or images with a
CSV. They go through the same steps as the data set's real images, and copies of real images are looked for. What the
generator saw is `training` (as its makers declare, this data set's training part), the path of a file with the SHA-256
of its real images, or `unknown`, which every verdict then says.
"""


def other_pools(pools: list[Run]) -> None:
    """The forms; `pools` are those that there are."""
    datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
    if not datasets:
        return
    with st.expander("Import images made elsewhere", icon=":material/upload_file:"):
        import_form(datasets)
    with st.expander("Mixtures and controls", icon=":material/tune:"):
        finished = [run for run in pools if state_of(run) is State.FINISHED]
        mixture_form(finished)
        control_form(datasets, finished)


def import_form(datasets: dict[str, Dataset]) -> None:
    """Where the images are, for which data set, and what is known of their generator."""
    st.markdown(EXPLAINED)
    dataset = st.selectbox("For the data set", list(datasets), key="import-for")
    way = st.segmented_control(
        "Where the images are", [PATH, FILES], default=PATH, format_func=WAYS.__getitem__, required=True, key="pool-way"
    )
    source = source_of(way, "")
    if source is None:
        return
    base = {"name": source["name"], "dataset": dataset, "source": source["source"]}
    place = choose_place("pool", "pool-import")
    values = config_form(
        ImportedPoolConfig,
        IMPORTED,
        base,
        key=f"pool-import-{dataset}-{source['source']}",
        more=READING,
        choices={"class_name": ["", *datasets[dataset].classes]},
        labels=LABELS,
        submit="Import pool",
        icon=":material/download:",
        primary=False,
    )
    if values is not None and start(ImportedPoolConfig.build(values), place=place):
        st.rerun()


def mixture_form(finished: list[Run]) -> None:
    """Two or more pools for one data set as one pool."""
    st.markdown("**Mixture**: images of several pools in fixed shares, as one pool.")
    by_id = {run.id: run for run in finished if config_of(run).get("origin") != "control"}
    if len(by_id) < 2:
        st.caption("Two finished pools for one data set are needed.")
        return
    names = labels_of(by_id.values())
    chosen = st.multiselect("Pools to mix", list(by_id), format_func=names.__getitem__, key="mixed-pools")
    if len(chosen) < 2:
        return
    configs = [config_of(by_id[run_id]) for run_id in chosen]
    if len({config["dataset"] for config in configs}) > 1:
        st.info("These pools are for different data sets; choose pools for one.")
        return
    base: dict[str, Any] = {
        "name": _name("-".join(dict.fromkeys(config["name"] for config in configs))),
        "dataset": configs[0]["dataset"],
        "pools": [{"run": run_id} for run_id in chosen],
    }
    place = choose_place("pool", "pool-mix")
    values = config_form(
        MixedPoolConfig,
        ["name", "images_per_class"],
        base,
        key=f"pool-mix-{'-'.join(chosen)}",
        labels=LABELS,
        submit="Mix pools",
        icon=":material/blender:",
        primary=False,
    )
    if values is not None and start(MixedPoolConfig.build(values), place=place):
        st.rerun()


def control_form(datasets: dict[str, Dataset], finished: list[Run]) -> None:
    """A pool whose effect is known beforehand."""
    st.markdown(
        "**Control**: a pool whose effect is known beforehand shows what a sweep would notice. Held-back real images "
        "should help if anything can; noise and shuffled labels should not."
    )
    control = st.segmented_control(
        "Control", ["held-back", "noise", "shuffled"], default="held-back", required=True, key="which-control"
    )
    base: dict[str, Any] = {"name": control, "control": control}
    if control == "shuffled":
        by_id = {run.id: run for run in finished}
        if not by_id:
            st.caption("A finished pool is needed, whose labels are shuffled.")
            return
        names = labels_of(by_id.values())
        pool = st.selectbox("Shuffle the labels of", list(by_id), format_func=names.__getitem__, key="shuffled-pool")
        base |= {"pool": pool, "dataset": config_of(by_id[pool])["dataset"]}
    else:
        base["dataset"] = st.selectbox("Of the data set", list(datasets), key="control-of")
    if control == "held-back":
        st.caption("A data set without these images is made first; its name ends in -held-back.")
    place = choose_place("pool", "pool-control")
    values = config_form(
        ControlPoolConfig,
        ["name", "images_per_class", "seed"],
        base,
        key=f"pool-control-{control}-{base['dataset']}-{base.get('pool', '')}",
        labels=LABELS,
        submit="Make control",
        icon=":material/science:",
        primary=False,
    )
    if values is not None and start(ControlPoolConfig.build(values), place=place):
        st.rerun()


def _name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", words)[:80]
