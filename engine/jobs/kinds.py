"""The table of the kinds of runs: where a new one is added, and what everything else asks.

A kind of another package needs no line here: its module calls `register`, and `ERSATZ_PLUGINS` names the module
(several, by commas) to every process.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from engine.cluster.liveness import lives_on_cluster
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
from engine.configs.gans import gan_title
from engine.configs.pools import parse_pool
from engine.gans.results import DryRunResult, NetworkResult
from engine.jobs.commands import (
    dry_run_command,
    export_command,
    feature_map_command,
    import_command,
    network_command,
    pipeline_command,
    pool_command,
    projection_command,
    quality_command,
    ranking_command,
    sweep_command,
    train_command,
)
from engine.jobs.results import PipelineResult
from engine.jobs.run_kind import ImpactTexts, RunKind, Settings
from engine.jobs.settings_check import check_by
from engine.jobs.stages import CHECK, IMPORT, RANKING, SWEEP, TRAINING
from engine.projection.results import ProjectionResult
from engine.publications.presets import step_settings
from engine.quality.results import FeatureMapResult, QualityResult, RankingResult, TrainingResult
from engine.sampling.results import ExportResult
from engine.store.damage import CHECKS
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.plugins import import_plugins, named
from engine.store.runs import LIVES_ELSEWHERE, Run, Status, each, list_runs
from engine.sweep.results import SweepResult

USUAL_GAN = "dcgan"
"""The GAN that titles do not name."""
ADDED_TO = ("real", "real+synthetic")
"""Arms of a sweep that together show what more and more synthetic images do."""


def kinds() -> list[RunKind]:
    """Every kind, in the order in which choices offer them."""
    import_plugins()
    return list(_TABLE.values())


def kind_named(name: str | None) -> RunKind:
    """The kind of that name; an `ErsatzError` says which there are."""
    import_plugins()
    if name is None or name not in _TABLE:
        raise ErsatzError(f"The kind of run is {name!r}; expected one of {', '.join(_TABLE)}.")
    return _TABLE[name]


def kind_shown(name: str) -> RunKind:
    """The same for lists, which also show runs of a kind that is not known here: by their id, and without a page."""
    import_plugins()
    return _TABLE.get(name) or RunKind(name=name, config=Config, label=name, execute="", title=lambda config, other: "")


def kind_of(config: Config) -> RunKind:
    """The kind of typed settings."""
    return kind_named(getattr(config, "kind", type(config).__name__))


def parse_config(values: Settings) -> Config:
    """The typed settings of a run's `config.json`."""
    if not isinstance(values, dict):
        raise ErsatzError(
            f"The settings of the run are {values!r:.80}; names with values are expected. Restore its config.json."
        )
    return kind_named(values.get("kind")).parsed(values)


def result_of(run: Run) -> Any:
    """What a run found (a journey: so far), as the model of its kind; None before there is anything.

    Code that knows the kind asks for its model instead, as in `run.status().result_as(SweepResult)`.
    """
    return kind_shown(run.kind).result_of(run.status())


def register(kind: RunKind) -> None:
    """Add a kind to the table. Raises `ErsatzError` when another has its name."""
    if _TABLE.get(kind.name, kind) is not kind:
        raise ErsatzError(f"There is a kind of run {kind.name!r} already; a name of its own is expected.")
    _TABLE[kind.name] = kind


def _refuse_taken_name(home: Home, config: ImportConfig) -> None:
    if home.dataset(config.name).exists():
        raise ErsatzError(
            f"There is a data set {config.name} already; a new name is expected. "
            f"Choose another, or delete {home.dataset(config.name)}."
        )
    for run, settings in each(list_runs(home, "import"), Run.config):
        if settings["name"] == config.name and run.state().is_active:
            raise ErsatzError(
                f"Run {run.id} is importing a data set {config.name} right now; a new name is expected. "
                "Choose another, or wait for it."
            )


def _imported_by(config: Settings) -> tuple[str, ...]:
    """The data set that a journey imports."""
    journey = PipelineConfig.build(config)
    try:
        return (str(step_settings(journey)["import"]["name"]),)
    except ErsatzError:  # a journey of an older version, whose steps no longer exist
        return ()


def _training_title(config: Settings, _: str) -> str:
    what = f"{config['dataset']} · {config['class_name'] or 'all classes'}"
    gan = config.get("gan", USUAL_GAN)
    return f"Train {what}" if gan == USUAL_GAN else f"Train {what} · {gan_title(gan)}"


def _pool_title(config: Settings, _: str) -> str:
    if origin := config.get("origin"):
        what = f"control: {config['control']}" if origin == "control" else origin
        return f"Pool {config['name']} · {what}"
    each = " and ".join(config.get("only_classes", ())) or "a class"
    return f"Pool {config['name']} · {config['images_per_class']} {each}"


def _copies(status: Status) -> str:
    found = status.result_as(QualityResult)
    if found is None:
        return ""
    copies = found.flags.get("copy", 0)
    return f"{copies or 'no'} {'copy' if copies == 1 else 'copies'}"


def _verdict(status: Status) -> str:
    found = status.result_as(SweepResult)
    return found.shown if found else ""


def _verdict_of_journey(status: Status) -> str:
    found = status.result_as(PipelineResult)
    return found.shown if found else ""


def _amount(status: Status) -> str:
    return f"{status.done:,g} {status.unit}"


def _accuracy_by_share(rows: list[dict[str, Any]]) -> list[float]:
    """The mean accuracy of a sweep, from no synthetic images to the largest share of them."""
    accuracies: dict[float, list[float]] = {}
    for row in rows:
        if row["arm"] in ADDED_TO:
            accuracies.setdefault(row["ratio"], []).append(row["accuracy"])
    return [mean(accuracies[ratio]) for ratio in sorted(accuracies)]


_ALL = (
    RunKind(
        name="journey",
        config=PipelineConfig,
        label="Journey",
        prepare="engine.jobs.prepare:prepare_pipeline",
        execute="engine.jobs.pipeline:execute",
        needs_device=False,
        made_of_runs=True,
        dataset_of_result=lambda result: result.dataset,
        needs_datasets=_imported_by,
        deletion_impact=ImpactTexts(
            lost="The record of which runs belong together.", stays="The runs that it made, with their results."
        ),
        title=lambda config, _: f"Journey {config['preset']}",
        result=PipelineResult,
        outcome=_verdict_of_journey,
        page="overview",
        command=pipeline_command,
    ),
    RunKind(
        name="import",
        config=ImportConfig,
        label="Import",
        prepare="engine.jobs.prepare:prepare_import",
        execute="engine.jobs.execution:import_dataset",
        stages=IMPORT,
        can_go=False,
        before_start=_refuse_taken_name,
        result_exists=lambda home, config: home.dataset(config.name).exists(),
        needs_device=False,
        dataset=lambda config: config["name"],
        needs_datasets=lambda config: (),
        deletion_impact=ImpactTexts(
            lost="The record of how the data set came here.",
            stays="The data set itself, in the folder of the data sets.",
        ),
        title=lambda config, _: f"Import {config['name']}",
        page="datasets",
        form={"view": "import"},
        repeatable=False,
        command=import_command,
    ),
    RunKind(
        name="dry-run",
        config=DryRunConfig,
        label="Dry run",
        prepare="engine.jobs.prepare:prepare_dry_run",
        execute="engine.gans.dry_run:dry_run",
        training=lambda config: config["training"],
        deletion_impact=ImpactTexts(lost="What the training was measured to cost."),
        title=lambda config, _: f"Dry run {config['training']['gan']} · {config['training']['dataset']}",
        result=DryRunResult,
        page="train",
        command=dry_run_command,
    ),
    RunKind(
        name="train",
        config=TrainConfig,
        parse=parse_training,
        label="Training",
        prepare="engine.jobs.prepare:prepare_training",
        execute="engine.jobs.execution:train",
        stages=TRAINING,
        training=lambda config: config,
        deletion_impact=ImpactTexts(
            lost="The generator with all its snapshots, curves and samples: nobody can make images with it any more, "
            "resume it or fine-tune from it.",
            stays="Pools that were saved from it keep their images, and sweeps their results.",
            without_dataset="can be neither resumed nor fine-tuned, and cannot make new pools; their finished "
            "generators still sample",
        ),
        title=_training_title,
        result=TrainingResult,
        outcome=_amount,
        curve=("kid", "fid", "g_loss"),
        page="train",
        form={},
        command=train_command,
    ),
    RunKind(
        name="network",
        config=NetworkConfig,
        label="Imported network",
        prepare="engine.jobs.prepare:prepare_network",
        execute="engine.jobs.execution:import_network",
        can_go=False,
        needs_device=False,
        deletion_impact=ImpactTexts(
            lost="The imported network: nobody can make images with it any more or fine-tune from it.",
            stays="Trainings that started from it keep what they have learned.",
        ),
        title=lambda config, _: f"Network {config['name']}",
        result=NetworkResult,
        page="generate",
        command=network_command,
    ),
    RunKind(
        name="export",
        config=ExportConfig,
        label="Export",
        prepare="engine.jobs.prepare:prepare_export",
        execute="engine.sampling.export:export",
        result_exists=lambda home, config: bool(named("engine.jobs.prepare:is_exported")(home, config)),
        needs_device=False,
        about_run="run",
        deletion_impact=ImpactTexts(
            lost="The record of which snapshot was made the generator, and when.",
            stays="The generator itself, in the folder of its training.",
        ),
        title=lambda config, training: f"Export · {training or config['run']}",
        result=ExportResult,
        page="generate",
        command=export_command,
    ),
    RunKind(
        name="projection",
        config=ProjectionConfig,
        label="Projection",
        prepare="engine.jobs.prepare:prepare_projection",
        execute="engine.projection.projecting:project",
        small_steps=True,  # one picture at a time
        about_run="generator",
        deletion_impact=ImpactTexts(lost="The projected picture and its place in the latent space."),
        title=lambda config, _: f"Projection {Path(config['image']).name}",
        result=ProjectionResult,
        outcome=_amount,
        curve=("distance", "loss"),
        page="generate",
        form={},
        command=projection_command,
    ),
    RunKind(
        name="pool",
        config=PoolConfig,
        parse=parse_pool,
        label="Pool",
        prepare="engine.jobs.prepare:prepare_pool",
        execute="engine.sampling.pool_making:make",
        damaged_result="engine.jobs.damaged_results:of_pool",
        deletion_impact=ImpactTexts(
            lost="The synthetic images: no check, review or sweep can use them any more.",
            stays="Sweeps and checks of it keep their results.",
            without_dataset="cannot be checked or evaluated any more; their images stay",
        ),
        title=_pool_title,
        outcome=_amount,
        page="generate",
        form={},
        command=pool_command,
    ),
    RunKind(
        name="quality",
        config=QualityConfig,
        label="Quality check",
        prepare="engine.jobs.prepare:prepare_quality",
        execute="engine.quality.running:check_quality",
        stages=CHECK,
        damaged_result="engine.jobs.damaged_results:of_quality",
        deletion_impact=ImpactTexts(
            lost="The scores, the feature map, and which images were flagged as copies.",
            stays="Images that it took out of the pool stay out.",
            without_dataset="keep their scores, without the real images beside the synthetic ones",
        ),
        title=lambda config, _: f"Quality {config['name']} · {config['extractor']}",
        result=QualityResult,
        outcome=_copies,
        page="quality",
        form={},
        command=quality_command,
    ),
    RunKind(
        name="ranking",
        config=RankingConfig,
        label="Ranking",
        prepare="engine.jobs.prepare:prepare_ranking",
        execute="engine.quality.ranking:rank_snapshots",
        stages=RANKING,
        damaged_result="engine.jobs.damaged_results:of_ranking",
        about_run="run",
        deletion_impact=ImpactTexts(lost="The order of the snapshots by quality."),
        title=lambda config, training: f"Ranking · {training or config['run']}",
        result=RankingResult,
        page="quality",
        form={},
        command=ranking_command,
    ),
    RunKind(
        name="feature-map",
        config=FeatureMapConfig,
        label="Feature map",
        prepare="engine.jobs.prepare:prepare_feature_map",
        execute="engine.quality.dataset_map:draw_map",
        deletion_impact=ImpactTexts(
            lost="The map of the data set, and the order of its images by likeness.",
            stays="The images, their tags, and whatever was moved or left out by the map.",
        ),
        title=lambda config, _: f"Map of {config['dataset']}",
        result=FeatureMapResult,
        outcome=_amount,
        page="datasets",
        command=feature_map_command,
    ),
    RunKind(
        name="sweep",
        config=SweepConfig,
        label="Sweep",
        noun="evaluation",
        prepare="engine.jobs.prepare:prepare_sweep",
        execute="engine.jobs.execution:sweep",
        execute_part="engine.sweep.fan_out:train_part",
        stages=SWEEP,
        damaged_result="engine.jobs.damaged_results:of_sweep",
        before_delete="engine.jobs.execution:keep_reading",
        deletion_impact=ImpactTexts(
            lost="The trials, the verdict, the figures and the report.",
            stays="Reports and figures that were downloaded.",
            without_dataset="keep their numbers and their verdict, without the test images, and cannot be run again",
        ),
        title=lambda config, _: f"Sweep {config['name']} · {config['classifier']}",
        result=SweepResult,
        outcome=_verdict,
        curve_of=_accuracy_by_share,
        page="evaluate",
        form={},
        command=sweep_command,
    ),
)
_TABLE = {kind.name: kind for kind in _ALL}


def _known(name: str) -> RunKind | None:
    import_plugins()
    return _TABLE.get(name)


CHECKS.append(check_by(_known))
LIVES_ELSEWHERE.append(lives_on_cluster)
