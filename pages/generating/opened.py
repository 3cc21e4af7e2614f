"""Open generators, and the settings that every view of the Generate page shares."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_args

import streamlit as st

from engine.sampling.exploring import Look
from engine.sampling.exported import INFO_FILE, has_generator
from engine.sampling.sampler import Noise, Sampler
from engine.store.runs import Run, list_runs
from pages.parts.command import show_command
from pages.parts.home import home
from pages.parts.phantom import phantom_badge

NOISES: dict[str, str] = {"const": "Fixed", "random": "From the seed", "none": "None"}


def options(look: Look) -> str:
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


@st.cache_resource(max_entries=4, show_spinner="Loading the generator…")
def _open(path: Path, written: float) -> Sampler:
    return Sampler.open(path)


def opened(run: Run) -> Sampler:
    """The run's generator; a newer export is opened again."""
    return _open(run.path, (run.path / INFO_FILE).stat().st_mtime)


def facts(info: dict[str, Any]) -> str:
    """What a generator is, in one line."""
    makes = " and ".join(info["classes"]) or "all classes together"
    length = f" · {info['kimg']:g} kimg" if info["kimg"] else ""
    return f"{info['gan']} · {info['size']}×{info['size']} {info['mode']} · makes {makes}{length}"


def choose(sampler: Sampler) -> Look | None:
    """Class, truncation and noise, as far as the generator has them; None as long as no class is chosen."""
    info = sampler.info
    phantom_badge(info["dataset"])
    class_name = None
    if info["conditional"] and len(sampler.classes) > 1:
        class_name = st.segmented_control("Class", sampler.classes, default=sampler.classes[0], key="class")
        if class_name is None:
            st.info("Choose a class.")
            return None
    elif info["conditional"]:
        class_name = sampler.classes[0]
    if not sampler.has_w:
        return Look(class_name)
    psi = st.slider(
        "Truncation ψ", 0.0, 1.5, 1.0, 0.05, key="psi", help="1 as trained; below 1 more typical and less varied."
    )
    layers = info["num_ws"]
    cutoff = st.slider(
        "Layers truncated", 1, layers, layers, key=f"cutoff-{layers}", help="From the coarsest on; all by default."
    )
    noise: Noise | None = st.segmented_control(
        "Noise",
        get_args(Noise),
        default="const",
        format_func=NOISES.__getitem__,
        key="noise",
        help="The fine detail that is left to chance: one fixed pattern, one drawn from each seed, or none.",
    )
    return Look(class_name, psi, 0 if cutoff == layers else cutoff, noise or "const")
