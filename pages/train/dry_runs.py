"""What a training would cost, as a dry run measured it."""

from __future__ import annotations

import streamlit as st

from engine.configs import parse_training
from engine.configs.gans import gan_title
from engine.gans.results import DryRunResult
from engine.store.runs import Run, State
from pages.components.command import show_settings
from pages.components.format import amount, duration, plain, plain_sentence
from pages.components.people import Role, guarded, require
from pages.components.place import choose_place
from pages.components.run_summary import config_of, state_of, status_of
from pages.components.runs import live, run_header, start
from pages.components.views import go
from pages.train.alarms import way_again


def show_dry_run(run: Run) -> None:
    """State and answer of a dry run, and the button that starts the training it tried."""
    training = parse_training(config_of(run)["training"])
    with st.container(border=True):
        st.subheader("Dry run")
        who = training.class_name or "all classes"
        st.caption(f"{gan_title(training.gan)} on {plain(training.dataset)}, {plain(who)}; batch {training.batch}")
        run_header(run)
        live(answer, state_of(run).is_active)(run)
        if state_of(run) is State.FINISHED:
            place = choose_place("train", f"start-{run.id}")
            with st.container(horizontal=True, vertical_alignment="center"):
                alone = f" ({plain(who)} alone)" if training.class_name else ""
                pressed = st.button(
                    f"Start this training{alone}",
                    icon=":material/play_arrow:",
                    key=f"start-{run.id}",
                    **guarded(Role.EDITOR),
                )
                way_again(run, "Fill in the form with its settings", icon=":material/edit:")
            if pressed:
                require(Role.EDITOR)
                if start(training, place=place):
                    go()
        show_settings(run)


def answer(run: Run) -> None:
    """Whether it fits this machine, and memory, time and disk; nothing while it measures."""
    cost = status_of(run).result_as(DryRunResult)
    if cost is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if cost.fits and cost.room:
            st.badge("Fits this machine", icon=":material/check:", color="green")
        elif cost.fits:
            st.badge("The disk is too full", icon=":material/error:", color="red")
        else:
            st.badge("Does not fit this machine", icon=":material/error:", color="red")
        st.caption(f"{plain(cost.device)}, {cost.precision}", width="content")
    numbers(cost)
    if not (cost.fits and cost.room):
        st.warning(plain_sentence(cost.sentence), icon=":material/warning:")
    else:
        st.caption(plain_sentence(cost.sentence))


def numbers(cost: DryRunResult) -> None:
    """Time, speed, memory and disk."""
    with st.container(horizontal=True):
        if cost.fits:
            st.metric(f"For {amount(cost.kimg)} kimg", duration(cost.seconds), border=True)
            st.metric("One kimg (1,000 images)", duration(cost.seconds_per_kimg), border=True)
            st.metric("Memory", f"{cost.memory_gib:.1f} of {cost.memory_free_gib:.1f} GiB", border=True)
        st.metric("Disk", f"{_gib(cost.disk_gib)} of {cost.disk_free_gib:.1f} GiB", border=True)


def _gib(gib: float) -> str:
    return f"{gib:.1f}" if gib >= 1 else f"{1024 * gib:.0f} MiB"
