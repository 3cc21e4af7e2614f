"""Start a check of a pool, and say how to repeat one."""

from __future__ import annotations

import streamlit as st

from engine.configs import QualityConfig
from engine.publications.presets import PRESETS
from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.command import command_line, show_command
from pages.components.files import read_model
from pages.components.format import duration, plain
from pages.components.forms import config_form
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.phantom import phantom_badge
from pages.components.place import choose_place
from pages.components.run_summary import config_of, run_named, status_of, title
from pages.components.runs import start
from pages.components.views import go
from pages.quality.views import AGAIN, READ

MAIN_FIELDS = ["name", "extractor", "exclude"]
CHOSEN_ABOVE = {"kind", "dataset", "dataset_fingerprint", "pool", "pool_sha256"}


def new_check(pools: list[Run], linked: Run | None) -> None:
    """Choose a pool and how to compare it, and start."""
    by_id = {run.id: run for run in pools}
    earlier = run_named(home(), st.query_params.get(AGAIN, ""))
    before = config_of(earlier) if earlier is not None and config_of(earlier)["kind"] == "quality" else {}
    st.write(
        "A check compares the pool with the real training images, looks for copies of them, and holds every number "
        "against what two halves of the real images give. It never reads the test images."
    )
    wanted = before.get("pool") or (linked.id if linked else "")
    chosen = st.selectbox(
        "Pool of synthetic images",
        list(by_id),
        index=list(by_id).index(wanted) if wanted in by_id else 0,
        format_func=labels_of(by_id.values()).__getitem__,
        key=f"check-pool-{wanted}",
    )
    pool = config_of(by_id[chosen])
    phantom_badge(pool["dataset"])
    own = next((preset for preset in PRESETS.values() if preset.importing.get("name") == pool["dataset"]), None)
    if earlier is not None and before:
        st.caption(f"Starts from the settings of {plain(title(earlier))}; change what you want to be different.")
    base = {
        **(getattr(own, "quality", {}) if own else {}),
        **{name: value for name, value in before.items() if name not in CHOSEN_ABOVE},
        "name": pool["name"],
        "dataset": pool["dataset"],
        "pool": chosen,
    }
    place = choose_place("quality", "check")
    values = config_form(
        QualityConfig,
        MAIN_FIELDS,
        base,
        key=f"check-{chosen}-{earlier.id if earlier else ''}",
        more=[field for field in QualityConfig.model_fields if field not in {*CHOSEN_ABOVE, *MAIN_FIELDS}],
        submit="Start check",
    )
    if values is not None and (run := start(QualityConfig.build(values), place=place)) is not None:
        go(READ, run=run.id)
    st.caption(time_before() or "The settings can stay as they are. A pool of some hundred images takes a few minutes.")
    show_command(command_line(QualityConfig.build(base), place=place))


def time_before() -> str:
    """How long the newest finished check took here; empty when there was none."""
    for run in list_runs(home(), "quality"):
        status, scores = status_of(run), run.path / SCORES_FILE
        if status.state is State.FINISHED and status.started and status.ended and scores.is_file():
            try:
                images = read_model(scores, QualityScores).counts.pool
            except ErsatzError:  # its own page says so; an earlier check may tell
                continue
            return f"{plain(title(run))} took **{duration(status.ended - status.started)}** for {images} images here."
    return ""
