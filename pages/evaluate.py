"""Evaluate: plan a sweep knowing what it can show, watch its trials, read the verdict and drill into a point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig, parse_config
from engine.datasets.dataset import Dataset, list_datasets
from engine.presets import PRESETS
from engine.report.figures import figure_confusion, figure_differences, figure_sweep
from engine.report.style import ARMS
from engine.report.tables import (
    METRICS,
    comparison_table,
    confusion_of,
    mistakes,
    present_metrics,
    readable_cells,
    readable_comparisons,
    show_share,
)
from engine.store.files import read_json
from engine.store.runs import Run, State, list_runs
from engine.sweep.arms import plan as planned_trials
from engine.sweep.statistics import ALPHA, detectable
from pages.parts.command import command_line
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.images import picture_wall
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of, live, run_header, run_picker, start

MAIN_FIELDS = ["name", "classifier", "ratios", "seeds", "steps", "batch"]
MISTAKES = 12
"""Most test images shown of those that a trial got wrong."""
READ, NEW = "Read", "New sweep"
VERDICTS = {
    "helps": (st.success, ":material/trending_up:"),
    "harms": (st.error, ":material/trending_down:"),
    "no evidence": (st.info, ":material/trending_flat:"),
}


@st.cache_data(max_entries=16, show_spinner=False)
def read_trials(path: Path, written: float, size: int) -> pd.DataFrame:
    """The trials so far; `written` and `size` are the file's, so that a newer file is read again."""
    return pd.read_parquet(path).drop(columns="scores", errors="ignore")


@st.cache_data(max_entries=16, show_spinner=False)
def read_summary(path: Path, written: float, size: int) -> dict[str, Any]:
    return read_json(path)


@st.cache_data(max_entries=8, show_spinner=False)
def read_bytes(path: Path, written: float, size: int) -> bytes:
    return path.read_bytes()


def stamp(path: Path) -> tuple[Path, float, int]:
    """A file with its time and size: the key under which its content is cached."""
    stat = path.stat()
    return path, stat.st_mtime, stat.st_size


def new_sweep(datasets: dict[str, Dataset], pools: list[Run]) -> None:
    """Choose data and pool, see what the sweep can show at best, and start it."""
    left, right = st.columns(2)
    by_id = {run.id: run for run in pools}
    names = sorted({config_of(run)["dataset"] for run in pools} & set(datasets))
    name = left.selectbox("Data set", names, help="Frozen data sets that a pool was made for.")
    fitting = [run_id for run_id, run in by_id.items() if config_of(run)["dataset"] == name]
    pool = right.selectbox(
        "Pool", fitting, format_func=lambda run_id: f"{config_of(by_id[run_id])['name']} · {run_id}", key=f"pool-{name}"
    )
    own = [preset for preset in PRESETS.values() if preset.importing.get("name") == name]
    base = {**(own[0].sweep if own else {}), "name": name, "dataset": name, "pool": pool}
    phantom_badge(name)
    show_detectable(datasets[name], SweepConfig.build(base))
    omitted = {"kind", "dataset", "dataset_fingerprint", "pool", "pool_sha256", *MAIN_FIELDS}
    values = config_form(
        SweepConfig,
        MAIN_FIELDS,
        base,
        key=f"sweep-{name}-{pool}",
        more=[field for field in SweepConfig.model_fields if field not in omitted],
        labels={"ratios": "Shares of synthetic images", "seeds": "Seeds (paired repetitions)"},
        submit="Start sweep",
    )
    if values is not None and (run := start(SweepConfig.build(values))) is not None:
        st.query_params["run"] = run.id
        st.session_state["sweep-started"] = True
        st.rerun()
    st.caption("The same from the command line (settings changed above show after the start):")
    st.code(command_line(SweepConfig.build(base)), "bash", wrap_lines=True)


def show_detectable(dataset: Dataset, config: SweepConfig) -> None:
    """The smallest difference this sweep can detect, before anybody waits for it."""
    n_test = len(dataset.rows("test"))
    limits = detectable(n_test, config.seeds, len(config.ratios))
    images, difference, smallest_p, trials = st.columns(4)
    images.metric("Test images", n_test, border=True)
    difference.metric(
        "Smallest difference it can show",
        f"± {100 * limits['half_width']:.1f} points",
        border=True,
        help="Half the 95 % Wilson interval of an accuracy of 85 % on so many test images. More test images make it "
        "smaller; more seeds do not.",
    )
    smallest_p.metric(
        f"Smallest p of {config.seeds} seeds",
        f"{limits['smallest_p_holm']:.3f}",
        border=True,
        help=f"Sign-flip p with Holm's correction over {len(config.ratios)} shares; a claim needs less than {ALPHA}.",
    )
    trials.metric("Trials", len(planned_trials(config)), border=True, help="Arms x shares x seeds, as set at first.")
    if limits["smallest_p_holm"] >= ALPHA:
        st.warning(
            f"With {config.seeds} seeds and {len(config.ratios)} shares no p can fall below {ALPHA}: this is a quick "
            "look that claims nothing. More seeds or fewer shares make a claim possible.",
            icon=":material/hourglass_disabled:",
        )


def show_verdict(summary: dict[str, Any]) -> None:
    """The verdict in words, on top of everything else."""
    verdict = summary["verdict"]
    box, icon = VERDICTS.get(verdict["verdict"], VERDICTS["no evidence"])
    box(f"**Verdict: {verdict['verdict']}.** {verdict['sentence']}", icon=icon)
    if verdict.get("needed"):
        st.caption(f"What it would need to tell: {verdict['needed']}")


def results(run: Run) -> None:
    """Verdict, plot, drill-down, tables and downloads of one sweep, as far as it has come."""
    trials_path, summary_path = run.path / "trials.parquet", run.path / "summary.json"
    summary = read_summary(*stamp(summary_path)) if summary_path.is_file() else None
    if summary is not None:
        show_verdict(summary)
    phantom_badge(config_of(run)["dataset"])
    if not trials_path.is_file():
        st.info("The first trials appear here as soon as they are done.", icon=":material/hourglass_top:")
        return
    trials = read_trials(*stamp(trials_path))
    options = present_metrics(trials)
    metric = st.selectbox(
        "Metric",
        options,
        format_func=lambda name: METRICS[name].title,
        key="metric",
        bind="query-params",
        help=". ".join(f"{METRICS[name].title}: {METRICS[name].meaning}" for name in options),
        width=320,
    )
    event = st.plotly_chart(
        figure_sweep(trials, summary, metric),
        key=f"plot-{run.id}",
        on_select="rerun",
        selection_mode=["points"],
    )
    drill_down(run, trials, summary, event.selection.points)
    if summary is not None:
        tables(trials, summary, metric)
        downloads(run)


def drill_down(run: Run, trials: pd.DataFrame, summary: dict[str, Any] | None, points: list[dict[str, Any]]) -> None:
    """The confusion matrix and the settings of the clicked trial, or of all trials behind a clicked mean."""
    if not points or "customdata" not in points[0]:
        st.caption("Click on a point to see its confusion matrix and settings.")
        return
    arm, ratio, seed = points[0]["customdata"][:3]
    chosen = trials[(trials["arm"] == arm) & (trials["ratio"] == ratio)]
    who = f"{ARMS[arm].title}, {show_share(ratio)} added"
    if seed is not None:
        chosen = chosen[chosen["seed"] == seed]
        who += f", seed {seed}"
    if chosen.empty:
        return
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="large")
        matrix = confusion_of(chosen)
        classes = summary["classes"] if summary else classes_of(config_of(run)["dataset"], len(matrix))
        title = "Confusion matrix" if seed is not None else f"Confusion matrix, sum over {len(chosen)} seeds"
        left.plotly_chart(figure_confusion(matrix, classes, title), key=f"confusion-{run.id}")
        with right:
            st.markdown(f"**{who}**")
            first = chosen.iloc[0]
            facts = {METRICS[name].title: METRICS[name].show(chosen[name].mean()) for name in present_metrics(trials)}
            facts |= {"Real images": str(first["n_real"]), "Synthetic images": str(first["n_synthetic"])}
            facts |= {"Optimiser steps": str(first["steps"]), "Best step (validation)": str(first["best_step"])}
            if seed is None:
                facts.pop("Best step (validation)")
            st.dataframe(pd.DataFrame({"": facts.keys(), "Value": facts.values()}), hide_index=True, height="content")
        show_mistakes(run, arm, ratio, seed, len(chosen))


@st.cache_data(max_entries=32, show_spinner=False)
def read_mistakes(
    path: Path, written: float, size: int, classes: list[str], arm: str, ratio: float, seed: int | None
) -> pd.DataFrame:
    """The test images that one trial, or all trials of a cell, got wrong."""
    wanted = [("arm", "=", arm), ("ratio", "=", ratio), *([] if seed is None else [("seed", "=", seed)])]
    trials = pd.read_parquet(path, columns=["scores"], filters=wanted)
    test_images = pd.read_csv(path.with_name("test_images.csv"), dtype=str, keep_default_na=False)
    return mistakes(trials, test_images, classes)


def show_mistakes(run: Run, arm: str, ratio: float, seed: int | None, count: int) -> None:
    """Pictures of the test images that were got wrong; none when the data set is not the sweep's any more."""
    config = config_of(run)
    dataset = next((found for found in list_datasets(home()) if found.name == config["dataset"]), None)
    if dataset is None or dataset.fingerprint != config["dataset_fingerprint"]:
        return
    wrong = read_mistakes(*stamp(run.path / "trials.parquet"), dataset.classes, arm, ratio, seed)
    often = "" if seed is not None else f", those wrong in most of the {count} trials first"
    st.markdown(f"**{len(wrong)} test images got wrong**{often}")
    shown = wrong.head(MISTAKES)
    captions = [
        f"{row['class']} called {row.predicted}" + ("" if seed is not None else f", {row.wrong} of {count}")
        for _, row in shown.iterrows()
    ]
    picture_wall([dataset.path / path for path in shown["path"]], captions, width=128)


def tables(trials: pd.DataFrame, summary: dict[str, Any], metric: str) -> None:
    """Paired differences and means, as a figure and as tables."""
    comparisons = comparison_table(summary)
    compared_metrics = list(dict.fromkeys(comparisons["metric"]))
    if metric in compared_metrics:
        st.plotly_chart(figure_differences(comparisons, metric), key="differences")
    else:
        words = ", ".join(METRICS[name].title for name in compared_metrics)
        st.caption(f"Paired comparisons are made of {words}; the means below are of every metric.")
    compared, means = st.tabs(["Comparisons", "Means"])
    with compared:
        st.dataframe(
            readable_comparisons(comparisons[comparisons["metric"] == metric]), hide_index=True, height="content"
        )
        st.caption("p: two-sided sign-flip permutation of the paired differences; Holm: corrected over the shares.")
    with means:
        st.dataframe(readable_cells(trials, metric), hide_index=True, height="content")


def downloads(run: Run) -> None:
    """The report and the numbers behind every figure."""
    files = [run.path / "report.html", *sorted(run.path.glob("*.csv"))]
    if not files[0].is_file() and run.state() is State.FINISHED:
        st.caption(f"The report is not there; `python -m engine report {run.id}` writes it.")
    with st.container(horizontal=True):
        for path in files:
            if path.is_file():
                label = "Report (HTML)" if path.suffix == ".html" else path.name
                st.download_button(
                    label,
                    read_bytes(*stamp(path)),
                    f"{run.id}-{path.name}",
                    "text/html" if path.suffix == ".html" else "text/csv",
                    icon=":material/download:",
                    on_click="ignore",
                    type="primary" if path.suffix == ".html" else "secondary",
                )


@st.cache_data(max_entries=64, show_spinner=False, ttl=60)
def classes_of(dataset: str, count: int) -> list[str]:
    """Names of the classes, or their numbers when the data set is gone."""
    path = home().dataset(dataset) / "dataset.json"
    return read_json(path)["classes"] if path.is_file() else [str(index) for index in range(count)]


def settings(run: Run) -> None:
    """The run's complete config and how to repeat it."""
    with st.expander("Settings and command line", icon=":material/terminal:"):
        config = parse_config(config_of(run))
        st.code(command_line(config), "bash", wrap_lines=True)
        st.json(config.plain(), expanded=False)


st.title("Evaluate")
runs = list_runs(home(), "sweep")
datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
pools = [
    run for run in list_runs(home(), "pool") if run.state() is State.FINISHED and config_of(run)["dataset"] in datasets
]
if not runs and not pools:
    st.info(
        "A sweep needs a frozen data set and a pool of synthetic images, and there is no pool yet. "
        "Save one on the Generate page, or try the demo on the Overview.",
        icon=":material/query_stats:",
    )
    st.page_link("pages/generate.py", label="Go to Generate", icon=":material/auto_awesome:")
    st.stop()

view = NEW
if runs:
    if st.session_state.pop("sweep-started", False) or "sweep-view" not in st.session_state:
        st.session_state["sweep-view"] = READ
    view = st.segmented_control("View", [READ, NEW], required=True, key="sweep-view", label_visibility="collapsed")
if view == NEW:
    if not pools:
        st.info("There is no finished pool of a frozen data set; save one on the Generate page.")
        st.stop()
    new_sweep(datasets, pools)
elif (run := run_picker("sweep", "sweep")) is not None:
    run_header(run)
    live(results, run.state().is_active)(run)
    settings(run)
