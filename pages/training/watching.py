"""Watch one training: numbers, curves and pictures, and what to do next with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from engine.configs import parse_config
from engine.datasets.dataset import Dataset
from engine.gans.snapshots import list_generators
from engine.report.figures import (
    figure_augmentation,
    figure_d_outputs,
    figure_diversity,
    figure_fid,
    figure_gradients,
    figure_held_out,
    figure_kid,
    figure_losses,
    figure_penalties,
    figure_throughput,
)
from engine.sampling.exported import has_generator
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State
from pages.checking.ranking import best_of, rankings_of, read_ranking
from pages.parts.command import command_line
from pages.parts.home import home
from pages.parts.images import picture
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of
from pages.parts.words import amount, duration
from pages.training.starts import newest_snapshot

WALL_PIXELS = 480
RECENT_TICKS, PACE_TICKS = 5, 50
FIGURES = {
    figure_losses: "g_loss",
    figure_d_outputs: "d_real",
    figure_augmentation: "augment_p",
    figure_held_out: "valid_logits",
    figure_kid: "kid",
    figure_fid: "fid",
    figure_diversity: "diversity",
    figure_penalties: "r1",
    figure_gradients: "g_grad_norm",
    figure_throughput: "images_per_second",
}
"""In the order of the page, with the field that the rows must have."""
DETAILS = (figure_penalties, figure_gradients, figure_throughput)
"""Folded away where there are others to look at first."""
FEW = 4
SCORES = ("kid", "fid")


def read_rows(run: Run) -> list[dict[str, Any]]:
    """All rows of `metrics.jsonl`; each look reads only the bytes that are new to this browser."""
    rows, offset = st.session_state.get(f"rows-{run.id}", ([], 0))
    try:
        new, offset = run.read_metrics(offset)
    except ValueError:  # a resumed run dropped rows past its snapshot
        rows, (new, offset) = [], run.read_metrics()
    rows = [*rows, *new]
    for key in [key for key in st.session_state if str(key).startswith("rows-")]:
        del st.session_state[key]  # only the run on the page is kept
    st.session_state[f"rows-{run.id}"] = (rows, offset)
    return rows


def watch(run: Run) -> None:
    """Numbers, curves and pictures of one training."""
    rows = read_rows(run)
    if not rows:
        tick = config_of(run)["tick_kimg"]
        st.info(f"The first numbers come after {tick:g} kimg.", icon=":material/hourglass_top:")
    else:
        numbers(run, rows)
        curves(run, rows)
    sample_wall(run)


def numbers(run: Run, rows: list[dict[str, Any]]) -> None:
    """Progress, speed, time left and memory; of StyleGAN2-ADA also its augmentation and scores."""
    last, status, state = rows[-1], run.status(), run.state()
    speed = recent_speed(rows)
    # While scores are computed the status counts pictures, not kimg.
    total = status.total if status.unit == "kimg" else config_of(run)["kimg"]
    left = seconds_left([row for row in rows if row["time"] >= (status.started or 0)], total)
    shown, rate, time_left, memory = st.columns(4)
    shown.metric("Shown", f"{amount(last['kimg'])} of {amount(total)} kimg", border=True)
    rate.metric("Speed", f"{speed / 1000:.2g} kimg/s", help=f"{speed:.3g} images a second", border=True)
    if state is State.RUNNING and left is not None:
        time_left.metric("Time left", f"about {duration(left)}", border=True)
    else:
        time_left.metric("Trained for", duration(last["seconds"]), border=True)
    memory.metric("Memory", f"{last['memory_gib']:.1f} GiB", border=True)
    if "augment_p" in last:
        stylegan_numbers(run, rows)


def stylegan_numbers(run: Run, rows: list[dict[str, Any]]) -> None:
    last, config = rows[-1], config_of(run)
    r_t, p, gap, score = st.columns(4)
    r_t.metric(
        "r_t",
        f"{last['r_t']:.2f}" if "r_t" in last else "–",
        f"target {config['ada_target']:g}" if config["aug"] == "ada" else None,
        delta_color="off",
        delta_arrow="off",
        help="Share of confident outputs of D on real images, from -1 to 1: high means that it learns them by heart.",
        border=True,
        height="stretch",
    )
    p.metric(
        "Augment p",
        f"{last['augment_p']:.3f}",
        help="Probability of each augmentation.",
        border=True,
        height="stretch",
    )
    judged = [row for row in rows if "valid_logits" in row]
    if judged:
        gap_now = judged[-1]["valid_logits"] - judged[-1]["train_logits"]
        gap.metric(
            "D on held-out images",
            f"{judged[-1]['valid_logits']:.2f}",
            f"{abs(gap_now):.2f} {'below' if gap_now < 0 else 'above'} training",
            delta_color="off",
            delta_arrow="off",
            help="Mean logit on validation images. Far below that of training images, D knows these by heart.",
            border=True,
            height="stretch",
        )
    for name in SCORES:
        scored = [row for row in rows if name in row]
        if scored:
            best = min(scored, key=lambda row: row[name])
            score.metric(
                name.upper(),
                f"{scored[-1][name]:.4g}",
                f"best {best[name]:.4g} at {amount(best['kimg'])} kimg",
                delta_color="off",
                delta_arrow="off",
                help="Distance between synthetic and training images; lower is better.",
                border=True,
                height="stretch",
            )
            break


def recent_speed(rows: list[dict[str, Any]]) -> float:
    """Images a second over the last ticks; one tick alone would make the time left jump about."""
    recent = rows[-RECENT_TICKS:]
    return sum(row["images_per_second"] for row in recent) / len(recent)


def seconds_left(rows: list[dict[str, Any]], total: float) -> float | None:
    """Until `total` kimg, at the pace of the last ticks with snapshots and scores between them; None before two."""
    recent = rows[-PACE_TICKS:]
    if len(recent) < 2:
        return None
    pace = (recent[-1]["time"] - recent[0]["time"]) / (recent[-1]["kimg"] - recent[0]["kimg"])
    return max(0.0, total - recent[-1]["kimg"]) * pace


def curves(run: Run, rows: list[dict[str, Any]]) -> None:
    """Every figure that the rows have numbers for, two in a row."""
    fields = {name for row in rows for name in row}
    known = [build for build, field in FIGURES.items() if field in fields]
    folded = [build for build in known if build in DETAILS] if len(known) > FEW else []
    _pairs(run, rows, [build for build in known if build not in folded])
    if folded:
        with st.expander("Penalties, gradients and speed", icon=":material/monitoring:"):
            _pairs(run, rows, folded)


def _pairs(run: Run, rows: list[dict[str, Any]], builders: list[Callable[..., go.Figure]]) -> None:
    for start in range(0, len(builders), 2):
        for column, build in zip(st.columns(2, gap="medium"), builders[start : start + 2], strict=False):
            column.plotly_chart(build(rows), key=f"{build.__name__}-{run.id}")


def sample_wall(run: Run) -> None:
    """Pictures of the fixed latents through time, beside real ones."""
    grids = {int(path.stem.split("-")[1]): path for path in sorted((run.path / "samples").glob("fakes-*.png"))}
    if not grids:
        return
    st.subheader("Samples")
    phantom_badge(config_of(run)["dataset"])
    moments = list(grids)
    key, newest = f"moment-{run.id}", f"newest-{run.id}"
    if st.session_state.get(key) == st.session_state.get(newest):
        st.session_state[key] = moments[-1]  # follows the training until somebody moves the slider back
    st.session_state[newest] = moments[-1]
    chosen = moments[0]
    if len(moments) > 1:
        chosen = st.select_slider(
            "After", moments, key=key, format_func=lambda images: f"{images / 1000:g} kimg", help="The same latents."
        )
    real, fake = st.columns(2, gap="medium")
    with real:
        _grid(run.path / "samples" / "reals.png", "Real training images")
    with fake:
        _grid(grids[chosen], f"Generated after {chosen / 1000:g} kimg")


def _grid(path: Path, caption: str) -> None:
    if path.is_file():
        st.image(picture(path, path.stat().st_mtime, WALL_PIXELS), caption=caption, width="stretch")


def onward(run: Run) -> None:
    """What can be done with this training: sample its generator, rank its snapshots, fine-tune from its networks."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if has_generator(run.path):
            st.page_link(
                "pages/generate.py",
                label="Generate with it",
                icon=":material/auto_awesome:",
                query_params={"run": run.id},
            )
        if newest_snapshot(run) and st.button(
            "Fine-tune from this", icon=":material/fork_right:", key=f"tune-{run.id}"
        ):
            st.query_params["from"] = run.id
            st.session_state["train-new"] = True
            st.rerun()
    best_snapshot(run)


def best_snapshot(run: Run) -> None:
    """Which snapshot the newest ranking found best; without one, the offer to rank them."""
    if run.state().is_active or not list_generators(run.path):
        return
    ranking = next((made for made in rankings_of(run) if read_ranking(made)), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        if ranking is None:
            st.caption("The last snapshot of a training is not always its best.")
        else:
            best = best_of(read_ranking(ranking))
            st.caption(
                ranking.status().result.get("sentence")
                or f"Best of the snapshots ranked so far: {amount(best['kimg'])} kimg, KID {best['kid']:.4f}."
            )
        st.page_link(
            "pages/quality.py",
            label="Rank its snapshots" if ranking is None else "See the ranking",
            icon=":material/leaderboard:",
            query_params={"run": run.id if ranking is None else ranking.id},
        )


def settings(run: Run) -> None:
    """The run's complete config and how to repeat it."""
    with st.expander("Settings and command line", icon=":material/terminal:"):
        config = parse_config(config_of(run))
        st.code(command_line(config, _size(run)), "bash", wrap_lines=True)
        st.json(config.plain(), expanded=False)


def _size(run: Run) -> int:
    """Pixels of the data set's images; 0 when it is gone."""
    try:
        return Dataset.open(home(), config_of(run)["dataset"]).size
    except ErsatzError:
        return 0
