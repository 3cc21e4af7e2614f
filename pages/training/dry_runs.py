"""What a training would cost, as a dry run measured it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.configs import parse_training
from engine.store.runs import Run, State
from pages.parts.command import command_line
from pages.parts.runs import config_of, live, run_header, start
from pages.parts.words import amount, duration
from pages.training.gans import NAMES


def show_dry_run(run: Run) -> None:
    """State and answer of a dry run, and the button that starts the training it tried."""
    training = parse_training(config_of(run)["training"])
    with st.container(border=True):
        st.subheader("Dry run")
        who = training.class_name or "all classes"
        st.caption(f"{NAMES[training.gan]} on {training.dataset}, {who}; batch {training.batch}")
        run_header(run)
        live(answer, run.state().is_active)(run)
        with st.expander("Its settings", icon=":material/terminal:"):
            st.code(command_line(training), "bash", wrap_lines=True)
        if run.state() is State.FINISHED:
            pressed = st.button("Start this training", icon=":material/play_arrow:", key=f"start-{run.id}")
            if pressed and start(training):
                st.session_state["train-started"] = True
                st.rerun()


def answer(run: Run) -> None:
    """Memory, time and disk; nothing while it measures."""
    cost = run.status().result
    if not cost:
        return
    numbers(cost)
    if not (cost["fits"] and cost["room"]):
        st.warning(cost["sentence"], icon=":material/warning:")
    else:
        st.caption(cost["sentence"])


def numbers(cost: dict[str, Any]) -> None:
    time, speed, memory, disk = st.columns(4)
    if cost["fits"]:
        time.metric(f"For {amount(cost['kimg'])} kimg", duration(cost["seconds"]), border=True)
        speed.metric("One kimg", duration(cost["seconds_per_kimg"]), border=True)
        memory.metric("Memory", f"{cost['memory_gib']:.1f} of {cost['memory_free_gib']:.1f} GiB", border=True)
    disk.metric("Disk", f"{_size(cost['disk_gib'])} of {cost['disk_free_gib']:.1f} GiB", border=True)


def _size(gib: float) -> str:
    return f"{gib:.1f}" if gib >= 1 else f"{1024 * gib:.0f} MiB"
