"""The settings that every view of the Generate page shares, and what says the same on the command line."""

from __future__ import annotations

import shlex
from typing import Any, get_args

import streamlit as st

from engine.configs.gans import gan_title
from engine.sampling.exploring import SamplingOptions
from engine.sampling.exported import GeneratorInfo, has_generator
from engine.sampling.pool_info import PoolInfo
from engine.sampling.sampler import Noise, Sampler
from engine.store.runs import Run, list_runs
from pages.components.class_choice import choose_class
from pages.components.command import show_command
from pages.components.files import generator_info
from pages.components.format import picture_form
from pages.components.home import home
from pages.components.phantom import phantom_badge

NOISES: dict[str, str] = {"const": "Fixed", "random": "From the seed", "none": "None"}
MOST_SEED = 2**32 - 1
MOST_PSI = 1.5


def options(look: SamplingOptions) -> str:
    """A look as options of the command line, where it differs from their defaults."""
    given = [
        f"--class-name {shlex.quote(look.class_name)}" if look.class_name else "",
        f"--psi {look.psi:g}" if look.psi != 1 else "",
        f"--cutoff {look.cutoff}" if look.cutoff else "",
        f"--noise {look.noise}" if look.noise != "const" else "",
    ]
    return "".join(f" {option}" for option in given if option)


def command(line: str) -> None:
    """What does the same from the command line."""
    show_command(f"python -m engine {line}")


def generators() -> list[Run]:
    """Trainings and imported networks with an exported generator, newest first."""
    return [run for kind in ("train", "network") for run in list_runs(home(), kind) if has_generator(run.path)]


def facts(info: GeneratorInfo) -> str:
    """What a generator is, in one line."""
    makes = " and ".join(info.classes) or "all classes together"
    length = f" · {info.kimg:g} kimg" if info.kimg else ""
    return f"{gan_title(info.gan)} · {picture_form(info.size, info.mode)} · makes {makes}{length}"


def alt(look: SamplingOptions, seed: int) -> str:
    """What a screen reader says of the picture of a seed."""
    truncated = f", truncation {look.psi:g}" if look.psi != 1 else ""
    return f"Synthetic picture{f' of {look.class_name}' if look.class_name else ''} from seed {seed}{truncated}"


def look_as(run: Run, class_name: str, made: PoolInfo) -> dict[str, str]:
    """Let `choose` begin with the look that a pool of this generator was `made` with, as far as the generator has it.

    Set are the widgets, which may have stood elsewhere before; what the address says of them is returned.
    """
    info = generator_info(run.path)
    look: dict[str, Any] = {}
    if info.conditional and len(info.classes) > 1:
        look["class"] = class_name
    if layers := info.num_ws:
        look["psi"] = min(made.psi, MOST_PSI)
        look[f"cutoff-{layers}"] = min(made.psi_cutoff, layers) or layers
        look["noise"] = made.noise
    st.session_state.update(look)
    return {name: NOISES.get(value, value) if name == "noise" else str(value) for name, value in look.items()}


def choose(sampler: Sampler) -> SamplingOptions:
    """Class, truncation and noise, as far as the generator has them.

    They are in the URL, and stay the same from view to view.
    """
    info = sampler.info
    phantom_badge(info.dataset)
    class_name = None
    if info.conditional and len(sampler.classes) > 1:
        class_name = choose_class("Class", sampler.classes, "class", in_url=True)
    elif info.conditional:
        class_name = sampler.classes[0]
    if not sampler.has_w:
        return SamplingOptions(class_name)
    psi = st.slider(
        "Truncation ψ",
        0.0,
        MOST_PSI,
        1.0,
        0.05,
        key="psi",
        bind="query-params",
        help="1 as trained; below 1 more typical and less varied.",
    )
    layers = info.num_ws
    with st.expander("Fine settings", icon=":material/tune:"):
        cutoff = st.slider(
            "Layers truncated",
            1,
            layers,
            layers,
            key=f"cutoff-{layers}",
            bind="query-params",
            help="Truncation acts on this many layers, from the coarsest on; all by default.",
        )
        noise: Noise | None = st.segmented_control(
            "Noise",
            get_args(Noise),
            default="const",
            required=True,
            format_func=NOISES.__getitem__,
            key="noise",
            bind="query-params",
            help="The fine detail that is left to chance: one fixed pattern, one drawn from each seed, or none.",
        )
    return SamplingOptions(class_name, psi, 0 if cutoff == layers else cutoff, noise or "const")
