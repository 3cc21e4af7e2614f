"""What every page shows of a run: its name, state, progress and the buttons that start, stop and resume it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from engine.configs import Config
from engine.jobs.submit import cancel, resume, stop, submit
from engine.store.about import ABOUT_FILE, About, about
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.files import read_json
from engine.store.home import NAME_PATTERN
from engine.store.runs import RESUMABLE, Run, State, Status, list_runs
from pages.parts.home import home
from pages.parts.words import amount, duration, moment

LIVE_SECONDS = 2.0
BADGE_WIDTH = 110
PAGES = {
    "import": "pages/datasets.py",
    "train": "pages/train.py",
    "dry-run": "pages/train.py",
    "network": "pages/generate.py",
    "projection": "pages/generate.py",
    "pool": "pages/generate.py",
    "quality": "pages/quality.py",
    "ranking": "pages/quality.py",
    "sweep": "pages/evaluate.py",
    "journey": "pages/overview.py",
}
LOOKS: dict[State, tuple[Any, str]] = {
    State.QUEUED: ("gray", ":material/hourglass_empty:"),
    State.RUNNING: ("blue", ":material/play_circle:"),
    State.STOPPING: ("orange", ":material/pause_circle:"),
    State.FINISHED: ("green", ":material/check_circle:"),
    State.FAILED: ("red", ":material/error:"),
    State.STOPPED: ("orange", ":material/stop_circle:"),
    State.CANCELLED: ("gray", ":material/cancel:"),
    State.INTERRUPTED: ("violet", ":material/power_off:"),
}


@st.cache_data(max_entries=2000, show_spinner=False)
def _config(path: Path, written: float) -> dict[str, Any]:
    return read_json(path)


def config_of(run: Run) -> dict[str, Any]:
    """The run's config, read once: it never changes."""
    file = run.path / "config.json"
    return _config(file, file.stat().st_mtime) if file.exists() else run.config()


@st.cache_data(max_entries=2000, show_spinner=False)
def _about(path: Path, written: int) -> About:
    return about(Run(home(), path.parent.name))


def about_of(run: Run) -> About:
    """What people said of a run, read again only when they say something else."""
    file = run.path / ABOUT_FILE
    try:
        return _about(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return About()


def title(run: Run) -> str:
    """The title that somebody gave to a run, else what it is in a few words: `Train phantom · bleed`."""
    return about_of(run).title or given_by_kind(run)


def given_by_kind(run: Run) -> str:
    """What a run is, in a few words: `Train phantom · bleed`."""
    config = config_of(run)
    match config["kind"]:
        case "train":
            what = f"{config['dataset']} · {config['class_name'] or 'all classes'}"
            return f"Train {what} · StyleGAN2-ADA" if config.get("gan") == "stylegan2-ada" else f"Train {what}"
        case "import":
            return f"Import {config['name']}"
        case "dry-run":
            return f"Dry run {config['training']['gan']} · {config['training']['dataset']}"
        case "network":
            return f"Network {config['name']}"
        case "projection":
            return f"Projection {Path(config['image']).name}"
        case "pool":
            each = " and ".join(config.get("only_classes", ())) or "a class"
            return f"Pool {config['name']} · {config['images_per_class']} {each}"
        case "quality":
            return f"Quality {config['name']} · {config['extractor']}"
        case "ranking":
            training = Run(run.home, config["run"])
            return f"Ranking · {title(training) if training.exists() else config['run']}"
        case "sweep":
            return f"Sweep {config['name']} · {config['classifier']}"
        case "journey":
            return f"Journey {config['preset']}"
    return run.id


def badge(state: State, width: Literal["content"] | int = "content") -> None:
    """The state of a run as a coloured badge; a `width` in pixels lines up a list of them."""
    colour, icon = LOOKS[state]
    st.badge(state.value, icon=icon, color=colour, width=width)


def run_row(run: Run) -> None:
    """State, link and time of a run in one line."""
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(run.state(), width=BADGE_WIDTH)
        run_link(run)
        st.caption(moment(run.status().created))


def run_link(run: Run, label: str | None = None) -> None:
    """A link to the page that shows this run."""
    page = PAGES.get(config_of(run)["kind"], "pages/runs.py")
    st.page_link(page, label=label or title(run), icon=":material/open_in_new:", query_params={"run": run.id})


def run_in_url() -> Run | None:
    """The run that `?run=` names, if there is one."""
    run_id = st.query_params.get("run", "")
    return Run(home(), run_id) if NAME_PATTERN.fullmatch(run_id) and Run(home(), run_id).exists() else None


def run_picker(kind: str, key: str, *, label: str = "Run", runs: list[Run] | None = None) -> Run | None:
    """A choice among the runs of a kind (or among `runs`), bound to `?run=`; None when there is none.

    Archived runs are left out, except for one that the URL names.
    """
    linked = st.query_params.get("run")
    offered = list_runs(home(), kind) if runs is None else runs
    among = {run.id: run for run in offered if run.id == linked or not about_of(run).archived}
    if not among:
        return None
    wanted = st.query_params.get("run")
    if wanted and run_in_url() is None:
        st.warning(f"There is no run {wanted} here; this is the newest instead.", icon=":material/link_off:")
    chosen = choice_in_url(
        label,
        list(among),
        "run",
        key,
        lambda run_id: f"{title(among[run_id])} · {moment(among[run_id].status().created)}",
    )
    return among[chosen]


def choice_in_url(
    label: str, options: Sequence[str], parameter: str, key: str, format_func: Callable[[str], str] = str
) -> str:
    """A choice that the URL holds: a link sets it, a choice changes the link; the first option when it says neither."""
    wanted = st.query_params.get(parameter)
    shown = wanted if wanted in options else options[0]
    st.session_state[key] = shown

    def choose() -> None:
        st.query_params[parameter] = st.session_state[key]

    chosen = st.selectbox(label, options, format_func=format_func, key=key, on_change=choose)
    if chosen != wanted:
        st.query_params[parameter] = chosen
    return chosen


def start(config: Config) -> Run | None:
    """Submit a run and show it in the URL; the one sentence, and None, when it cannot start.

    A second press finds the first one's run: it is said in a sentence, and that run is shown.
    """
    with st.spinner("Starting…"):
        try:
            run = submit(home(), config)
        except AlreadyActive as error:
            st.toast(str(error), icon=":material/play_circle:", duration="long")  # outlives the page's next run
            st.query_params["run"] = error.run_id
            return Run(home(), error.run_id)
        except ErsatzError as error:
            st.error(str(error), icon=":material/error:")
            return None
    st.query_params["run"] = run.id
    st.toast(f"Started: {title(run)}", icon=":material/play_circle:")
    return run


def live(part: Callable[..., None], active: bool) -> Callable[..., None]:
    """`part` as a fragment that is drawn again every two seconds while `active`; a user's errors are one sentence."""

    @wraps(part)
    def drawn(*arguments: Any) -> None:
        try:
            part(*arguments)
        except ErsatzError as error:
            st.error(str(error), icon=":material/error:")

    return st.fragment(drawn, run_every=LIVE_SECONDS if active else None)


def run_header(run: Run) -> None:
    """State, progress, time left, alarms and error of a run, live while it is active; then Stop or Resume."""
    state = run.state()
    live(run_progress, state.is_active)(run, state)
    # outside of the live part: a dialog would close at its next turn
    run_actions(run, state)


def run_progress(run: Run, shown: State) -> None:
    """One look at a run; the whole page is drawn again once its state is no longer the one `shown`."""
    state, status = run.state(), run.status()
    if state is not shown:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(state)
        st.caption(_facts(state, status))
    if state.is_active and status.total:
        share = min(1.0, status.done / status.total)
        st.progress(share, text=_progress_text(run, status))
    for alarm in status.alarms:
        if alarm["sentence"] == status.error:
            continue  # said once, below
        since = f" (at {amount(alarm['kimg'])} kimg)" if "kimg" in alarm else ""
        name = alarm["name"].replace("-", " ").capitalize()
        st.warning(f"**{name}**{since}: {alarm['sentence']}", icon=":material/warning:")
    if status.error:
        st.error(status.error, icon=":material/error:")
    if state is State.INTERRUPTED:
        st.info(
            "The program that did this run ended without a word (a crash, or the machine was switched off). "
            "Resume goes on from what it had saved.",
            icon=":material/power_off:",
        )


def run_actions(run: Run, state: State) -> None:
    """Stop (asks first) or Resume, whichever the state allows."""
    if state.is_active:
        pressed = st.button("Stop", icon=":material/stop:", key=f"stop-{run.id}", disabled=state is State.STOPPING)
        if pressed:
            stop_dialog(run)
    elif state in RESUMABLE and st.button("Resume", icon=":material/resume:", key=f"resume-{run.id}"):
        with st.spinner("Starting…"):
            try:
                resume(run)
            except ErsatzError as error:
                st.error(str(error), icon=":material/error:")
                return
        st.rerun()


@st.dialog("Stop this run?")
def stop_dialog(run: Run) -> None:
    """Ask, then stop a running or cancel a queued run."""
    queued = run.state() is State.QUEUED
    st.write(f"**{title(run)}**")
    if queued:
        st.write("It waits in the queue and has done nothing yet. It can be started again later.")
    else:
        st.write("It ends at its next safe point with everything saved. It can be resumed later from there.")
    with st.container(horizontal=True):
        if st.button("Cancel the run" if queued else "Stop the run", type="primary", icon=":material/stop:"):
            cancel(run) if queued else stop(run)
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _facts(state: State, status: Status) -> str:
    facts = [f"started {moment(status.started)}" if status.started else f"waiting since {moment(status.created)}"]
    if status.started:
        end = status.ended if state.is_final and status.ended else time.time()
        if state is not State.INTERRUPTED:
            facts.append(f"took {duration(end - status.started)}" if state.is_final else duration(end - status.started))
    if status.device:
        facts.append(status.device)
    if not state.is_active and status.total:
        facts.append(f"{amount(status.done)} of {amount(status.total)} {status.unit}")
    return " · ".join(facts)


def _progress_text(run: Run, status: Status) -> str:
    text = f"{status.stage or 'Working'} · {amount(status.done)} of {amount(status.total)} {status.unit}"
    left = _seconds_left(run, status)
    return text if left is None else f"{text} · about {duration(left)} left"


def _seconds_left(run: Run, status: Status) -> float | None:
    """Time left in this stage at the speed seen since this browser first looked at it; None until that is known."""
    # a resumed run starts anew: the pause must not count
    first = st.session_state.setdefault(f"seen-{run.id}-{status.started}-{status.stage}", (time.time(), status.done))
    elapsed, done = time.time() - first[0], status.done - first[1]
    if elapsed < 4 or done <= 0:
        return None
    return (status.total - status.done) * elapsed / done
