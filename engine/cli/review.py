"""`review begin | list | results | apply | comment | export`: what reviewers say, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from engine.cli.output import Json, show, table
from engine.cli.runs import named_run
from engine.review import comments, decisions, quiz
from engine.review.decisions import Rule
from engine.sampling.pools import Pool
from engine.store.csv_cells import write_table
from engine.store.files import replacing
from engine.store.home import Home
from engine.store.roles import machine_user
from engine.store.runs import Run, list_runs

app = typer.Typer(no_args_is_help=True, help="Reviewers: real or fake, accept or reject, comments.")

PoolId = Annotated[str, typer.Argument(metavar="POOL", help="The run id of a pool.")]
Author = Annotated[str, typer.Option(help="In whose name; empty: the user of this machine.")]


@app.command()
def begin(
    pool: PoolId,
    images: Annotated[int, typer.Option(help="Images of the quiz, half of them real; an even number.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed draws the same images.")] = 0,
    seconds: Annotated[int, typer.Option(min=0, help="Time for an image; 0: no limit.")] = 0,
    rated: Annotated[
        bool, typer.Option("--rated/--not-rated", help="Ask how sure reviewers are of each answer, from 1 to 5.")
    ] = True,
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Draw the images of a quiz, for every reviewer to play on the Review page."""
    drawn = quiz.begin_quiz(_pool(pool), images, seed, seconds, author or machine_user(), rated)
    values = {"quiz": drawn.id, "pool": pool, "images": images, "page": f"/review?view=Real+or+fake&quiz={drawn.id}"}
    show(values, as_json, f"{drawn.id} is ready: {images} images. Play it at {values['page']} of the dashboard.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The quizzes, and how far each reviewer is."""
    home = Home.from_environment()
    quizzes = quiz.list_quizzes(home)
    seen = quiz.progress(home, quizzes)
    values: list[dict[str, Any]] = [
        {"quiz": one.id, "pool": one.pool, "images": len(one.items), "seed": one.seed, "seconds": one.seconds}
        | {"author": one.author, "created": one.created, "reviewers": seen[one.id]}
        for one in quizzes
    ]
    rows = [
        [v["quiz"], v["pool"], v["images"], ", ".join(f"{who} {count}" for who, count in seen[v["quiz"]].items())]
        for v in values
    ]
    empty = "There is no quiz yet. Begin one with `python -m engine review begin POOL`."
    show(values, as_json, table("", ["quiz", "pool", "images", "answered"], rows) if rows else empty)


@app.command()
def results(quiz_id: Annotated[str, typer.Argument(metavar="QUIZ")], as_json: Json = False) -> None:
    """How well reviewers told synthetic from real images, and how far they agree."""
    from engine.report.review_figures import readable_areas
    from engine.review.agreement import mistaken
    from engine.review.study import kappa_told, kappa_words, study

    home = Home.from_environment()
    found = study(home, quiz.open_quiz(home, quiz_id))
    if as_json:
        values: dict[str, Any] = {"quiz": quiz_id, "sentence": found.sentence, "on_the_way": found.on_the_way}
        values |= {"reviewers": _records(found.scores), "kappa": _records(found.pairs)}
        values |= {"pooled": {measure: asdict(each) for measure, each in found.pooled.items()}}
        values["fleiss_kappa"] = None if pd.isna(found.kappa) else found.kappa
        interval = None if pd.isna(found.kappa) else [found.fleiss.low, found.fleiss.high]
        values["fleiss_kappa_interval"] = interval
        if found.roc is not None:
            values["auc"] = _records(found.roc.areas)
            values["auc_pooled"] = None if found.roc.pooled is None else asdict(found.roc.pooled)
        values |= {"fooling": _records(mistaken(found.table, quiz.SYNTHETIC))}
        values |= {"doubted": _records(mistaken(found.table, quiz.REAL))}
        show(values, True, "")
        return
    rows = [
        [row["reviewer"], row["answered"], row["no_answer"]]
        + [_share(row, measure) for measure in ("accuracy", "sensitivity", "specificity")]
        for row in found.scores.to_dict("records")
        if row["class"] == ""
    ]
    columns = ["reviewer", "answered", "no answer", "right (95 %)", "synthetic found", "real found"]
    show(None, False, table(found.sentence, columns, rows))
    if not pd.isna(found.agreement.mean):
        told = f"{kappa_told(found.agreement)}, {kappa_words(found.agreement.mean)}"
        show(None, False, f"Agreement of the reviewers (kappa, 95 % interval for other images): {told}.")
    if found.roc is not None:
        cells = readable_areas(found.roc)
        show(None, False, table(found.area_sentence, list(cells.columns), cells.to_numpy().tolist()))


@app.command()
def apply(
    pool: PoolId,
    rule: Annotated[
        Rule, typer.Option(help="Of those who decided on an image, who must have rejected it.")
    ] = "majority",
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what left the pool by review alone.")] = False,
    as_json: Json = False,
) -> None:
    """Take the images that reviewers rejected out of a pool; their files stay, and --undo brings them back."""
    opened = _pool(pool)
    changed = decisions.bring_back(opened) if undo else decisions.take_out(opened, rule)
    left = len(Pool.open(opened.run).rows())
    text = f"{len(changed)} images {'brought back' if undo else 'taken out'}; the pool has {left}."
    show({"pool": pool, "restored" if undo else "excluded": changed, "left": left}, as_json, text)


@app.command()
def comment(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Say something of a run; it is shown on the Review and Runs pages."""
    said = comments.add_comment(Run(Home.from_environment(), run), author or machine_user(), text)
    show(asdict(said), as_json, f"{said.author} commented on {run}.")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write the tables into.")],
    as_json: Json = False,
) -> None:
    """Write all answers (with what was shown), decisions and comments as CSV."""
    from engine.review.agreement import judged

    home = Home.from_environment()
    given = [judged(one, quiz.answers(home, one)).assign(quiz=one.id, pool=one.pool) for one in quiz.list_quizzes(home)]
    decided = [decisions.decisions(home, run.id).assign(pool=run.id) for run in list_runs(home, "pool")]
    tables = {
        "answers": pd.concat(given) if given else pd.DataFrame(),
        "decisions": pd.concat(decided) if decided else pd.DataFrame(),
        "comments": pd.DataFrame([asdict(one) for one in comments.recent_comments(home, limit=10**6)]),
    }
    for name, each in tables.items():
        with replacing(out / f"{name}.csv") as temporary:
            write_table(each, temporary)
    counts = {name: len(each) for name, each in tables.items()}
    show({"folder": str(out), **counts}, as_json, f"{out}: {', '.join(f'{n} {name}' for name, n in counts.items())}.")


def _pool(run_id: str) -> Pool:
    return Pool.open(named_run(run_id, "pool"))


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as JSON has them: what is not defined is null."""
    return rows.astype(object).where(rows.notna(), None).to_dict("records")


def _share(row: dict[Any, Any], measure: str) -> str:
    if pd.isna(row[measure]):
        return "–"
    return f"{100 * row[measure]:.0f} % ({100 * row[f'{measure}_low']:.0f} to {100 * row[f'{measure}_high']:.0f})"
