"""Pools: many pictures of every class, saved with a manifest for the sweep."""

from __future__ import annotations

import shlex
from typing import Any

import streamlit as st

from engine.configs import GeneratorReference, PoolConfig
from engine.sampling.exported import INFO_FILE
from engine.sampling.pools import Pool, pool_zip
from engine.store.files import read_json
from engine.store.home import NAME_PATTERN
from engine.store.runs import Run, State
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.images import picture_wall
from pages.parts.runs import config_of, run_header, start, title

PAGE = 48
"""Pictures of a pool on one page of its wall."""


@st.cache_data(max_entries=4, show_spinner="Packing the pool…")
def packed(run_id: str, written: float) -> bytes:
    """A pool as a ZIP."""
    return pool_zip(Pool.open(Run(home(), run_id)))


def suggested(available: list[Run]) -> list[Run]:
    """The newest generator's data set with the newest generator of each of its classes."""
    first = read_json(available[0].path / INFO_FILE)
    found: dict[str, Run] = {}
    for run in available:
        info = read_json(run.path / INFO_FILE)
        if info["dataset_fingerprint"] == first["dataset_fingerprint"]:
            for name in info["classes"]:
                found.setdefault(name, run)
    return list(dict.fromkeys(found.values())) or available[:1]


def new_pool(available: list[Run]) -> None:
    """Save many pictures of every class for the sweep."""
    runs = {run.id: run for run in available}
    chosen = st.multiselect(
        "Generators",
        list(runs),
        default=[run.id for run in suggested(available)],
        format_func=lambda run_id: title(runs[run_id]),
        help="One a class, or one class-conditional generator, all trained on the same frozen data set.",
    )
    if not chosen:
        st.info("Choose one generator for each class, or a class-conditional one.")
        return
    dataset = config_of(runs[chosen[0]])["dataset"]
    info_path = home().dataset(dataset) / "dataset.json"
    classes = read_json(info_path)["classes"] if info_path.is_file() else []
    references = [GeneratorReference(run=run_id).model_dump() for run_id in chosen]
    truncates = all(read_json(runs[run_id].path / INFO_FILE)["gan"] == "stylegan2-ada" for run_id in chosen)
    values = config_form(
        PoolConfig,
        ["name", "images_per_class", "first_seed", "only_classes"]
        + (["psi", "psi_cutoff", "noise"] if truncates else []),
        {"name": dataset, "dataset": dataset, "generators": references},
        key=f"pool-{dataset}-{truncates}",
        choices={"only_classes": classes},
        labels={"psi": "Truncation ψ", "psi_cutoff": "Layers truncated"},
        submit="Save pool",
        icon=":material/save:",
    )
    if values is None:
        return
    if not NAME_PATTERN.fullmatch(values["name"]):
        st.error("The pool needs a name of letters, digits, '.', '_' or '-'. Correct it and start again.")
        return
    if start(PoolConfig.build(values)):
        st.rerun()


def show_pool(run: Run) -> None:
    """State of a pool run; once finished its pictures, class by class and page by page."""
    run_header(run)
    if run.state() is not State.FINISHED:
        return
    pool = Pool.open(run)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        name = st.segmented_control("Class", pool.classes, default=pool.classes[0], key=f"pool-class-{run.id}")
    rows = pool.rows(name)
    pages = max(1, -(-len(rows) // PAGE))
    with right:
        number = (
            st.number_input("Page", 1, pages, 1, help=f"{len(rows)} pictures on {pages} pages.") if pages > 1 else 1
        )
    shown = rows.iloc[(number - 1) * PAGE : number * PAGE]
    left_out = len(pool.manifest[pool.manifest["class"] == name]) - len(rows)
    st.caption(
        f"{len(rows)} pictures{f' of {name}' if name else ''}, {number} of {pages} pages, captioned by seed"
        + (f"; {left_out} more were excluded" if left_out else "")
    )
    picture_wall([pool.path / path for path in shown["path"]], [str(seed) for seed in shown["seed"]], width=96)
    with st.container(horizontal=True, vertical_alignment="center"):
        written = (run.path / "manifest.csv").stat().st_mtime
        st.download_button(
            "Pool (ZIP)",
            lambda: packed(run.id, written),
            f"{run.id}.zip",
            "application/zip",
            icon=":material/folder_zip:",
        )
        st.page_link("pages/quality.py", label="Check it", icon=":material/fact_check:", query_params={"run": run.id})
        st.page_link("pages/evaluate.py", label="Use it in a sweep", icon=":material/query_stats:")
    with st.expander("The same from the command line", icon=":material/terminal:"):
        config = config_of(run)
        runs = " ".join(shlex.quote(reference["run"]) for reference in config["generators"])
        last = config["first_seed"] + config["images_per_class"] - 1
        st.code(
            f"python -m engine sample {runs} --name {shlex.quote(config['name'])} "
            f"--seeds {config['first_seed']}-{last} --images-per-class {config['images_per_class']}"
            + _only(config)
            + _truncation(config),
            "bash",
        )


def _only(config: dict[str, Any]) -> str:
    """The option of a pool that does not have all classes."""
    names = ",".join(config.get("only_classes", ()))
    return f" --only-classes {shlex.quote(names)}" if names else ""


def _truncation(config: dict[str, Any]) -> str:
    """The options of a pool that is not made as its generators were trained."""
    usual = {"psi": 1.0, "psi_cutoff": 0, "noise": "const"}
    given = {name: config.get(name, value) for name, value in usual.items()}
    return "".join(f" --{n.replace('_', '-')} {given[n]}" for n in usual if given[n] != usual[n])
