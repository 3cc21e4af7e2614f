"""The training whose settings a form begins with, as a link asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.configs.gans import gan_named
from engine.store.runs import Run
from pages.components.format import plain
from pages.components.home import home
from pages.components.run_summary import config_of, run_named, title
from pages.components.views import way_to
from pages.train.alarms import asked_changes
from pages.train.gans import CHOSEN_ABOVE


@dataclass(frozen=True)
class SourceRun:
    """The training whose settings a form begins with: to be fine-tuned, or done again with changes."""

    run: Run
    config: dict[str, Any]
    tune: bool
    changes: dict[str, str]

    @property
    def tag(self) -> str:
        """Widgets begin anew with another origin."""
        return "-".join([self.run.id, *(f"{name}{value}" for name, value in self.changes.items())])

    def settings(self) -> dict[str, Any]:
        """Its settings, but for what is chosen above the form, and for those that a transfer has of its own."""
        if config_of(self.run)["kind"] == "network":
            return {}
        omitted = (CHOSEN_ABOVE - {"cfg"}) | ({"ada_kimg", "ema_ramp"} if self.tune else set())
        return {name: value for name, value in self.config.items() if name not in omitted} | self.changes


def source_in_url() -> SourceRun | None:
    """The run that `?from=` asks to fine-tune, or `?again=` to do again with what `?change=` says."""
    tune = run_named(home(), st.query_params.get("from", ""))
    run = tune or run_named(home(), st.query_params.get("again", ""))
    if run is None:
        return None
    config = config_of(run)
    config = config["training"] if config["kind"] == "dry-run" else config
    if config["kind"] not in ("train", "network"):
        return None
    changes = asked_changes(st.query_params.get("change", ""))
    known = gan_named(config["gan"]).config.model_fields if "gan" in config else {}
    return SourceRun(run, config, tune is not None, {name: value for name, value in changes.items() if name in known})


def show_source(origin: SourceRun) -> None:
    """Which training the form begins with, and the way to begin without it."""
    changes = ", ".join(f"{name} {value}" for name, value in origin.changes.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        if origin.tune:
            st.markdown(f":material/fork_right: Fine-tune from **{plain(title(origin.run))}**", width="content")
        else:
            but = f", but with **{changes}**" if changes else ""
            st.markdown(f":material/replay: As **{plain(title(origin.run))}**{but}", width="content")
        way_to("Begin without it", ":material/close:", "no-origin", "new", "tertiary")
