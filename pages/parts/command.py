"""The command line that does what a form on a page does."""

from __future__ import annotations

import shlex
from typing import Any

from engine.configs import Config, DcganConfig, SweepConfig

FILLED_IN = {"kind", "gan", "dataset_fingerprint", "pool_sha256"}
"""Fields that submitting a run fills in."""


def command_line(config: Config) -> str:
    """`python -m engine train phantom --kimg 12`: the settings that differ from the config's defaults."""
    match config:
        case DcganConfig():
            words = ["train", config.dataset]
            named = {"dataset"}
        case SweepConfig():
            words = ["sweep", config.pool]
            named = {"pool", "dataset"}
        case _:
            raise TypeError(f"no command line is written for {type(config).__name__}")
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if name in FILLED_IN | named or value == field.get_default(call_default_factory=True):
            continue
        words += _option("--" + name.replace("_", "-"), value)
    return shlex.join(["python", "-m", "engine", *words])


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, tuple):
        return [flag, ",".join(_plain(part) for part in value)]
    return [flag, _plain(value)]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
