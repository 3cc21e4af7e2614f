"""The command line that does what a form on a page does."""

from __future__ import annotations

import shlex
from typing import Any

import streamlit as st

from engine.configs import Config
from engine.datasets.dataset_info import DatasetInfo
from engine.jobs.commands import general_command
from engine.jobs.kinds import kind_of, parse_config
from engine.store.runs import Run
from pages.components.files import read_model
from pages.components.home import home
from pages.components.place import place_option
from pages.components.run_summary import config_of, dataset_of, status_of

FILLED_IN = {
    "kind",
    "dataset_fingerprint",
    "pool_sha256",
    "start_sha256",
    "source_sha256",
    "generator_sha256",
    "snapshot_sha256",
}
"""Fields that submitting a run fills in."""


def show_command(line: str) -> None:
    """Offer to copy the whole command line (`python -m engine …`, or several of them) that does the same."""
    with st.expander("The same from the command line", icon=":material/terminal:"):
        st.code(line, "bash", wrap_lines=True)


def show_settings(run: Run) -> None:
    """The run's complete config and how to repeat it."""
    with st.expander("All settings", icon=":material/tune:"):
        st.json(config_of(run), expanded=False)
    show_command(command_of(run))


def command_of(run: Run) -> str:
    """The command line that makes such a run, at the same place."""
    return command_line(parse_config(config_of(run)), _image_size(dataset_of(run)), status_of(run).place)


def _image_size(dataset: str) -> int:
    """Pixels of the data set's images; 0 when it is gone, or without one."""
    path = home().dataset(dataset) / "dataset.json" if dataset else None
    return read_model(path, DatasetInfo).size if path and path.is_file() else 0


def command_line(config: Config, size: int = 0, place: str = "") -> str:
    """`python -m engine train phantom --kimg 12`: the settings that differ from the config's defaults.

    `size`: pixels of the data set's images, 0 when not known; defaults may depend on it. `place` is as `choose_place`
    gives it.
    """
    kind = kind_of(config)
    command = kind.command(config, size) if kind.command else general_command(config)
    words = list(command.words)
    for name, field in type(command.settings).model_fields.items():
        value = getattr(command.settings, name)
        default = command.defaults.get(name, field.get_default(call_default_factory=True))
        if name not in FILLED_IN | command.named and value != default:
            words += _option("--" + name.replace("_", "-"), value)
    return shlex.join(["python", "-m", "engine", *words, *place_option(place, kind.name), *command.last])


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, dict):
        return [part for found, wanted in value.items() for part in (flag, f"{found}={wanted}")]
    if isinstance(value, tuple):
        return [flag, ",".join(_plain(part) for part in value)]
    return [flag, _plain(value)]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
