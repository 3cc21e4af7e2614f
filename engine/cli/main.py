"""`python -m engine`: every command a thin call of the engine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from engine.cli import cluster, datasets, explore, network, pools, review, sweeps
from engine.cli.bundle import bundle
from engine.cli.datasets import folds as make_folds
from engine.cli.default_command import USUAL, WithUsual
from engine.cli.dry_run import dry_run_command
from engine.cli.follow import follow_to_end
from engine.cli.options import assignments, fields, with_options
from engine.cli.output import Detach, Json, Place, console, notices, show, table
from engine.cli.packing import notebook, pack
from engine.cli.projection import project
from engine.cli.quality import exclude, quality, rank, restore
from engine.cli.runs import about, delete, history, named_run, queue, run_values, runs, stop
from engine.cli.serve import require_free_port, serve
from engine.configs import (
    Config,
    ExportConfig,
    GeneratorReference,
    ImportConfig,
    PipelineConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
)
from engine.configs.gans import gans
from engine.configs.pools import POOL_CONFIGS
from engine.datasets.dataset import Dataset
from engine.datasets.positive_class import positive_of, sentence_on
from engine.jobs import submit as jobs
from engine.jobs.kinds import kind_named, parse_config, result_of
from engine.jobs.places import place_of
from engine.jobs.results import PipelineResult
from engine.publications.presets import PRESETS, SIZES, preset, usual_size
from engine.store.errors import ErsatzError
from engine.store.home import Home, is_checkout
from engine.store.runs import HERE, Run
from engine.store.unknown_errors import of_the_disk, recorded
from engine.sweep.extension import extended
from engine.sweep.foresight import foreseen
from engine.sweep.power import foretold
from engine.sweep.splits import named_splits
from engine.sweep.standing import before_start, standing_of_plan

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Do synthetic images help your classifier? Train a GAN on the training part, sample it, and measure.",
)
datasets.app.command("folds")(make_folds)
app.add_typer(datasets.app, name="dataset")
app.add_typer(network.app, name="network")
app.add_typer(pools.app, name="pool")
sweep_app = typer.Typer(
    cls=WithUsual, help="Train the classifier with growing shares of synthetic images, to a verdict."
)
app.add_typer(sweep_app, name="sweep")
sweep_app.command("rank")(pools.rank)
sweep_app.command("judge")(sweeps.judge)
app.add_typer(explore.app, name="explore")
app.add_typer(review.app, name="review")
app.add_typer(sweeps.plan_app, name="plan")
app.add_typer(cluster.app, name="cluster")

EXIT_UNKNOWN = 70
"""For an error that Ersatz does not know, as BSD's sysexits.h has it."""

Port = Annotated[int, typer.Option(help="Port of the dashboard.")]
PresetName = Annotated[str, typer.Option("--preset", help=f"Start from the settings of {', '.join(PRESETS)}.")]


def main() -> None:
    """Run the command line: a user's error is one sentence and an exit code, never a stack trace."""
    try:
        _say_new_home()
        app(prog_name=_own_name())
    except ErsatzError as error:
        _say_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if known := of_the_disk(error):
            _say_error(known)
            sys.exit(known.exit_code)
        sentence, path = recorded(Home.from_environment(), error, f"On the command line: {' '.join(sys.argv[1:])}")
        where = f"The stack trace is in {path}" if path else "Its stack trace could not be kept"
        _say_error(f"{sentence} {where}; `{_own_name()} doctor --report FILE.zip` packs a report, without names.")
        sys.exit(EXIT_UNKNOWN)


def _say_error(error: object) -> None:
    """One sentence on stderr, and for scripts as JSON on stdout."""
    if "--json" in sys.argv:
        print(json.dumps({"error": str(error)}))
    notices.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)


def _own_name() -> str:
    """What the user typed to get here."""
    return "ersatz" if Path(sys.argv[0]).name in ("ersatz", "ersatz.exe") else "python -m engine"


def _say_new_home() -> None:
    """Without a checkout or ERSATZ_HOME it is the working directory that decides, which nobody should have to guess."""
    home = Home.from_environment()
    if not (os.environ.get("ERSATZ_HOME") or is_checkout() or home.root.exists()):
        notices.print(
            f"Everything will be kept in {home.root}, below the present folder; ERSATZ_HOME names another one.",
            soft_wrap=True,
        )


@app.command()
def doctor(
    port: Port = 8501,
    home: Annotated[
        bool, typer.Option("--home", help="Find what crashes left in the home, mend it, and name what cannot be.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --home: only say what would be done.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.zip", help="Pack versions, stack traces and settings, without images and names."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check this machine: Python, packages, devices, home, disk, port; or, with --home, what is in the home."""
    from engine.cli.doctor import as_values, examine, mend_home, pack_report

    if report is not None:
        pack_report(Home.from_environment(), report, as_json)
        return
    if home or dry_run:
        if not mend_home(Home.from_environment(), dry_run, as_json):
            raise typer.Exit(1)
        return

    checks = examine(Home.from_environment(), port)
    rows = [[check.state, check.name, check.found] for check in checks]
    show(as_values(checks), as_json, table("", ["", "what", "found"], rows))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


@app.command()
def demo(
    preset_name: PresetName = "demo",
    source: Annotated[str, typer.Option(help="Folder or file with the preset's data; the demo needs none.")] = "",
    gan: Annotated[str, typer.Option(help=f"{' or '.join(gans())} [default: the preset's own]")] = "",
    protocol: Annotated[str, typer.Option(help=PipelineConfig.model_fields["protocol"].description)] = "both",
    folds: Annotated[int, typer.Option(help=PipelineConfig.model_fields["folds"].description)] = 0,
    generators: Annotated[int, typer.Option(help=PipelineConfig.model_fields["generators"].description)] = 1,
    size: Annotated[
        str | None,
        typer.Option(
            help=f"auto, {', '.join(SIZES)}: how long trainings and trials are; auto measures the machine and fits "
            "them into --minutes. [default: auto, where the preset has sizes]"
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="As --size full.")] = False,
    minutes: Annotated[float, typer.Option(help=PipelineConfig.model_fields["minutes"].description)] = 5.0,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in --set train.kimg=5.")
    ] = None,
    served: Annotated[
        bool, typer.Option("--serve/--no-serve", envvar="ERSATZ_SERVE", help="Open the dashboard after.")
    ] = True,
    port: Port = 8501,
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Run a whole journey, from import to verdict; start it again at any time, it reuses what is done."""
    overrides = assignments(changes or [], _step_configs())
    trained = overrides.get("train", {}).get("gan", gan)
    config = PipelineConfig.build(
        {
            "preset": preset_name,
            "source": source,
            "gan": gan,
            "protocol": protocol,
            "folds": folds,
            "generators": generators,
            "size": "full" if full else size if size is not None else usual_size(preset_name, trained),
            "minutes": minutes,
            "overrides": overrides,
        }
    )
    home = Home.from_environment()
    serves = served and not detach and not as_json
    if serves:
        require_free_port(port)  # now, and not after minutes of work
    run = jobs.ensure(home, config, place=place)
    if detach:
        show({"run": run.id}, as_json, f"On its way in the background as {run.id}.")
        return
    follow_to_end([run], [preset_name])
    status = run.status()
    made = status.result_as(PipelineResult)
    assert made is not None
    told = f"{escape(made.headline)}\n" if made.headline else ""
    text = f"\n[bold]Verdict: {made.shown}.[/bold]\n{told}{escape(made.sentence)}"
    show({"run": run.id, **status.result}, as_json, text)
    if not as_json:
        console.print(f"Report: {Run(home, made.sweep).path / 'report.html'}", soft_wrap=True)
    if serves:
        serve(home, port, f"evaluate?run={made.sweep}")


def _step_configs() -> dict[str, list[type[Config]]]:
    """The configs of each step of a journey; which GAN is trained decides which fields of the training there are."""
    return {
        "import": [ImportConfig],
        "train": [family.config for family in gans().values()],
        "pool": [PoolConfig],
        "quality": [QualityConfig],
        "published": [SweepConfig],
        "sweep": [SweepConfig],
    }


@app.command("app")
def app_(
    port: Port = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; other than 127.0.0.1 lets others in.")
    ] = "127.0.0.1",
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Name by which people reach it, as ersatz.clinic.example or *.clinic.example; repeated. Other names "
            "than this machine's own and those of the login are refused.",
        ),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            envvar="ERSATZ_READ_ONLY",
            help="For a public demo: everybody may look and sample a little, and nothing is written.",
        ),
    ] = False,
) -> None:
    """Serve the dashboard."""
    serve(Home.from_environment(), port, address=address, demo=read_only, hosts=host or ())


@app.command()
@with_options(
    *(family.config for family in gans().values()), omit=("dataset", "dataset_fingerprint", "start_sha256", "gan")
)
def train(
    dataset: Annotated[str, typer.Argument(help="A frozen data set; `dataset list` shows them.")],
    gan: Annotated[str, typer.Option(help=f"{' or '.join(gans())} [default: the preset's, or dcgan]")] = "",
    preset_name: PresetName = "",
    generators: Annotated[
        int, typer.Option(help="Generators of each class, 1 to 5, each with a seed of its own, for one pool of all.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would cost, measured by a few iterations.")
    ] = False,
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Train a generator for each class (or for --class-name, or one for all with --conditional)."""
    home = Home.from_environment()
    base = preset(preset_name).train_settings(gan) if preset_name else {"gan": gan or "dcgan"}
    values = {**base, **settings, "dataset": dataset}
    configs, beside = jobs.trainings_by_class(values, lambda: Dataset.open(home, dataset).classes, generators)
    if dry_run:
        dry_run_command(home, configs, as_json, place)
        return
    runs = [jobs.submit(home, config, beside=beside, place=place) for config in configs]
    _finish(runs, detach, as_json)


@app.command()
def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    snapshot: Annotated[str, typer.Option(help="Snapshot by file name or path; empty: the newest.")] = "",
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Export a generator to ONNX, checked against torch: at once, or as a run with --detach or elsewhere."""
    from engine.sampling.export import export_generator

    run = named_run(run_id, "train", "network")
    config = ExportConfig(run=run.id, snapshot=snapshot)
    if detach or place_of(run.home, config, place) != HERE:
        _finish([jobs.submit(run.home, config, place=place)], detach, as_json)
        return
    path = export_generator(run, Path(snapshot) if snapshot else None)
    show({"path": str(path)}, as_json, str(path))


@app.command()
@with_options(PoolConfig, omit=("name", "dataset", "dataset_fingerprint", "generators", "first_seed", "psi_cutoff"))
def sample(
    run_ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Training runs: one a class, or a conditional one; or several."),
    ],
    name: Annotated[str, typer.Option(help="Save a pool under this name, for a sweep.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write single images into this folder instead of a pool.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds as 0-15 or 1,5,7-9; a pool counts up from the first.")] = "0-15",
    class_name: Annotated[str, typer.Option(help="Class to sample (conditional generators with --out).")] = "",
    cutoff: Annotated[
        int, typer.Option("--cutoff", "--psi-cutoff", help=PoolConfig.model_fields["psi_cutoff"].description)
    ] = 0,
    with_w: Annotated[bool, typer.Option("--with-w", help="With --out: the w of each image beside it (.npz).")] = False,
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Sample images by seed: into a folder (--out), or as a pool for a sweep (--name)."""
    from engine.cli.explore import opened
    from engine.sampling.latents import parse_seeds
    from engine.sampling.sampler import save_images

    if out is not None and place:
        raise ErsatzError(
            "Single images (--out) are made here and at once, and --place is for a pool; leave it out, or name a pool "
            "with --name."
        )
    numbers = parse_seeds(seeds)
    runs = [named_run(run_id, "train", *(["network"] if out is not None else [])) for run_id in run_ids]
    if out is not None:
        look = {"psi": settings.get("psi", 1.0), "cutoff": cutoff}
        look |= {"noise": settings.get("noise", "const"), "batch": settings.get("batch", 64), "with_w": with_w}
        with opened(*runs) as samplers:
            paths = [
                path for sampler in samplers for path in save_images(sampler, numbers, class_name or None, out, **look)
            ]
        show([str(path) for path in paths], as_json, f"{len(paths)} images in {out}.")
        return
    if not name:
        raise ErsatzError(
            "It is not said where the images go; expected --name NAME for a pool or --out FOLDER for images."
        )
    config = PoolConfig.build(
        {
            **settings,
            "psi_cutoff": cutoff,
            "name": name,
            "dataset": runs[0].config()["dataset"],
            "generators": tuple(GeneratorReference(run=run.id) for run in runs),
            "first_seed": numbers[0],
        }
    )
    _finish([jobs.submit(Home.from_environment(), config, place=place)], detach, as_json)


app.command()(project)
app.command()(rank)
app.command()(quality)
app.command()(exclude)
app.command()(restore)


@sweep_app.command()
def extend(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A finished sweep.")],
    seeds: Annotated[int, typer.Option(help="Repetitions in all, more than it has.")],
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Add repetitions to a finished sweep: as a look that was planned, or without any further claim."""
    more = extended(named_run(run_id, "sweep"), seeds)
    _finish([jobs.submit(Home.from_environment(), more, place=place)], detach, as_json)


@sweep_app.command(USUAL)
@with_options(SweepConfig, omit=sweeps.FILLED_IN)
def sweep(
    pools: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[POOL...]",
            help="The run id of a pool; of one for each fold to cross-validate; none with --plan.",
        ),
    ] = None,
    name: sweeps.SweepName = "",
    preset_name: PresetName = "",
    published: sweeps.Published = False,
    plan: Annotated[str, typer.Option(metavar="PLAN", help="Start exactly the sweep of this registered plan.")] = "",
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Train the classifier with growing shares of synthetic images, and the controls, to a verdict."""
    home, pools = Home.from_environment(), pools or []
    if plan:
        config = sweeps.planned_config(home, plan, pools, preset_name, settings | ({"name": name} if name else {}))
    elif not pools:
        raise ErsatzError(
            "No pool is named; at least one POOL is expected, or --plan PLAN. `runs --kind pool` lists them."
        )
    else:
        config = sweeps.sweep_config(home, pools, name, preset_name, published, settings)
    run = jobs.submit(home, config, place=place)
    if not (detach or as_json):
        tested = [Dataset.open(home, split.dataset) for split in named_splits(config)]
        found = positive_of(Dataset.open(home, config.dataset))
        if found is not None and found.origin == "guessed" and not config.positive_class:
            how = f"`python -m engine dataset positive {config.dataset} CLASS` says which it is, before a sweep."
            notices.print(f"{sentence_on(found)} {how}", soft_wrap=True, markup=False)
        notices.print(foretold(foreseen(home, tested, config), config.seeds, config.level), soft_wrap=True)
        notices.print(before_start(standing_of_plan(home, config)), soft_wrap=True, markup=False)
        for sentence in sweeps.told_of_pools(home, config):
            notices.print(sentence, style="yellow", soft_wrap=True, markup=False)
    _finish([run], detach, as_json)


@app.command()
def outcomes(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A finished sweep.")], as_json: Json = False
) -> None:
    """Show what a sweep found beside its metric: intervals of the arms, calibration, a threshold fixed on the
    validation images, and subgroup differences. Curves are in the CSVs of `report`."""
    from engine.report.outcome_report import outcome_text, outcome_values
    from engine.report.sources import read_sources

    sources = read_sources(named_run(run_id, "sweep"), beside=False)
    show(outcome_values(sources), as_json, outcome_text(sources))


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A finished sweep.")],
    rejudged: Annotated[
        bool, typer.Option("--rejudged", help="Of its second judgement (`judge`), into the folder rejudged.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the sweep's HTML report and its CSVs."""
    from engine.report.html import write_report

    path = write_report(named_run(run_id, "sweep"), rejudged)
    show({"path": str(path)}, as_json, str(path))


app.command()(sweeps.judge)
app.command()(runs)
app.command()(about)
app.command()(queue)
app.command()(stop)
app.command()(delete)
app.command()(pack)
app.command()(notebook)
app.command()(bundle)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    place: Annotated[
        str,
        typer.Option(metavar="here|slurm", help="Go on there. [default: the place where it was]", show_default=False),
    ] = "",
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Go on with a stopped, failed or interrupted run, as if it had never stopped."""
    run = named_run(run_id)
    jobs.resume(run, place)
    _finish([run], detach, as_json)


@app.command()
def submit(
    kind: Annotated[str, typer.Argument(help="Its kind: import, train, pool, quality, sweep, ...")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of it, as in --set name=scans; repeated.")
    ] = None,
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Start a run of any kind from its settings; most kinds have a command of their own, which is shorter."""
    chosen = kind_named(kind)
    several: dict[str, list[type[Config]]] = {
        "train": [family.config for family in gans().values()],
        "pool": list(POOL_CONFIGS.values()),
    }
    configs = several.get(kind, [chosen.config])
    values = chosen.parsed({"kind": kind, **fields(changes or [], configs)})
    _finish([jobs.submit(Home.from_environment(), values, place=place)], detach, as_json)


def _finish(submitted: list[Run], detach: bool, as_json: bool) -> None:
    """Follow runs to their end and print what became of them."""
    if not detach:
        follow_to_end(submitted, [_title(run) for run in submitted])
    values = [run_values(run) for run in submitted]
    sentences = [  # some kinds have none
        " ".join(
            [getattr(found := result_of(run), "headline", ""), getattr(found, "sentence", ""), *history(run)]
        ).strip()
        for run in submitted
    ]
    text = "\n".join(f"{v['run']} is {v['state']}. {told}".strip() for v, told in zip(values, sentences, strict=True))
    show(values if len(values) > 1 else values[0], as_json, text)


def _title(run: Run) -> str:
    config = parse_config(run.config())
    return f"{config.kind} {getattr(config, 'class_name', '') or getattr(config, 'name', '')}".strip()  # type: ignore[attr-defined]
