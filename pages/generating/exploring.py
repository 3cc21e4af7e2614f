"""Explore: the picture of a seed at once, its successors, and what truncation does to it."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import streamlit as st

from engine.sampling.exploring import Look, truncation_sweep
from engine.sampling.latents import w_content
from engine.sampling.sampler import Sampler
from engine.store.runs import Run
from pages.generating.opened import choose, command, facts, opened, options
from pages.parts.images import enlarged, png, png_zip, wall

PSIS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)


def explore(run: Run) -> None:
    """The picture of a seed, those after it, and the truncation sweep."""
    sampler = opened(run)
    controls, picture = st.columns([2, 3], gap="large")
    with controls:
        st.caption(facts(sampler.info))
        seed = st.slider("Seed", 0, 999, key="seed", bind="query-params", help="The same seed gives the same picture.")
        look = choose(sampler)
        count = st.slider("Pictures", 4, 64, 16, step=4, help="Seeds counting up from the chosen one.")
    if look is None:
        return
    seeds = list(range(seed, seed + count))
    images = sampler.sample(seeds, look.class_name, look.psi, look.cutoff, look.noise)
    with picture:
        st.image(enlarged(images[0], 384), width=384, caption=f"Seed {seed}")
    wall(images, [str(number) for number in seeds], width=96)
    if sampler.has_w:
        st.subheader("Truncation")
        wall(truncation_sweep(sampler, [seed], PSIS, look)[0], [f"ψ = {psi:g}" for psi in PSIS], width=96)
    downloads(run, sampler, look, seeds, images)
    command(f"sample {shlex.quote(run.id)} --seeds {seeds[0]}-{seeds[-1]} --out pictures{options(look)}")


def downloads(run: Run, sampler: Sampler, look: Look, seeds: list[int], images: np.ndarray) -> None:
    """The pictures, their w, and the generator itself."""
    label = look.class_name or "-".join(sampler.classes) or "all"
    names = [f"{run.id}-{label}-{seed:06d}.png" for seed in seeds]
    with st.container(horizontal=True):
        st.download_button("This picture", png(images[0]), names[0], "image/png", icon=":material/download:")
        st.download_button(
            f"These {len(seeds)} pictures",
            lambda: png_zip(images, names),
            f"{run.id}-seeds-{seeds[0]}-{seeds[-1]}.zip",
            "application/zip",
            icon=":material/folder_zip:",
        )
        if sampler.has_w:
            st.download_button(
                "Its w (.npz)",
                lambda: w_content(sampler.map(seeds[:1], look.class_name, look.psi, look.cutoff)),
                f"{run.id}-{label}-{seeds[0]:06d}-w.npz",
                icon=":material/download:",
                help="The intermediate latent, for the views Morph and Style mixing, and for other programs.",
            )
        for name in sampler.graphs:
            title = "Generator (ONNX)" if len(sampler.graphs) == 1 else f"{Path(name).stem.capitalize()} (ONNX)"
            st.download_button(title, (run.path / name).read_bytes, f"{run.id}-{name}", icon=":material/memory:")
