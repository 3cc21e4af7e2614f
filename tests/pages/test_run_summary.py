"""What lists know of runs: read again once a file has changed, and never more than it says."""

from __future__ import annotations

import json

from engine.store.about import ABOUT_FILE, change_about
from engine.store.home import Home
from engine.store.runs import Run, State
from pages.components import run_summary
from tests import fabricated


def test_a_changed_file_is_read_again(home: Home) -> None:
    fabricated.make_dataset(home)
    run = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    seen = run_summary.summary_of(run)
    assert (seen.title, seen.dataset, seen.share) == ("Train phantom · bleed", "phantom", 0.25)
    assert run_summary.status_of(run) is run_summary.status_of(run), "the file is not read again"
    fabricated.set_state(run, State.FINISHED, done=0)
    change_about(run, title="The good one")
    seen = run_summary.summary_of(run)
    assert (seen.state, seen.title, seen.share) == (State.FINISHED, "The good one", 1.0)
    (run.path / ABOUT_FILE).write_text("{torn")
    assert run_summary.title(run) == "Train phantom · bleed", "what people say never hides a run"
    (run.path / "status.json").write_text("{torn")
    assert run_summary.summaries_of([run]) == []


def test_courses_are_short_and_whole(home: Home) -> None:
    fabricated.make_dataset(home)
    run = fabricated.make_training(home, "bleed")
    losses = [row["g_loss"] for row in run.read_metrics()[0]]
    assert run_summary.curve(run) == losses
    rows = [{"kimg": float(kimg), "g_loss": 5000.0 - kimg, "pad": "x" * 200} for kimg in range(5000)]
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    course = run_summary.curve(run)
    assert len(course) == run_summary.CURVE_POINTS
    assert course == sorted(course, reverse=True)
    assert course[0] > 4800
    assert course[-1] < 200
    run.append_metrics({"kimg": 5001.0, "g_loss": 1.0, "kid": 0.25})
    run.append_metrics({"kimg": 5002.0, "g_loss": 1.0, "kid": 0.125})
    assert run_summary.curve(run)[-1] == 0.125, "the score tells more than the loss"
    sweep = fabricated.make_sweep(home, fabricated.make_pool_run(home, [run, fabricated.make_training(home, "normal")]))
    for ratio, accuracy in ((1.0, 0.75), (0.0, 0.5), (1.0, 0.25)):
        arm = "real+synthetic" if ratio else "real"
        sweep.append_metrics({"arm": arm, "ratio": ratio, "accuracy": accuracy})
    sweep.append_metrics({"arm": "real+classical", "ratio": 1.0, "accuracy": 0.0})
    assert run_summary.curve(sweep) == [0.5, 0.5]


def test_the_data_set_of_every_kind(home: Home) -> None:
    fabricated.make_everything(home, quality=True)
    found = {run_summary.config_of(run)["kind"]: run_summary.dataset_of(run) for run in summarised_runs(home)}
    assert found == dict.fromkeys(("train", "pool", "quality", "ranking", "sweep"), "phantom")


def summarised_runs(home: Home) -> list[Run]:
    return [Run(home, path.name) for path in home.runs.iterdir()]
