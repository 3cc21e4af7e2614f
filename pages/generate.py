"""Generate: pictures at once from a generator; a walk between two; pools for the classifier."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from engine.configs import GeneratorReference, PoolConfig
from engine.sampling.exported import INFO_FILE, has_generator
from engine.sampling.latents import latents, slerp
from engine.sampling.pools import Pool, pool_zip
from engine.sampling.sampler import Sampler
from engine.store.files import read_json
from engine.store.home import NAME_PATTERN
from engine.store.runs import Run, State, list_runs
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.images import enlarged, picture_wall, png, png_zip, wall
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of, live, run_header, run_in_url, run_picker, start, title

VIEWS = ("Explore", "Pools")
PAGE = 48
"""Pictures of a pool on one page of its wall."""


@st.cache_resource(max_entries=4, show_spinner="Loading the generator…")
def sampler(path: Path, written: float) -> Sampler:
    """An open generator; `written` is its file's time, so that a newer export is opened again."""
    return Sampler.open(path)


@st.cache_data(max_entries=4, show_spinner="Packing the pool…")
def packed(run_id: str, written: float) -> bytes:
    """A pool as a ZIP."""
    return pool_zip(Pool.open(Run(home(), run_id)))


def generators() -> list[Run]:
    """Training runs with an exported generator, newest first."""
    return [run for run in list_runs(home(), "train") if has_generator(run.path)]


def facts(info: dict[str, Any]) -> str:
    """What a generator is, in one line."""
    makes = " and ".join(info["classes"]) or "all classes together"
    return f"{info['gan']} · {info['size']}×{info['size']} {info['mode']} · makes {makes} · {info['kimg']:g} kimg"


def explore(run: Run) -> None:
    """The picture of a seed, its neighbours, and the walk from one seed to another."""
    opened = sampler(run.path, (run.path / INFO_FILE).stat().st_mtime)
    info = opened.info
    controls, picture = st.columns([2, 3], gap="large")
    with controls:
        st.caption(facts(info))
        phantom_badge(config_of(run)["dataset"])
        several = info["conditional"] and len(opened.classes) > 1
        class_name = st.segmented_control("Class", opened.classes, default=opened.classes[0]) if several else None
        seed = st.slider("Seed", 0, 999, key="seed", bind="query-params", help="The same seed gives the same picture.")
        count = st.slider("Pictures", 4, 64, 16, step=4, help="Seeds counting up from the chosen one.")
    if several and class_name is None:
        st.info("Choose a class.")
        return
    seeds = list(range(seed, seed + count))
    images = opened.sample(seeds, class_name)
    with picture:
        st.image(enlarged(images[0], 384), width=384, caption=f"Seed {seed}")
    wall(images, [str(number) for number in seeds], width=96)
    names = [f"{run.id}-{class_name or '-'.join(info['classes']) or 'all'}-{number:06d}.png" for number in seeds]
    with st.container(horizontal=True):
        st.download_button("This picture", png(images[0]), names[0], "image/png", icon=":material/download:")
        st.download_button(
            f"These {count} pictures",
            lambda: png_zip(images, names),
            f"{run.id}-seeds-{seeds[0]}-{seeds[-1]}.zip",
            "application/zip",
            icon=":material/folder_zip:",
        )
        for name in info.get("files", ("generator.onnx",)):
            label = "Generator (ONNX)" if name == "generator.onnx" else f"{Path(name).stem.capitalize()} (ONNX)"
            st.download_button(label, (run.path / name).read_bytes, f"{run.id}-{name}", icon=":material/memory:")
    with st.expander("The same from the command line", icon=":material/terminal:"):
        command = f"python -m engine sample {shlex.quote(run.id)} --seeds {seeds[0]}-{seeds[-1]} --out pictures"
        st.code(command + (f" --class-name {shlex.quote(class_name)}" if class_name else ""), "bash")
    walk(opened, class_name, seed)


def walk(opened: Sampler, class_name: str | None, seed: int) -> None:
    """From the chosen seed to another, along the sphere of latents."""
    st.subheader("Walk between two seeds")
    left, right = st.columns(2, gap="large")
    other = left.number_input("Other seed", 0, 2**32 - 1, seed + 1, help="The walk begins at the seed above.")
    share = right.slider("Way", 0, 100, 50, format="%d %%", help="0 % is the seed above, 100 % the other one.")
    a, b = latents([seed, other], opened.info["z_dim"])
    stops = np.append(np.linspace(0, 1, 11), share / 100)
    images = opened.draw(slerp(a, b, stops), class_name)
    wall(images[:-1], [f"{stop:.0%}" for stop in stops[:-1]], width=84)
    st.image(enlarged(images[-1], 256), width=256, caption=f"{share} % of the way from seed {seed} to {other}")


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
    references = [GeneratorReference(run=run_id).model_dump() for run_id in chosen]
    values = config_form(
        PoolConfig,
        ["name", "images_per_class", "first_seed"],
        {"name": dataset, "dataset": dataset, "generators": references},
        key=f"pool-{dataset}",
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
    st.caption(f"{len(rows)} pictures{f' of {name}' if name else ''}, {number} of {pages} pages, captioned by seed")
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
        st.page_link("pages/evaluate.py", label="Use it in a sweep", icon=":material/query_stats:")
    with st.expander("The same from the command line", icon=":material/terminal:"):
        config = config_of(run)
        runs = " ".join(shlex.quote(reference["run"]) for reference in config["generators"])
        last = config["first_seed"] + config["images_per_class"] - 1
        st.code(
            f"python -m engine sample {runs} --name {shlex.quote(config['name'])} "
            f"--seeds {config['first_seed']}-{last} --images-per-class {config['images_per_class']}",
            "bash",
        )


st.title("Generate")
ready = generators()
if not ready:
    st.info(
        "There is no generator yet. Train one, or try the demo on the Overview page; a finished training appears here.",
        icon=":material/auto_awesome:",
    )
    st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
    st.stop()

pool_runs = list_runs(home(), "pool")
st.session_state.setdefault("generate-view", VIEWS[run_in_url() in pool_runs])
view = st.segmented_control("View", VIEWS, required=True, label_visibility="collapsed", key="generate-view")
if view == "Pools":
    with st.expander("New pool", icon=":material/add:", expanded=not pool_runs):
        new_pool(ready)
    if (pool_run := run_picker("pool", "pool", label="Pool")) is not None:
        show_pool(pool_run)
else:
    generator = run_picker("train", "generator", label="Generator", runs=ready)
    if generator is not None:
        live(explore, active=False)(generator)
