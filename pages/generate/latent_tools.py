"""Tools in the latent space: morphs, style mixing and neighbours."""

from __future__ import annotations

import shlex

import streamlit as st

from engine.sampling.exploring import Space, parse_layers, sheet
from engine.sampling.latents import load_w, parse_seeds
from engine.sampling.sampler import Sampler
from engine.store.runs import Run, State, list_runs
from pages.components.errors import made
from pages.components.home import home
from pages.components.images import picture_url, png
from pages.components.labels import labels_of
from pages.components.people import read_only
from pages.components.picture_dialog import look_closer, picture_of_wall, pressable_picture
from pages.components.picture_viewer import Pane
from pages.components.run_summary import config_of, state_of
from pages.generate.opened import MOST_SEED, alt, command, options
from pages.generate.painting import LARGE, SMALL, End, between, between_pixels, mixed, painted
from pages.generate.tools import too_many, tool

STOPS = tuple(percent / 100 for percent in range(0, 101, 10))
GRID = 512
PROJECTION = "Projection"
SPACES: dict[Space, str] = {"w": "w (StyleGAN2's own)", "z": "z"}
GROUPS = {"Coarse": (0, 0.3), "Middle": (0.3, 0.65), "Fine": (0.65, 1.0)}
"""Shares of the layers: pose and shape, parts, texture."""


def morphing(run: Run) -> None:
    """From one seed, projection or w file to another."""
    sampler, look, controls, picture = tool(run)
    with controls:
        share = st.slider(
            "Way",
            0,
            100,
            50,
            key="way",
            bind="query-params",
            format="%d %%",
            help="0 % is the first end, 100 % the other one.",
        )
        ends = []
        for column, name, default in zip(st.columns(2), ("From", "To"), (0, 1), strict=True):
            with column:
                ends.append(_end(run, sampler, name, default))
        first, last = ends
        if first is None or last is None:
            return
        seeds = [end for end in ends if isinstance(end, int)]
        space: Space = "w" if sampler.has_w else "z"
        if sampler.has_w and len(seeds) == 2:
            space = st.segmented_control(
                "Along",
                list(SPACES),
                default="w",
                required=True,
                format_func=SPACES.__getitem__,
                key="along",
                bind="query-params",
                help="Along a line between two w the picture changes evenly; z is where seeds are drawn.",
            )
    shown = between(run, first, last, share / 100, space, look)
    with picture:
        pane = Pane(shown[0], f"{share} % of the way", f"Picture at {share} % of the way")
        if pressable_picture(pane, "morph", LARGE):
            look_closer(lambda _: [pane])
        st.download_button(
            "This picture (PNG)",
            lambda: png(between_pixels(run, first, last, share / 100, space, look)),
            f"{run.id}-morph-{share:03d}.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
        )

    def at_stop(at: int) -> list[Pane]:
        words = f"{STOPS[at]:.0%}"
        url = between(run, first, last, STOPS[at], space, look)[0]
        return [Pane(url, f"{words} of the way", f"Picture at {words} of the way")]

    with st.container(horizontal=True, gap="small"):
        for number, stop in enumerate(STOPS):
            url, words = between(run, first, last, stop, space, look)[1], f"{stop:.0%}"
            if picture_of_wall(url, words, f"Picture at {words} of the way", f"stop-{number}", SMALL):
                look_closer(at_stop, len(STOPS), number)
    if len(seeds) == 2:
        command(
            f"explore morph {shlex.quote(run.id)} --seeds {seeds[0]},{seeds[1]} --space {space} --out morph.png"
            + options(look)
        )


def begin_with(projection: Run) -> dict[str, str]:
    """Let the next morph begin at a projection; what the address says of that is returned."""
    st.session_state.update({"from-is": PROJECTION, "end-run-From": projection.id})
    return {"from-is": PROJECTION}


def _end(run: Run, sampler: Sampler, name: str, default: int) -> End | None:
    """One end of a morph: a seed, or a w; None as long as none is chosen."""
    sources = ["Seed", *([PROJECTION, "w file"] if sampler.has_w else [])]
    source = sources[0]
    if len(sources) > 1:
        source = st.selectbox(name, sources, key=f"{name.lower()}-is", bind="query-params")
    if source == "Seed":
        label = name if len(sources) == 1 else f"{name} seed"
        return int(st.number_input(label, 0, MOST_SEED, default, key=name.lower(), bind="query-params"))
    shape = sampler.info.num_ws, sampler.info.w_dim
    if source == "w file":
        upload = st.file_uploader(f"{name}: w as .npz", ["npz"], key=f"end-file-{name}", disabled=read_only())
        w = None if upload is None else made(lambda: load_w(upload, *shape))
        return None if w is None else w.tobytes()
    projections = {
        made.id: made
        for made in list_runs(home(), "projection")
        if config_of(made)["generator"] == run.id and state_of(made) is State.FINISHED
    }
    if not projections:
        st.info("There is no finished projection into this generator yet; the view Projection makes one.")
        return None
    labels = labels_of(projections.values())
    chosen = st.selectbox(
        f"{name} projection", list(projections), format_func=labels.__getitem__, key=f"end-run-{name}"
    )
    w = made(lambda: load_w(projections[chosen].path / "w.npz", *shape))
    return None if w is None else w.tobytes()


def mixing(run: Run) -> None:
    """Rows of seeds that take some layers from the seeds of the columns."""
    sampler, look, controls, grid = tool(run, wide=True)
    layers = sampler.info.num_ws
    with controls:
        rows = st.text_input("Seeds of the rows", "0-3", key="rows", bind="query-params")
        columns = st.text_input("Seeds of the columns", "10-14", key="columns", bind="query-params")
        group = st.pills(
            "Layers from the columns",
            [*GROUPS, "Own range"],
            default="Coarse",
            required=True,
            wrap=True,
            key="layers-from",
            bind="query-params",
            help="Coarse layers carry pose and shape, fine ones colour and texture.",
        )
        if group in GROUPS:
            begin, end = (round(share * layers) for share in GROUPS[group])
            taken = f"{begin}-{end - 1}"
            st.caption(f"Layers {taken} of 0-{layers - 1}.")
        else:
            taken = st.text_input(
                "Layers", f"0-{layers // 2}", key="layers", bind="query-params", help=f"0 to {layers - 1}."
            )
    parsed = made(lambda: (parse_seeds(rows), parse_seeds(columns), parse_layers(taken, layers)))
    if parsed is None or too_many((1 + len(parsed[0])) * (1 + len(parsed[1]))):
        return
    with grid:
        with st.spinner("Painting…", show_time=True):
            images = sheet(mixed(run, tuple(parsed[0]), tuple(parsed[1]), tuple(parsed[2]), look))
        pane = Pane(
            picture_url(images, GRID),
            "The first row and column are the seeds themselves.",
            f"Grid of pictures: rows of seeds {rows} with the layers {taken} of the seeds {columns}",
        )
        if pressable_picture(pane, "mixed", GRID):
            look_closer(lambda _: [pane])
        st.download_button(
            "This grid (PNG)",
            lambda: png(images),
            f"{run.id}-mixing.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
        )
    command(
        f"explore mix {shlex.quote(run.id)} --rows {shlex.quote(rows)} --cols {shlex.quote(columns)} "
        f"--styles {shlex.quote(taken)} --out mixing.png" + options(look)
    )


def around(run: Run) -> None:
    """Pictures around that of a seed."""
    sampler, look, controls, picture = tool(run)
    with controls:
        seed = int(st.number_input("Seed", 0, MOST_SEED, 0, key="seed", bind="query-params"))
        distance = st.slider(
            "Distance",
            0.0,
            1.0,
            0.3,
            0.05,
            key="distance",
            bind="query-params",
            help="How far to go: at 1 these are the pictures of other seeds.",
        )
        count = st.slider("Pictures", 4, 48, 16, 4, key="neighbours", bind="query-params")
    with picture:
        pane = Pane(painted(run, seed, look)[0], f"Seed {seed}", alt(look, seed))
        looked = pressable_picture(pane, "neighbours-of", LARGE)
    space: Space = "w" if sampler.has_w else "z"
    others = [(seed + step) % (MOST_SEED + 1) for step in range(1, count + 1)]

    def at_step(other: int) -> str:
        return f"Picture {distance:.0%} of the way to seed {other}"

    def beside(at: int) -> list[Pane]:
        url = between(run, seed, others[at], distance, space, look)[0]
        return [pane, Pane(url, f"to {others[at]}", at_step(others[at]))]

    if looked:
        look_closer(beside, count)
    with st.container(horizontal=True, gap="small"):
        for number, other in enumerate(others):
            url = between(run, seed, other, distance, space, look)[1]
            if picture_of_wall(url, f"to {other}", at_step(other), f"neighbour-{number}", SMALL):
                look_closer(beside, count, number)
    command(
        f"explore neighbours {shlex.quote(run.id)} --seed {seed} --count {count} --distance {distance:g} "
        f"--space {space} --out neighbours.png{options(look)}"
    )
