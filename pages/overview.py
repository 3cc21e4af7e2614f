"""Overview: the question, the way to its answer, the demo, recent runs and the machine."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.configs import JourneyConfig
from engine.presets import PRESETS
from engine.presets import STEPS as JOURNEY_STEPS
from engine.store.runs import Run, State, list_runs
from pages.parts.home import home
from pages.parts.machine import machine
from pages.parts.runs import config_of, live, run_header, run_link, run_row, start, title
from pages.parts.words import gib

STEPS = (
    (
        "import",
        "Import",
        "pages/datasets.py",
        "Bring in images, see what is wrong with them, freeze the split.",
        "data set",
    ),
    ("train", "Train", "pages/train.py", "Train a GAN on the training images alone.", "generator"),
    ("pool", "Generate", "pages/generate.py", "Look at its images and save a pool of them.", "pool"),
    ("quality", "Quality", "pages/quality.py", "Hold it beside real images, and find copies.", "check"),
    ("sweep", "Evaluate", "pages/evaluate.py", "Train the classifier with more and more of them.", "sweep"),
)
VERDICTS = {"helps": st.success, "harms": st.error, "no evidence": st.info}


def finished(runs: list[Run], kind: str) -> int:
    """How often this step was done; a data set counts however it was imported."""
    if kind == "import":
        folder = home().datasets
        return len([path for path in folder.iterdir() if (path / "dataset.json").is_file()]) if folder.is_dir() else 0
    return sum(config_of(run)["kind"] == kind and run.state() is State.FINISHED for run in runs)


def steps(runs: list[Run]) -> None:
    """The journey as a row of cards: what is done, what is under way and what is next."""
    active = {config_of(run)["kind"] for run in runs if run.state().is_active}
    counts = {kind: finished(runs, kind) for kind, *_ in STEPS}
    following = next((kind for kind, *_ in STEPS if not counts[kind]), None)
    for number, (column, (kind, name, page, what, noun)) in enumerate(
        zip(st.columns(len(STEPS)), STEPS, strict=True), start=1
    ):
        with column, st.container(border=True, height="stretch"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{number}. {name}**")
                if kind in active:
                    st.badge("under way", icon=":material/play_circle:", color="blue")
                elif counts[kind]:
                    plural = "" if counts[kind] == 1 else "s"
                    st.badge(f"{counts[kind]} {noun}{plural}", icon=":material/check_circle:", color="green")
                elif kind == following:
                    st.badge("next", icon=":material/arrow_forward:", color="primary")
            st.caption(what)
            st.page_link(page, label=f"Open {name}" if name != "Import" else "Open Datasets")


def journey_children(result: dict[str, Any]) -> list[Run]:
    """The runs that a journey has made so far, those that still exist."""
    steps = [result.get(step, []) for step in JOURNEY_STEPS]
    ids = [run_id for step in steps for run_id in (step if isinstance(step, list) else [step])]
    return [run for run in (Run(home(), run_id) for run_id in dict.fromkeys(ids)) if run.exists()]


def show_verdict(sweep: Run) -> None:
    """The verdict of a finished sweep in its own words, with the way to its figures."""
    result = sweep.status().result
    if "verdict" in result:
        VERDICTS.get(result["verdict"], st.info)(
            f"**Verdict: {result['verdict']}.** {result.get('sentence', '')}", icon=":material/gavel:"
        )
        run_link(sweep, "See the figures on Evaluate")


def show_children(journey: Run) -> None:
    """The verdict once there is one, and the runs of a journey as they come."""
    result = journey.status().result
    children = journey_children(result)
    for child in children:
        if child.id == result.get("sweep"):
            show_verdict(child)
    for child in children:
        run_row(child)


def show_journey(journey: Run) -> None:
    """A journey under way or at its end."""
    preset = config_of(journey)["preset"]
    st.subheader(PRESETS[preset].title if preset in PRESETS else title(journey))
    if preset == "demo":
        st.badge("Phantom: drawn by the program, not by a scanner", icon=":material/science:", color="orange")
    run_header(journey)
    live(show_children, journey.state().is_active)(journey)


def offer_demo() -> None:
    """One button from nothing to a verdict."""
    st.subheader("Try the demo")
    st.write(PRESETS["demo"].story)
    st.caption("It takes a few minutes on a laptop without a GPU. It goes on when you close this tab.")
    if st.button("Try the demo", type="primary", icon=":material/play_arrow:") and start(JourneyConfig(preset="demo")):
        st.rerun()


def recent(runs: list[Run]) -> None:
    """The newest runs with their state."""
    st.subheader("Recent runs")
    if not runs:
        st.caption("Nothing has run here yet.")
        return
    for run in runs[:6]:
        run_row(run)
    st.page_link("pages/runs.py", label=f"All {len(runs)} runs")


def machine_state(runs: list[Run]) -> None:
    """Device, memory, disk and queue."""
    st.subheader("This machine")
    now = machine()
    states = [run.state() for run in runs]
    running, queued = sum(s in (State.RUNNING, State.STOPPING) for s in states), states.count(State.QUEUED)
    st.markdown(f":material/developer_board: **Device**: {now.device} ({now.detail})")
    st.markdown(f":material/memory: **Memory**: {gib(now.memory_used)} of {gib(now.memory_total)} in use")
    st.markdown(f":material/hard_drive: **Disk**: {gib(now.disk_free)} of {gib(now.disk_total)} free")
    st.markdown(f":material/hourglass: **Queue**: {running} running, {queued} waiting")
    st.caption(f"Everything is kept in {home().root}")


st.title("Ersatz: do synthetic images help your classifier?")
st.write(
    "Ersatz trains a GAN on a small medical image set, adds its images to the training set in growing shares, and says "
    "whether the classifier gets better, worse, or whether there is no evidence either way."
)
all_runs = list_runs(home())
steps(all_runs)

journeys = [run for run in all_runs if config_of(run)["kind"] == "journey"]
wanted = [run for run in journeys if run.id == st.query_params.get("run")]
with st.container(border=True):
    if journeys:
        show_journey((wanted or journeys)[0])
    else:
        offer_demo()

left_half, right_half = st.columns([3, 2], gap="large")
with left_half:
    recent(all_runs)
with right_half:
    machine_state(all_runs)
