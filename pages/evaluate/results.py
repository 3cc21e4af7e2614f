"""Read a sweep, as far as it has come: verdict, plot, drill-down, tables and downloads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.jobs.kinds import parse_config
from engine.report.figures import figure_sweep
from engine.report.style import ARMS
from engine.report.sweep_figures import how_to_read, share_note
from engine.report.tables import METRICS, cell_table, confusion_of, level_trials, measure_of, present_metrics
from engine.store.runs import Run
from engine.sweep.analysis_units import SCORES, Level
from engine.sweep.arms import baseline_of, control_of, primary_arm
from engine.sweep.metric_table import METRICS_FILE
from engine.sweep.rejudging import TRIALS_FILE
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.ahead import compute_ahead
from pages.components.chart_looks import shade
from pages.components.charts import chart, to_be_drawn
from pages.components.files import read_model, stamp, table_of
from pages.components.navigation import script
from pages.components.phantom import phantom_badge
from pages.components.query_params import several_in_url
from pages.components.run_summary import config_of
from pages.components.runs import choice_in_url
from pages.components.tabs import tabs
from pages.components.views import go, way_to
from pages.evaluate.details import by_class, comparisons, confidence, external, means, subgroups
from pages.evaluate.drilling import classes_of, drill_down, remember
from pages.evaluate.looks import more_repetitions, show_curve, show_looks
from pages.evaluate.outcomes import curves, decisions, intervals_of, of_tabs, threshold
from pages.evaluate.protocol_comparison import as_published, departures
from pages.evaluate.rejudging import second_judgement, show_history
from pages.evaluate.report import report_again, report_button
from pages.evaluate.seed_lines import join_seeds
from pages.evaluate.verdicts import other_arms, self_checks, trouble, verdict_card
from pages.evaluate.views import COMPARE, NEW

MANY_ARMS = 4
"""With more arms than these, the reader chooses which to see."""
WHOLE = "All test images"


def results(run: Run, ended: bool) -> None:
    """Plot and drill-down of one sweep, as far as it has come; verdict, tables and downloads once it has `ended`.

    These wait until the whole page knows that: a press on them would be lost when the page is drawn again.
    """
    config = parse_config(config_of(run))
    assert isinstance(config, SweepConfig)
    trials_path, summary_path = run.path / TRIALS_FILE, run.path / SUMMARY_FILE
    summary = read_model(summary_path, SweepSummary) if ended and summary_path.is_file() else None
    if summary is not None:
        config = config.at(summary.seeds)  # as far as it was read
    if not config.claims:
        st.badge("As published: repeats its flaws, claims nothing", icon=":material/history_edu:", color="orange")
    if summary is not None:
        trouble(summary)
    phantom_badge(config.dataset)
    first_screen = st.container(horizontal=True, key=f"first-{run.id}")
    if summary is not None:
        verdict_card(run, summary, config, first_screen)
    if not trials_path.is_file():
        if not ended:
            st.info("The first trials appear here as soon as they are done.", icon=":material/hourglass_top:")
        else:
            st.caption("It ended before its first trial was done.")
        return
    trials = table_of(trials_path, omit=SCORES)
    if summary is not None:
        trials = trials[trials["seed"] < config.first_seed + config.seeds]
    positive = summary.positive_class if summary else config.positive_class
    below = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
    with below:
        shown, metric, arms, part = choose(run, config, trials, positive)
    classes = summary.classes if summary else classes_of(config.dataset, len(confusion_of(trials.head(1))))
    key = f"plot-{run.id}"
    judged = part == (config.level, "", "")  # other counts than those of the verdict have none of its intervals
    files = [run.path / name for name in (TRIALS_FILE, SUMMARY_FILE, METRICS_FILE)]
    written = [stamp(path) for path in files if path.is_file()]

    def intervals_by(metric: str) -> pd.DataFrame | None:
        return intervals_of(run, classes, positive, config, metric, *part)

    def figure_by(metric: str) -> Callable[[], Figure]:
        def draw() -> Figure:
            found = intervals_by(metric)
            return figure_sweep(shown, summary, metric, arms=arms, config=config, intervals=found, differences=judged)

        return to_be_drawn("sweep", (*written, summary is None, metric, *arms, part), draw)

    intervals = intervals_by(metric)
    with first_screen:
        chart(
            figure_by(metric)(),
            key,
            f"{config.name}-{metric}",
            lambda: plotted(shown[shown["arm"].isin(arms)], metric, intervals),
            on_select=lambda: remember(key),
            save_in=below,
        )
    join_seeds()
    st.caption(f"{share_note(arms, config)} {how_to_read()}")
    drill_down(run, trials, summary)
    if summary is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            downloads(run)
            if config.claims and config.pool and config.seeds < QUICK_LOOK_BELOW:
                way_to("Evaluate thoroughly", ":material/repeat:", f"thorough-{run.id}", NEW, pool=config.pool)
        other_arms(summary, config)
        show_history(run, config, summary.classifier.weights_sha256)
        second_judgement(run, summary, config)
        tables(run, config, summary, trials, shown[shown["arm"].isin(arms)], metric, intervals)
        what_next(run, summary.seeds)
        compute_ahead(
            ("sweep", *written, *arms, part, shade()),
            [*of_tabs(run, summary, config), *map(figure_by, present_metrics(trials))],
        )


def plotted(shown: pd.DataFrame, metric: str, intervals: pd.DataFrame | None = None) -> pd.DataFrame:
    """The numbers of the plot: every mean with its interval, then every trial."""
    trials = shown[["arm", "ratio", "seed", metric]].rename(columns={metric: "value"}).assign(what="trial")
    means = cell_table(shown, metric, intervals).rename(columns={"mean": "value", "n": "seeds"}).assign(what="mean")
    return pd.concat([means, trials])[["what", "arm", "ratio", "seed", "seeds", "value", "low", "high"]]


def choose(
    run: Run, config: SweepConfig, trials: pd.DataFrame, positive: str
) -> tuple[pd.DataFrame, str, list[str], tuple[Level, str, str]]:
    """The trials as the reader wants them counted (by image or patient, of all or of a subgroup), metric and arms, and
    how they are counted: level, column and value of the subgroup."""
    path = run.path / METRICS_FILE
    metrics = table_of(path) if path.is_file() else None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = present_metrics(trials)
        # no `index`: a default that changed with the run would contradict the metric in the link
        if config.metric in options and "metric" not in st.session_state and "metric" not in st.query_params:
            st.session_state["metric"] = config.metric
        metric = st.selectbox(
            "Metric",
            options,
            format_func=lambda name: METRICS[name].title,  # stands in the link, which must not change with the class
            key="metric",
            bind="query-params",
            help=". ".join(f"{measure_of(name, positive).title}: {METRICS[name].meaning}" for name in options),
            width=240,
        )
        part: tuple[Level, str, str] = ("image", "", "")
        if metrics is not None:
            part = _counted(run, config, metrics)
        shown = trials if metrics is None else level_trials(metrics, *part)
    present = [arm for arm in ARMS if (shown["arm"] == arm).any() and arm != LEARNING_CURVE]
    if len(present) <= MANY_ARMS:
        return shown, metric, present, part
    usual = [arm for arm in present if arm in around(config)]
    chosen = several_in_url("Arms", present, "arms", f"arms-{run.id}", usual, lambda arm: ARMS[arm].title)
    return shown, metric, chosen, part


def around(config: SweepConfig) -> set[str]:
    """The arms that the verdict speaks of: the primary one, its control and its baseline, and the real images alone."""
    arm = primary_arm(config)
    return {"real", "real+classical", *({arm, control_of(arm) or "real", baseline_of(arm) or "real"} if arm else ())}


def _counted(run: Run, config: SweepConfig, metrics: pd.DataFrame) -> tuple[Level, str, str]:
    known: tuple[Level, Level] = ("image", "patient")
    levels = [level for level in known if (metrics["level"] == level).any()]
    level = levels[0]
    if len(levels) > 1:
        usual = config.level if config.level in levels else levels[0]
        chosen_level = st.segmented_control(
            "By", levels, default=usual, required=True, format_func=str.capitalize, key="level", bind="query-params"
        )
        level = chosen_level or usual
    groups = metrics[["subgroup", "value", "n"]][metrics["level"] == level].drop_duplicates(["subgroup", "value"])
    columns = (groups[name] for name in ("subgroup", "value", "n"))
    names = {(subgroup, value): f"{subgroup}: {value} ({n})" for subgroup, value, n in zip(*columns, strict=True)}
    names[("", "")] = WHOLE
    groups_by_name = {f"{subgroup}:{value}" if subgroup else "": (subgroup, value) for subgroup, value in sorted(names)}
    chosen = ""
    if len(names) > 1:
        with st.container(width=260):
            chosen = choice_in_url(
                "Of",
                list(groups_by_name),
                "subgroup",
                f"subgroup-{run.id}-{level}",
                lambda name: names[groups_by_name[name]],
            )
    return (level, *groups_by_name[chosen])


def tables(
    run: Run,
    config: SweepConfig,
    summary: SweepSummary,
    trials: pd.DataFrame,
    shown: pd.DataFrame,
    metric: str,
    intervals: pd.DataFrame | None,
) -> None:
    """The numbers behind the plot, each kind on a tab of its own that is drawn when it is opened.

    `shown` are the trials of the plot: as the reader counts them, and of the chosen arms.
    """
    parts = {
        # first the numbers behind the plot; what it says of differences is above already
        "Means": lambda: means(shown, metric, intervals, summary.positive_class),
        "Comparisons": lambda: comparisons(run, summary, metric),
        "By class": lambda: by_class(trials[trials["arm"].isin(set(shown["arm"]))], summary.classes),
        "Confidence": lambda: confidence(run, trials, summary, config),
        "Curves": lambda: curves(run, summary, config, set(shown["arm"])),
        "Decisions": lambda: decisions(run, summary, config, set(shown["arm"])),
        "Threshold": lambda: threshold(run, summary, config, set(shown["arm"])),
        "Self-checks": lambda: self_checks(summary),
    }
    if summary.external is not None:
        parts["Another data set"] = lambda: external(summary, config)
    if summary.learning_curve is not None:
        parts["Learning curve"] = lambda: show_curve(run, summary)
    if summary.looks:
        parts["Looks"] = lambda: show_looks(summary)
    if summary.subgroups:
        parts["Subgroups"] = lambda: subgroups(run, summary, set(shown["arm"]))
    if other := as_published(run, config):
        parts["As published"] = lambda: other(metric)
    if summary.departures:
        parts["Departures"] = lambda: departures(summary, trials)
    tabs(parts, "table")


def downloads(run: Run) -> None:
    """The report, its methods paragraph, and the numbers behind every figure."""
    methods = run.path / "methods.txt"
    with st.container(horizontal=True, vertical_alignment="center"):
        report_button(run)
        if methods.is_file():
            with st.popover("Methods paragraph", icon=":material/article:"):
                st.code(read_methods(*stamp(methods)), None, wrap_lines=True)
                st.download_button(
                    "Save as text",
                    methods.read_bytes,
                    f"{run.id}-methods.txt",
                    "text/plain",
                    icon=":material/download:",
                    on_click="ignore",
                )
        with st.popover("Tables", icon=":material/table:"):
            for path in sorted([*run.path.glob("*.csv"), *run.path.glob("*.parquet")]):
                st.download_button(
                    path.name, path.read_bytes, f"{run.id}-{path.name}", icon=":material/download:", on_click="ignore"
                )
    report_again(run)


@st.cache_data(max_entries=32, show_spinner=False)
def read_methods(path: Path, written: float, size: int) -> str:
    """The methods paragraph of a sweep."""
    return path.read_text()


def what_next(run: Run, seeds: int) -> None:
    """Where to go from a verdict: to people's eyes, to another sweep beside it, or to this one with a change."""
    st.subheader("What next?")
    with st.container(horizontal=True, vertical_alignment="center"):
        pool = config_of(run)["pool"]
        st.page_link(
            script("review"),
            label="Let experts judge the images",
            icon=":material/rate_review:",
            query_params={"run": pool} if pool else None,
            width="content",
        )
        if st.button("Compare with another sweep", icon=":material/compare_arrows:", key=f"compare-{run.id}"):
            go(COMPARE, run=run.id)
        more_repetitions(run, seeds)
        if st.button("Run it again with changes", icon=":material/edit:", key=f"again-{run.id}"):
            go(NEW, again=run.id)
