"""The HTML report of a sweep stands alone and says what it must."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from engine.report.html import write_report
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.runs import Run, State
from tests.fabricated import CLASSES, make_dataset, make_everything, make_pool_run, make_sweep, make_training


def text_of(html: str) -> str:
    """What a reader sees, without scripts and tags."""
    html = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_report_is_complete_and_stands_alone(home: Home) -> None:
    run = make_everything(home)
    path = write_report(run)
    html = path.read_text()
    text = text_of(html)
    verdict = json.loads((run.path / "summary.json").read_text())["verdict"]
    assert verdict["sentence"].split(":")[0] in text
    assert "Phantom data" in text
    assert "screens, not proof" in text
    assert "no medical device" in text
    assert "2 pairs of images look nearly the same." in text
    for parent in (run.id, run.config()["pool"], run.config()["dataset_fingerprint"]):
        assert parent in text
    assert html.count('<img src="data:image/png;base64,') == 2 * 12 * len(CLASSES)
    # nothing is loaded from elsewhere: the only addresses are the CSV files beside it
    tags = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    assert {link for link in re.findall(r'(?:src|href)="([^"]+)"', tags) if not link.startswith("data:")} == {
        "trials.csv",
        "cells.csv",
        "comparisons.csv",
        "class_counts.csv",
        "training.csv",
    }
    assert not re.search(r"<script[^>]+src=", html)


def test_a_start_from_unknown_images_is_told(home: Home) -> None:
    run = make_everything(home)
    assert "nobody here knows" not in text_of(write_report(run).read_text())
    pool = Run(home, run.config()["pool"])
    path = Run(home, pool.config()["generators"][0]["run"]).path / "generator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "start": {"unknown_images": True}}))
    assert "nobody here knows what images they were trained on" in text_of(write_report(run).read_text())


def test_the_csv_files_hold_the_numbers_of_the_figures(home: Home) -> None:
    run = make_everything(home)
    write_report(run)
    trials = pd.read_csv(run.path / "trials.csv")
    assert len(trials) == 8 * 10
    assert "scores" not in trials
    cells = pd.read_csv(run.path / "cells.csv").set_index(["metric", "arm", "ratio"])
    real = trials[trials["arm"] == "real"]
    assert cells.loc[("accuracy", "real", 0.0), "mean"] == pytest.approx(real["accuracy"].mean())
    assert {"ratio", "against", "p_holm"} <= set(pd.read_csv(run.path / "comparisons.csv"))
    assert set(pd.read_csv(run.path / "class_counts.csv")["train"]) == {20}


def test_names_cannot_smuggle_markup_in(home: Home) -> None:
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    summary["classes"] = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>"]
    summary["verdict"]["sentence"] = "<b>bold</b>"
    (run.path / "summary.json").write_text(json.dumps(summary))
    html = write_report(run).read_text()
    assert "alert(1)</script>" not in html
    assert "<img src=x" not in html
    assert "&lt;b&gt;bold" in html


def test_deleted_parents_are_named_and_leave_the_rest(home: Home) -> None:
    run = make_everything(home)
    shutil.rmtree(home.run(run.config()["pool"]))
    text = text_of(write_report(run).read_text())
    assert "Missing:" in text
    assert run.config()["pool"] in text
    shutil.rmtree(home.datasets)
    assert "Verdict:" in text_of(write_report(run).read_text())


def test_an_unfinished_sweep_is_refused_in_one_sentence(home: Home) -> None:
    make_dataset(home)
    pool = make_pool_run(home, [make_training(home, name) for name in CLASSES])
    with pytest.raises(ErsatzError, match=r"no summary yet.*resume"):
        write_report(make_sweep(home, pool, State.STOPPED))
    with pytest.raises(ErsatzError, match="of kind pool; a report is made of a sweep"):
        write_report(pool)
    with pytest.raises(ErsatzError, match="There is no run nobody"):
        write_report(Run(home, "nobody"))


def test_report_never_imports_torch() -> None:
    code = "import engine.report.html, sys; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
