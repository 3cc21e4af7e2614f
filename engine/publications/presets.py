"""The presets by name, read by the pages, the command line and the tests alike, and the steps that they set.

A preset names the settings in which a journey differs from the defaults of the configs, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.configs import (
    GeneratorReference,
    ImportConfig,
    PipelineConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
    parse_training,
)
from engine.publications import demo
from engine.publications.publication import Preset
from engine.publications.table import PUBLICATIONS
from engine.store.errors import ErsatzError

STEPS = ("import", "train", "pool", "quality", "published", "sweep")
"""The steps of a journey whose settings a preset has and a user may change, in the order in which they are taken."""

SIZES = ("full", "large", "medium", "small", "smallest")
"""How long a journey's trainings and trials are, where a preset has lengths of other sizes than the full ones."""

SHARED = ("weights", "device")
"""Settings of the sweep that hold for the published one too: they name this machine's files, not a protocol."""

PRESETS: dict[str, Preset] = {
    "demo": demo.PRESET,
    **{name: publication.preset for name, publication in PUBLICATIONS.items()},
}


def preset(name: str) -> Preset:
    """The preset of that name, or an `ErsatzError` that lists those there are."""
    if name not in PRESETS:
        raise ErsatzError(f"There is no preset {name!r}; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def usual_size(name: str, gan: str = "") -> str:
    """The size of a preset's journey unless one is asked for: auto where there are sizes, else none."""
    chosen = preset(name)
    return "auto" if chosen.shorter and gan in ("", next(iter(chosen.train))) else ""


def step_settings(config: PipelineConfig, size: str = "") -> dict[str, dict[str, Any]]:
    """The preset's settings with the journey's changes, by step; those of a sweep that it does not take are empty.

    `size` takes the place of the config's where that one is still to be found. An `ErsatzError` names what no step
    would accept, before any of them has begun.
    """
    unknown = set(config.overrides) - set(STEPS)
    if unknown:
        raise ErsatzError(f"There is no step {', '.join(sorted(unknown))}; expected changes to {', '.join(STEPS)}.")
    chosen = preset(config.preset)
    if not chosen.published and (config.protocol == "published" or "published" in config.overrides):
        raise ErsatzError(
            f"Preset {config.preset} repeats no published classifier, so there is no published protocol to run; "
            f"expected one of {', '.join(name for name, other in PRESETS.items() if other.published)}. "
            "Choose the protocol sound."
        )
    gan = config.overrides.get("train", {}).get("gan", config.gan)
    shared = {name: value for name, value in config.overrides.get("sweep", {}).items() if name in SHARED}
    table = {
        "import": chosen.importing,
        "train": chosen.train_settings(gan),
        "pool": chosen.pool,
        "quality": chosen.quality,
        "published": {**chosen.published, **shared},
        "sweep": chosen.sweep,
    }
    shorter = _shorter(chosen, config, gan, size or config.size)
    settings = {step: {**table[step], **shorter.get(step, {}), **config.overrides.get(step, {})} for step in STEPS}
    for step in ("published", "sweep"):
        asked = config.overrides.get(step, {})
        if asked.get("classifier") == "small-cnn":  # it has a head of its own: that of the preset's network gives way
            for name in {"training", "head"} - set(asked):
                settings[step].pop(name, None)
    if config.source:
        settings["import"]["source"] = config.source
    if not settings["import"].get("source") and settings["import"].get("layout") != "phantom":
        raise ErsatzError(
            f"Preset {config.preset} needs the files it was published with; a folder or file is expected. "
            "Name it with --source."
        )
    if config.protocol == "sound" or not chosen.published:
        settings["published"] = {}
    if config.protocol == "published":
        settings["sweep"] = {}
    _validate(settings)
    return settings


def _shorter(chosen: Preset, config: PipelineConfig, gan: str, size: str) -> dict[str, dict[str, Any]]:
    """What the size changes, by step; refused where the preset has but its own lengths."""
    if config.size and not usual_size(config.preset, gan):
        sized = ", ".join(f"{name} (with {next(iter(p.train))})" for name, p in PRESETS.items() if p.shorter)
        raise ErsatzError(
            f"The size {config.size} was asked for, but preset {config.preset}{f' with {gan}' if gan else ''} has one "
            f"length only; sizes are those of {sized}. Leave the size out, or set lengths as in --set train.kimg=5."
        )
    return chosen.shorter.get(size, {})


def _validate(settings: dict[str, dict[str, Any]]) -> None:
    """Build every config once, with stand-ins for the parents that do not exist yet."""
    parents = {"name": "a", "dataset": "a"}
    pool = {**parents, **settings["pool"], "generators": (GeneratorReference(run="a"),)}
    builds: dict[str, Callable[[], Any]] = {
        "import": lambda: ImportConfig.build(settings["import"]),
        "train": lambda: parse_training({**settings["train"], "dataset": "a"}),
        "pool": lambda: PoolConfig.build(pool),
        "quality": lambda: QualityConfig.build({**parents, **settings["quality"], "pool": "a"}),
        "published": lambda: SweepConfig.build({**parents, **settings["published"], "pool": "a"}),
        "sweep": lambda: SweepConfig.build({**parents, **settings["sweep"], "pool": "a"}),
    }
    for step, build in builds.items():
        if settings[step] or step not in ("published", "sweep"):
            try:
                build()
            except ErsatzError as error:
                raise ErsatzError(f"In the step {step}: {error}") from error
