"""Pictures and networks as files to take away; they are made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from engine.sampling.exploring import SamplingOptions
from engine.sampling.latents import w_content
from engine.sampling.sampler import Sampler
from engine.store.runs import Run
from pages.components.images import png, png_zip
from pages.generate.painting import paint


def downloads(run: Run, sampler: Sampler, look: SamplingOptions, seeds: Sequence[int]) -> None:
    """The picture of the first seed, its w, those of all seeds, and the generator itself."""
    stem = f"{run.id}-{label_of(sampler, look)}-{seeds[0]:06d}"
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "This picture (PNG)",
            lambda: png(_drawn(run, seeds[:1], look)[0]),
            f"{stem}.png",
            "image/png",
            icon=":material/image:",
            on_click="ignore",
        )
        st.download_button(
            f"These {len(seeds)} pictures (ZIP)",
            lambda: zipped(run, sampler, seeds, look),
            f"{run.id}-seeds-{seeds[0]}-{seeds[-1]}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
        if sampler.has_w:
            st.download_button(
                "Its w (.npz)",
                lambda: w_content(sampler.map(seeds[:1], look.class_name, look.psi, look.cutoff)),
                f"{stem}-w.npz",
                icon=":material/data_array:",
                help="The intermediate latent, for the views Morph and Style mixing, and for other programs.",
                on_click="ignore",
            )
        for name in sampler.graphs:
            st.download_button(
                "Generator (ONNX)" if len(sampler.graphs) == 1 else f"{Path(name).stem.capitalize()} (ONNX)",
                (run.path / name).read_bytes,
                f"{run.id}-{name}",
                icon=":material/memory:",
                on_click="ignore",
            )


def label_of(sampler: Sampler, look: SamplingOptions) -> str:
    """What the pictures show, as part of a file's name."""
    return look.class_name or "-".join(sampler.classes) or "all"


def zipped(run: Run, sampler: Sampler, seeds: Sequence[int], look: SamplingOptions) -> bytes:
    """The pictures of seeds as a ZIP of PNG files."""
    label = label_of(sampler, look)
    return png_zip(_drawn(run, seeds, look), [f"{run.id}-{label}-{seed:06d}.png" for seed in seeds])


def _drawn(run: Run, seeds: Sequence[int], look: SamplingOptions) -> np.ndarray:
    return paint(run, lambda sampler: sampler.sample(seeds, look.class_name, look.psi, look.cutoff, look.noise))
