"""`pool import | control | mix | rank`: pools that are not sampled here, and which of several helps most."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.cli.follow import follow_to_end
from engine.cli.options import with_options
from engine.cli.output import Detach, Json, Place, console, show, table
from engine.cli.runs import named_run, run_values
from engine.configs import Config
from engine.configs.pools import ControlPoolConfig, ImportedPoolConfig, MixedPoolConfig, usual_name
from engine.jobs import submit as jobs
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.sweep.pool_ranking import Ranking

app = typer.Typer(no_args_is_help=True, help="Pools from elsewhere, mixtures and controls, and several pools ranked.")


@app.command("import")
@with_options(ImportedPoolConfig, omit=("origin", "source", "dataset_fingerprint", "trained_on_sha256", "classes"))
def import_(
    source: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder with a folder a class, ZIP, or CSV.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(help="FOUND=CLASS, or FOUND=- to leave images out; repeated, or several by commas."),
    ] = None,
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Import synthetic images that were made elsewhere, in the form of a data set's real images."""
    if not settings.get("dataset"):
        raise ErsatzError(
            "It is not said which data set the images are for; one is expected, whose real images they are evaluated "
            "with. Name it with --dataset."
        )
    if "name" in settings and not settings["name"]:
        raise ErsatzError("The pool has no name; one is expected. Give it with --name.")
    values = {"name": usual_name(source), **settings, "source": source}
    config = ImportedPoolConfig.build({**values, "classes": class_map(classes or [])})
    _submit(config, place, detach, as_json)


@app.command()
@with_options(ControlPoolConfig, omit=("origin", "name", "dataset", "dataset_fingerprint", "pool", "pool_sha256"))
def control(
    name: Annotated[str, typer.Argument(help="Name of the pool.")],
    dataset: Annotated[str, typer.Option(help="Data set; of shuffled ones the pool's own.")] = "",
    pool: Annotated[str, typer.Option("--pool", "--of", help="Pool whose images get shuffled labels.")] = "",
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Make a control whose effect is known: held-back real images, noise, or images with shuffled labels."""
    if "control" not in settings:
        raise ErsatzError(
            "It is not said which control; held-back, noise or shuffled is expected. Name it with --control."
        )
    own = named_run(pool, "pool").config()["dataset"] if pool else ""
    if pool and dataset not in ("", own):
        raise ErsatzError(f"The pool {pool} is for {own}, not {dataset}; the same is expected. Leave --dataset out.")
    if not (dataset or own):
        raise ErsatzError("The control has no data set; one is expected. Name it with --dataset.")
    values = {**settings, "name": name, "dataset": dataset or own, "pool": pool}
    _submit(ControlPoolConfig.build(values), place, detach, as_json)


@app.command()
@with_options(MixedPoolConfig, omit=("origin", "dataset", "dataset_fingerprint", "pools"))
def mix(
    pools: Annotated[list[str], typer.Argument(metavar="POOL...", help="The run ids of two or more pools.")],
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Mix the images of several pools in fixed shares, as one pool."""
    runs = [named_run(pool, "pool") for pool in pools]
    datasets = list(dict.fromkeys(run.config()["dataset"] for run in runs))
    if len(datasets) > 1:
        raise ErsatzError(f"The pools are for {', '.join(datasets)}; pools for one data set are expected.")
    name = settings.get("name") or "-".join(dict.fromkeys(run.config()["name"] for run in runs))[:80]
    values = {**settings, "name": name, "dataset": datasets[0], "pools": tuple({"run": run.id} for run in runs)}
    _submit(MixedPoolConfig.build(values), place, detach, as_json)


@app.command()
def rank(
    sweeps: Annotated[
        list[str], typer.Argument(metavar="SWEEP...", help="Finished sweeps that differ in the pool alone.")
    ],
    as_json: Json = False,
) -> None:
    """Rank the pools of several sweeps: their gains, corrected for being several, beside their quality scores."""
    from engine.report.pool_ranking import rank_sweeps, readable_ranking, where_ranked

    found = rank_sweeps([named_run(sweep, "sweep") for sweep in sweeps])
    cells = readable_ranking(found)
    if as_json:
        values = {"sentences": list(found.ranking.sentences), "ranking": cells.to_dict("records")}
        show({**values, "sweeps": [run.id for run in found.runs], "pairs": _pairs(found.ranking)}, True, "")
        return
    for sentence in found.ranking.sentences:
        console.print(f"* {sentence}", soft_wrap=True, markup=False, highlight=False)
    if len(cells):
        title = f"Gains at {where_ranked(found.ranking)}, 95 % intervals corrected for {len(cells)} pools"
        console.print(table(title, list(cells.columns), cells.to_numpy().tolist()))


def _pairs(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"first": pair.first, "second": pair.second, **vars(pair.gain)} for pair in ranking.pairs]


def class_map(given: list[str]) -> dict[str, str]:
    """`bleed=hemorrhage`, repeated or several by commas, as a dict."""
    found = {}
    for value in given:
        parts = value.split(",")
        for part in parts if all("=" in part for part in parts) else [value]:
            label, equals, name = part.rpartition("=")
            if not (equals and label.strip() and name.strip()):
                raise ErsatzError(f"--classes {value!r} cannot be read; expected FOUND=CLASS, such as 0=normal.")
            found[label.strip()] = name.strip()
    return found


def _submit(config: Config, place: str, detach: bool, as_json: bool) -> None:
    run = jobs.submit(Home.from_environment(), config, place=place)
    if not detach:
        follow_to_end([run], [f"pool {run.config()['name']}"])
    values = run_values(run)
    if detach:
        show(values, as_json, f"{run.id} is {values['state']}.")
        return
    pool = Pool.open(run)
    origin = pool.info.origin
    found = list(origin.found) if origin else []
    counts = pool.rows()["class"].value_counts().sort_index()
    values |= {
        "dataset": pool.info.dataset,
        "images": {str(name): int(count) for name, count in counts.items()},
        "left_out": len(pool.left_out),
        "control": pool.info.control,
        "trained_on": origin.trained_on if origin else "recorded",
        "found": found,
    }
    if as_json:
        show(values, True, "")
        return
    images = ", ".join(f"{count} {name}" for name, count in values["images"].items())
    what = f" Control: {pool.info.control}." if pool.info.control else ""
    console.print(f"{run.id}: {images}, for the data set {pool.info.dataset}.{what}", soft_wrap=True, markup=False)
    for sentence in found:
        console.print(f"- {sentence}", soft_wrap=True, markup=False, highlight=False)
    console.print(
        f"- Not checked yet: `python -m engine quality {run.id}` says whether these images look real, are varied, and "
        "copy none.",
        soft_wrap=True,
        markup=False,
    )
    if pool.info.unknown_training:
        console.print(
            "- Whether the generator saw test images is not known; verdicts on this pool say so.", soft_wrap=True
        )
