"""`runs`, `about`, `queue`, `stop` and `delete`: what there is, what people say of it, and its order and end."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.markup import escape

from engine.cli.output import Json, console, notices, show, table
from engine.configs import SweepConfig
from engine.jobs import submit as jobs
from engine.jobs.deletion_impact import deletion_impact
from engine.jobs.kinds import parse_config
from engine.jobs.queue import waiting
from engine.jobs.whereabouts import Whereabouts, job_of, placed, whereabouts
from engine.store.about import About, change_about, change_tags
from engine.store.about import about as said_of
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import HERE, Run, State, Status, damaged_runs, each, list_runs
from engine.sweep.standing import standing_of

WHERE = ("place", "job", "node", "waits")
SHOWN = ("stage", "done", "total", "unit", "device", "error", "alarms", "result")
LOG_LINES, LOG_BYTES = 15, 20_000

RunId = Annotated[str, typer.Argument(metavar="RUN")]


def runs(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="Show this one whole.")] = "",
    kind: Annotated[str, typer.Option(help="Only runs of this kind: import, train, pool, quality, sweep, ...")] = "",
    tag: Annotated[str, typer.Option(help="Only runs with this tag.")] = "",
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs too.")] = False,
    as_json: Json = False,
) -> None:
    """List the runs, or show one with the end of its log."""
    home = Home.from_environment()
    if run_id:
        run = Run(home, run_id)
        if damage := run.damage():
            values = damaged_values(run, damage)
            text = "\n".join(f"{key}: {value}" for key, value in values.items() if key not in WHERE)
            advice = f"Delete it with `python -m engine delete {run_id}`, or restore the file from a backup."
            show({**values, "log": log_end(run)}, as_json, escape(f"{text}\n\n{advice}"))
            return
        values = run_values(run)
        log = log_end(run)
        here = WHERE if values["place"] == HERE else ()
        lines = "\n".join(f"{key}: {value}" for key, value in values.items() if key not in here)
        told = {"test_set": standing} if (standing := history(run)) else {}
        lines += "".join(f"\n{sentence}" for sentence in standing)
        show({**values, **told, "log": log}, as_json, escape(f"{lines}\n\n{log}"))
        return
    listed = [
        values
        for _, values in each(list_runs(home, kind or None), run_values)
        if (archived or not values["archived"]) and (not tag or tag in values["tags"])
    ]
    if not tag:
        damaged = (damaged_values(Run(home, name), sentence) for name, sentence in damaged_runs(home).items())
        listed += [values for values in damaged if kind in ("", values["kind"])]
    titled = any(values["title"] for values in listed)
    placed = any(values["place"] != HERE for values in listed)
    columns = ["run", *(["title"] if titled else []), "kind", "state", "progress", *(["where"] if placed else []), ""]
    rows = [
        [
            v["run"],
            *([v["title"]] if titled else []),
            v["kind"],
            v["state"],
            _progress(v),
            *([escape(_where(v))] if placed else []),
            escape(v["error"]),
        ]
        for v in listed
    ]
    empty = "No run passes this filter." if kind or tag else "There is no run yet; `python -m engine demo` makes some."
    show(listed, as_json, table("", columns, rows) if rows else empty)


def about(
    run_id: RunId,
    title: Annotated[
        str | None, typer.Option(help="Call it so wherever it is listed; '' gives the usual name.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Add a tag; repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Take a tag off; repeated.")] = None,
    archive: Annotated[
        bool | None, typer.Option("--archive/--restore", help="Leave it out of lists and choices, or put it back.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say something of a run (a title, tags, that it is archived), or show what was said."""
    run = named_run(run_id)
    if title is not None:
        change_about(run, title=title)
    if tag or untag:
        change_tags(run, tag or [], untag or [])
    if archive is not None:
        change_about(run, archived=archive)
    values = {"run": run.id, **_said(run)}
    show(values, as_json, "\n".join(f"{key}: {value}" for key, value in values.items()))


def queue(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="A waiting run to move.")] = "",
    to: Annotated[int, typer.Option(min=1, help="Its new place; 1 starts next.")] = 1,
    as_json: Json = False,
) -> None:
    """Show the waiting runs in their order, or move one."""
    home = Home.from_environment()
    if run_id:
        jobs.move(named_run(run_id), to - 1)
    ids = [run.id for run in waiting(home)]
    rows = [[place, waits] for place, waits in enumerate(ids, start=1)]
    elsewhere = [] if as_json else waiting_elsewhere(home)
    if rows or not elsewhere:
        show(ids, as_json, table("", ["place", "run"], rows) if rows else "No run is waiting.")
    for run, where in elsewhere:
        console.print(f"{run.id} waits on the cluster. {where.waits}", soft_wrap=True, markup=False, highlight=False)


def waiting_elsewhere(home: Home) -> list[tuple[Run, Whereabouts]]:
    """The runs that wait on the cluster, the oldest first, and for what; their order is the scheduler's affair."""
    found = [(run, whereabouts(run)) for run, status in each(list_runs(home), Run.status) if status.place != HERE]
    return [(run, where) for run, where in reversed(found) if where.job and run.state() is State.QUEUED]


def stop(run_id: RunId, as_json: Json = False) -> None:
    """Stop a run at its next safe point, or take it out of the queue; it can be resumed."""
    run = named_run(run_id)
    jobs.stop(run)
    show({"run": run.id, "state": run.state()}, as_json, f"{run.id} is {run.state()}.")


def delete(
    run_id: RunId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a run's folder with everything in it, after saying what that means."""
    run = Run(Home.from_environment(), run_id)
    if damage := run.damage():
        notices.print(damage, soft_wrap=True, markup=False)
    if not yes:
        meaning = deletion_impact(run.home, [run])
        for sentence in meaning.lost:
            notices.print(f"Lost: {sentence}", soft_wrap=True)
        for sentence in meaning.stays:
            notices.print(f"Stays: {sentence}", soft_wrap=True)
        for user in meaning.users:
            notices.print(f"Cannot be repeated without it: {user.id}", soft_wrap=True)
        typer.confirm(f"Delete {run.path} and everything in it ({meaning.size / 2**20:.1f} MiB)?", abort=True)
    jobs.delete(run)
    show({"deleted": run.id}, as_json, f"Deleted {run.id}.")


def named_run(run_id: str, *kinds: str) -> Run:
    """The run of that id; an `ErsatzError` when there is none or it is of none of these kinds."""
    run = Run(Home.from_environment(), run_id)
    found = run.config()["kind"]
    if kinds and found not in kinds:
        raise ErsatzError(
            f"{run_id} is a {found} run; a {' or '.join(kinds)} run is expected. "
            f"`python -m engine runs --kind {kinds[0]}` lists them."
        )
    return run


def damaged_values(run: Run, sentence: str) -> dict[str, Any]:
    """The same of a run that is damaged, as far as it can be told; the error says what is wrong."""
    values: dict[str, Any] = {"run": run.id, "kind": "", "state": str(State.DAMAGED), "path": str(run.path)}
    with suppress(ErsatzError):
        values["kind"] = run.kind
    plain = Status(error=sentence).plain()
    said = {"title": "", "tags": [], "archived": False, "owner": "", **where_values(Whereabouts())}
    return values | said | {name: plain[name] for name in SHOWN}


def log_end(run: Run) -> str:
    """The last lines of the log; empty when there is none."""
    try:
        with run.log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ""


def run_values(run: Run) -> dict[str, Any]:
    """What a run is and how it stands, as plain values."""
    status = run.status()
    state = run.state_of(status)
    values = {"run": run.id, "kind": run.kind, "state": str(state), "path": str(run.path)}
    where = Whereabouts() if status.place == HERE else placed(run.kind, status, state, job_of(run))
    plain = status.plain()
    return values | _said(run) | where_values(where) | {name: plain[name] for name in SHOWN}


def _said(run: Run) -> dict[str, Any]:
    try:
        said = said_of(run)
    except ErsatzError:  # it never changes a result, and `about` says what is wrong with it
        said = About()
    return {"title": said.title, "tags": list(said.tags), "archived": said.archived, "owner": said.owner}


def where_values(where: Whereabouts) -> dict[str, str]:
    """Where a run is as plain values."""
    return {"place": where.place, "job": where.job, "node": where.node, "waits": where.told}


def _where(values: dict[str, Any]) -> str:
    """Where a run is, or what it waits for, in a column; empty for one that is done here."""
    return "" if values["place"] == HERE else Whereabouts(*(values[name] for name in WHERE)).short


def _progress(values: dict[str, Any]) -> str:
    return f"{values['done']:g}/{values['total']:g} {values['unit']}"


def history(run: Run) -> list[str]:
    """Of a sweep that has read its test images, where it stands among those that did; empty of other runs."""
    if run.kind != "sweep":
        return []
    config = parse_config(run.config())
    assert isinstance(config, SweepConfig)
    standing = standing_of(run, config)
    return standing.sentences() if standing.images and run.state() is State.FINISHED else []
