"""What is settled before a run is made: its parents exist, are finished and fit, and the config names them by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.configs import (
    Config,
    DryRunConfig,
    ExportConfig,
    FeatureMapConfig,
    GeneratorReference,
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
from engine.configs.gans import gan_title
from engine.datasets.dataset import Dataset
from engine.datasets.folds import parent_of_folds
from engine.datasets.seal import refuse_sealed, refuse_sealed_file
from engine.gans.augment.presets import PRESETS as AUGPIPES
from engine.gans.augment.presets import require_augmentable
from engine.gans.init_source import resolve_start
from engine.gans.nvidia_pkl.contents import class_names, read_contents
from engine.gans.snapshots import find_snapshot, list_generators
from engine.jobs.kinds import kind_of
from engine.jobs.prepare_pools import prepare_other_pool
from engine.projection.target import preparation, read_target
from engine.publications.presets import step_settings
from engine.quality.stored_map import drawn_of, rows_to_draw
from engine.sampling.exported import GeneratorInfo, has_generator, read_generator, read_info
from engine.sampling.makers import require_alike
from engine.sampling.pools import Pool, wanted_classes
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.plugins import named
from engine.store.runs import Run, State
from engine.sweep.extension import require_same
from engine.sweep.external import open_external
from engine.sweep.leaks import refuse_unsound
from engine.sweep.positive import pinned_positive
from engine.sweep.splits import named_splits, open_splits, pinned

PATHS: dict[str, tuple[str, ...]] = {
    "import": ("source", "csv"),
    "train": ("metric_weights",),
    "quality": ("weights",),
    "published": ("weights",),
    "sweep": ("weights",),
}
"""Settings of a journey's steps that always name files."""


def prepare(home: Home, config: Config) -> Config:
    """`config` with the hashes of its parents and absolute paths; an `ErsatzError` says what is missing."""
    complete = kind_of(config).prepare
    return named(complete)(home, config) if complete else config


def prepare_import(home: Home, config: ImportConfig) -> ImportConfig:
    """With absolute paths."""
    home.dataset(config.name)  # the name must do for a folder
    return config.model_copy(update={"source": _absolute(config.source), "csv": _absolute(config.csv)})


def prepare_dry_run(home: Home, config: DryRunConfig) -> DryRunConfig:
    """With a training that could be started."""
    training = prepare_training(home, parse_training(config.training))
    return config.model_copy(update={"training": training.plain()})


def prepare_network(home: Home, config: NetworkConfig) -> NetworkConfig:
    """With the absolute path and the hash of a file that can be read."""
    source = _file(config.source, "network file")
    contents = read_contents(source)  # one that is refused leaves no run behind
    class_names(source, contents.g_architecture.classes, config.class_names)
    return config.model_copy(update={"source": str(source), "source_sha256": sha256_file(source)})


def prepare_pool(home: Home, config: Config) -> Config:
    """With the split of the data set and the hashes of what the images come from: generators trained on it, or else."""
    if not isinstance(config, PoolConfig):
        return prepare_other_pool(home, config)
    dataset = _frozen_dataset(home, config)
    wanted = wanted_classes(config.only_classes, dataset)  # one that is unknown leaves no run behind
    generators = tuple(_generator(home, reference, dataset) for reference in config.generators)
    runs = [Run(home, generator.run) for generator in generators]
    require_alike([read_info(run.path) for run in runs], [run.config() for run in runs], wanted)
    return config.model_copy(update={"dataset_fingerprint": dataset.fingerprint, "generators": generators})


def prepare_pipeline(home: Home, config: PipelineConfig) -> PipelineConfig:
    """With absolute paths; what a step would not accept is refused now."""
    step_settings(config)
    return config.model_copy(
        update={"source": _absolute(config.source), "overrides": _absolute_overrides(config.overrides)}
    )


def _absolute(path: str) -> str:
    """The run starts in another folder, so that a relative path would mean another file."""
    if not path or path.startswith("medmnist:"):
        return path
    return str(Path(path).expanduser().resolve())


def _absolute_overrides(overrides: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A journey's changed settings with absolute paths: its steps are prepared later, in another folder."""

    def absolute(step: str, name: str, value: Any) -> Any:
        if name == "start_from":  # the id of a run, unless there is such a file
            return _absolute(value) if Path(value).expanduser().is_file() else value
        return _absolute(value) if name in PATHS.get(step, ()) else value

    return {
        step: {name: absolute(step, name, value) for name, value in settings.items()}
        for step, settings in overrides.items()
    }


def _file(path: str, what: str) -> Path:
    """The absolute path of a file that a run will read."""
    file = Path(_absolute(path))
    if not file.is_file():
        raise ErsatzError(f"There is no file {path or '(no name given)'}; a {what} is expected. Correct the path.")
    return file


def _frozen_dataset(home: Home, config: TrainConfig | PoolConfig | QualityConfig | SweepConfig) -> Dataset:
    dataset = Dataset.open(home, config.dataset)
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This run")
    return dataset


def prepare_training(home: Home, config: TrainConfig) -> TrainConfig:
    """With the split of the data set, what `cfg` says for its size, and the hash of what a transfer starts from."""
    dataset = _frozen_dataset(home, config)
    refuse_sealed(dataset, "This training", ("train", "valid"))
    _check_class(dataset, config)
    if config.augment_preset:
        require_augmentable(AUGPIPES[config.augment_preset], dataset.size, dataset.channels)
    config = config.completed(dataset.size)
    update = {"dataset_fingerprint": dataset.fingerprint}
    update |= {name: _absolute(getattr(config, name)) for name in PATHS["train"] if name in type(config).model_fields}
    origin, sha256 = config.init_from
    if origin:
        start = resolve_start(home, origin, sha256)
        update |= {"start_from": start.text, "start_sha256": start.sha256}
    return config.model_copy(update=update)


def _check_class(dataset: Dataset, config: TrainConfig) -> None:
    if config.class_name and config.class_name not in dataset.classes:
        raise ErsatzError(
            f"The data set {dataset.name} has no class {config.class_name!r}; expected one of "
            f"{', '.join(dataset.classes)}."
        )


def _generator(home: Home, reference: GeneratorReference, dataset: Dataset) -> GeneratorReference:
    run = Run(home, reference.run)
    if run.kind == "network":
        raise ErsatzError(
            f"Run {run.id} is an imported network, and nobody knows whether it was trained on test images of "
            f"{dataset.name}; a pool needs a generator of this data set. Train one, which may start from {run.id}."
        )
    info = _exported(run)
    info.require_sha256(reference.sha256)
    info.require_made_for(dataset)
    return GeneratorReference(run=run.id, sha256=info.sha256)


def _exported(run: Run) -> GeneratorInfo:
    """generator.json of a run whose exported files are those that it names."""
    if run.kind not in ("train", "network"):
        raise ErsatzError(
            f"Run {run.id} is a {run.kind} run and has no generator; a training run or an imported network is expected."
        )
    if not has_generator(run.path):
        raise ErsatzError(
            f"Run {run.id} is {run.state()} and has no exported generator; a finished training run is expected. "
            f"Let it finish, or export its newest snapshot with `python -m engine export {run.id}`."
        )
    info, _ = read_generator(run.path)
    return info


def prepare_export(home: Home, config: ExportConfig) -> ExportConfig:
    """With the snapshot, since a training may write newer ones: by its name, or by its path if it lies elsewhere."""
    run = Run(home, config.run)
    if run.kind not in ("train", "network"):
        raise ErsatzError(
            f"Run {run.id} is of the kind {run.kind} and has no snapshots; a training or imported network is expected."
        )
    snapshot = find_snapshot(run, config.snapshot)
    if not snapshot.is_file():
        there = ", ".join(path.name for path in list_generators(run.path)[:3])
        raise ErsatzError(
            f"There is no snapshot {snapshot}; one of run {run.id} is expected{f', such as {there}' if there else ''}. "
            "Choose another."
        )
    own = snapshot.resolve() in [path.resolve() for path in list_generators(run.path)]
    name = snapshot.name if own else str(snapshot.resolve())
    return config.model_copy(update={"snapshot": name, "snapshot_sha256": sha256_file(snapshot)})


def is_exported(home: Home, config: ExportConfig) -> bool:
    """Whether the snapshot of an export is still the generator of its training."""
    folder = Run(home, config.run).path
    return has_generator(folder) and read_info(folder).snapshot == Path(config.snapshot).name


def prepare_projection(home: Home, config: ProjectionConfig) -> ProjectionConfig:
    """With absolute paths and the hash of a generator that has a w; the picture can be read."""
    run = Run(home, config.generator)
    info = _exported(run)
    if not info.num_ws:
        raise ErsatzError(
            f"The generator of run {run.id} is a {gan_title(info.gan)}, which has no w to project into; a "
            "StyleGAN2-ADA is expected. Choose another generator."
        )
    if info.conditional and config.class_name not in info.classes:
        raise ErsatzError(
            f"The class is {config.class_name!r}; the generator of run {run.id} makes {', '.join(info.classes)}. "
            "Choose one of these."
        )
    image = _file(config.image, "picture")
    refuse_sealed_file(home, image)
    # One that cannot be read is refused before there is a run.
    read_target(image, preparation(home, info.dataset, info.size, info.mode))
    update = {"image": str(image), "generator_sha256": info.sha256, "weights": _absolute(config.weights)}
    return config.model_copy(update=update)


def prepare_quality(home: Home, config: QualityConfig) -> QualityConfig:
    """With the split of the data set and the hash of a pool that was made for it."""
    dataset = _frozen_dataset(home, config)
    refuse_sealed(dataset, "This check", ("train", "valid"))
    pool = _finished_pool(home, config.pool)
    pool.require_made_for(dataset)
    update = {
        "dataset_fingerprint": dataset.fingerprint,
        # Without the exclusions: a check that excludes copies is still the same check when it is asked for again.
        "pool_sha256": pool.images_sha256,
        "weights": _absolute(config.weights),
    }
    return config.model_copy(update=update)


def prepare_ranking(home: Home, config: RankingConfig) -> RankingConfig:
    """With absolute paths; the training has a snapshot."""
    run = Run(home, config.run)
    if run.kind != "train":
        raise ErsatzError(f"Run {run.id} is a {run.kind} run and has no snapshots to rank; a training is expected.")
    if not list_generators(run.path):
        raise ErsatzError(
            f"Run {run.id} is {run.state()} and has no snapshot yet; at least one is expected. Wait for its first."
        )
    return config.model_copy(update={"weights": _absolute(config.weights)})


def prepare_feature_map(home: Home, config: FeatureMapConfig) -> FeatureMapConfig:
    """With the hash of the images that are there now."""
    rows = rows_to_draw(Dataset.open(home, config.dataset))
    return config.model_copy(update={"images_sha256": drawn_of(rows), "weights": _absolute(config.weights)})


def _finished_pool(home: Home, run_id: str) -> Pool:
    run = Run(home, run_id)
    if run.kind != "pool" or run.state() is not State.FINISHED:
        raise ErsatzError(f"Run {run.id} is a {run.kind} run and {run.state()}; a finished pool is expected.")
    return Pool.open(run)


def prepare_sweep(home: Home, config: SweepConfig) -> SweepConfig:
    """As `prepare_plan`, on test images that are not sealed."""
    config = prepare_plan(home, config)
    for name in (*(split.dataset for split in named_splits(config)), *([config.external] if config.external else [])):
        refuse_sealed(Dataset.open(home, name), "This sweep")
    return config


def prepare_plan(home: Home, config: SweepConfig) -> SweepConfig:
    """With the splits and the hashes of finished pools, as a sweep that is sound; its test images may be sealed."""
    dataset = _frozen_dataset(home, config)
    if config.folds and (parent := parent_of_folds(home, [fold.dataset for fold in config.folds])) != dataset.name:
        raise ErsatzError(
            f"The sweep is of the data set {dataset.name}, and its folds are those of {parent}; the same is expected. "
            f"Name {parent}, or the folds of {dataset.name}."
        )
    for split in named_splits(config):
        _finished_pool(home, split.pool)
    splits = open_splits(home, config)
    external = open_external(home, config)
    refuse_unsound(config, splits, external)
    update = {
        "dataset_fingerprint": dataset.fingerprint,
        "external_fingerprint": external.fingerprint if external is not None else "",
        "weights": _absolute(config.weights),
        "positive_class": pinned_positive(config, dataset),
    }
    complete = pinned(config.completed(), splits).model_copy(update=update)
    require_same(home, complete)
    return complete
