"""One run: what it is, what can be done with it, what is said of it, its log and settings."""

from __future__ import annotations

import streamlit as st

from engine.jobs.kinds import kind_shown, parse_config
from engine.store.runs import Run, State
from pages.components.command import command_of
from pages.components.comments import comments
from pages.components.deleting import delete_button
from pages.components.errors import show_error
from pages.components.format import plain, plain_badge
from pages.components.home import home
from pages.components.people import Role, guarded, read_only
from pages.components.run_summary import about_of, config_of, state_of, status_of, title, usual_title
from pages.components.runs import badge, live, page_of, run_header, run_link, start
from pages.runs.annotate import archive, rename
from pages.runs.deleting import delete_dialog
from pages.runs.taking_away import take_away

LOG_BYTES = 20_000
JOB_LOGS = (("slurm", "*_log.*"), ("groups", "*.txt"))
"""What submitit keeps of each job, and what the tasks of an array print."""


def details(run: Run) -> None:
    """Everything about the chosen run."""
    said = about_of(run)
    st.subheader(plain(title(run)))
    with st.container(horizontal=True, vertical_alignment="center"):
        for tag in said.tags:
            st.badge(plain_badge(tag), icon=":material/label:", color="gray")
        if said.archived:
            st.badge("archived", icon=":material/archive:", color="gray")
        usual = f"{plain(usual_title(run))} · " if said.title else ""
        st.caption(f"{usual}`{run.id}`")
    run_header(run, more=None)
    with st.container(horizontal=True, vertical_alignment="center"):
        run_link(run, "Open on its page")
        again(run)
        rename(run)
        archive([run])
        take_away(run)
        if delete_button("Delete", f"delete-{run.id}", disabled=state_of(run).is_active):
            delete_dialog([run])
    log, spoken, settings, command = st.tabs(
        ["Log", "Comments", "Settings", "Command line"], key="part", bind="query-params"
    )
    with log:
        live(log_tail, state_of(run).is_active)(run)
        logs_of_jobs(run)
    with spoken:
        comments(run)
    with settings:
        if not read_only():
            st.caption(f"The run's folder is {plain(run.path)}")
        st.json(config_of(run))
    with command:
        st.code(commands(run), "bash", wrap_lines=True)


def damaged_details(run_id: str, sentence: str) -> None:
    """What is wrong with a damaged run, and the way to be rid of it."""
    run = Run(home(), run_id)
    st.subheader(f"Run {run_id}")
    badge(State.DAMAGED)
    show_error(sentence)
    if delete_button("Delete", f"delete-{run_id}"):
        delete_dialog([run])


def again(run: Run) -> None:
    """The same once more, or in the form of its page with what should be different."""
    kind = kind_shown(config_of(run)["kind"])
    if kind.repeatable and st.button(
        "Run again",
        icon=":material/replay:",
        key=f"again-{run.id}",
        **guarded(
            Role.EDITOR,
            disabled=state_of(run).is_active,
            help="The same settings once more, as a new run. The old one stays.",
        ),
    ):
        made = start(parse_config(run.config()), place=status_of(run).place)
        if made is not None:
            st.rerun()
    if kind.form is not None:
        query = {**kind.form, "again": run.id}
        st.page_link(page_of(run), label="Run again with changes", icon=":material/tune:", query_params=query)


def log_tail(run: Run) -> None:
    """The last lines of what the worker printed, and the whole to take away."""
    if not run.log_path.is_file() or not run.log_path.stat().st_size:
        st.caption("Nothing was printed yet.")
        return
    with run.log_path.open("rb") as file:
        file.seek(max(0, run.log_path.stat().st_size - LOG_BYTES))
        text = file.read().decode(errors="replace")
    st.code(text, language=None, height=320)
    st.download_button(
        "Download the log",
        run.log_path.read_bytes,
        f"{run.id}.txt",
        "text/plain",
        key=f"log-{run.id}",
        icon=":material/download:",
        on_click="ignore",
    )


def logs_of_jobs(run: Run) -> None:
    """What the jobs of a run on the cluster printed beside that, such as the reason why one never began."""
    logs = {path.name: path for folder, names in JOB_LOGS for path in (run.path / folder).glob(names)}
    if not logs:
        return
    with st.expander(f"Logs of its jobs ({len(logs)})", icon=":material/dns:"):
        newest = sorted(logs, key=lambda name: logs[name].stat().st_mtime, reverse=True)
        chosen = st.selectbox("Log", newest, key=f"job-log-{run.id}")
        text = logs[chosen].read_bytes()
        st.code(text[-LOG_BYTES:].decode(errors="replace") or "Nothing was printed.", language=None, height=320)
        st.download_button(
            "Download this log",
            text,
            f"{run.id}-{chosen}",
            "text/plain",
            key=f"job-log-file-{run.id}",
            icon=":material/download:",
            on_click="ignore",
        )


def commands(run: Run) -> str:
    """What to type to do this again, and to look after it."""
    lines = [f"python -m engine runs {run.id}", f"python -m engine about {run.id}"]
    state = state_of(run)
    if state.is_active:
        lines.append(f"python -m engine stop {run.id}")
    else:
        lines += [f"python -m engine resume {run.id}", f"python -m engine delete {run.id}"]
    return "\n".join([command_of(run), *lines])
