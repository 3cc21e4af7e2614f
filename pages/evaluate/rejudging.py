"""A sweep among those of its test set, and its second judgement: by the rule of now, beside the first."""

from __future__ import annotations

import streamlit as st

from engine.configs import SweepConfig
from engine.report.ledger_facts import judged_sentence
from engine.store import ledger
from engine.store.runs import Run, State, list_runs
from engine.sweep.headline import headline
from engine.sweep.standing import standing_of
from engine.sweep.summary_model import REJUDGED_FILE, SweepSummary
from engine.sweep.verdict import RULE
from pages.components.cli_subprocess import run_cli
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.files import read_model, stamp
from pages.components.format import plain, plain_sentence
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.run_summary import state_of
from pages.evaluate.verdicts import show_headline

SECONDS = 600.0


def show_history(run: Run, config: SweepConfig, weights_sha256: str) -> None:
    """Who read the test set before and since, the plan, and when it was revealed."""
    path = ledger.folder(home()) / "events.jsonl"
    written = stamp(path)[1:] if path.is_file() else ()
    for sentence in _history(run, config, weights_sha256, written, len(list_runs(home(), "sweep"))):
        st.caption(f":material/menu_book: {plain(sentence)}")


@st.cache_data(max_entries=32, show_spinner=False)
def _history(run: Run, config: SweepConfig, weights_sha256: str, written: tuple[float, ...], sweeps: int) -> list[str]:
    standing = standing_of(run, config, weights_sha256)
    return standing.sentences() if standing.images else []


def second_judgement(run: Run, first: SweepSummary, config: SweepConfig) -> None:
    """What the rule of now makes of the same trials, or the button that asks it."""
    path = run.path / REJUDGED_FILE
    if path.is_file():
        again = read_model(path, SweepSummary)
        st.markdown("**Judged again**")
        show_headline(headline(again, config))
        st.caption(plain_sentence(again.verdict.sentence))
        st.caption(f"{judged_sentence(again)} The first verdict, above, stands as it was given.")
        report = run.path / "rejudged" / "report.html"
        if report.is_file():
            st.download_button(
                "Report of the second judgement",
                report.read_bytes,
                f"{run.id}-rejudged-report.html",
                "text/html",
                icon=":material/download:",
                on_click="ignore",
            )
    elif first.rule == RULE or state_of(run) is not State.FINISHED:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Judge again by today's rule", icon=":material/gavel:", key=f"judge-{run.id}", **guarded(Role.EDITOR)
        )
        st.caption("From the stored trials; the first verdict stays beside it.")
    show_command(f"python -m engine judge {run.id}\npython -m engine report {run.id} --rejudged")
    if pressed:
        judge(run)


def judge(run: Run) -> None:
    """Judge again and write the report of it, each in a process of its own."""
    require(Role.EDITOR)

    def both() -> None:
        run_cli("judge", run.id, seconds=SECONDS)
        run_cli("report", run.id, "--rejudged", seconds=SECONDS)

    with st.spinner("Judging again…"):
        judged = done(both)
    if judged:
        st.toast("Judged again by today's rule.", icon=":material/gavel:")
        st.rerun()
