"""A sweep laid over the published one: one figure, both tables, what was reported, what differs and why."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.jobs.kinds import parse_config
from engine.publications.publication import Publication
from engine.publications.table import PUBLICATIONS
from engine.report.detail_tables import readable_dropped
from engine.report.protocol_overlay import Protocol, figure_protocols, overlay_points, overlay_words, protocol_of
from engine.report.publication_differences import changed_settings, differences
from engine.report.sources import read_sources
from engine.report.tables import Measure, measure_of, readable_cells, show_share
from engine.store.runs import Run
from engine.sweep.analysis_units import SCORES
from engine.sweep.checks import check_published
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.charts import chart
from pages.components.files import read_model, table_of
from pages.components.format import plain, plain_sentence
from pages.components.headlines import headline_of
from pages.components.home import home
from pages.components.run_summary import config_of, title
from pages.components.runs import run_link
from pages.evaluate.outcomes import intervals_of
from pages.evaluate.verdicts import show_headline


def as_published(run: Run, config: SweepConfig) -> Callable[[str], None] | None:
    """What draws the comparison with a publication; None where the sweep has nothing to do with one."""
    other = Run(home(), config.beside) if config.beside else None
    other = other if other is not None and (other.path / "trials.parquet").is_file() else None
    publication = PUBLICATIONS.get(config.repeats)
    if other is None and publication is None:
        return None
    return lambda metric: _draw(run, other, publication, metric)


def departures(summary: SweepSummary, trials: pd.DataFrame) -> None:
    """Where this protocol departs from the sound one, and what the published rule would have left out."""
    st.markdown(
        "\n".join(f"* **{plain(_words(each.name))}**: {plain_sentence(each.sentence)}" for each in summary.departures)
    )
    if summary.dropped is not None:
        st.markdown("**Without the runs that were left out as published**")
        st.caption(summary.dropped.rule)
        st.dataframe(readable_dropped(summary.dropped, trials), hide_index=True, height="content")
        left_out = len(summary.dropped.trials)
        st.caption(f"{left_out} runs would be left out. The verdict counts them all. Accuracy by image.")


def _draw(run: Run, other: Run | None, publication: Publication | None, metric: str) -> None:
    """One figure of what was reported and both protocols, with the numbers below; by image, of all test images."""
    sides = [_protocol(each, metric) for each in (other, run) if each is not None]
    points = overlay_points(publication, sides, metric)
    if not points.empty:
        figure = figure_protocols(points, metric, _positive(run))
        chart(figure, f"protocols-{run.id}", f"as-published-{metric}", lambda: points)
        st.caption(overlay_words(points))
    if other is not None:
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown(f"**{plain(title(other))}**")
            _cells(sides[0], metric, _positive(other))
            if told := headline_of(other):
                show_headline(told)
            run_link(other, "Open it")
        with right:
            st.markdown(f"**This sweep: {'sound' if sides[1].config.claims else 'as published'}**")
            _cells(sides[1], metric, _positive(run))
            if told := headline_of(run):
                show_headline(told)
    if publication is not None:
        reported(publication)
        differing(run)


def _protocol(run: Run, metric: str) -> Protocol:
    """A sweep as far as it has come; its intervals are there once it has a summary."""
    config = parse_config(config_of(run))
    assert isinstance(config, SweepConfig)
    written = run.path / SUMMARY_FILE
    summary = read_model(written, SweepSummary) if written.is_file() else None
    trials = table_of(run.path / "trials.parquet", omit=SCORES)
    trials = trials[trials["arm"] != LEARNING_CURVE]
    return protocol_of(config, trials, _intervals(run, summary, metric))


def reported(publication: Publication) -> None:
    """What the authors reported, and what is known to be wrong with it."""
    st.markdown(f"**Reported: {publication.title}**")
    share = Measure("", True, "")
    positive = publication.preset.importing.get("positive", "")
    if publication.rows:
        st.dataframe(
            pd.DataFrame(
                {
                    "Trained on": [row.name for row in publication.rows],
                    "Share": [show_share(row.ratio) for row in publication.rows],
                    "Accuracy": [share.show(_number(row.accuracy)) for row in publication.rows],
                    measure_of("sensitivity", positive).title: [
                        share.show(_number(row.sensitivity)) for row in publication.rows
                    ],
                    measure_of("specificity", positive).title: [
                        share.show(_number(row.specificity)) for row in publication.rows
                    ],
                    "Note": [row.note for row in publication.rows],
                }
            ),
            hide_index=True,
            height="content",
        )
    impossible = [check.sentence for check in check_published(publication.rows) if not check.ok]
    st.markdown("\n".join(f"* {sentence}" for sentence in [*impossible, *publication.known]))


def differing(run: Run) -> None:
    """What this sweep does otherwise than published, read off its runs, and the settings that are not the preset's."""
    sources = read_sources(run, beside=False)
    if rows := differences([sources]):
        st.markdown("**What differs, and why it matters**")
        lines = ["| | Theirs | Here | Why |", "|---|---|---|---|"]
        for each in rows:
            cells = (f"**{each.what}**", *map(plain, (each.theirs, *each.ours, each.why)))
            lines.append(f"| {' | '.join(cells)} |")
        st.markdown("\n".join(lines))
    table = changed_settings(sources)
    if table.empty:
        st.caption("Every setting is the preset's.")
        return
    st.markdown("**Settings that are not the preset's**")
    st.dataframe(table, hide_index=True, height="content")


def _intervals(run: Run, summary: SweepSummary | None, metric: str) -> pd.DataFrame | None:
    """Of each arm, for other seeds and test patients, by image; None while the sweep has no summary."""
    if summary is None:
        return None
    config = parse_config(config_of(run))
    assert isinstance(config, SweepConfig)
    return intervals_of(run, summary.classes, summary.positive_class, config, metric, "image", "", "")


def _positive(run: Run) -> str:
    """The positive class that a sweep was measured with, or will be."""
    written = run.path / SUMMARY_FILE
    if written.is_file():
        return read_model(written, SweepSummary).positive_class
    return str(config_of(run).get("positive_class", ""))


def _cells(side: Protocol, metric: str, positive: str) -> None:
    title = measure_of(metric, positive).title
    if metric not in side.trials:
        st.caption(f"It has no {title}.")
        return
    table = readable_cells(side.trials, metric, side.intervals, positive)
    columns = ["Arm", "Share", "Seeds", title, "95 % interval"]
    st.dataframe(table[columns], hide_index=True, height="content")


def _words(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
