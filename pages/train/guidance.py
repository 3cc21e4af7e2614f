"""What a newcomer should know before a training: a small one to begin with, how long it takes, what to expect of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from engine.configs import TrainConfig
from engine.configs.gans import gan_named, gan_title
from engine.datasets.dataset import Dataset
from engine.gans.results import DryRunResult
from engine.publications.presets import PRESETS
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.files import stamp
from pages.components.format import amount, duration, plain
from pages.components.home import home
from pages.components.machine import machine
from pages.components.run_summary import config_of, state_of, status_of, title
from pages.train.reading import read_rows

QUICK_SIZES = (32, 64, 128)
"""Sizes that a DCGAN can make, in pixels."""
QUICK_TITLE = "Quick first look"
QUICK_STORY = (
    "A small DCGAN for each class, with settings that learn steadily. It took two minutes a class at 64 px on two "
    "processor cores, without a GPU. Expect blurred but recognisable images: enough to walk through to a verdict, too "
    "little to judge the method by."
)
ONCE = {"dataset", "dataset_fingerprint", "class_name", "seed", "kimg", "epochs", "start_from", "start_sha256"}
SLIGHT = {"g_lr", "d_lr", "beta1", "beta2", "gamma", "ada_target", "ada_kimg", "ema_kimg", "ema_ramp", "freeze_d"}
SLIGHT |= {"snapshot_ticks", "tick_kimg", "grid", "on_explosion", "mirror", "mirror_vertical", "subset", "augpipe"}
SLIGHT |= {"inverted_labels", "soft_labels", "flip_probability", "style_mixing", "aug_p", "cfg"}
"""With `ONCE`, the settings on which the time for an image hardly depends."""


def quick_settings() -> dict[str, Any]:
    """Settings of a small training that ends in minutes: those of the demo."""
    return PRESETS["demo"].train_settings("dcgan")


def suits_quick(dataset: Dataset) -> bool:
    """Whether the quick training can make images of this size."""
    return dataset.size in QUICK_SIZES


def has_gpu() -> bool:
    """Whether this machine seems to have a GPU that trains."""
    return not machine().device.startswith("CPU")


def training_counts(dataset: Dataset) -> dict[str, int]:
    """Training images of each class; read once for each version of the manifest."""
    return _counts(*stamp(dataset.path / "manifest.csv"), dataset.name)


@st.cache_data(max_entries=64, show_spinner=False)
def _counts(path: Path, written: float, size: int, name: str) -> dict[str, int]:
    dataset = Dataset.open(home(), name)
    found = dataset.rows("train")["class"].value_counts()
    return {class_name: int(found.get(class_name, 0)) for class_name in dataset.classes}


def expectations(dataset: Dataset, training: TrainConfig, class_names: list[str]) -> None:
    """Time, passes and what samples to hope for, at these settings on this machine."""
    kimg = training.kimg
    pace = known_pace(training, dataset)
    with st.container(border=True):
        st.markdown("**What to expect of these settings**")
        if pace is not None:
            seconds, source = pace
            whole = len(class_names) * kimg * seconds
            each = (
                f", {duration(kimg * seconds)} for each of {len(class_names)} classes" if len(class_names) > 1 else ""
            )
            st.markdown(f":material/timer: **About {duration(whole)}**{each}, at the pace of {source}.")
        elif has_gpu():
            st.markdown(":material/timer: How long it takes is not known yet: **Dry run** measures it in a minute.")
        else:
            st.markdown(
                f":material/timer: There is no GPU here. {_slow(dataset, training)} **Dry run** measures how long it "
                "takes on this machine, in about a minute."
            )
        st.markdown(f":material/photo_library: {_passes(dataset, class_names, kimg)}")
        st.markdown(f":material/image: {_quality(training)}")


def known_pace(training: TrainConfig, dataset: Dataset) -> tuple[float, str] | None:
    """Seconds for a kimg with settings like these, as a run here measured them, and which run; None before any.

    A run on images of another size tells it roughly: time goes with the number of pixels.
    """
    wanted = _work(training.plain(), dataset)
    rough: tuple[float, str] | None = None
    datasets = {dataset.name: dataset}
    for run in list_runs(home()):
        config = config_of(run)
        if config["kind"] not in ("train", "dry-run"):
            continue
        theirs = config if config["kind"] == "train" else config["training"]
        try:
            if any(theirs.get(name) != wanted[name] for name in ("gan", "batch", "device")):
                continue  # before a data set is opened for nothing
            name = theirs["dataset"]
            other = datasets[name] = datasets.get(name) or Dataset.open(home(), name)
            work = _work(theirs, other)
            if {**work, "size": 0} != {**wanted, "size": 0} or (rough and work != wanted):
                continue
            seconds = _measured(run)
        except (ErsatzError, KeyError):
            continue
        if seconds and work == wanted:
            return seconds, _who(run)
        if seconds:
            rough = seconds * (dataset.size / other.size) ** 2, f"{_who(run)} on images of {other.size} px, roughly"
    return rough


def _measured(run: Run) -> float:
    """Seconds for a kimg in a dry run or a training; 0 when it measured none."""
    if config_of(run)["kind"] == "dry-run":
        cost = status_of(run).result_as(DryRunResult) if state_of(run) is State.FINISHED else None
        return cost.seconds_per_kimg if cost else 0.0
    rows = read_rows(run)
    return rows[-1]["seconds"] / rows[-1]["kimg"] if len(rows) else 0.0


def _who(run: Run) -> str:
    return "the last dry run" if config_of(run)["kind"] == "dry-run" else plain(title(run))


def _work(config: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """What the time for an image depends on."""
    kept = {name: value for name, value in config.items() if name not in ONCE | SLIGHT}
    return {**kept, "size": dataset.size, "mode": dataset.mode}


def _slow(dataset: Dataset, training: TrainConfig) -> str:
    quick = quick_settings()
    if training.gan == quick["gan"] and dataset.size <= 64:
        found = training.plain()
        narrow = found["architecture"] == "recipe" and found["g_channels"] <= quick["g_channels"]
        return "Networks this small take minutes." if narrow else "Networks of this width may take hours."
    if dataset.size > 64:
        return (
            f"Images of {dataset.size} px take hours to days without one: for an answer today, import them again at "
            "64 px on the Datasets page."
        )
    return f"{gan_title(training.gan)} takes hours without one, a quick DCGAN minutes."


def _passes(dataset: Dataset, class_names: list[str], kimg: float) -> str:
    """What the budget means for these classes, in passes over their training images."""
    counts = training_counts(dataset)
    parts = []
    for class_name in class_names:
        count = counts[class_name] if class_name else sum(counts.values())
        passes = amount(round(1000 * kimg / max(count, 1)))
        parts.append(f"{class_name or 'all classes'}: {count} training images, each shown {passes} times")
    return f"{amount(kimg)} kimg are {amount(1000 * kimg)} real images shown. {'; '.join(parts)}."


def _quality(training: TrainConfig) -> str:
    family = gan_named(training.gan)
    if training.kimg >= family.enough_kimg:
        return family.expectation
    return family.too_short.format(
        kimg=amount(training.kimg), start="from another network" if training.init_from[0] else "from scratch"
    )
