"""`quality`, `rank`, `exclude` and `restore`: how good a pool is, which snapshot is best, and what leaves a pool."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engine.cli.follow import follow_to_end
from engine.cli.options import with_options
from engine.cli.output import Detach, Json, Place, console, show, table
from engine.configs import QualityConfig, RankingConfig
from engine.jobs import submit as jobs
from engine.quality.quality_scores import SCORES_FILE, PoolScore, QualityScores
from engine.quality.results import RankingResult
from engine.quality.snapshot_ranking import RANKING_FILE, Ranking, difference_of, remark, sentence_of
from engine.report.pool_verdict import LEGEND, lines, pool_verdict
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.parquet import read_parquet
from engine.store.runs import Run

COLOURS = {"RED": "bold red", "ORANGE": "yellow", "GREEN": "green", "GREY": "dim"}

PoolId = Annotated[str, typer.Argument(metavar="POOL", help="The run id of a pool.")]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", help="An image as the manifest names it, images/CLASS/SEED.png; repeated."),
]


@with_options(QualityConfig, omit=("name", "dataset", "dataset_fingerprint", "pool", "pool_sha256"))
def quality(
    pool: PoolId,
    name: Annotated[str, typer.Option(help="Name of the check; empty: the data set's.")] = "",
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Score a pool beside what real images score against real ones, and search it for copies of training images."""
    dataset = _pool_run(pool).config()["dataset"]
    values = {**settings, "name": name or dataset, "dataset": dataset, "pool": pool}
    run = jobs.submit(Home.from_environment(), QualityConfig.build(values), place=place)
    if detach:
        show({"run": run.id}, as_json, f"On its way in the background as {run.id}.")
        return
    follow_to_end([run], [f"quality {values['name']}"])
    found = QualityScores.read(run.path / SCORES_FILE)
    if as_json:
        said = pool_verdict(found, Pool.open(_pool_run(pool)).info.control)
        answers = [{**vars(each), "answer": each.words} for each in said.answers]
        values = {"verdict": said.level, "control": said.control, "answers": answers}
        show({"run": run.id, "path": str(run.path), **values, **found.plain()}, True, "")
        return
    control = Pool.open(_pool_run(pool)).info.control
    console.print(f"{run.id}, features of {found.extractor.name}:", soft_wrap=True)
    if control:
        console.print(f"This pool is a control: {control}, no synthetic images.", soft_wrap=True, markup=False)
    for line in lines(pool_verdict(found, control)):
        console.print(line, style=COLOURS[line.partition(":")[0]], soft_wrap=True, markup=False, highlight=False)
    console.print(LEGEND, style="dim", soft_wrap=True, markup=False, highlight=False)
    for sentence in found.sentences:
        console.print(f"* {sentence}", soft_wrap=True, markup=False, highlight=False)
    rows = [
        [row.class_name or "all", row.metric, _interval(row.value, row.low, row.high), _floor(row), row.n_real]
        for row in found.scores
    ]
    console.print(table("", ["class", "score", "value (95 %)", "real against real", "n"], rows))
    rows = [
        [row.class_name or "all", row.measure, _interval(row.value, row.low, row.high), _number(row.expected), row.n]
        for row in found.memorisation
    ]
    console.print(table("", ["class", "copies and privacy", "value (95 %)", "without copying", "n"], rows))
    for sentence in found.limits:
        console.print(sentence, style="dim", soft_wrap=True, markup=False, highlight=False)


@with_options(RankingConfig, omit=("run",))
def rank(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A training run.")],
    place: Place = "",
    detach: Detach = False,
    as_json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Rank the snapshots of a training by KID against the validation images."""
    run = jobs.submit(Home.from_environment(), RankingConfig.build({**settings, "run": run_id}), place=place)
    if detach:
        show({"run": run.id}, as_json, f"On its way in the background as {run.id}.")
        return
    follow_to_end([run], [f"rank {run_id}"])
    ranking, margin = Ranking.read(run.path / RANKING_FILE), run.config().get("margin")
    found = run.status().result_as(RankingResult)
    assert found is not None
    sentence = sentence_of(ranking, margin)
    if as_json:
        values = {**found.plain(), "clear": ranking.clear, "sentence": sentence}
        show({"run": run.id, "ranking": [row.plain() for row in ranking.snapshots], **values}, True, "")
        return
    rows = [
        [
            row.snapshot,
            f"{row.kimg:g}",
            _interval(row.kid, row.low, row.high),
            difference_of(row),
            remark(ranking, row, margin),
        ]
        for row in ranking.snapshots
    ]
    console.print(table("", ["snapshot", "kimg", "KID (95 %)", "above the lowest (95 %)", ""], rows))
    console.print(sentence, soft_wrap=True, highlight=False)
    if found.best != found.last:
        path = Run(Home.from_environment(), run_id).path / "snapshots" / found.best
        console.print(f"python -m engine export {run_id} --snapshot {path}", soft_wrap=True, highlight=False)


def exclude(
    pool: PoolId,
    source: Annotated[str, typer.Option("--from", help="A quality run: exclude what it flagged.")] = "",
    flag: Annotated[
        Literal["copy", "near-copy", "repeat"], typer.Option(help="With --from: exclude the images with this flag.")
    ] = "copy",
    images: Images = None,
    reason: Annotated[str, typer.Option(help="With --image: why; it is kept in the manifest.")] = "",
    as_json: Json = False,
) -> None:
    """Take images out of a pool, by their flags or by name; they stay on disk, and `restore` brings them back."""
    opened = Pool.open(_pool_run(pool))
    if bool(source) == bool(images):
        raise ErsatzError(
            "It is not said which images leave the pool; expected either --from QUALITY_RUN or --image PATH. Give one."
        )
    if images and not reason:
        raise ErsatzError("The images have no --reason; one is expected, since it is all that later readers will see.")
    if source:
        images, reason = _flagged(Run(Home.from_environment(), source), pool, flag), f"{flag} ({source})"
    opened.exclude(images or [], reason)
    left = len(Pool.open(opened.run).rows())
    text = f"{len(images or [])} images excluded ({reason}); {left} stay."
    show({"pool": pool, "excluded": images, "reason": reason, "left": left}, as_json, text)


def restore(pool: PoolId, images: Images = None, as_json: Json = False) -> None:
    """Bring excluded images back into a pool: those named, or all."""
    opened = Pool.open(_pool_run(pool))
    back = images or list(opened.left_out["path"])
    opened.restore(back)
    left = len(Pool.open(opened.run).rows())
    show({"pool": pool, "restored": back, "left": left}, as_json, f"{len(back)} images restored; the pool has {left}.")


def _pool_run(run_id: str) -> Run:
    run = Run(Home.from_environment(), run_id)
    if (found := run.config()["kind"]) != "pool":
        raise ErsatzError(
            f"{run_id} is a {found} run; a pool is expected. `python -m engine runs --kind pool` lists them."
        )
    return run


def _flagged(run: Run, pool: str, flag: str) -> list[str]:
    """Paths of the images of the pool that the quality run gave this flag."""
    config = run.config()
    if config["kind"] != "quality" or config["pool"] != pool:
        raise ErsatzError(
            f"{run.id} is no quality run of the pool {pool}; one is expected. "
            f"`python -m engine runs --kind quality` lists them."
        )
    path: Path = run.path / "neighbours.parquet"
    if not path.is_file():
        raise ErsatzError(f"Run {run.id} is {run.state()} and has flagged no image yet; a finished one is expected.")
    flags = read_parquet(path, columns=["path", "flag"])
    return list(flags["path"][flags["flag"] == flag])


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _interval(value: float, low: float, high: float) -> str:
    return _number(value) if math.isnan(low) else f"{value:.3g} ({low:.3g} to {high:.3g})"


def _floor(row: PoolScore) -> str:
    return "" if math.isnan(row.floor) else _interval(row.floor, row.floor_low, row.floor_high)
