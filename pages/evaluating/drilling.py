"""What is behind a point of the plot: confusion matrix, settings, and the test images that were got wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.report.figures import figure_confusion
from engine.report.style import ARMS
from engine.report.tables import METRICS, confusion_of, mistakes, present_metrics, show_share
from engine.store.files import read_json
from engine.store.runs import Run
from pages.parts.files import stamp
from pages.parts.home import home
from pages.parts.images import picture_wall
from pages.parts.runs import config_of

MISTAKES = 12
"""Most test images shown of those that a trial got wrong."""


def drill_down(run: Run, trials: pd.DataFrame, summary: dict[str, Any] | None, points: list[dict[str, Any]]) -> None:
    """The confusion matrix and the settings of the clicked trial, or of all trials behind a clicked mean."""
    if not points or "customdata" not in points[0]:
        st.caption("Click on a point to see its confusion matrix, its settings and the images it got wrong.")
        return
    arm, ratio, seed = points[0]["customdata"][:3]
    chosen = trials[(trials["arm"] == arm) & (trials["ratio"] == ratio)]
    who = ARMS[arm].title + (f", {show_share(ratio)}" if ratio else "")
    if seed is not None:
        chosen = chosen[chosen["seed"] == seed]
        who += f", seed {seed}"
    if chosen.empty:
        return
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="large")
        matrix = confusion_of(chosen)
        classes = summary["classes"] if summary else classes_of(config_of(run)["dataset"], len(matrix))
        title = "Confusion matrix" if len(chosen) == 1 else f"Confusion matrix, sum over {len(chosen)} trials"
        left.plotly_chart(figure_confusion(matrix, classes, title), key=f"confusion-{run.id}")
        with right:
            st.markdown(f"**{who}**")
            facts = _facts(chosen, present_metrics(trials))
            st.dataframe(pd.DataFrame({"": facts.keys(), "Value": facts.values()}), hide_index=True, height="content")
        show_mistakes(run, arm, ratio, seed, len(chosen))


def _facts(chosen: pd.DataFrame, metrics: list[str]) -> dict[str, str]:
    """Means of the metrics, and the settings that all of these trials share."""
    facts = {METRICS[name].title: METRICS[name].show(chosen[name].mean()) for name in metrics}
    for title, column in (("Real images", "n_real"), ("Synthetic images", "n_synthetic"), ("Optimiser steps", "steps")):
        values = sorted(set(chosen[column]))
        facts[title] = str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
    if len(chosen) == 1:
        facts["Best step (validation)"] = str(chosen.iloc[0]["best_step"])
    return facts


def show_mistakes(run: Run, arm: str, ratio: float, seed: int | None, count: int) -> None:
    """Pictures of the test images that were got wrong; none when the data set is not the sweep's any more."""
    config = config_of(run)
    dataset = next((found for found in list_datasets(home()) if found.name == config["dataset"]), None)
    if dataset is None or dataset.fingerprint != config["dataset_fingerprint"]:
        return
    wrong = read_mistakes(*stamp(run.path / "trials.parquet"), dataset.classes, arm, ratio, seed)
    folds = len(config.get("folds", ())) or 1
    repeats = count // folds
    often = "" if repeats <= 1 else f", those wrong in most of the {repeats} seeds first"
    st.markdown(f"**{len(wrong)} test images got wrong**{often}")
    shown = wrong.head(MISTAKES)
    captions = [
        f"{row['class']} called {row.predicted}" + ("" if repeats <= 1 else f", {row.wrong} of {repeats}")
        for _, row in shown.iterrows()
    ]
    folders = [home().runs if mark == "1" else dataset.path for mark in shown["synthetic"]]
    picture_wall([folder / path for folder, path in zip(folders, shown["path"], strict=True)], captions, width=128)


@st.cache_data(max_entries=32, show_spinner=False)
def read_mistakes(
    path: Path, written: float, size: int, classes: list[str], arm: str, ratio: float, seed: int | None
) -> pd.DataFrame:
    """The test images that one trial, or all trials of a cell, got wrong: `path, class, predicted, wrong, synthetic`.

    Paths are below the data set's folder; those of synthetic images, which only a published flaw puts there, below
    the folder of runs.
    """
    wanted = [("arm", "=", arm), ("ratio", "=", ratio), *([] if seed is None else [("seed", "=", seed)])]
    trials = pd.read_parquet(path, filters=wanted)
    test_images = pd.read_csv(path.with_name("test_images.csv"), dtype=str, keep_default_na=False)
    folds = test_images["fold"].astype(int) if "fold" in test_images else pd.Series(0, index=test_images.index)
    of_trials = trials["fold"] if "fold" in trials else pd.Series(0, index=trials.index)
    parts = [mistakes(own, test_images[folds == fold], classes) for fold, own in trials.groupby(of_trials)]
    wrong = pd.concat(parts).sort_values("wrong", ascending=False, kind="stable")
    synthetic = test_images["synthetic"] if "synthetic" in test_images else pd.Series("0", index=test_images.index)
    return wrong.assign(synthetic=synthetic)


@st.cache_data(max_entries=64, show_spinner=False, ttl=60)
def classes_of(dataset: str, count: int) -> list[str]:
    """Names of the classes, or their numbers when the data set is gone."""
    path = home().dataset(dataset) / "dataset.json"
    return read_json(path)["classes"] if path.is_file() else [str(index) for index in range(count)]
