"""Two checks side by side: two pools, or the same pool by other features."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.quality.quality_scores import SCORES_FILE, AnyScore, QualityScores, rows_table
from engine.report.figures import figure_scores
from engine.report.pool_verdict import LEGEND, score_level
from engine.report.quality_tables import score_of
from engine.store.runs import Run, list_runs
from pages.components.charts import chart, drawn
from pages.components.class_choice import choose_class
from pages.components.files import read_model, stamp
from pages.components.format import moment, plain, plain_sentence
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.phantom import phantom_badge
from pages.components.run_summary import about_of, status_of, title
from pages.components.runs import choice_in_url, run_picker
from pages.components.views import go
from pages.quality.score_status import LOOKS
from pages.quality.views import BESIDE, READ


def compare() -> None:
    """Choose two checks, and read their scores side by side."""
    runs = [run for run in list_runs(home(), "quality") if (run.path / SCORES_FILE).is_file()]
    if len(runs) < 2:
        st.info(
            "Two finished checks are needed to compare them. Check another pool, such as one of another generator.",
            icon=":material/compare_arrows:",
        )
        return
    first = run_picker("quality", "compared", label="Compare this check", runs=runs)
    if first is None:
        return
    rest = {run.id: run for run in runs if run.id != first.id and not about_of(run).archived}
    if not rest:
        st.caption("All other checks are archived.")
        return
    other = rest[
        choice_in_url(
            "With",
            list(rest),
            BESIDE,
            f"beside-{first.id}",
            labels_of(rest.values()).__getitem__,
        )
    ]
    pair = [read_model(run.path / SCORES_FILE, QualityScores) for run in (first, other)]
    names = [
        f"{letter}: {title(run).removeprefix('Quality ')}" for letter, run in zip("AB", (first, other), strict=True)
    ]
    comparable(pair)
    with st.container(horizontal=True):
        for run, name, found in zip((first, other), names, pair, strict=True):
            _card(run, name, found)
    side_by_side(first, other, names, pair)


def comparable(pair: list[QualityScores]) -> None:
    """Whether the scores may be compared at all."""
    one, other = pair
    unlike = []
    if one.dataset_fingerprint != other.dataset_fingerprint:
        unlike.append("they were held against other real images")
    if one.extractor != other.extractor:
        unlike.append(f"they use other features ({plain(one.extractor.name)} and {plain(other.extractor.name)})")
    if unlike:
        st.warning(
            f"These scores cannot be compared with each other: {' and '.join(unlike)}. Hold each against its own floor "
            "alone.",
            icon=":material/warning:",
        )
    else:
        st.success(
            "Both were held against the same real images by the same features, so that their scores can be compared.",
            icon=":material/check_circle:",
        )


def _card(run: Run, name: str, found: QualityScores) -> None:
    with st.container(border=True, width=420):
        st.markdown(f"**{plain(name)}**")
        phantom_badge(found.dataset)
        st.markdown(plain_sentence(found.sentences[0]) if found.sentences else "")
        st.caption(
            f"{found.counts.pool} images · {found.flagged('copy')} copies · {found.flagged('near-copy')} near copies · "
            f"{found.flagged('repeat')} repeats · checked {moment(status_of(run).created)}"
        )
        if st.button("Open it", icon=":material/fact_check:", key=f"open-{run.id}"):
            go(READ, run=run.id)


def side_by_side(first: Run, second: Run, names: list[str], pair: list[QualityScores]) -> None:
    """The figure and the table of both checks' scores, of all classes together or of one."""
    classes = [
        name
        for name in dict.fromkeys(row.class_name for row in pair[0].scores)
        if any(row.class_name == name for row in pair[1].scores)
    ]
    if not classes:
        st.caption("They have no class in common.")
        return
    class_name = classes[0]
    if len(classes) > 1:
        class_name = choose_class(
            "Of", classes, f"compared-class-{first.id}", words=lambda name: plain(name) or "All classes"
        )
    one, other = (rows_table(found.scores) for found in pair)
    written = [stamp(run.path / SCORES_FILE) for run in (first, second)]
    figure = drawn(
        "compared scores",
        (*written, class_name, *names),
        lambda: figure_scores(one, class_name, beside={names[0]: one, names[1]: other}),
    )
    chart(
        figure,
        f"compared-{first.id}",
        "compared-scores",
        lambda: pd.concat([one.assign(check=names[0]), other.assign(check=names[1])]),
    )
    rows = [found.of_class(class_name) for found in pair]
    lines = [f"| | {names[0]} | Real images of A | {names[1]} | Real images of B |", "|---|---|---|---|---|"]
    for name in [name for name in rows[0] if name in rows[1]]:
        cells = [f"{_marked(own[name])} | {score_of(name).show(own[name].floor)}" for own in rows]
        lines.append(f"| {score_of(name).title} | {cells[0]} | {cells[1]} |")
    st.markdown("\n".join(lines))
    st.caption(LEGEND)


def _marked(row: AnyScore) -> str:
    score, level = score_of(row.name), score_level(row)
    mark = f":{LOOKS[level][0]}[{LOOKS[level][1]}] " if level else ""
    interval = score.show_interval(row.low, row.high)
    return f"{mark}**{score.show(row.value)}**" + ("" if interval == "–" else f" ({interval})")
