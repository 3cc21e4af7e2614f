"""Start a check of a pool, and say how to repeat one."""

from __future__ import annotations

import streamlit as st

from engine.configs import QualityConfig, parse_config
from engine.presets import PRESETS
from engine.store.runs import Run
from pages.parts.command import command_line
from pages.parts.forms import config_form
from pages.parts.home import home
from pages.parts.phantom import phantom_badge
from pages.parts.runs import config_of, start, title
from pages.parts.words import moment

MAIN_FIELDS = ["name", "extractor", "exclude"]
CHOSEN_ABOVE = {"kind", "dataset", "dataset_fingerprint", "pool", "pool_sha256"}
LABELS = {
    "extractor": "Compare by the features of",
    "exclude": "At the end, exclude",
    "k": "Neighbours (k)",
    "copy_neighbours": "Neighbours of the copy ratio",
    "pixel_shift": "Shift found, pixels",
    "flag_quantile": "Flag below quantile",
}


def new_check(pools: list[Run], linked: Run | None) -> None:
    """Choose a pool and how to compare it, and start."""
    by_id = {run.id: run for run in pools}
    st.write(
        "A check compares the pool with the real training images, looks for copies of them, and holds every number "
        "against what two halves of the real images give. It never reads the test images."
    )
    chosen = st.selectbox(
        "Pool",
        list(by_id),
        index=list(by_id).index(linked.id) if linked is not None and linked.id in by_id else 0,
        format_func=lambda run_id: f"{title(by_id[run_id])} · {moment(by_id[run_id].status().created)}",
        key=f"check-pool-{linked.id if linked else ''}",
    )
    pool = config_of(by_id[chosen])
    phantom_badge(pool["dataset"])
    own = next((preset for preset in PRESETS.values() if preset.importing.get("name") == pool["dataset"]), None)
    base = {
        **(getattr(own, "quality", {}) if own else {}),
        "name": pool["name"],
        "dataset": pool["dataset"],
        "pool": chosen,
    }
    values = config_form(
        QualityConfig,
        MAIN_FIELDS,
        base,
        key=f"check-{chosen}",
        more=[field for field in QualityConfig.model_fields if field not in {*CHOSEN_ABOVE, *MAIN_FIELDS}],
        labels=LABELS,
        submit="Start check",
    )
    if values is not None and start(QualityConfig.build(values)) is not None:
        st.rerun()
    st.caption("The same from the command line (settings changed above show after the start):")
    st.code(command_line(QualityConfig.build(base)), "bash", wrap_lines=True)


def settings(run: Run) -> None:
    """The run's complete config and how to repeat it."""
    with st.expander("Settings and command line", icon=":material/terminal:"):
        config = parse_config(config_of(run))
        st.code(command_line(config), "bash", wrap_lines=True)
        st.json(config.plain(), expanded=False)


def pool_of(run: Run) -> Run | None:
    """The pool run of a check; None when it was deleted."""
    pool = Run(home(), config_of(run)["pool"])
    return pool if pool.exists() else None
