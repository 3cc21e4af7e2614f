"""Sweeps side by side: verdicts, differing settings, one figure over all, and cell by cell what differs."""

from __future__ import annotations

from typing import Any, get_args

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig
from engine.configs.evaluation import Metric
from engine.jobs.kinds import parse_config
from engine.report.protocol_comparison import every_difference
from engine.report.style import ARMS
from engine.report.sweep_comparison import (
    Swept,
    compare_sweeps,
    figure_sweeps,
    how_in_words,
    other_positive,
    read_swept,
    readable_differences,
    same_test,
)
from engine.report.tables import METRICS
from engine.store.runs import Run, list_runs
from engine.sweep.analysis_units import SCORES, Level, knows_patients
from engine.sweep.arms import is_synthetic, primary_arm
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.charts import chart
from pages.components.files import read_model, stamp
from pages.components.format import plain, plain_badge, plain_sentence
from pages.components.headlines import TONES, headline_of
from pages.components.home import home
from pages.components.labels import labels_of, short_names
from pages.components.phantom import phantom_badge
from pages.components.query_params import put
from pages.components.run_summary import about_of, config_of
from pages.components.runs import run_picker
from pages.components.views import go
from pages.evaluate.outcomes import intervals_of
from pages.evaluate.pool_ranking import ranked_pools
from pages.evaluate.verdicts import control_badge
from pages.evaluate.views import BESIDE, READ

MOST = 3
"""Sweeps beside the first one."""


def finished_sweeps() -> list[Run]:
    """The sweeps with a verdict, newest first."""
    return [run for run in list_runs(home(), "sweep") if (run.path / SUMMARY_FILE).is_file()]


def compare() -> None:
    """Choose sweeps, and read them side by side."""
    runs = finished_sweeps()
    if len(runs) < 2:
        st.info(
            "Two finished sweeps are needed to compare them. Start another one with one thing changed: the pool, the "
            "classifier, or the number of seeds.",
            icon=":material/compare_arrows:",
        )
        return
    first = run_picker("sweep", "compared", label="Compare this sweep", runs=runs)
    if first is None:
        return
    others = choose_others(first, [run for run in runs if run.id != first.id])
    if not others:
        st.info("Choose one or more sweeps to hold against it.", icon=":material/compare_arrows:")
        return
    chosen = [first, *others]
    configs = [config for run in chosen if isinstance(config := parse_config(config_of(run)), SweepConfig)]
    names = short_names(chosen, without="Sweep ")
    verdicts(chosen, names)
    sweeps = [read(*stamp(run.path / "trials.parquet"), run) for run in chosen]
    tested_alike(sweeps, names)
    st.subheader("What differs in their settings")
    table = every_difference(configs, names)
    if table.empty:
        st.caption("Nothing but the files they used: the settings are the same.")
    else:
        st.dataframe(table, hide_index=True, height="content")
    st.subheader("What differs in their results")
    results(chosen, configs, sweeps, names)
    ranked_pools(chosen)


def choose_others(first: Run, among: list[Run]) -> list[Run]:
    """The sweeps of `?compare=`; those of the same data set are offered first."""
    dataset = config_of(first)["dataset"]
    by_id = {run.id: run for run in among if not about_of(run).archived or run.id in st.query_params.get(BESIDE, "")}
    offered = sorted(by_id, key=lambda run_id: config_of(by_id[run_id])["dataset"] != dataset)
    key = f"beside-{first.id}"
    if key not in st.session_state:
        wanted = [run_id for run_id in st.query_params.get(BESIDE, "").split(",") if run_id in by_id]
        st.session_state[key] = wanted[:MOST] or [
            run_id for run_id in offered[:1] if config_of(by_id[run_id])["dataset"] == dataset
        ]

    labels = labels_of(by_id.values())

    def words(run_id: str) -> str:
        return f"{labels[run_id]} · {config_of(by_id[run_id])['dataset']}"

    chosen = st.multiselect("With", offered, format_func=words, key=key, max_selections=MOST)
    put(BESIDE, ",".join(chosen))
    return [by_id[run_id] for run_id in chosen]


def verdicts(runs: list[Run], names: list[str]) -> None:
    """Each sweep's verdict on a card of its own."""
    with st.container(horizontal=True):
        for run, name in zip(runs, names, strict=True):
            summary = read_model(run.path / SUMMARY_FILE, SweepSummary)
            found = headline_of(run)
            assert found is not None  # its summary was read
            icon, colour = TONES[found.tone]
            with st.container(border=True, width=360):
                st.markdown(f"**{plain(name)}**")
                st.badge(plain_badge(found.word), icon=icon, color=colour)  # type: ignore[arg-type]
                control_badge(summary)
                phantom_badge(summary.dataset)
                st.markdown(plain_sentence(found.line))
                for sentence in (*found.tallies, *found.notes):
                    st.caption(plain_sentence(sentence))
                facts = f"{summary.n_test} test images · {summary.seeds} seeds · data set {plain(summary.dataset)}"
                st.caption(facts)
                if st.button("Open it", icon=":material/query_stats:", key=f"open-{run.id}"):
                    go(READ, run=run.id)


def tested_alike(sweeps: list[Swept], names: list[str]) -> None:
    """Whether the numbers may be compared at all."""
    strange = [name for name, swept in zip(names[1:], sweeps[1:], strict=True) if not same_test(sweeps[0], swept)]
    if not strange:
        st.success(
            "All were tested on the same images, so that their results can be compared image by image.",
            icon=":material/check_circle:",
        )
        return
    st.warning(
        f"{' and '.join(strange)} and {names[0]} were tested on other images. A difference between them may be one of "
        "the test images and not of the training. Of one data set, the intervals allow for the luck of both test sets; "
        "of different ones no interval is given, and no difference should be read as a result.",
        icon=":material/warning:",
    )


def results(runs: list[Run], configs: list[SweepConfig], sweeps: list[Swept], names: list[str]) -> None:
    """One figure of all sweeps, and tables of what the others have more than the first."""
    arms = [arm for arm in ARMS if all((swept.trials["arm"] == arm).any() for swept in sweeps)]
    synthetic = [arm for arm in arms if is_synthetic(arm)] or arms
    primary = primary_arm(configs[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric: Metric = st.selectbox(
            "Metric",
            get_args(Metric),
            index=get_args(Metric).index(configs[0].metric),
            format_func=lambda name: METRICS[name].title,
            key=f"compared-metric-{runs[0].id}",
            width=240,
        )
        arm = st.selectbox(
            "Arm",
            synthetic,
            index=synthetic.index(primary) if primary in synthetic else 0,
            format_func=lambda name: ARMS[name].title,
            key=f"compared-arm-{runs[0].id}",
            width=300,
        )
    positives = {swept.positive for swept in sweeps}
    for name, swept in zip(names[1:], sweeps[1:], strict=True):
        if other_positive(sweeps[0], swept, metric):
            st.warning(
                f"{METRICS[metric].title} is of the positive class {plain(swept.positive)} in {plain(name)}, and of "
                f"{plain(sweeps[0].positive)} in {plain(names[0])}: these numbers are of different classes and do not "
                "compare.",
                icon=":material/swap_horiz:",
            )
    trials = [(name, swept.trials) for name, swept in zip(names, sweeps, strict=True)]
    every = zip(runs, sweeps, configs, strict=True)
    chart(
        figure_sweeps(
            trials,
            metric,
            arm,
            [_intervals(run, swept, config, metric) for run, swept, config in every],
            positives.pop() if len(positives) == 1 else "",
        ),
        f"compared-{runs[0].id}",
        f"compared-{metric}",
        lambda: pd.concat(
            [of_sweep.drop(columns=list(SCORES), errors="ignore").assign(sweep=name) for name, of_sweep in trials]
        ),
    )
    by_patient = all(config.level == "patient" for config in configs) and all(
        knows_patients(swept.test_images) for swept in sweeps
    )
    level: Level = "patient" if by_patient else "image"
    for run, name, swept in zip(runs[1:], names[1:], sweeps[1:], strict=True):
        if other_positive(sweeps[0], swept, metric):
            continue
        table = _differences(
            *stamp(runs[0].path / "trials.parquet"), *stamp(run.path / "trials.parquet"), runs[0], run, metric, level
        )
        st.markdown(f"**{plain(name)}, compared with {plain(names[0])}**, by {level}")
        if table.empty:
            st.caption("They have no arm and share in common.")
            continue
        st.dataframe(readable_differences(table, metric, (names[0], name)), hide_index=True, height="content")
        st.caption(how_in_words(table))
    st.caption(
        "Difference: the second minus the first, of the means over the seeds. 95 % interval: for other seeds and other "
        "test images; it is not corrected for the number of rows, and many rows were looked at. What a sweep says of "
        "synthetic images is its own verdict; this table says how two set-ups differ."
    )


def _intervals(run: Run, swept: Swept, config: SweepConfig, metric: Metric) -> pd.DataFrame | None:
    """Of each arm, for other seeds and test patients, by image as the figure."""
    return intervals_of(run, swept.classes, swept.positive, config, metric, "image", "", "")


@st.cache_resource(max_entries=8, show_spinner=False)
def read(path: Any, written: float, size: int, _run: Run) -> Swept:
    """The scores and test images of a finished sweep; not copied, and not to be changed."""
    return read_swept(_run)


@st.cache_data(max_entries=32, show_spinner=False)
def _differences(
    path: Any,
    written: float,
    size: int,
    other_path: Any,
    other_written: float,
    other_size: int,
    _one: Run,
    _other: Run,
    metric: Metric,
    level: Level,
) -> pd.DataFrame:
    one = read(path, written, size, _one)
    return compare_sweeps(one, read(other_path, other_written, other_size, _other), metric, level)
