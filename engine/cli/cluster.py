"""`cluster init | show`: how this home uses a SLURM cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from engine.cli.options import with_options
from engine.cli.output import Json, console, notices, show, table
from engine.cluster import slurm
from engine.cluster.nodes import Partition, partitions
from engine.cluster.proposing import propose, propose_local
from engine.cluster.settings import (
    FILE,
    LOCAL,
    ClusterSettings,
    Request,
    as_toml,
    require_settings,
    settings_path,
    write_settings,
)
from engine.cluster.words import waits_for
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.switching import switch_to_leases

app = typer.Typer(no_args_is_help=True, help="Let runs be done by a SLURM cluster, or see how it stands with it.")


@app.command()
@with_options(Request, omit=("setup",))
def init(
    replace: Annotated[bool, typer.Option("--replace", help="Write over the cluster.toml that there is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Ask the scheduler what there is, propose settings and write them as cluster.toml of the home.

    An option that is not given is proposed.
    """
    home = Home.from_environment()
    path = settings_path(home)
    if path.exists() and not replace:
        raise ErsatzError(
            f"There is {path} already, which `cluster show` shows; none is expected. Change that file, or write it "
            "anew with --replace."
        )
    proposed = _proposed(settings)
    if not as_json:
        notices.print(escape(as_toml(proposed)), soft_wrap=True, highlight=False)
    if not yes:
        typer.confirm(f"Write this as {path}?", abort=True, err=True)
    switch_to_leases(home, f"the home belongs to a cluster ({FILE})")
    write_settings(home, proposed)
    text = f"{escape(str(path))} is written. `python -m engine doctor` checks it, up to a short job on a node."
    show({"path": str(path), "settings": proposed.plain()}, as_json, text)


def _proposed(said: dict[str, Any]) -> ClusterSettings:
    """What would be written; an `ErsatzError` where the scheduler would refuse such jobs."""
    if said.get("executor") == LOCAL:
        return propose_local(said)
    slurm.require_slurm()
    proposed = propose(partitions(), said.get("partition", ""), said)
    slurm.rehearse(proposed.for_kind(""), gpus=1)
    return proposed


@app.command("show")
def show_(as_json: Json = False) -> None:
    """Show the settings, the partitions with their nodes, and your jobs, in words."""
    settings = require_settings(Home.from_environment())
    there = [] if settings.executor == LOCAL else _partitions()
    jobs = list(slurm.jobs(settings.for_kind(""), max_age=0).values())
    if as_json:
        values = [asdict(job) | {"words": waits_for(job, settings)} for job in jobs]
        show({"settings": settings.plain(), "partitions": [asdict(each) for each in there], "jobs": values}, True, "")
        return
    said = {name: value for name, value in settings.plain().items() if value not in ("", [], {})}
    console.print(table("Settings", ["", ""], [[name, escape(_shown(value))] for name, value in said.items()]))
    if there:
        rows = [[escape(each.name) + ("*" if each.is_default else ""), escape(each.sentence)] for each in there]
        console.print(table("\nPartitions", ["", ""], rows))
    rows = [[job.id, escape(job.name), job.state, job.node, escape(waits_for(job, settings))] for job in jobs]
    console.print(table("\nYour jobs", ["job", "name", "state", "node", ""], rows) if rows else "\nYou have no jobs.")


def _partitions() -> list[Partition]:
    slurm.require_slurm()
    return partitions()


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(each)}" for name, each in value.items())
    return (
        "; ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
