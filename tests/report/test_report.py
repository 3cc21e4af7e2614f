"""The HTML report of a sweep stands alone and says what it must."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.datasets.dataset import Dataset, write_manifest
from engine.datasets.splitting import CUT
from engine.report.headline_answers import answers, decisive, of_patients
from engine.report.html import write_report
from engine.report.methods import methods_text
from engine.report.outcome_report import outcome_text, outcome_values
from engine.report.pictures import gallery
from engine.report.provenance import parents
from engine.report.reader_study import without_names
from engine.report.sources import read_sources
from engine.review import quiz as quizzes
from engine.review.decisions import decide, take_out
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.runs import Run, State
from engine.sweep.headline import headline
from engine.sweep.summary_model import Patients
from tests.fabricated import (
    CLASSES,
    make_dataset,
    make_everything,
    make_folded,
    make_pair,
    make_pool_run,
    make_sweep,
    make_training,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A sound sweep with its report, beside the one as published; two reviewers looked at its pool."""
    run = make_pair(Home(tmp_path_factory.mktemp("pair") / "home"))
    pool = Pool.open(Run(run.home, run.config()["pool"]))
    quiz = quizzes.begin_quiz(pool, 12, seed=1, seconds=5, author="Ada Lovelace")
    for who in ("Ada Lovelace", "Grace Hopper"):
        for item, shown in enumerate(quiz.items):
            quizzes.answer(run.home, quiz, who, item, "real" if item < 9 else shown.source, 2.0)
    decide(pool, list(pool.manifest["path"].iloc[:3]), "Ada Lovelace", "reject", "blurred")
    take_out(pool, "any")
    write_report(run)
    return run


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
    # nothing is loaded from elsewhere, and nothing beside it is wanted: the only addresses are places in the page
    tags = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    links = {link for link in re.findall(r'(?:src|href)="([^"]+)"', tags) if not link.startswith("data:")}
    assert {link[:1] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(re.findall(r' id="([^"]+)"', tags))
    assert not re.search(r"<script[^>]+src=", html)


def test_figures_and_tables_are_numbered_and_travel_with_their_numbers(pair: Run) -> None:
    html = (pair.path / "report.html").read_text()
    page = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    assert "<h1>Do synthetic images help ResNet-50 tell bleed and normal apart in phantom?</h1>" in page
    for kind in ("Figure", "Table"):
        numbers = [int(number) for number in re.findall(rf"<b>{kind} (\d+)\.</b>", page)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 10
    captioned = re.findall(r"<figure id=.*?</figure>", page, flags=re.DOTALL)
    assert all(figure.count("<figcaption><b>Figure") == 1 for figure in captioned)
    assert page.count('class="plotly-graph-div"') == sum("plotly-graph-div" in figure for figure in captioned)
    saved = dict(re.findall(r'id="csv-(\w+)" download="[^"]+" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page))
    assert {"cells", "comparisons", "curves", "curve_areas", "as_published", "trials"} <= set(saved)
    for name, data in saved.items():
        assert base64.b64decode(data) == (pair.path / f"{name}.csv").read_bytes(), name


def test_a_start_from_unknown_images_is_told(home: Home) -> None:
    run = make_everything(home)
    assert "nobody here knows" not in text_of(write_report(run).read_text())
    pool = Run(home, run.config()["pool"])
    path = Run(home, pool.config()["generators"][0]["run"]).path / "generator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "start": {"unknown_images": True}}))
    assert "nobody here knows what images they were trained on" in text_of(write_report(run).read_text())


def test_reviewers_are_told_by_numbers_and_never_by_name(pair: Run) -> None:
    run = pair
    html = (run.path / "report.html").read_text()
    text = text_of(html)
    assert "2 reviewers told synthetic from real in" in text
    assert "Half of the 12 images were real ones" in text
    assert "decided on 3 images: 3 rejected by somebody" in text
    methods = methods_text(read_sources(run))
    assert "2 reviewers who did not know which images were synthetic judged 6 real images" in methods
    assert "5 seconds for each" in methods
    assert set(pd.read_csv(run.path / "reviewers.csv")["reviewer"]) == {"Reviewer 1", "Reviewer 2"}
    written = html + methods + "".join(path.read_text() for path in run.path.glob("*.csv"))
    assert "Lovelace" not in written
    assert "Hopper" not in written
    assert without_names({"rejected by Ada: blurred": 2, "rejected by Ada, Grace: blurred": 1, "copy": 4}) == {
        "rejected by reviewers: blurred": 3,
        "copy": 4,
    }


def test_the_csv_files_hold_the_numbers_of_the_figures(home: Home) -> None:
    run = make_everything(home)
    write_report(run)
    trials = pd.read_csv(run.path / "trials.csv")
    assert len(trials) == 8 * 12
    assert "scores" not in trials
    assert "valid_scores" not in trials
    cells = pd.read_csv(run.path / "cells.csv").set_index(["metric", "arm", "ratio"])
    real = trials[trials["arm"] == "real"]
    assert cells.loc[("accuracy", "real", 0.0), "mean"] == pytest.approx(real["accuracy"].mean())
    assert {"ratio", "against", "p_corrected"} <= set(pd.read_csv(run.path / "comparisons.csv"))
    assert set(pd.read_csv(run.path / "class_counts.csv")["train"]) == {20}


def test_every_table_is_there_as_csv_and_as_parquet(pair: Run) -> None:
    names = {path.stem for path in pair.path.glob("*.csv")} - {"test_images", "valid_images"}
    assert {"cells", "comparisons", "classes", "reliability", "subgroups", "quality_scores", "neighbours"} <= names
    assert {"calibration", "curves", "decision_curves", "operating_points", "checklist", "participants"} <= names
    assert {"missing_values", "subgroup_differences", "interactions"} <= names
    assert {"memorisation", "feature_map", "published", "metrics", "trials", "training", "class_counts"} <= names
    for name in names:
        csv, parquet = pd.read_csv(pair.path / f"{name}.csv"), pd.read_parquet(pair.path / f"{name}.parquet")
        assert len(csv) == len(parquet)
        assert set(csv) <= set(parquet), name
    assert "scores" in pd.read_parquet(pair.path / "trials.parquet"), "the sweep's own table was overwritten"


def test_outcomes_are_told_as_values_and_in_words(pair: Run) -> None:
    sources = read_sources(pair, beside=False)
    values = json.loads(json.dumps(outcome_values(sources), allow_nan=False))
    cells = pd.read_csv(pair.path / "cells.csv").set_index(["metric", "arm", "ratio"])
    of_metric = {(row["metric"], row["arm"], row["ratio"]): row for row in values["arms"]}
    if sources.config.level == "image":
        row = of_metric["accuracy", "real", 0.0]
        assert row["low"] == pytest.approx(cells.loc[("accuracy", "real", 0.0), "low"])
    assert {row["measure"] for row in values["calibration"]} == {"intercept", "slope"}
    assert {row["column"] for row in values["interactions"]} == {"sex"}
    text = outcome_text(sources)
    assert "exploratory; test of interaction, p" in text
    assert "fixed on the validation images" in text
    page = text_of((pair.path / "report.html").read_text())
    assert "Does the gain differ between subgroups?" in page
    assert "for the authors" in page
    items = pd.read_csv(pair.path / "checklist.csv")
    assert items.groupby("guideline")["item"].count().to_dict() == {"CLAIM 2024": 44, "TRIPOD+AI": 27}
    assert items.loc[items["status"] == "for the authors", "answer"].isna().all()
    flow = pd.read_csv(pair.path / "participants.csv")
    images = flow.set_index("stage")["images"]
    assert images["found"] == images["used"] + images.get("excluded", pd.Series(0, dtype=int)).sum()
    assert flow.loc[flow["stage"] == "part", "images"].sum() == images["used"]


def test_test_images_of_unknown_patients_are_not_counted_as_one() -> None:
    assert of_patients(Patients(known=1, images_without=28)) == ", 28 of them of unknown patients"
    assert of_patients(Patients(known=12, images_without=0)) == " of 12 patients"
    assert of_patients(None) == ""


def test_the_first_screen_answers_how_sure_to_what_copies_and_leaks(pair: Run) -> None:
    sources = read_sources(pair)
    sure, compared, copies, leaked = answers(sources)
    row = decisive(sources)
    assert row is not None
    assert (row.against, row.metric, row.is_mean) == ("real+duplicates", "accuracy", True)
    assert sure.answer == f"Not significant: {100 * row.mean_difference:+.1f} points"
    assert f"{100 * row.low_total:+.1f} to {100 * row.high_total:+.1f} points" in sure.detail
    assert compared.answer == "As many repeated real images"
    assert (copies.answer, copies.tone) == ("2 copies, 1 near copy of 80", "bad")
    assert leaked.tone == "good"
    text = text_of((pair.path / "report.html").read_text())
    screen = text[: text.index("What synthetic images did")]
    for answer in (sure, compared, copies, leaked):
        assert f"{answer.question} {answer.answer} {answer.detail}" in screen


def test_what_was_published_stands_beside_both_protocols(pair: Run) -> None:
    text = text_of((pair.path / "report.html").read_text())
    part = text[text.index("As published, and sound") : text.index("Data and its audit")]
    assert "synthetic only Synthetic only, classical, 100 % 60.6 % 93.2 % 68.5 %" in part
    assert "must lie between, but does not" in part
    found = headline(read_sources(pair).summary, read_sources(pair).config)
    assert part.index("No claim is made from it.") < part.index(f"{found.word}. {found.line}")
    assert "synthetic-in-test, dropped-runs none" in part
    assert "A classifier is wanted for patients" in part


def test_a_published_protocol_claims_nothing_and_says_what_leaked(pair: Run) -> None:
    theirs = Run(pair.home, pair.config()["beside"])
    html = write_report(theirs).read_text()
    text = text_of(html)
    sure, compared, _, leaked = answers(read_sources(theirs))
    assert (sure.answer, compared.answer, leaked.tone) == ("Not at all", "The real images alone", "bad")
    assert "a published protocol, which claims nothing" in text
    assert "Synthetic images stood in the test set" in leaked.detail
    assert "With and without the runs that the published rule leaves out" in text
    assert "no claim was made from it" in (theirs.path / "methods.txt").read_text()
    assert "real and synthetic test images" in html


def test_subgroups_are_shown_apart(pair: Run) -> None:
    text = text_of((pair.path / "report.html").read_text())
    assert "By subgroup" in text
    assert "sex: female" in text
    table = pd.read_csv(pair.path / "subgroups.csv")
    assert set(table["value"]) == {"female", "male"}


def test_the_worst_pairs_are_shown_even_when_they_left_the_pool(pair: Run) -> None:
    html = (pair.path / "report.html").read_text()
    assert html.count('alt="what it is most like"') == 12
    assert html.count('class="flagged"') == 5
    source = read_sources(pair).pools[0]
    assert source.pool is not None
    source.pool.exclude(list(source.quality.neighbours["path"][:1]), "copy")  # type: ignore[union-attr]
    assert len(gallery(read_sources(pair).pools[0])) == 12
    source.pool.restore(list(source.quality.neighbours["path"][:1]))  # type: ignore[union-attr]


def test_methods_follow_the_configs(pair: Run) -> None:
    sources = read_sources(pair)
    methods = methods_text(sources)
    assert methods == (pair.path / "methods.txt").read_text().strip()
    assert methods in text_of((pair.path / "report.html").read_text()).replace("&#39;", "'")
    for fact in (
        "40 training, 12 validation and 24 test images",
        sources.config.dataset_fingerprint[:12],
        "frozen features of ResNet-50",
        "300 steps in batches of 32 (AdamW, a constant learning rate, beginning at 0.001",
        "Shares were 50, 100 %",
        "8 seeds",
        "hold for all 2 shares and their mean together (single-step max-t)",
        "Satterthwaite FE (1946)",
        "Hothorn T, Bretz F, Westfall P (2008)",
        "40 images of each class were sampled (seeds 0 to 39)",
        "drawn by a program",
    ):
        assert fact in methods, fact
    config = sources.config.model_copy(update={"classifier": "small-cnn", "patience": 3, "level": "patient"})
    other = methods_text(replace(sources, config=config))
    assert "small convolutional network was trained from scratch" in other
    assert "had not fallen for 3 looks, with the same limit in every arm" in other
    assert "by patient (mean score of the images)" in other
    assert "ResNet" not in other
    compared = answers(replace(sources, config=config))[1].detail
    assert "same 300 optimiser steps at most" in compared
    once = methods_text(replace(sources, config=sources.config.model_copy(update={"seeds": 1})))
    assert "No claim was made from a single repetition" in once
    assert "published one" not in once


def test_an_unchecked_pool_is_said_to_be_unchecked(home: Home) -> None:
    run = make_everything(home)
    copies = answers(read_sources(run))[2]
    assert (copies.answer, copies.tone) == ("Not looked for", "unknown")
    assert f"python -m engine quality {run.config()['pool']}" in text_of(write_report(run).read_text())


def test_near_copies_alone_are_to_be_looked_at(home: Home) -> None:
    run = make_everything(home, quality=True)
    path = next(home.runs.glob("*quality*")) / "scores.json"
    scores = json.loads(path.read_text())
    for flags, answer, tone in (
        ({"copy": 0, "near-copy": 2}, "No copies, 2 near copies of 40", "unknown"),
        ({"copy": 1, "near-copy": 0}, "1 copy, 0 near copies of 40", "bad"),
        ({"copy": 0, "near-copy": 0}, "None was found", "good"),
    ):
        path.write_text(json.dumps({**scores, "flags": {**flags, "repeat": 0}}))
        copies = answers(read_sources(run))[2]
        assert (copies.answer, copies.tone) == (answer, tone)


@pytest.mark.parametrize(
    "named",
    [{"name": "test images unseen"}, {"id": "test-images-unseen", "name": "No test image was trained on"}],
    ids=["of before there were ids", "reworded"],
)
def test_a_failed_check_of_its_own_is_on_the_first_screen(home: Home, named: dict[str, str]) -> None:
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    summary["checks"] = [{**named, "ok": False, "sentence": "3 of 24 test images are known."}]
    (run.path / "summary.json").write_text(json.dumps(summary))
    text = text_of(write_report(run).read_text())
    assert text.index("found something wrong 3 of 24 test images are known.") < text.index("How sure is that?")
    assert answers(read_sources(run))[3].tone == "bad"


def test_a_sweep_of_before_is_still_reported(home: Home) -> None:
    """Sweeps whose summary knows none of what came later, and that keep no table of metrics."""
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    new = [
        "metric",
        "level",
        "folds",
        "primary_arm",
        "verdicts",
        "departures",
        "checks",
        "subgroups",
        "patients",
    ]
    for name in (*new, "rule", "pool_images", "pool_excluded", "dropped", "n_units"):
        summary.pop(name, None)
    for row in summary["comparisons"]:
        row["p_holm"] = row.pop("p_corrected")
        for name in ("arm", "low_total", "high_total", "low_alone", "high_alone", "seed_variance", "image_variance"):
            row.pop(name, None)
    (run.path / "summary.json").write_text(json.dumps(summary))
    (run.path / "metrics.parquet").unlink()
    gone = ["fold", "average_precision", "ece", "log_score", "valid_scores"]
    trials = pd.read_parquet(run.path / "trials.parquet").drop(columns=gone)
    trials.to_parquet(run.path / "trials.parquet")
    text = text_of(write_report(run).read_text())
    assert "95 % interval over seeds" in (run.path / "report.html").read_text()
    assert "before the program checked its own results" in text
    assert "this sweep is of before the scores of the validation images were kept" in text
    assert "Holm's correction over" in methods_text(read_sources(run))
    assert "sign-flip permutation of the paired differences; corrected: Holm" in text


def test_folds_are_told_and_judged_together(home: Home) -> None:
    run = make_folded(home)
    html = write_report(run).read_text()
    text = text_of(html)
    assert "divided into 2 folds" in text
    copies = answers(read_sources(run))[2]
    assert "Not checked: the pool of phantom-fold2." in copies.detail
    assert copies.tone == "bad"
    assert text.count("phantom-fold") >= 4
    assert set(pd.read_csv(run.path / "cells.csv")["n"]) == {6}, "a seed counts once, whatever the folds"
    methods = (run.path / "methods.txt").read_text()
    assert "Its 76 images were divided into 2 folds" in methods
    apart = "What one fold tests on, the other trains on: folds are not independent"
    assert apart in methods
    assert text.count(apart) == 2, "among the limits and in the methods"


def test_folds_of_a_set_whose_training_part_was_cut(home: Home) -> None:
    """The cut, the split and the patients of the undivided set are not those of the folds."""
    run = make_folded(home)
    whole = Dataset.open(home, "phantom")
    fold = Dataset.open(home, "phantom-fold1")
    for dataset in (whole, fold):
        train = dataset.manifest["split"] == "train"
        first = train & (train.cumsum() <= 10)
        write_manifest(
            dataset.path / "manifest.csv",
            dataset.manifest.assign(excluded=np.where(first, CUT, dataset.manifest["excluded"])),
        )
    info = json.loads((whole.path / "dataset.json").read_text())
    small = {"name": "small-test", "sentence": "The test part has 4 images.", "count": 4, "severity": "warning"}
    info["audit"]["findings"].append({**small, "examples": [], "remedy": ""})
    (whole.path / "dataset.json").write_text(json.dumps(info))
    text = text_of(write_report(run).read_text())
    assert "Its 76 images were divided into 2 folds" in text
    assert "76 patients in 76 images." in text
    assert "The test part has 4 images." not in text


def test_pretrained_weights_are_named_by_their_hash(home: Home) -> None:
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    assert "Classifier" not in {parent.what for parent in parents(read_sources(run))}
    summary["classifier"] = {"name": "resnet50", "weights": "resnet50-11ad3fa6.pth", "weights_sha256": "b" * 64}
    (run.path / "summary.json").write_text(json.dumps(summary))
    (weights,) = [parent for parent in parents(read_sources(run)) if parent.what == "Classifier"]
    assert (weights.name, weights.sha256) == ("resnet50 (resnet50-11ad3fa6.pth)", "b" * 64)


def test_names_cannot_smuggle_markup_in(home: Home) -> None:
    run = make_everything(home)
    summary = json.loads((run.path / "summary.json").read_text())
    summary["classes"] = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>"]
    summary["verdict"]["sentence"] = "<b>bold</b>"
    for name in ("test_images.csv", "valid_images.csv"):
        images = pd.read_csv(run.path / name, dtype=str, keep_default_na=False)
        images["class"] = images["class"].map(dict(zip(CLASSES, summary["classes"], strict=True)))
        images.to_csv(run.path / name, index=False)
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
