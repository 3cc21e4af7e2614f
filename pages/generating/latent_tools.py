"""Tools in the latent space: morphs, style mixing, neighbours, and walks as a video."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.sampling.exploring import Look, neighbours, parse_layers, sheet, style_mixing
from engine.sampling.latents import latents, lerp, load_w, parse_seeds, slerp
from engine.sampling.sampler import Sampler
from engine.sampling.video import write_video
from engine.sampling.walks import walk
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.generating.opened import choose, command, facts, opened, options
from pages.parts.home import home
from pages.parts.images import enlarged, png, wall
from pages.parts.runs import config_of, title

Made = TypeVar("Made")
STEPS = 11
LARGE = 320
MOST_PICTURES = 256
SPACES = {"w": "w (StyleGAN2's own)", "z": "z"}
GROUPS = {"Coarse": (0, 0.3), "Middle": (0.3, 0.65), "Fine": (0.65, 1.0)}
"""Shares of the layers: pose and shape, parts, texture."""
FORMATS = {"MP4": ("mp4", "video/mp4"), "GIF": ("gif", "image/gif")}


def morphing(run: Run) -> None:
    """From one seed, projection or w file to another."""
    sampler, look, controls, picture = _start(run)
    if look is None:
        return
    with controls:
        share = st.slider("Way", 0, 100, 50, format="%d %%", help="0 % is the first end, 100 % the other one.")
        ends = []
        for column, name, default in zip(st.columns(2), ("From", "To"), (0, 1), strict=True):
            with column:
                ends.append(_end(run, sampler, name, default))
    if any(end is None for end in ends):
        return
    seeds = [end for end in ends if isinstance(end, int)]
    space = "w" if sampler.has_w else "z"
    if sampler.has_w and len(seeds) == 2:
        with controls:
            space = st.segmented_control("Along", list(SPACES), default="w", format_func=SPACES.get) or "w"
    stops = np.append(np.linspace(0, 1, STEPS), share / 100)
    if space == "z":
        z = latents(seeds, sampler.info["z_dim"])
        images = sampler.draw(slerp(z[0], z[1], stops), look.class_name, look.psi, look.cutoff, look.noise)
    else:
        w = [
            sampler.map([end], look.class_name, look.psi, look.cutoff) if isinstance(end, int) else end for end in ends
        ]
        images = sampler.synthesize(lerp(w[0][0], w[1][0], stops), look.noise)
    with picture:
        st.image(enlarged(images[-1], LARGE), width=LARGE, caption=f"{share} % of the way")
        wall(images[:-1], [f"{stop:.0%}" for stop in stops[:-1]], width=84)
    if len(seeds) == 2:
        command(
            f"explore morph {shlex.quote(run.id)} --seeds {seeds[0]},{seeds[1]} --space {space} --out morph.png"
            + options(look)
        )


def _end(run: Run, sampler: Sampler, name: str, default: int) -> int | np.ndarray | None:
    """One end of a morph: a seed, or a w `[1, num_ws, w_dim]`; None as long as none is chosen."""
    sources = ["Seed", *(["Projection", "w file"] if sampler.has_w else [])]
    source = sources[0]
    if len(sources) > 1:
        source = st.selectbox(name, sources, key=f"end-{name}")
    if source == "Seed":
        label = name if len(sources) == 1 else f"{name} seed"
        return int(st.number_input(label, 0, 2**32 - 1, default, key=f"end-seed-{name}"))
    if source == "w file":
        upload = st.file_uploader(f"{name}: w as .npz", ["npz"], key=f"end-file-{name}")
        return None if upload is None else _said(lambda: load_w(upload, sampler.info["num_ws"], sampler.info["w_dim"]))
    projections = {
        made.id: made
        for made in list_runs(home(), "projection")
        if config_of(made)["generator"] == run.id and made.state() is State.FINISHED
    }
    if not projections:
        st.info("There is no finished projection into this generator yet; the view Projection makes one.")
        return None
    chosen = st.selectbox(
        f"{name} projection", list(projections), format_func=lambda key: title(projections[key]), key=f"end-run-{name}"
    )
    path = projections[chosen].path / "w.npz"
    return _said(lambda: load_w(path, sampler.info["num_ws"], sampler.info["w_dim"]))


def mixing(run: Run) -> None:
    """Rows of seeds that take some layers from the seeds of the columns."""
    sampler, look, controls, grid = _start(run, wide=True)
    if look is None:
        return
    layers = sampler.info["num_ws"]
    with controls:
        rows = st.text_input("Seeds of the rows", "0-3", key="mix-rows")
        columns = st.text_input("Seeds of the columns", "10-14", key="mix-columns")
        group = st.pills("Layers from the columns", [*GROUPS, "Own range"], default="Coarse", key="mix-group")
        if group in GROUPS:
            first, last = (round(share * layers) for share in GROUPS[group])
            taken = f"{first}-{last - 1}"
            st.caption(f"Layers {taken} of 0-{layers - 1}.")
        else:
            taken = st.text_input("Layers", f"0-{layers // 2}", key="mix-layers", help=f"0 to {layers - 1}.")
    parsed = _said(lambda: (parse_seeds(rows), parse_seeds(columns), parse_layers(taken, layers)))
    if parsed is None or _too_many((1 + len(parsed[0])) * (1 + len(parsed[1]))):
        return
    images = sheet(style_mixing(sampler, *parsed, look))
    with grid:
        st.image(enlarged(images, 512), caption="The first row and column are the seeds themselves.")
        _png(images, f"{run.id}-mixing.png")
    command(
        f"explore mix {shlex.quote(run.id)} --rows {rows} --cols {columns} --styles {taken} --out mixing.png"
        + options(look)
    )


def around(run: Run) -> None:
    """Pictures around that of a seed."""
    sampler, look, controls, picture = _start(run)
    if look is None:
        return
    with controls:
        seed = int(st.number_input("Seed", 0, 2**32 - 1, 0, key="around-seed"))
        distance = st.slider(
            "Distance", 0.0, 1.0, 0.3, 0.05, key="around-distance", help="1 reaches other seeds' pictures."
        )
        count = st.slider("Pictures", 4, 48, 16, 4, key="around-count")
    space = "w" if sampler.has_w else "z"
    images = neighbours(sampler, seed, count, distance, space, look)
    with picture:
        st.image(enlarged(images[0], LARGE), width=LARGE, caption=f"Seed {seed}")
        wall(images[1:], [f"to {seed + step}" for step in range(1, count + 1)], width=84)
    command(
        f"explore neighbours {shlex.quote(run.id)} --seed {seed} --count {count} --distance {distance:g} "
        f"--space {space} --out neighbours.png{options(look)}"
    )


def walking(run: Run) -> None:
    """A video through key seeds."""
    sampler, look, controls, video = _start(run)
    if look is None:
        return
    with controls:
        text = st.text_input("Seeds on the way", "0-5", key="walk-seeds")
        frames = st.slider("Frames from one to the next", 6, 60, 24, 6, key="walk-frames")
        fps = st.slider("Frames a second", 6, 60, 24, 6, key="walk-fps")
        loop = st.toggle("Come back to the first", True, key="walk-loop")
        made_as = st.segmented_control("Format", list(FORMATS), default="MP4", key="walk-format") or "MP4"
        pressed = st.button("Make the video", type="primary", icon=":material/movie:")
    seeds = _said(lambda: parse_seeds(text))
    if seeds is None or _too_many(len(seeds) * frames, 2000):
        return
    wanted = (run.id, tuple(seeds), frames, fps, loop, made_as, look)
    if pressed:
        with video, st.spinner(f"Painting {len(seeds) * frames} pictures…"):
            st.session_state["walk"] = (wanted, _video(sampler, seeds, frames, fps, loop, FORMATS[made_as][0], look))
    shown, content = st.session_state.get("walk", (None, b""))
    with video:
        if shown is None or shown[0] != run.id:
            st.info("A smooth way through the pictures of these seeds.", icon=":material/movie:")
        else:
            suffix, mime = FORMATS[shown[5]]
            if suffix == "mp4":
                st.video(content, loop=True, autoplay=True, muted=True, width=384)
            else:
                st.image(content, width=384)
            st.download_button(
                f"Video ({shown[5]})", content, f"{run.id}-walk.{suffix}", mime, icon=":material/download:"
            )
            if shown != wanted:
                st.caption("Made with other settings than those chosen now.")
    command(
        f"explore walk {shlex.quote(run.id)} --seeds {text} --frames {frames} --fps {fps}"
        f"{'' if loop else ' --no-loop'} --out walk.{FORMATS[made_as][0]}{options(look)}"
    )


def _video(sampler: Sampler, seeds: Sequence[int], frames: int, fps: int, loop: bool, suffix: str, look: Look) -> bytes:
    """The walk as a file, large enough to see."""
    pictures = walk(sampler, seeds, frames, "cubic" if sampler.has_w else "slerp", loop, look)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"walk.{suffix}"
        write_video(path, (_seen(picture) for picture in pictures), fps)
        return path.read_bytes()


def _seen(picture: np.ndarray) -> np.ndarray:
    """`[H, W, C]`, at least 256 wide: players blur small videos."""
    large = enlarged(picture, 256)
    return large[:, :, None] if large.ndim == 2 else large


def _start(run: Run, wide: bool = False) -> tuple[Sampler, Look | None, DeltaGenerator, DeltaGenerator]:
    """The open generator, the look that was chosen for it, and the two columns of a tool."""
    sampler = opened(run)
    controls, result = st.columns([1, 2] if wide else [2, 3], gap="large")
    with controls:
        st.caption(facts(sampler.info))
        look = choose(sampler)
    return sampler, look, controls, result


def _said(make: Callable[[], Made]) -> Made | None:
    """What `make` gives, or None after its sentence was shown."""
    try:
        return make()
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return None


def _too_many(count: int, most: int = MOST_PICTURES) -> bool:
    if count > most:
        st.error(f"These are {count} pictures; at most {most} are painted here. Take fewer, or the command line.")
    return count > most


def _png(image: np.ndarray, name: str) -> None:
    st.download_button("This grid (PNG)", png(image), name, "image/png", icon=":material/download:")
