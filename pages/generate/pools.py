"""Pools: many pictures of every class, saved with a manifest for the sweep; the form that makes one."""

from __future__ import annotations

import shlex
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from engine.configs import GeneratorReference, PoolConfig
from engine.datasets.dataset_info import DatasetInfo
from engine.jobs.kinds import parse_config
from engine.report.pool_verdict import checks_of
from engine.sampling.exported import INFO_FILE
from engine.store.home import NAME_PATTERN
from engine.store.runs import Run, State, list_runs
from pages.components.command import command_line, show_command
from pages.components.files import generator_info, read_model
from pages.components.format import duration, plain
from pages.components.forms import config_form
from pages.components.home import home
from pages.components.images import png
from pages.components.labels import labels_of
from pages.components.people import read_only
from pages.components.place import choose_place, place_option
from pages.components.pool_standing import show_standing
from pages.components.run_summary import run_named, state_of, status_of
from pages.components.runs import badge, config_of, run_header, run_link, start
from pages.generate.gallery import gallery
from pages.generate.painting import opened

TIMED = 8
"""Pictures that are painted to tell what a thousand take."""


def suggested(available: list[Run], first: str = "") -> list[Run]:
    """Of the data set of the newest generator, or of the run `first`, the newest generator of each class."""
    wanted = next((run for run in available if run.id == first), available[0])
    fingerprint = generator_info(wanted.path).dataset_fingerprint
    found: dict[str, Run] = {}
    for run in [wanted, *available]:
        info = generator_info(run.path)
        if info.dataset_fingerprint == fingerprint:
            for name in info.classes:
                found.setdefault(name, run)
    return list(dict.fromkeys(found.values())) or [wanted]


def new_pool(available: list[Run], expanded: bool) -> None:
    """Save many pictures of every class for the sweep.

    `?new=GENERATOR` opens the form for a generator, `?again=POOL` fills it in with the settings of a former pool.
    """
    first = st.query_params.get("new", "")
    again = run_named(home(), st.query_params.get("again", ""))
    former = config_of(again) if again is not None and config_of(again)["kind"] == "pool" else {}
    former = {} if former.get("origin") else former
    begun, of = bool(former) or bool(first), f"{first}-{again.id if again else ''}"
    fold = st.expander(
        "New pool",
        icon=":material/add:",
        expanded=expanded or begun,
        key=f"new-pool-{of}",
        on_change="rerun",
    )
    if fold.open:  # else its many fields are made for nobody
        with fold:
            _choose(available, first, former, of)


def _choose(available: list[Run], first: str, former: dict[str, Any], of: str) -> None:
    if not available:
        st.info("Imported networks make no pools: nobody knows which images they have seen. Train a generator.")
        return
    runs = {run.id: run for run in available}
    before = [reference["run"] for reference in former.get("generators", ()) if reference["run"] in runs]
    chosen = st.multiselect(
        "Generators",
        list(runs),
        default=before or [run.id for run in suggested(available, first)],
        format_func=labels_of(available).__getitem__,
        help="One a class, or one class-conditional generator, all trained on the same frozen data set; or "
        "several of each that differ by their seed.",
        key=f"pool-of-{of}",
    )
    if not chosen:
        st.info("Choose one generator for each class, or a class-conditional one.")
        return
    _form([runs[run_id] for run_id in chosen], former)


def _form(generators: list[Run], former: dict[str, Any]) -> None:
    dataset = config_of(generators[0])["dataset"]
    info_path = home().dataset(dataset) / "dataset.json"
    classes = read_model(info_path, DatasetInfo).classes if info_path.is_file() else []
    references = [GeneratorReference(run=run.id).model_dump() for run in generators]
    made = {name for run in generators for name in generator_info(run.path).classes}
    missing = [name for name in classes if name not in made]
    if missing:
        without(dataset, missing)
    truncates = all(generator_info(run.path).num_ws for run in generators)
    st.caption(cost(generators))
    base = {"name": dataset, **former, "dataset": dataset, "dataset_fingerprint": "", "generators": references}
    place = choose_place("pool", "pool")
    values = config_form(
        PoolConfig,
        ["name", "images_per_class", "first_seed", "only_classes"]
        + (["psi", "psi_cutoff", "noise"] if truncates else []),
        base,
        key=f"pool-{dataset}-{truncates}-{bool(former)}",
        choices={"only_classes": classes},
        labels={"psi": "Truncation ψ", "psi_cutoff": "Layers truncated"},
        submit="Save pool",
        icon=":material/save:",
        primary=not missing,
    )
    if values is None:
        show_command(_command(PoolConfig.build(base).plain(), place))
        return
    if not NAME_PATTERN.fullmatch(values["name"]):
        st.error("The pool needs a name of letters, digits, '.', '_' or '-'. Correct it and start again.")
        return
    if start(PoolConfig.build(values), place=place):
        for parameter in ("again", "new"):
            st.query_params.pop(parameter, None)
        st.rerun()


def without(dataset: str, missing: list[str]) -> None:
    """Say which classes have no generator yet, with the way to their trainings."""
    st.warning(
        f"No generator is chosen for {' and '.join(map(plain, missing))}. Evaluate adds pictures of every class: "
        "let each class have its generator first, then save one pool of all.",
        icon=":material/group_add:",
    )
    trainings = [run for run in list_runs(home(), "train") if config_of(run)["dataset"] == dataset]
    for name in missing:
        run = next((run for run in trainings if config_of(run).get("class_name") == name), None)
        if run is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                badge(state_of(run))
                run_link(run)


def cost(generators: list[Run]) -> str:
    """What a thousand pictures take here, in words; in a demo nothing is painted to find out."""
    if read_only():
        return "A pool is made by a run of its own."
    facts = [_cost(run.path, (run.path / INFO_FILE).stat().st_mtime_ns, run) for run in generators]
    seconds, size = (sum(values) / len(facts) for values in zip(*facts, strict=True))
    thousand = f"about {duration(1000 * seconds)}" if 1000 * seconds >= 1 else "less than a second"
    return (
        f"1,000 pictures of a class take {thousand} with the processor of this machine, and "
        f"{1000 * size / 2**20:.0f} MiB on its disk. The page may be closed meanwhile."
    )


@lru_cache(64)
def _cost(path: Path, written: int, run: Run) -> tuple[float, float]:
    """Seconds and bytes of a picture."""
    sampler = opened(run)
    class_name = sampler.classes[0] if sampler.info.conditional else None
    sampler.sample(range(TIMED), class_name)  # the first batch of a size takes longer
    begin = time.perf_counter()
    images = sampler.sample(range(TIMED), class_name)
    seconds = time.perf_counter() - begin
    return seconds / TIMED, sum(len(png(image)) for image in images) / TIMED


def show_pool(run: Run) -> None:
    """State of a pool run; once finished how it stands, its pictures, what can be taken away, and what comes next."""
    run_header(run)
    if state_of(run) is State.FINISHED:
        show_standing(run, checks_of(home(), run.id))
        gallery(run)
    show_command(_command(config_of(run), status_of(run).place))


def _command(config: dict[str, Any], place: str) -> str:
    """What makes such a pool."""
    if config.get("origin"):
        return command_line(parse_config(config), place=place)
    runs = [reference["run"] for reference in config["generators"]]
    last = config["first_seed"] + config["images_per_class"] - 1
    words = ["python", "-m", "engine", "sample", *runs, "--name", config["name"]]
    words += ["--seeds", f"{config['first_seed']}-{last}", "--images-per-class", str(config["images_per_class"])]
    if names := ",".join(config.get("only_classes", ())):
        words += ["--only-classes", names]
    usual = {"psi": 1.0, "psi_cutoff": 0, "noise": "const"}
    for name, value in usual.items():
        if config.get(name, value) != value:
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    return shlex.join([*words, *place_option(place, "pool")])
