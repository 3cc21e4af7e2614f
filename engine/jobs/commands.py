"""The command line that starts a run, for each kind: the words that come before its options."""

from __future__ import annotations

import json
from dataclasses import replace

from engine.configs import (
    Config,
    DryRunConfig,
    ExportConfig,
    FeatureMapConfig,
    ImportConfig,
    NetworkConfig,
    PipelineConfig,
    PoolConfig,
    ProjectionConfig,
    QualityConfig,
    RankingConfig,
    SweepConfig,
    TrainConfig,
    parse_training,
)
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig
from engine.jobs.run_kind import Command
from engine.publications.presets import usual_size


def train_command(config: TrainConfig, size: int) -> Command:
    """`train DATASET`

    Where defaults depend on the `size` of the images in pixels and on other settings, those are meant; without a size
    these settings are all named.
    """
    gan = () if config.gan == "dcgan" else ("--gan", config.gan)
    words, named = ("train", config.dataset, *gan), frozenset({"dataset", "gan"})
    if not config.by_size:
        return Command(words=words, settings=config, named=named)
    if size:
        given = set(type(config).model_fields) - config.by_size
        usual = type(config).model_construct(**{name: getattr(config, name) for name in given}).completed(size)
        if config.batch != usual.batch:  # then the pieces are no longer the configuration's
            usual = usual.model_copy(update={usual.at_once_field: 0})
    else:
        usual = config.model_copy(update=dict.fromkeys(config.by_size))
    return Command(
        words=words, settings=config, named=named, defaults={name: getattr(usual, name) for name in config.by_size}
    )


def dry_run_command(config: DryRunConfig, size: int) -> Command:
    """`train DATASET --dry-run`"""
    return replace(train_command(parse_training(config.training), size), last=("--dry-run",))


def import_command(config: ImportConfig, _: int) -> Command:
    """`dataset import SOURCE`"""
    source = [config.source] if config.source else []
    return Command(words=("dataset", "import", *source), settings=config, named=frozenset({"source"}))


def pool_command(config: Config, _: int) -> Command:
    """`sample RUN...`, or `pool import`, `pool control` or `pool mix`"""
    if isinstance(config, ImportedPoolConfig):
        named = frozenset({"origin", "source", "trained_on_sha256"})
        return Command(words=("pool", "import", config.source), settings=config, named=named)
    if isinstance(config, ControlPoolConfig):
        named = frozenset({"origin", "name"})
        return Command(words=("pool", "control", config.name), settings=config, named=named)
    if isinstance(config, MixedPoolConfig):
        words = ("pool", "mix", *(pool.run for pool in config.pools))
        return Command(words=words, settings=config, named=frozenset({"origin", "pools", "dataset"}))
    assert isinstance(config, PoolConfig)
    first = ["--seeds", str(config.first_seed)] if config.first_seed else []
    words = ("sample", *(generator.run for generator in config.generators), *first)
    return Command(words=words, settings=config, named=frozenset({"generators", "dataset", "first_seed"}))


def sweep_command(config: SweepConfig, _: int) -> Command:
    """`sweep POOL...`, or `sweep extend RUN`"""
    if config.extends:
        words = ("sweep", "extend", config.extends, "--seeds", str(config.seeds))
        return Command(words=words, settings=config, named=frozenset(SweepConfig.model_fields))
    pools = [fold.pool for fold in config.folds] or [config.pool]
    return Command(words=("sweep", *pools), settings=config, named=frozenset({"pool", "dataset", "folds"}))


def pipeline_command(config: PipelineConfig, _: int) -> Command:
    """`demo`"""
    changes = [
        part  # text that would be read as something else is quoted as JSON
        for step, settings in config.overrides.items()
        for name, value in settings.items()
        for part in ("--set", f"{step}.{name}={json.dumps(value)}")
    ]
    size = ["--size", config.size] if config.size != usual_size(config.preset, config.gan) else []
    return Command(words=("demo", *changes, *size), settings=config, named=frozenset({"overrides", "size"}))


def network_command(config: NetworkConfig, _: int) -> Command:
    """`network import FILE`"""
    return Command(words=("network", "import", config.source), settings=config, named=frozenset({"source"}))


def export_command(config: ExportConfig, _: int) -> Command:
    """`export RUN`"""
    return Command(words=("export", config.run), settings=config, named=frozenset({"run"}))


def projection_command(config: ProjectionConfig, _: int) -> Command:
    """`project RUN IMAGE`"""
    words = ("project", config.generator, config.image)
    return Command(words=words, settings=config, named=frozenset({"generator", "image"}))


def quality_command(config: QualityConfig, _: int) -> Command:
    """`quality POOL`"""
    return Command(words=("quality", config.pool), settings=config, named=frozenset({"pool", "dataset"}))


def ranking_command(config: RankingConfig, _: int) -> Command:
    """`rank RUN`"""
    return Command(words=("rank", config.run), settings=config, named=frozenset({"run"}))


def feature_map_command(config: FeatureMapConfig, _: int) -> Command:
    """`dataset map NAME`"""
    return Command(words=("dataset", "map", config.dataset), settings=config, named=frozenset({"dataset"}))


def general_command(config: Config) -> Command:
    """`submit KIND --set FIELD=VALUE`, which starts a run of any kind."""
    values, fields = config.plain(), type(config).model_fields
    words = ["submit", values["kind"]]
    for name, one in fields.items():
        if name != "kind" and getattr(config, name) != one.get_default(call_default_factory=True):
            words += ["--set", f"{name}={json.dumps(values[name])}"]
    return Command(words=tuple(words), settings=config, named=frozenset(fields))
