"""The curves of a training, alone or over those of others, as a reader wants to see them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.configs.gans import gans
from engine.configs.setting_names import setting_name
from engine.report.figures import (
    figure_augmentation,
    figure_d_outputs,
    figure_diversity,
    figure_fid,
    figure_gradients,
    figure_held_out,
    figure_kid,
    figure_losses,
    figure_overlay,
    figure_penalties,
    figure_throughput,
)
from engine.report.training_figures import CURVES, RUN_COLORS, View
from engine.report.training_rows import Rows
from engine.store.runs import Run, list_runs
from pages.components.charts import chart, drawn
from pages.components.files import stamp
from pages.components.format import amount
from pages.components.home import home
from pages.components.labels import labels_of, short_names
from pages.components.query_params import put
from pages.components.run_summary import about_of, config_of, state_of
from pages.components.tabs import tabs
from pages.train.reading import best_checkpoint, read_rows

LOSSES, OUTPUTS, OVERFITTING, QUALITY = "Losses", "D outputs", "Overfitting", "Image quality"
DETAILS = "Gradients and speed"
FIGURES: dict[Callable[..., go.Figure], tuple[str, tuple[str, ...]]] = {
    figure_losses: (LOSSES, ("g_loss", "d_loss")),
    figure_d_outputs: (LOSSES, ("d_real", "d_fake")),
    figure_augmentation: (OVERFITTING, ("augment_p", "r_t")),
    figure_held_out: (OVERFITTING, ("valid_logits", "train_logits", "fake_logits")),
    figure_kid: (QUALITY, ("kid", "kid_low", "kid_high")),
    figure_fid: (QUALITY, ("fid",)),
    figure_diversity: (QUALITY, ("diversity",)),
    figure_penalties: (DETAILS, ("r1", "pl")),
    figure_gradients: (DETAILS, ("g_grad_norm", "d_grad_norm")),
    figure_throughput: (DETAILS, ("images_per_second",)),
}
"""In the order of the page, with their tab and the fields that they show; the rows must have the first."""
TAB_OF = {field: tab for tab, fields in FIGURES.values() for field in fields}
TAB_OF |= dict.fromkeys(("d_real", "d_fake"), OUTPUTS)
"""Of the fields when each has a figure of its own."""
FEW = 4
"""So many figures stand below each other without tabs."""
HEIGHT = 270
"""Pixels of a figure: two of them are as high as the samples beside them."""
MOST_RUNS = len(RUN_COLORS)
X = {"kimg": "Images shown", "hours": "Time"}
HOW_TO_READ = {
    "g_loss": "**Losses** move against each other; good trainings wander without end, and a loss says nothing of how "
    "good images look.",
    "d_real": "**D outputs** are what the discriminator believes of images. Near 0.5 on both it cannot tell them "
    "apart; when the two curves run to 1 and 0, it has won, and the generator learns nothing more.",
    "kid": "**KID and FID** measure the distance to the training images: lower is better, and the lowest is marked. "
    "Whether it is better than its neighbours, only a ranking of the snapshots tests.",
    "diversity": "**Diversity** compares how much the samples differ from each other with how much real images do: "
    "near 0 they are all the same image (collapse).",
    "valid_logits": "**D on images it never saw**: the curve of held-out images belongs near that of training images. "
    "Where it drops towards the generated ones, the discriminator knows the training images by heart.",
    "augment_p": "**Augmentation**: p is how often images are changed before the discriminator sees them; it rises "
    "when the discriminator is too sure (r_t above its target).",
}
"""By the field whose figure it explains."""


def how_to_read(fields: set[str]) -> list[str]:
    """What explains the figures of these fields, and nothing that this GAN does not measure."""
    return [words for field, words in HOW_TO_READ.items() if field in fields]


def curves(run: Run) -> None:
    """Every figure that the rows have numbers for, and how to look at them."""
    others, view = _controls(run)
    if others:
        _overlaid([run, *others], view)
        return
    rows = read_rows(run)
    best = best_checkpoint(run, rows)
    view = View(view.x, view.smoothing, view.log, best.kimg if best else None)
    fields = {*rows.fields}
    known = {build: of for build, of in FIGURES.items() if of[1][0] in fields}
    live = state_of(run).is_active

    def draw(build: Callable[..., go.Figure]) -> None:
        name = build.__name__.removeprefix("figure_")
        table = _table({"": rows}, known[build][1])
        figure = _drawn([run], name, view, live, lambda: build(rows, view))
        chart(figure, _key(name, run.id, view), f"{run.id}-{name}", table, live=live)

    _laid_out({build: tab for build, (tab, _) in known.items()}, draw)


def _overlaid(runs: list[Run], view: View) -> None:
    """One figure for each number, with a curve for each run; under them, where the runs' settings differ."""
    named = dict(zip(short_names(runs), runs, strict=True))
    rows = {name: read_rows(run) for name, run in named.items()}
    fields = {name for of_run in rows.values() for name in of_run.fields}
    known = [field for field in CURVES if field in fields]
    live = any(state_of(run).is_active for run in runs)
    together = "-".join(run.id for run in runs)

    def draw(field: str) -> None:
        table = _table(rows, (field,))
        figure = _drawn(runs, f"{field} of several", view, live, lambda: figure_overlay(rows, field, view))
        chart(figure, _key(field, together, view), f"trainings-{field}", table, live=live)

    _laid_out({field: TAB_OF[field] for field in known}, draw)
    _differences(named)


def _drawn(runs: list[Run], name: str, view: View, live: bool, draw: Callable[[], go.Figure]) -> go.Figure:
    """The figure of trainings at the height that it has here: of ended ones drawn once for each `view`."""

    def high() -> go.Figure:
        return draw().update_layout(height=HEIGHT)

    if live:
        return high()
    written = [stamp(run.metrics_path) for run in runs]
    return drawn("training", (*written, *short_names(runs), name, view.x, view.smoothing, view.log, view.best), high)


def _laid_out(tab_of: dict[Any, str], draw: Callable[[Any], None]) -> None:
    """All figures where there are few; else those of the open tab, as each costs time at every look."""
    if len(tab_of) <= FEW:
        _stack(list(tab_of), draw)
        return
    ones_of = {name: [one for one, its in tab_of.items() if its == name] for name in tab_of.values()}
    tabs({name: partial(_stack, ones, draw) for name, ones in ones_of.items()}, "curves")


def _stack(ones: list[Any], draw: Callable[[Any], None]) -> None:
    for one in ones:
        draw(one)


def _key(name: str, runs: str, view: View) -> str:
    """What a figure is: with another axis, the part of it that a reader zoomed into means nothing."""
    return f"{name}-{runs}-{view.x}" + ("-log" if view.log else "")


def _controls(run: Run) -> tuple[list[Run], View]:
    """Which other runs to lay over this one, and how to draw the curves; all of it in the URL."""
    others = {other.id: other for other in list_runs(home(), "train") if other.id != run.id}
    wanted = [run_id for run_id in st.query_params.get("with", "").split(",") if run_id in others][: MOST_RUNS - 1]
    offered = [run_id for run_id, other in others.items() if run_id in wanted or not about_of(other).archived]
    words = labels_of(others[run_id] for run_id in offered)
    key = f"with-{run.id}"
    if st.session_state.get(key) != wanted:  # set anew at every look, it would close under somebody's hand
        st.session_state[key] = wanted

    def choose() -> None:
        put("with", ",".join(st.session_state[key]))

    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with row.container(width=250):
        chosen = st.multiselect(
            "Compare with",
            offered,
            key=key,
            format_func=words.__getitem__,
            max_selections=MOST_RUNS - 1,
            on_change=choose,
            placeholder="Compare with others",
            disabled=not offered,
            label_visibility="collapsed",
        )
    with row.popover("Axes", icon=":material/tune:"):
        x = st.segmented_control(
            "Against",
            list(X),
            default="kimg",
            required=True,
            format_func=X.__getitem__,
            key="against",
            bind="query-params",
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.98,
            0.0,
            0.02,
            key="smoothing",
            bind="query-params",
            width=200,
            help="A running mean over the ticks; the numbers themselves stay faintly behind it. Scores of snapshots "
            "are never smoothed.",
        )
        log = st.toggle("Log scale", key="log", bind="query-params", help="For losses and FID.")
    with row.popover("How to read them", icon=":material/help:", type="tertiary"):
        st.markdown("\n\n".join(how_to_read({*read_rows(run).fields})))
    return [others[run_id] for run_id in chosen], View("hours" if x == "hours" else "kimg", smoothing, log)


def _differences(named: dict[str, Run]) -> None:
    """How far each run came, and the settings in which they differ."""
    configs = {name: config_of(run) for name, run in named.items()}
    settings = list(dict.fromkeys(field for config in configs.values() for field in config))
    rows = [read_rows(run) for run in named.values()]
    found = [best_checkpoint(run, of_run) for run, of_run in zip(named.values(), rows, strict=True)]
    facts = {"Shown, kimg": [amount(of_run[-1]["kimg"]) if len(of_run) else "–" for of_run in rows]}
    if any(found):
        facts["Checkpoint with the lowest score"] = [f"{amount(best.kimg)} kimg" if best else "–" for best in found]
    words = {field: word for family in gans().values() for field, word in family.layout.labels.items()}
    for field in settings:
        values = [_plain(config.get(field)) for config in configs.values()]
        if len(set(values)) > 1 and not field.endswith(("fingerprint", "sha256")):
            facts[words.get(field) or setting_name(field)] = values
    st.dataframe(pd.DataFrame(facts, index=list(named)).T, height="content")
    st.caption("How far each came, and every setting in which they differ.")


def _plain(value: Any) -> str:
    if value in (None, "", [], ()):
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(runs: dict[str, Rows], fields: tuple[str, ...]) -> Callable[[], pd.DataFrame]:
    """The numbers behind a figure: all of them, not only those that are drawn."""

    def table() -> pd.DataFrame:
        columns = ["kimg", "seconds", *fields]
        parts = [rows.frame(columns).assign(run=name) for name, rows in runs.items() if len(rows)]
        whole = pd.concat(parts, ignore_index=True).dropna(subset=list(fields), how="all").dropna(axis=1, how="all")
        return whole.drop(columns="run") if list(runs) == [""] else whole[["run", *whole.columns.drop("run")]]

    return table
