"""The snapshots of a training ranked by KID to the validation images, and the export of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs import RankingConfig
from engine.gans.snapshots import list_generators
from engine.quality.quality_scores import rows_table
from engine.quality.results import RankingResult
from engine.quality.snapshot_ranking import (
    RANKING_FILE,
    RankedSnapshot,
    Ranking,
    difference_of,
    remark,
    sentence_of,
)
from engine.report.figures import figure_ranking
from engine.sampling.exported import has_generator
from engine.store.runs import Run, State, list_runs
from pages.components.charts import chart
from pages.components.cli_subprocess import run_cli
from pages.components.command import command_line, show_command
from pages.components.errors import done
from pages.components.files import generator_info, read_model
from pages.components.format import amount, plain
from pages.components.forms import config_form
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.people import Role, guarded, require
from pages.components.phantom import phantom_badge
from pages.components.place import choose_place
from pages.components.run_summary import config_of, state_of, status_of, title
from pages.components.runs import live, run_header, start
from pages.components.widget_keys import widget_key
from pages.quality.views import AGAIN

EXPORT_SECONDS = 600
LABELS = {
    "images": "Images of each snapshot",
    "snapshots": "Only the newest (0: all)",
    "extractor": "By the features of",
    "margin": "Difference of KID that would not matter",
}


def with_snapshots() -> list[Run]:
    """The trainings that have a snapshot to rank, newest first."""
    return [run for run in list_runs(home(), "train") if list_generators(run.path)]


def rankings_of(training: Run) -> list[Run]:
    """The rankings of a training's snapshots, newest first."""
    return [run for run in list_runs(home(), "ranking") if config_of(run)["run"] == training.id]


def snapshots(trainings: list[Run], linked: Run | None) -> None:
    """Choose a training, rank its snapshots, and read the newest ranking."""
    st.write(
        "The last snapshot of a training is not always its best. A ranking samples every snapshot and measures the "
        "distance (KID) of its images to the validation images, which no generator has seen. All are asked for the "
        "same seeds and held against the same images, so that their differences are tested pair by pair."
    )
    by_id = {run.id: run for run in trainings}
    wanted = "" if linked is None else config_of(linked).get("run", linked.id)
    chosen = st.selectbox(
        "Training",
        list(by_id),
        index=list(by_id).index(wanted) if wanted in by_id else 0,
        format_func=labels_of(by_id.values()).__getitem__,
        key=f"ranked-{wanted}",
    )
    training = by_id[chosen]
    phantom_badge(config_of(training)["dataset"])
    made = rankings_of(training)
    if made:
        ranking = linked if linked is not None and linked.id in {run.id for run in made} else made[0]
        run_header(ranking)
        live(show_ranking, state_of(ranking).is_active)(ranking, training)
    again = config_of(linked) if linked is not None and linked.id == st.query_params.get(AGAIN) else {}
    with st.expander("New ranking", icon=":material/add:", expanded=not made or bool(again)):
        new_ranking(training, again if again.get("kind") == "ranking" and wanted == training.id else {})


def new_ranking(training: Run, again: dict[str, Any]) -> None:
    """Settings of a ranking, those of one that is to be made `again`, and its start."""
    base = {name: value for name, value in again.items() if name in RankingConfig.model_fields} | {"run": training.id}
    place = choose_place("ranking", f"rank-{training.id}")
    values = config_form(
        RankingConfig,
        ["images", "snapshots", "extractor"],
        base,
        key=f"rank-{training.id}{'-again' if again else ''}",
        more=["margin", "weights", "seed", "device"],
        labels=LABELS,
        submit="Rank the snapshots",
        icon=":material/leaderboard:",
    )
    if values is not None and start(RankingConfig.build(values), place=place) is not None:
        st.rerun()
    show_command(command_line(RankingConfig.build(base), place=place))


def show_ranking(ranking: Run, training: Run) -> None:
    """KID against kimg, and the export of a snapshot."""
    found = read_ranking(ranking)
    if found is None:
        if state_of(ranking).is_active:
            st.info("The first snapshot appears here as soon as it is scored.", icon=":material/hourglass_top:")
        return
    rows, margin = found.snapshots, config_of(ranking).get("margin")
    active = state_of(ranking).is_active
    chart(figure_ranking(found, margin), f"ranking-{ranking.id}", "ranking", lambda: rows_table(rows), live=active)
    if status_of(ranking).result_as(RankingResult):
        st.info(sentence_of(found, margin), icon=":material/leaderboard:")
    best, exported = found.best.snapshot, exported_snapshot(training)
    table = pd.DataFrame(
        {
            "Snapshot": [row.snapshot for row in rows],
            "kimg": [amount(row.kimg) for row in rows],
            "KID": [f"{row.kid:.4f}" for row in rows],
            "95 % interval": [f"{row.low:.4f} to {row.high:.4f}" for row in rows],
            "Above the lowest (95 %)": [difference_of(row) for row in rows],
            "": [", ".join([remark(found, row, margin)] + ["exported"] * (row.snapshot == exported)) for row in rows],
        }
    )
    st.dataframe(table, hide_index=True, height="content")
    st.caption(
        "Above the lowest: the difference to the lowest KID, on the same validation images (whole patients where they "
        "are known) and the same seeds; its interval holds for all pairs of snapshots together. Not told apart does "
        "not mean equally good. The interval beside each KID is of that snapshot alone and no test of two of them."
    )
    if state_of(ranking) is State.FINISHED:
        export(training, rows, best, exported)


def export(training: Run, rows: Sequence[RankedSnapshot], best: str, exported: str) -> None:
    """Make one of the snapshots the training's generator."""
    there = {path.name for path in list_generators(training.path)}
    names = [row.snapshot for row in rows if row.snapshot in there]
    if not names:
        st.caption("The snapshots were deleted since, so that none can be exported.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Snapshot", names, index=names.index(best) if best in names else 0, key=f"export-{training.id}", width=360
        )
        pressed = st.button(
            "Export this one…",
            icon=":material/memory:",
            key=f"export-{training.id}-{chosen}",
            **guarded(Role.EDITOR, disabled=chosen == exported),
        )
    show_command(f"python -m engine export {training.id} --snapshot {training.path / 'snapshots' / chosen}")
    if chosen == exported:
        st.caption("This snapshot is the training's generator already.")
    if pressed:
        export_dialog(training, chosen, exported)


@st.dialog("Export this snapshot?")
def export_dialog(training: Run, snapshot: str, exported: str) -> None:
    """Ask, then export in a process of its own: the dashboard itself never loads torch."""
    st.write(f"**{plain(snapshot)}** becomes the generator of {plain(title(training))}.")
    if exported:
        st.write(
            f"It takes the place of {plain(exported)}. Pools that exist stay as they are; new ones are made with this."
        )
    with st.container(horizontal=True):
        if st.button(
            "Export",
            type="primary",
            icon=":material/memory:",
            key=widget_key("export-now", training.id, snapshot, exported),
            **guarded(Role.EDITOR),
        ):
            require(Role.EDITOR)
            with st.spinner("Exporting, and holding it against torch…"):
                taken = done(run_export, training, snapshot)
            if taken:
                st.toast(f"{plain(snapshot)} is the generator now", icon=":material/check:")
                st.rerun()
        if st.button("Leave it", key="export-not"):
            st.rerun()


def run_export(training: Run, snapshot: str) -> None:
    """Export by the command line; an `ErsatzError` with its sentence when it fails."""
    require(Role.EDITOR)
    path = training.path / "snapshots" / snapshot
    run_cli("export", training.id, "--snapshot", str(path), seconds=EXPORT_SECONDS)


def read_ranking(ranking: Run) -> Ranking | None:
    """A ranking as far as it has come; None before its first snapshot."""
    path = ranking.path / RANKING_FILE
    found = read_model(path, Ranking) if path.is_file() else None
    return found if found is not None and found.snapshots else None


def exported_snapshot(training: Run) -> str:
    """The snapshot behind the training's generator; "" before an export."""
    return generator_info(training.path).snapshot if has_generator(training.path) else ""
