"""A run with everything that it rests on, to take away: as a ZIP, and as a notebook that repeats it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import Json, show
from engine.cli.runs import RunId, named_run
from engine.jobs.journey_archive import write_archive
from engine.jobs.journey_notebook import journey_notebook
from engine.jobs.lineage import lineage
from engine.store.about import about
from engine.store.errors import ErsatzError
from engine.store.files import replacing, write_text

Target = Annotated[Path, typer.Argument(help="The file to write; one that is there already is not replaced.")]


def pack(
    run_id: RunId,
    file: Target,
    images: Annotated[bool, typer.Option("--images", help="The real images too, but for sealed ones.")] = False,
    networks: Annotated[bool, typer.Option("--networks", help="The snapshots of trainings too.")] = False,
    as_json: Json = False,
) -> None:
    """Pack a run with everything that it rests on into one ZIP: settings, numbers, results, and the notebook."""
    run = named_run(run_id)
    _refuse_taken(file)
    runs = lineage(run)
    with replacing(file) as temporary, temporary.open("wb") as opened:
        write_archive(opened, runs, about(run).title or run.id, images, networks)
    values = {"file": str(file), "runs": [one.id for one in runs], "bytes": file.stat().st_size}
    show(values, as_json, f"{len(runs)} runs are packed in {file} ({values['bytes']:,} bytes).")


def notebook(run_id: RunId, file: Target, as_json: Json = False) -> None:
    """Write a notebook that repeats a run and everything that it rests on, with the same settings."""
    run = named_run(run_id)
    _refuse_taken(file)
    runs = lineage(run)
    write_text(file, journey_notebook(runs, about(run).title or run.id))
    show({"file": str(file), "runs": [one.id for one in runs]}, as_json, f"{file} repeats {len(runs)} runs.")


def _refuse_taken(file: Path) -> None:
    if file.exists():
        raise ErsatzError(f"{file} is there already; a new file is expected. Name another, or delete it.")
