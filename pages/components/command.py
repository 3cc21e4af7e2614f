"""The command line that does what a form on a page does."""

from __future__ import annotations

import json
import shlex
from typing import Any

import streamlit as st

from engine.configs import (
    Config,
    DcganConfig,
    DryRunConfig,
    ImportConfig,
    JourneyConfig,
    NetworkConfig,
    PoolConfig,
    ProjectionConfig,
    QualityConfig,
    RankingConfig,
    StyleganConfig,
    SweepConfig,
    parse_config,
    parse_training,
)
from engine.configs.stylegan2 import BY_CONFIGURATION
from engine.presets import usual_size
from engine.store.runs import Run
from pages.components.home import home
from pages.components.run_summary import config_of, dataset_of, remembered_json

FILLED_IN = {"kind", "dataset_fingerprint", "pool_sha256", "start_sha256", "source_sha256", "generator_sha256"}
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
    """The command line that makes such a run."""
    return command_line(parse_config(config_of(run)), _image_size(dataset_of(run)))


def _image_size(dataset: str) -> int:
    """Pixels of the data set's images; 0 when it is gone."""
    path = home().dataset(dataset) / "dataset.json"
    return remembered_json(path)["size"] if dataset and path.is_file() else 0


def command_line(config: Config, size: int = 0) -> str:
    """`python -m engine train phantom --kimg 12`: the settings that differ from the config's defaults.

    For a StyleGAN2-ADA many defaults depend on its `cfg` and the `size` of the images in pixels; without a size these
    settings are all named.
    """
    defaults: Config | None = None
    match config:
        case DcganConfig():
            words = ["train", config.dataset]
            named = {"dataset"}
        case StyleganConfig():
            words = ["train", config.dataset, "--gan", config.gan]
            named = {"dataset", "gan"}
            if size:
                decisive = {name: getattr(config, name) for name in ("dataset", "cfg", "gpus", "start_from")}
                defaults = StyleganConfig.model_construct(**decisive).completed(size)
                if config.batch != defaults.batch:  # then the pieces are no longer the configuration's
                    defaults = defaults.model_copy(update={"batch_gpu": 0})
            else:
                defaults = config.model_copy(update=dict.fromkeys(BY_CONFIGURATION))
        case SweepConfig():
            words = ["sweep", *([fold.pool for fold in config.folds] or [config.pool])]
            named = {"pool", "dataset", "folds"}
        case QualityConfig():
            words = ["quality", config.pool]
            named = {"pool", "dataset"}
        case RankingConfig():
            words = ["rank", config.run]
            named = {"run"}
        case ImportConfig():
            words = ["dataset", "import", *([config.source] if config.source else [])]
            named = {"source"}
        case PoolConfig():
            words = ["sample", *(generator.run for generator in config.generators)]
            words += ["--seeds", str(config.first_seed)] if config.first_seed else []
            named = {"generators", "dataset", "first_seed"}
        case NetworkConfig():
            words = ["network", "import", config.source]
            named = {"source"}
        case ProjectionConfig():
            words = ["project", config.generator, config.image]
            named = {"generator", "image"}
        case JourneyConfig():
            words = ["demo", *_assignments(config.overrides)]
            named = {"overrides", "size"}
            if config.size != usual_size(config.preset, config.gan):
                words += _option("--size", config.size)
        case DryRunConfig():
            return f"{command_line(parse_training(config.training), size)} --dry-run"
        case _:
            raise TypeError(f"no command line is written for {type(config).__name__}")
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        default = field.get_default(call_default_factory=True)
        if defaults and name in BY_CONFIGURATION:
            default = getattr(defaults, name)
        if name in FILLED_IN | named or value == default or name == "gan":
            continue
        words += _option("--" + name.replace("_", "-"), value)
    return shlex.join(["python", "-m", "engine", *words])


def _assignments(overrides: dict[str, dict[str, Any]]) -> list[str]:
    """A journey's changed settings; text that would be read as something else is quoted as JSON."""
    return [
        part
        for step, settings in overrides.items()
        for name, value in settings.items()
        for part in ("--set", f"{step}.{name}={json.dumps(value)}")
    ]


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
