"""Watch one training as in a cockpit: how it stands in one strip, below it what it makes beside how it learns.

The parts below the strip are as wide as `COLUMN`: side by side where the window has room, else one below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from engine.gans.snapshots import list_generators
from engine.jobs.queue import waiting
from engine.report.training_rows import Rows
from engine.sampling.exported import has_generator
from engine.store.runs import Run, State, Status
from pages.components.alarms import alarms_of
from pages.components.command import show_settings
from pages.components.format import amount, duration, plain, plain_sentence
from pages.components.home import home
from pages.components.navigation import script
from pages.components.people import Role, guarded
from pages.components.run_summary import config_of, state_of, status_of, summary_of
from pages.components.runs import badge, live, run_header
from pages.components.views import way_to
from pages.generate.unexported import generate_with
from pages.quality.ranking import export_dialog, exported_snapshot, rankings_of, read_ranking
from pages.train.alarms import alarm_cards, way_again
from pages.train.curves import curves
from pages.train.reading import SCORES, Best, best_checkpoint, lowest, read_rows, siblings
from pages.train.samples import beside_them, sample_wall
from pages.train.starts import newest_snapshot

RECENT_TICKS, PACE_TICKS = 5, 50
COLUMN = 555
"""Pixels: two stand side by side in a window of 1280, three in one of 1920, and a narrower one shrinks them."""
CURVES_SECONDS = 6.0
"""Between two looks at the curves: Streamlit draws them from scratch, which interrupts a reader who marks a part."""


def watch(run: Run) -> None:
    """Everything about one training, live while it is active."""
    active = state_of(run).is_active
    together(run)
    run_header(run, brief=True, more=onward)
    live(told, active)(run)
    best = best_checkpoint(run, read_rows(run))
    with st.container(horizontal=True):
        with st.container(width=COLUMN):
            sample_wall(run, best)
            if active:
                st.caption(
                    "It goes on when this tab is closed. Stop it whenever the samples look good enough: what was "
                    "learned is kept, and it can be resumed."
                )
            else:
                best_snapshot(run)
        with st.container(width=COLUMN):
            live(charts, active, CURVES_SECONDS)(run)
        with st.container(width=COLUMN):
            beside_them(run)
    show_settings(run)


def together(run: Run) -> None:
    """The generators of the other classes that belong to this one, each with its progress."""
    group = siblings(run)
    if len(group) < 2:
        return
    live(_progress_of, any(state_of(one).is_active for one in group))(group, run)


def _progress_of(group: list[Run], shown: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        words = f"One generator for each class: these {len(group)} trainings belong together; the bold one is shown."
        st.caption(words, width="content")
        for one in group:
            found, name = summary_of(one), config_of(one)["class_name"]
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
                badge(found.state, alarmed=bool(alarms_of(found.status)))
                if one.id == shown.id:
                    st.markdown(f"**{plain(name)}**", width="content")
                else:
                    way_to(plain(name), ":material/arrow_forward:", f"to-{one.id}", "", "tertiary", run=one.id)
                st.caption(f"{amount(_shown_kimg(one, found.status))} of {amount(_budget(one))} kimg", width="content")


def _budget(run: Run) -> float:
    """In kimg; the status counts images while scores are computed."""
    return config_of(run)["kimg"]


def _shown_kimg(run: Run, status: Status) -> float:
    if status.unit == "kimg":
        return status.done
    rows = read_rows(run)
    return rows[-1]["kimg"] if len(rows) else 0.0


def told(run: Run) -> None:
    """What the training says of itself in words and numbers."""
    numbers(run)
    alarm_cards(run)


def numbers(run: Run) -> None:
    """Progress, speed, time left and memory; of StyleGAN2-ADA also its augmentation and scores."""
    rows = read_rows(run)
    if len(rows) == 0:
        _before_the_first(run)
        return
    last, status = rows[-1], status_of(run)
    speed = recent_speed(rows)
    # While scores are computed the status counts pictures, not kimg.
    total = status.total if status.unit == "kimg" else config_of(run)["kimg"]
    memory = f"{last['memory_gib']:.1f} GiB of memory"
    left = seconds_left([row for row in rows[-PACE_TICKS:] if row["time"] >= (status.started or 0)], total)
    with st.container(horizontal=True, border=True, gap="medium"):
        _metric(
            "Shown", f"{amount(last['kimg'])} of {amount(total)} kimg", f"{amount(1000 * last['kimg'])} real images"
        )
        _metric("Speed", f"{speed / 1000:.2g} kimg/s", f"{speed:.3g} images a second")
        if state_of(run) is State.RUNNING and left is not None:
            _metric("Time left", f"about {duration(left)}", memory)
        else:
            _metric("Trained for", duration(last["seconds"]), memory)
        if "augment_p" in last:
            _stylegan_numbers(run, rows)


def _stylegan_numbers(run: Run, rows: Rows) -> None:
    last, config = rows[-1], config_of(run)
    _metric(
        "r_t (overfitting)",
        f"{last['r_t']:.2f}" if "r_t" in last else "–",
        f"target {config['ada_target']:g}" if config["aug"] == "ada" else None,
        help="Share of confident outputs of D on real images, from -1 to 1: high means that it learns them by heart.",
    )
    _metric(
        "Augment p",
        f"{last['augment_p']:.3f}",
        f"{100 * last['augment_p']:.0f} % chance of each change",
        help="Probability of each augmentation.",
    )
    judged = rows.with_field("valid_logits")
    if len(judged):
        gap_now = judged[-1]["valid_logits"] - judged[-1]["train_logits"]
        _metric(
            "D on held-out images",
            f"{judged[-1]['valid_logits']:.2f}",
            f"{abs(gap_now):.2f} {'below' if gap_now < 0 else 'above'} training",
            help="Mean logit on validation images. Far below that of training images, D knows these by heart.",
        )
    for name in SCORES:
        scored = rows.with_field(name)
        if len(scored):
            best = lowest(scored, name)
            _metric(
                name.upper(),
                f"{scored[-1][name]:.4g}",
                f"best {best[name]:.4g} at {amount(best['kimg'])} kimg",
                help="Distance between synthetic and training images; lower is better.",
            )
            break


def _metric(label: str, value: str, remark: str | None = None, help: str | None = None) -> None:
    st.metric(label, value, remark, delta_color="off", delta_arrow="off", help=help, width="content")


def _before_the_first(run: Run) -> None:
    """What a training without numbers waits for."""
    state = state_of(run)
    if state is State.QUEUED:
        before = [other.id for other in waiting(home())]
        place = before.index(run.id) if run.id in before else 0
        st.info(
            "It is next: it starts as soon as a device is free."
            if place == 0
            else f"It waits in the queue; {place} {'run is' if place == 1 else 'runs are'} before it.",
            icon=":material/hourglass_empty:",
        )
    elif state.is_active:
        tick = config_of(run)["tick_kimg"]
        st.info(
            f"The first numbers come after {tick:g} kimg ({amount(1000 * tick)} images shown).",
            icon=":material/hourglass_top:",
        )
    else:
        st.info("It ended before its first numbers.", icon=":material/timer_off:")


def recent_speed(rows: Sequence[dict[str, Any]]) -> float:
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


def charts(run: Run) -> None:
    """The curves, once there are any."""
    if len(read_rows(run)):
        curves(run)


def onward(run: Run) -> None:
    """What can be done with this training: sample its generator, fine-tune, train again."""
    if state_of(run).is_active and not has_generator(run.path) and not newest_snapshot(run):
        return
    generate_with(run)
    if newest_snapshot(run):
        way_to("Fine-tune from this", ":material/fork_right:", f"tune-{run.id}", "new", **{"from": run.id})
    way_again(run, "Train again with changes", icon=":material/edit:")


def best_snapshot(run: Run) -> None:
    """Which snapshot is the best as far as anybody measured, and its export; else the offer to rank them."""
    if not list_generators(run.path):
        return
    best = best_checkpoint(run, read_rows(run))
    ranking = next((made for made in rankings_of(run) if read_ranking(made) is not None), None)
    exported = exported_snapshot(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        if best is None:
            st.caption("The last snapshot of a training is not always its best.", width="content")
        else:
            st.caption(plain_sentence(best.sentence), width="content")
            _take(run, best, exported)
        st.page_link(
            script("quality"),
            label="Rank its snapshots" if ranking is None else "See the ranking",
            icon=":material/leaderboard:",
            query_params={"run": run.id if ranking is None else ranking.id},
        )


def _take(run: Run, best: Best, exported: str) -> None:
    if best.snapshot and best.snapshot == exported:
        st.badge("It is the generator in use", icon=":material/check:", color="green")
    elif best.snapshot:
        pressed = st.button(
            "Use this checkpoint…", icon=":material/star:", key=f"best-{run.id}", **guarded(Role.EDITOR)
        )
        if pressed:
            export_dialog(run, best.snapshot, exported)
