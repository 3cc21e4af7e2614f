"""What is behind a point of the plot: confusion matrix, settings, and the test images that were got wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.datasets.dataset_info import DatasetInfo
from engine.datasets.seal import sealed_images
from engine.report.figures import figure_confusion
from engine.report.style import ARMS
from engine.report.tables import METRICS, confusion_of, measure_of, mistakes, present_metrics, show_share
from engine.store.csv_cells import read_table
from engine.store.parquet import read_parquet
from engine.store.runs import Run
from engine.sweep.summary_model import SweepSummary
from pages.components.charts import chart
from pages.components.files import read_model, stamp
from pages.components.home import home
from pages.components.paging import part_shown
from pages.components.picture_dialog import pressable_wall, stored_pane
from pages.components.query_params import put, whole_number
from pages.components.run_summary import config_of
from pages.evaluate.views import TRIAL

MISTAKES = 12
"""Test images on one page of those that a trial got wrong."""


def remember(key: str) -> None:
    """Put the point that was clicked in the figure `key` into the URL; a click beside all points takes it out."""
    points = [point["customdata"] for point in st.session_state[key].selection.points if "customdata" in point]
    if not points:
        put(TRIAL, "")
        return
    arm, ratio, seed = points[0][:3]
    put(TRIAL, f"{arm},{ratio:g}" + ("" if seed is None else f",{seed}"))


def trial_in_url(trials: pd.DataFrame) -> tuple[str, float, int | None] | None:
    """Arm, ratio and seed of the point that the URL names, if these trials have it."""
    parts = st.query_params.get(TRIAL, "").split(",")
    try:
        arm, ratio, seed = parts[0], float(parts[1]), whole_number(parts[2]) if len(parts) > 2 else None
    except (IndexError, ValueError):
        return None
    there = (trials["arm"] == arm) & ((trials["ratio"] - ratio).abs() < 1e-6)
    if seed is not None:
        there &= trials["seed"] == seed
    return (arm, float(trials.loc[there, "ratio"].iloc[0]), seed) if there.any() else None


def drill_down(run: Run, trials: pd.DataFrame, summary: SweepSummary | None) -> None:
    """The confusion matrix and the settings of the clicked trial, or of all trials behind a clicked mean."""
    point = trial_in_url(trials)
    if point is None:
        st.caption(
            "Click on a small dot to look into that trial, or on a large one for all trials behind it: the images it "
            "got wrong, its confusion matrix and its scores."
        )
        return
    arm, ratio, seed = point
    chosen = trials[(trials["arm"] == arm) & (trials["ratio"] == ratio)]
    who = ARMS[arm].title + (f", {show_share(ratio)}" if ratio else "")
    if seed is not None:
        chosen = chosen[chosen["seed"] == seed]
        who += f", seed {seed}"
    if chosen.empty:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{who}**", width="content")
            st.button(
                "Close",
                icon=":material/close:",
                type="tertiary",
                key=f"close-trial-{run.id}",
                on_click=put,
                args=(TRIAL, ""),
            )
        left, right = st.columns([3, 2], gap="large")
        matrix = confusion_of(chosen)
        classes = summary.classes if summary else classes_of(config_of(run)["dataset"], len(matrix))
        title = "Confusion matrix" if len(chosen) == 1 else f"Confusion matrix, sum over {len(chosen)} trials"
        with left:
            chart(
                figure_confusion(matrix, classes, title),
                f"confusion-{run.id}",
                f"confusion-{arm}-{100 * ratio:.0f}",
                lambda: pd.DataFrame(matrix, index=classes, columns=classes).rename_axis("true class").reset_index(),
            )
        with right:
            positive = summary.positive_class if summary else config_of(run).get("positive_class", "")
            facts = _facts(chosen, present_metrics(trials), positive)
            st.dataframe(
                pd.DataFrame({"Fact": facts.keys(), "Value": facts.values()}), hide_index=True, height="content"
            )
        show_mistakes(run, arm, ratio, seed, len(chosen))


def _facts(chosen: pd.DataFrame, metrics: list[str], positive: str) -> dict[str, str]:
    """Means of the metrics, and the settings that all of these trials share."""
    facts = {measure_of(name, positive).title: METRICS[name].show(chosen[name].mean()) for name in metrics}
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
    if dataset is None or not dataset.has_fingerprint(config["dataset_fingerprint"]):
        return
    wrong = read_mistakes(*stamp(run.path / "trials.parquet"), dataset.classes, arm, ratio, seed)
    folds = len(config.get("folds", ())) or 1
    repeats = count // folds
    often = "" if repeats <= 1 else f", those wrong in most of the {repeats} seeds first"
    st.markdown(f"**{len(wrong)} test images got wrong**{often}")
    if "sha256" in wrong and (sealed := wrong["sha256"].isin(sealed_images(dataset.home, dataset))).any():
        st.caption(f"{int(sealed.sum())} of them are sealed and not shown.")
        wrong = wrong[~sealed]
    shown = wrong.iloc[
        part_shown(len(wrong), MISTAKES, of=(run.id, arm, ratio, seed), key="mistakes-page", in_url=False)
    ]
    captions = [
        f"{row['class']} called {row.predicted}" + ("" if repeats <= 1 else f", {row.wrong} of {repeats}")
        for _, row in shown.iterrows()
    ]
    folders = [home().runs if mark == "1" else dataset.path for mark in shown["synthetic"]]
    files = [folder / path for folder, path in zip(folders, shown["path"], strict=True)]
    pressable_wall([stored_pane(*each) for each in zip(files, captions, strict=True)], "mistakes")


@st.cache_data(max_entries=32, show_spinner=False)
def read_mistakes(
    path: Path, written: float, size: int, classes: list[str], arm: str, ratio: float, seed: int | None
) -> pd.DataFrame:
    """The test images that one trial, or all trials of a cell, got wrong: `path, class, predicted, wrong, synthetic`.

    Paths are below the data set's folder; those of synthetic images, which only a published flaw puts there, below
    the folder of runs.
    """
    wanted = [("arm", "=", arm), ("ratio", "=", ratio), *([] if seed is None else [("seed", "=", seed)])]
    trials = read_parquet(path, filters=wanted)
    test_images = read_table(path.with_name("test_images.csv"), dtype=str, keep_default_na=False)
    folds = test_images["fold"].astype(int) if "fold" in test_images else pd.Series(0, index=test_images.index)
    of_trials = trials["fold"] if "fold" in trials else pd.Series(0, index=trials.index)
    parts = [mistakes(own, test_images[folds == fold], classes) for fold, own in trials.groupby(of_trials)]
    wrong = pd.concat(parts).sort_values("wrong", ascending=False, kind="stable")
    synthetic = test_images["synthetic"] if "synthetic" in test_images else pd.Series("0", index=test_images.index)
    return wrong.assign(synthetic=synthetic)


def classes_of(dataset: str, count: int) -> list[str]:
    """Names of the classes, or their numbers when the data set is gone."""
    path = home().dataset(dataset) / "dataset.json"
    return read_model(path, DatasetInfo).classes if path.is_file() else [str(index) for index in range(count)]
