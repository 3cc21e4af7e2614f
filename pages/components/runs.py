"""What every page shows of a run: its name, state, progress and the buttons that start, stop and resume it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.configs import Config
from engine.jobs.kinds import kind_shown
from engine.jobs.submit import cancel, resume, stop, submit
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.runs import HERE, RESUMABLE, Run, State, Status, list_runs
from pages.components import quiet_address
from pages.components.alarms import alarm_badges, alarms_of
from pages.components.damaged import damage_of_result
from pages.components.errors import done, show_error
from pages.components.format import amount, duration, moment, plain, plain_sentence
from pages.components.header import CHOICE_WIDTH
from pages.components.home import home
from pages.components.labels import labels_of, told_apart
from pages.components.navigation import script
from pages.components.people import Role, guarded, person, require
from pages.components.place import asked_place
from pages.components.query_params import heard, put
from pages.components.run_summary import about_of, config_of, run_named, state_of, status_of, title, where_of
from pages.components.widget_keys import widget_key

LIVE_SECONDS = 2.0
BADGE_WIDTH = 110
LOOKS: dict[State, tuple[Any, str]] = {
    State.QUEUED: ("gray", ":material/hourglass_empty:"),
    State.RUNNING: ("blue", ":material/play_circle:"),
    State.STOPPING: ("orange", ":material/pause_circle:"),
    State.FINISHED: ("green", ":material/check_circle:"),
    State.FAILED: ("red", ":material/error:"),
    State.STOPPED: ("orange", ":material/stop_circle:"),
    State.CANCELLED: ("gray", ":material/cancel:"),
    State.INTERRUPTED: ("violet", ":material/power_off:"),
    State.DAMAGED: ("red", ":material/broken_image:"),
}
ALARMED: tuple[Any, str] = ("orange", ":material/warning:")


def badge(state: State, width: Literal["content"] | int = "content", alarmed: bool = False) -> None:
    """The state of a run as a coloured badge; a `width` in pixels lines up a list of them.

    What has finished or was stopped with an alarm (`alarmed`) is no plain success.
    """
    colour, icon = ALARMED if alarmed and state in (State.FINISHED, State.STOPPED) else LOOKS[state]
    st.badge(state.value, icon=icon, color=colour, width=width)


def run_row(run: Run) -> None:
    """State, link and time of a run in one line."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status = status_of(run)
        badge(state_of(run), BADGE_WIDTH, bool(alarms_of(status)))
        run_link(run)
        alarm_badges(status)
        st.caption(moment(status.created))


def run_link(run: Run, label: str | None = None) -> None:
    """A link to the page that shows this run."""
    st.page_link(
        page_of(run), label=plain(label or title(run)), icon=":material/open_in_new:", query_params={"run": run.id}
    )


def page_of(run: Run) -> Path:
    """The script of the page that shows this run."""
    return script(kind_shown(config_of(run)["kind"]).page)


def run_in_url() -> Run | None:
    """The run that `?run=` names, if there is one."""
    return run_named(home(), st.query_params.get("run", ""))


def run_picker(
    kind: str, key: str, *, label: str = "Run", runs: list[Run] | None = None, row: DeltaGenerator | None = None
) -> Run | None:
    """A choice among the runs of a kind (or among `runs`), bound to `?run=`; None when there is none.

    It stands in the `row` of the page's header, if one is given. Without one in the URL it is the one that runs, else
    the newest. Archived runs are left out, except for one that the URL names.
    """
    linked = st.query_params.get("run")
    offered = list_runs(home(), kind) if runs is None else runs
    among = {run.id: run for run in running_first(offered) if run.id == linked or not about_of(run).archived}
    if not among:
        if offered:
            st.caption(f"All {len(offered)} are archived; the Runs page shows them.")
        return None
    return among[choice_in_url(label, list(among), "run", key, labels_of(among.values()).__getitem__, row=row)]


def running_first(runs: Iterable[Run]) -> list[Run]:
    """Those that run now before the others, which keep their order: what waits for its turn shows nothing yet."""
    return sorted(runs, key=lambda run: state_of(run) not in (State.RUNNING, State.STOPPING))


def choice_in_url(
    label: str,
    options: Sequence[str],
    parameter: str,
    key: str,
    format_func: Callable[[str], str] = str,
    *,
    row: DeltaGenerator | None = None,
) -> str:
    """A choice that the URL holds: a link sets it, a choice changes the link; the first option when it says nothing.

    That one stays when others come before it.

    Options whose labels are the same are told apart by their own names. In the `row` of a page's header the label is
    heard by a screen reader alone.
    """
    shown_as = told_apart({option: format_func(option) for option in options})
    asked = (st.query_params.get(parameter), quiet_address.last_shown(key), options[0])
    st.session_state[key] = next(one for one in asked if one in options)

    def choose() -> None:
        put(parameter, st.session_state[key])

    slim: dict[str, Any] = {"label_visibility": "collapsed", "width": CHOICE_WIDTH} if row is not None else {}
    chosen = (row or st).selectbox(label, options, format_func=shown_as.__getitem__, key=key, on_change=choose, **slim)
    quiet_address.shown(key, parameter, chosen)
    return chosen


def start(config: Config, beside: int = 1, place: str = "") -> Run | None:
    """Submit a run and show it in the URL; the one sentence, and None, when it cannot start.

    It is recorded as the run of whoever pressed; `beside` as `side_by_side` says it, `place` as `choose_place` does. A
    second press finds the first one's run: a sentence says so, and that run is shown.
    """
    require(Role.EDITOR)
    with st.spinner("Starting…"):
        try:
            run = submit(home(), config, owner=person().name, beside=beside, place=asked_place(place))
        except AlreadyActive as error:
            st.toast(
                plain_sentence(error), icon=":material/play_circle:", duration="long"
            )  # outlives the page's next run
            put("run", error.run_id)
            return Run(home(), error.run_id)
        except ErsatzError as error:
            show_error(error)
            return None
    put("run", run.id)
    st.toast(f"Started: {plain(title(run))}", icon=":material/play_circle:")
    return run


def live(part: Callable[..., None], active: bool, every: float = LIVE_SECONDS) -> Callable[..., None]:
    """`part` as a fragment that is drawn again every few seconds while `active`; a user's errors are one sentence."""

    @wraps(part)
    def drawn(*arguments: Any) -> None:
        heard()
        done(part, *arguments)

    return st.fragment(drawn, run_every=every if active else None)


def with_changes(run: Run) -> None:
    """Where a run came to no good end: the way to the form of its page with the settings that it had."""
    form = kind_shown(config_of(run)["kind"]).form
    # no link: one to the page that is shown looks as if it were already there
    offered = form is not None and state_of(run) in RESUMABLE
    if offered and st.button("Again with changes", icon=":material/edit:", key=f"changes-{run.id}"):
        st.switch_page(page_of(run), query_params={**(form or {}), "again": run.id})


def run_header(run: Run, brief: bool = False, more: Callable[[Run], None] | None = with_changes) -> None:
    """State, progress, time left, alarms and error of a run, live while it is active; beside them Stop or Resume.

    A `brief` one leaves time left and alarms to the page, which knows more of them; `more` draws further buttons.
    """
    state = state_of(run)
    with st.container(horizontal=True):
        with st.container(width="stretch"):
            live(run_progress, state.is_active)(run, state, brief)
        # outside of the live part: a dialog would close at its next turn
        with st.container(horizontal=True, width="content"):
            run_actions(run, state)
            if more is not None:
                more(run)
    end_in_words(run)
    if state is State.FINISHED and (damage := damage_of_result(run)):
        st.warning(plain_sentence(f"A part of the result is damaged. {damage}"), icon=":material/warning:")
        _resume_button(run, "Make it again", ":material/build:")


def run_progress(run: Run, shown: State, brief: bool = False) -> None:
    """One look at a run; the whole page is drawn again once its state is no longer the one `shown`."""
    status = status_of(run)
    state = run.state_of(status)
    if state is not shown:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(state, alarmed=bool(alarms_of(status)))
        alarm_badges(status)
        st.caption(_facts(run, state, status))
    if state.is_active and (status.total or status.stage):
        st.progress(status.share or 0.0, text=progress_text(run, status, brief))
    where = where_of(run, status, state)
    if where.told:
        st.caption(plain_sentence(where.told))
    elif state is State.QUEUED and not brief and where.place == HERE:
        before = [plain(title(other)) for other in list_runs(home()) if state_of(other) is State.RUNNING]
        st.caption(f"It starts by itself when there is room{f' after {before[-1]}' if before else ''}.")
    for alarm in () if brief else status.alarms:
        if alarm.sentence == status.error:
            continue  # said once, below
        since = "" if alarm.kimg is None else f" (at {amount(alarm.kimg)} kimg)"
        name = alarm.name.replace("-", " ").capitalize()
        st.warning(f"**{plain(name)}**{since}: {plain_sentence(alarm.sentence)}", icon=":material/warning:")


def end_in_words(run: Run) -> None:
    """Why a run ended, over the whole width: on a phone the row above has no room for sentences.

    No live part: it says nothing before the whole page is drawn again at the end.
    """
    status = status_of(run)
    if status.error:
        show_error(status.error)
    if run.state_of(status) is State.INTERRUPTED:
        st.info(
            "The program that did this run ended without a word (a crash, or the machine was switched off). "
            "Resume goes on from what it had saved.",
            icon=":material/power_off:",
        )


def run_actions(run: Run, state: State) -> None:
    """Stop (asks first) or Resume, whichever the state allows."""
    if state.is_active:
        stopping = state is State.STOPPING
        if st.button("Stop", icon=":material/stop:", key=f"stop-{run.id}", **guarded(Role.EDITOR, disabled=stopping)):
            stop_dialog(run)
    elif state in RESUMABLE:
        _resume_button(run, "Resume", ":material/resume:")


def _resume_button(run: Run, label: str, icon: str) -> None:
    if st.button(label, icon=icon, key=f"resume-{run.id}", **guarded(Role.EDITOR)):
        with st.spinner("Starting…"):
            resumed = done(_resume, run)
        if resumed:
            st.rerun()


def _resume(run: Run) -> None:
    require(Role.EDITOR)
    try:
        resume(run)
    except ErsatzError:
        if not run.state().is_active:
            raise
        st.toast("It goes on already: somebody else has resumed it.", icon=":material/play_circle:")


@st.dialog("Stop this run?", icon=":material/stop:")
def stop_dialog(run: Run) -> None:
    """Ask, then stop a running or cancel a queued run."""
    queued = state_of(run) is State.QUEUED
    st.write(f"**{plain(title(run))}**")
    if queued and status_of(run).started:  # on a cluster, once more after its job was ended
        st.write("It waits to go on with what it has saved. It can be resumed later from there.")
    elif queued:
        st.write("It waits in the queue and has done nothing yet. It can be started again later.")
    else:
        st.write("It ends at its next safe point with everything saved. It can be resumed later from there.")
    with st.container(horizontal=True):
        if st.button(
            "Cancel the run" if queued else "Stop the run",
            type="primary",
            icon=":material/stop:",
            key=widget_key("stop-now", run.id, queued),
            **guarded(Role.EDITOR),
        ) and done(_end, run, queued):
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _end(run: Run, queued: bool) -> None:
    """An error when it has ended by itself meanwhile."""
    require(Role.EDITOR)
    cancel(run) if queued else stop(run)


def _facts(run: Run, state: State, status: Status) -> str:
    asked = "waiting since" if state is State.QUEUED else "asked for"
    facts = [f"started {moment(status.started)}" if status.started else f"{asked} {moment(status.created)}"]
    if status.started:
        end = status.ended if state.is_final and status.ended else time.time()
        if state is not State.INTERRUPTED:
            facts.append(f"took {duration(end - status.started)}" if state.is_final else duration(end - status.started))
    where = where_of(run, status, state)
    if where.known:
        facts.append(plain(where.known))
    if status.device and status.device != where.node:
        facts.append(plain(status.device))
    if not state.is_active and status.total > 1 and (state is not State.FINISHED or status.done):
        facts.append(f"{amount(status.done)} of {amount(status.total)} {plain(status.unit)}")
    if owner := about_of(run).owner:
        facts.append(f"by {plain(owner)}")
    return " · ".join(facts)


def progress_text(run: Run, status: Status, brief: bool = False) -> str:
    """What it does now, which step of the run that is and how far, and how long it may still take."""
    if status.unit == "s":  # a journey that knows its time
        return f"{plain(status.stage)} · about {duration(status.total - status.done)} left"
    text = plain(status.stage) or "Working"
    if status.total:
        text += f" · {amount(status.done)} of {amount(status.total)} {plain(status.unit)}"
    if status.steps > 1:  # of which nobody knows how long the next ones take
        return f"Step {status.step} of {status.steps} · {text}"
    left = None if brief else _seconds_left(run, status)
    return text if left is None else f"{text} · about {duration(left)} left"


def _seconds_left(run: Run, status: Status) -> float | None:
    """Time left in what is counted, at the speed seen since this browser first looked; None until that is known."""
    # a resumed run starts anew: the pause must not count
    first = st.session_state.setdefault(f"seen-{run.id}-{status.started}-{status.unit}", (time.time(), status.done))
    elapsed, gained = time.time() - first[0], status.done - first[1]
    if elapsed < 4 or gained <= 0:
        return None
    return (status.total - status.done) * elapsed / gained
