"""Walk: a video through the pictures of some seeds."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from engine.sampling.exploring import SamplingOptions
from engine.sampling.latents import parse_seeds
from engine.sampling.sampler import Sampler
from engine.sampling.video import write_video
from engine.sampling.walks import walk
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.components.errors import made
from pages.components.images import enlarged
from pages.components.people import read_only
from pages.generate.keeping import kept
from pages.generate.opened import command, options
from pages.generate.painting import paint
from pages.generate.tools import too_many, tool

FORMATS = {"MP4": ("mp4", "video/mp4"), "GIF": ("gif", "image/gif")}
MOST_FRAMES = 2000
WIDTH = 384
DEMO = (
    "A video takes minutes of this machine, which a public demo shares among its visitors. Install Ersatz to make one."
)


def walking(run: Run) -> None:
    """A video through key seeds."""
    sampler, look, controls, video = tool(run)
    with controls:
        text = st.text_input("Seeds on the way", "0-5", key="walk", bind="query-params", help="As 0-5 or 3,8,21.")
        if kept():
            st.button("Take the kept seeds", icon=":material/favorite:", on_click=_take_kept)
        frames = st.slider("Frames from one to the next", 6, 60, 24, 6, key="frames", bind="query-params")
        fps = st.slider("Frames a second", 6, 60, 24, 6, key="fps", bind="query-params")
        loop = st.toggle("Come back to the first", True, key="loop", bind="query-params")
        made_as = st.segmented_control("Format", list(FORMATS), default="MP4", required=True, key="format")
        seeds = made(lambda: parse_seeds(text))
        if seeds is None or too_many(len(seeds) * frames, MOST_FRAMES):
            return
        st.caption(f"{len(seeds) * frames} pictures, {len(seeds) * frames / fps:.1f} s long.")
        pressed = st.button(
            "Make the video",
            type="primary",
            icon=":material/movie:",
            disabled=read_only(),
            help=DEMO if read_only() else None,
        )
    wanted = (run.id, tuple(seeds), frames, fps, loop, made_as, look)
    if pressed:
        if read_only():
            raise ErsatzError(DEMO)
        with video, st.spinner(f"Painting {len(seeds) * frames} pictures…", show_time=True):
            suffix = FORMATS[made_as][0]
            content = paint(run, lambda opened: _video(opened, seeds, frames, fps, loop, suffix, look))
        st.session_state["walk-made"] = (wanted, content)
    shown, content = st.session_state.get("walk-made", (None, b""))
    with video:
        if shown is None or shown[0] != run.id:
            st.info("A smooth way through the pictures of these seeds.", icon=":material/movie:")
        else:
            suffix, mime = FORMATS[shown[5]]
            if suffix == "mp4":
                st.video(content, loop=True, autoplay=True, muted=True, width=WIDTH)
            else:
                st.image(content, width=WIDTH, alt="A walk through pictures of the generator")
            st.download_button(
                f"Video ({shown[5]})",
                content,
                f"{run.id}-walk.{suffix}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )
            if shown != wanted:
                st.caption("Made with other settings than those chosen now.")
    command(
        f"explore walk {shlex.quote(run.id)} --seeds {shlex.quote(text)} --frames {frames} --fps {fps}"
        f"{'' if loop else ' --no-loop'}{'' if sampler.has_w else ' --way slerp'} "
        f"--out walk.{FORMATS[made_as][0]}{options(look)}"
    )


def _take_kept() -> None:
    st.session_state["walk"] = ",".join(str(seed) for seed in kept())


def _video(
    sampler: Sampler, seeds: Sequence[int], frames: int, fps: int, loop: bool, suffix: str, look: SamplingOptions
) -> bytes:
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
