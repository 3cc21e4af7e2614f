"""The ledger of test sets: every sweep that reads one counts, once, whatever becomes of it, and words follow it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets import editing, seal
from engine.datasets.dataset import Dataset
from engine.datasets.folds import make_folds
from engine.datasets.test_readings import own_images, readings, record
from engine.jobs.prepare import prepare_plan, prepare_sweep
from engine.jobs.submit import delete
from engine.report.html import write_report
from engine.report.ledger_facts import ledger_facts, read_before
from engine.report.methods import methods_text
from engine.report.sources import read_sources
from engine.sampling.pools import Pool
from engine.store import ledger
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from engine.sweep import inputs as sweep_inputs
from engine.sweep.plans import departures, open_plan, plans, register
from engine.sweep.rejudging import rejudge
from engine.sweep.runner import run_sweep
from engine.sweep.splits import open_splits, pinned
from engine.sweep.standing import MOST_NAMED, Standing, standing_of, standing_of_plan
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE, RULE
from tests.sweep.conftest import make_dataset

NewSweep = Callable[..., tuple[Run, SweepConfig]]
OLD = Path(__file__).parents[1] / "homes" / "before-the-redesign.zip"


def reads(run: Run, config: SweepConfig) -> Standing:
    """The run reads its test images, as the runner records it, fold by fold; where it stands then."""
    for split in open_splits(run.home, config):
        record(run, split.fold, seal.images_to_test(split.dataset))
    return standing_of(run, config)


def test_a_sweep_counts_from_its_first_image_on_and_once(
    new_sweep: NewSweep, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    """It fails while it reads the images: that is a reading. Resumed, it is the same one."""
    run, config = new_sweep(seeds=1, ratios=(1.0,), arms=("real", "real+synthetic"))
    whole = sweep_inputs._part

    def broken(dataset: Dataset, part: str) -> Any:
        if part == "test":
            assert [reading.run for reading in readings(run.home)] == [run.id], "in the ledger before it is read"
            raise ErsatzError("The disk is gone.")
        return whole(dataset, part)

    monkeypatch.setattr(sweep_inputs, "_part", broken)
    with pytest.raises(ErsatzError, match="disk"):
        run_sweep(run, config, workers=1)
    monkeypatch.setattr(sweep_inputs, "_part", whole)
    assert run_sweep(run, config, workers=1) == "finished"
    (reading,) = readings(run.home)
    assert (reading.images, reading.found) == (seal.images_to_test(dataset), False)
    summary = SweepSummary.read(run.path / "summary.json")
    assert summary.declared == "in its config, before any sweep had read this test set"


def test_the_third_sweep_names_the_others_and_what_was_declared_after_them(new_sweep: NewSweep) -> None:
    first, config = new_sweep(primary_ratio=0.5, margin=0.02)
    assert reads(first, config).sentences()[0].startswith("This is the first sweep that read this test set")
    second, _ = new_sweep()
    reads(second, config)
    third, _ = new_sweep(primary_ratio=0.5)
    standing = reads(third, config)
    told = standing.sentences()[0]
    assert told.startswith("This is the 3rd sweep that read this test set; before it: ")
    assert first.id in told and second.id in told
    assert standing.where == "in its config, after 2 other sweeps had read this test set"
    again = standing_of(first, config)
    assert (again.number, again.where) == (1, "in its config, before any sweep had read this test set")
    assert third.id in again.sentences()[1]
    delete(second)
    assert f"{second.id} (sweep, " in (told := standing_of(third, config).sentences()[0])
    assert "deleted since" in told
    assert standing_of(third, config).number == 3


def test_of_many_readers_the_last_are_named_and_the_others_counted(new_sweep: NewSweep) -> None:
    runs = []
    for _ in range(MOST_NAMED + 3):
        run, config = new_sweep()
        standing = reads(run, config)
        runs.append(run)
    told = standing.sentences()[0]
    assert [run.id in told for run in runs[:-1]] == [False] * 2 + [True] * MOST_NAMED
    assert "before it: 2 others, and last " in told


def test_two_sweeps_that_were_submitted_before_either_read_are_both_declared_before(new_sweep: NewSweep) -> None:
    (one, config), (other, _) = new_sweep(), new_sweep()
    reads(one, config)
    assert reads(other, config).where == "in its config, before any sweep had read this test set"


def test_shared_images_count_in_data_sets_imported_again_and_in_folds(
    home: Home, new_sweep: NewSweep, folds: list[dict[str, str]]
) -> None:
    run, config = new_sweep()
    reads(run, config)
    again = make_dataset(home, {"train": 26, "valid": 10, "test": 14}, "again")
    other = create_run(home, config.model_copy(update={"dataset": "again"}).plain(), "again")
    record(other, 0, seal.images_to_test(again))
    shared = standing_of(other, config)
    assert (shared.number, shared.before[0].shared, shared.before[0].of) == (2, 28, 28)
    part = make_dataset(home, {"train": 12, "valid": 4, "test": 8}, "part")  # the images that the folds are of
    record(other, 0, seal.images_to_test(part))
    whole, crossed = new_sweep(folds=folds)
    standing = reads(whole, crossed)
    assert [(each.reading.run, each.shared, each.of) for each in standing.before] == [(other.id, 16, 48)]
    assert standing.number == 2, "three folds are one sweep"
    assert "16 of the 48 images" in standing.sentences()[0]


def _append(root: Path, number: int) -> None:
    ledger.add(Home(root), lambda events: [{"event": "plan", "id": f"{number}", "seen": len(events)}])


def test_lines_appended_at_once_are_all_there_each_after_the_others(home: Home) -> None:
    with ProcessPoolExecutor(2) as processes:
        list(processes.map(_append, [home.root] * 12, range(12)))
    found = ledger.events(home)
    assert sorted(int(event["id"]) for event in found) == list(range(12))
    assert [event["seen"] for event in found] == list(range(12)), "each writer saw all that came before"


def test_a_line_cut_off_by_a_crash_spoils_no_other(home: Home, new_sweep: NewSweep) -> None:
    run, config = new_sweep()
    reads(run, config)
    path = ledger.folder(home) / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    other, _ = new_sweep()
    reads(other, config)
    assert path.read_bytes().startswith(whole + whole[:40] + b"\n"), "only appended"
    assert [reading.run for reading in readings(home)] == [run.id, other.id]


def test_a_changed_test_set_is_not_taken_for_the_recorded_one(home: Home, new_sweep: NewSweep) -> None:
    run, config = new_sweep()
    reads(run, config)
    ledger._images.cache_clear()
    (path,) = (ledger.folder(home) / "test_sets").iterdir()
    path.write_text(path.read_text()[65:])
    with pytest.raises(ErsatzError, match="missing or was changed"):
        readings(home)


@pytest.fixture
def old(home: Home) -> Run:
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(home.root)
    return list_runs(home, "sweep")[0]


def test_sweeps_of_before_the_ledger_are_found_and_outlive_their_folder(home: Home, old: Run) -> None:
    (found,) = readings(home)
    assert (found.run, found.found, found.deleted) == (old.id, True, False)
    assert found.time == old.status().created and found.images == own_images(old)
    delete(old)
    (kept,) = readings(home)
    assert (kept.run, kept.found, kept.deleted, kept.images) == (old.id, True, True, found.images)


def test_an_old_sweep_is_judged_again_and_both_rules_are_told(home: Home, old: Run) -> None:
    before = (old.path / "summary.json").read_bytes()
    config = SweepConfig.build(old.config())
    again = rejudge(old, config)
    assert (old.path / "summary.json").read_bytes() == before
    assert SweepSummary.read(old.path / "summary.json").rule == FORMER_RULE
    assert again.declared == "in its config, before there was a ledger that shows who had read this test set"
    assert (again.rule, again.rejudged and again.rejudged.first_rule) == (RULE, FORMER_RULE)
    report = write_report(old, rejudged=True).read_text()
    assert report.count(FORMER_RULE) >= 2 and RULE in report
    assert "Judged again on " in report and "first judged on " in report and "As it was first judged" in report
    assert "Judged again" not in write_report(old).read_text()
    assert "beforehand" not in (old.path / "methods.txt").read_text()
    old_pool = Pool.open(Run(home, config.pool))
    old_pool.exclude([str(old_pool.rows()["path"].iloc[0])], "looked at since")
    kept = rejudge(old, config)
    assert kept.checks == SweepSummary.read(old.path / "summary.json").checks
    assert kept.pool_excluded == SweepSummary.read(old.path / "summary.json").pool_excluded


@pytest.mark.parametrize("lacking", ["scores", "test_images", "data set", "summary"])
def test_what_the_rule_needs_and_is_not_there_is_one_sentence(home: Home, old: Run, lacking: str) -> None:
    if lacking == "scores":
        pd.read_parquet(old.path / "trials.parquet").drop(columns="scores").to_parquet(old.path / "trials.parquet")
    elif lacking == "data set":
        shutil.rmtree(home.dataset("phantom"))
    else:
        next(old.path.glob(f"{lacking}*")).unlink()
    with pytest.raises(ErsatzError, match=r"cannot be judged again|only a finished sweep") as refused:
        rejudge(old, SweepConfig.build(old.config()))
    assert "\n" not in str(refused.value)


def planned(home: Home, config: SweepConfig) -> SweepConfig:
    return pinned(config.completed(), open_splits(home, config))


def test_a_plan_is_its_settings_and_its_sweeps_say_so(home: Home, new_sweep: NewSweep) -> None:
    _, config = new_sweep(primary_ratio=0.5)
    config = planned(home, config)
    plan = register(home, config, "anna")
    assert register(home, config.model_copy(update={"name": "other", "device": "auto"})) == plan, "the same plan"
    assert [each.id for each in plans(home)] == [plan.id]
    stranger, _ = new_sweep(seeds=5)
    reads(stranger, config)
    run = create_run(home, config.plain(), "sweep")
    standing = reads(run, config)
    assert (standing.number, standing.read_when_fixed, standing.plan) == (2, 0, plan)
    assert standing.where.startswith(f"in the plan {plan.id}, registered on ")
    assert standing.where.endswith(", before any sweep had read this test set")
    other, apart = new_sweep(seeds=5)
    told = " ".join(reads(other, planned(home, apart)).sentences())
    assert f"It is not the plan {plan.id}" in told and "seeds 5 (planned: 2)" in told
    assert departures(plan, config, "b" * 64) == ["weights bbbbbbbb (planned: none)"]


def test_a_plan_that_came_after_readings_says_after_how_many(home: Home, new_sweep: NewSweep) -> None:
    first, config = new_sweep()
    reads(first, config)
    plan = register(home, planned(home, config))
    assert plan.read_before == 1
    assert standing_of(first, planned(home, config)).plan is None, "what was read before is not the plan's"
    run = create_run(home, planned(home, config).plain(), "sweep")
    assert reads(run, planned(home, config)).where.endswith("after 1 other sweep had read this test set")


def test_a_plan_whose_file_was_changed_is_refused(home: Home, new_sweep: NewSweep) -> None:
    plan = register(home, planned(home, new_sweep()[1]))
    path = ledger.folder(home) / "plans" / f"{plan.id}.json"
    values = json.loads(path.read_text())
    values["config"]["seeds"] = 9
    path.write_text(json.dumps(values))
    with pytest.raises(ErsatzError, match="not the one that was registered"):
        open_plan(home, plan.id)
    with pytest.raises(ErsatzError, match="There is no plan"):
        open_plan(home, "none")


def finished(run: Run) -> None:
    run.update(state=State.FINISHED)


def test_a_sealed_test_part_is_read_by_nobody_before_it_is_revealed(
    home: Home, dataset: Dataset, pool: Pool, new_sweep: NewSweep
) -> None:
    finished(pool.run)
    editing.freeze(dataset, sealed=True)
    dataset = Dataset.open(home, dataset.name)
    assert seal.is_sealed(dataset) and dataset.frozen
    run, config = new_sweep(seeds=1)
    with pytest.raises(ErsatzError, match="dataset reveal spots") as refused:
        prepare_sweep(home, config)
    assert "\n" not in str(refused.value)
    with pytest.raises(ErsatzError, match="sealed"):
        run_sweep(run, config, workers=1)
    assert readings(home) == [] and not own_images(run)
    with pytest.raises(ErsatzError, match="sealed"):
        make_folds(dataset, 3)
    again = make_dataset(home, {"test": 24, "valid": 10, "train": 16}, "again")
    with pytest.raises(ErsatzError, match="sealed"):
        seal.refuse_sealed(again, "This training", ("train", "valid"))
    with pytest.raises(ErsatzError, match="sealed test image"):
        seal.refuse_sealed_file(home, dataset.path / str(dataset.rows("test")["path"].iloc[0]))
    seal.refuse_sealed_file(home, dataset.path / str(dataset.rows("train")["path"].iloc[0]))

    plan = register(home, prepare_plan(home, config))
    with pytest.raises(ErsatzError, match="no reason"):
        seal.reveal(dataset, " ")
    assert seal.reveal(dataset, "The final evaluation.", "anna") == [plan.id]
    assert not seal.is_sealed(dataset)
    prepare_sweep(home, config)
    told = " ".join(standing_of_plan(home, config).sentences())
    assert f"(The final evaluation; plan {plan.id})." in told
    with pytest.raises(ErsatzError, match="not sealed"):
        seal.reveal(dataset, "again")


def test_a_seal_is_no_promise_after_a_reading_and_holds_without_its_ledger(
    home: Home, dataset: Dataset, new_sweep: NewSweep
) -> None:
    editing.freeze(dataset, sealed=True)
    shutil.rmtree(ledger.folder(home))
    assert seal.is_sealed(Dataset.open(home, dataset.name))
    other = make_dataset(home, {"train": 20, "valid": 12, "test": 18}, "read")
    record(new_sweep()[0], 0, seal.images_to_test(other))
    with pytest.raises(ErsatzError, match="cannot be sealed: a sweep has read it already"):
        editing.freeze(other, sealed=True)
    assert not Dataset.open(home, "read").info.frozen.sealed


def test_reports_tell_what_the_ledger_shows(home: Home, new_sweep: NewSweep) -> None:
    first, config = new_sweep()
    reads(first, config)
    run, config = new_sweep(seeds=1, ratios=(0.5, 1.0), primary_ratio=0.5, arms=("real", "real+synthetic"), steps=2)
    assert run_sweep(run, config, workers=1) == "finished"
    sources = read_sources(run)
    facts = ledger_facts(sources)
    assert facts.headline.startswith("This is the 2nd sweep that read this test set; before it: " + first.id)
    assert [row[:2] for row in facts.others] == [(first.id, "sweep")]
    assert len(read_before(sources)) == 1
    more = replace(sources, config=config.model_copy(update={"seeds": 8}))
    text = methods_text(more)
    assert "declared in its config, after 1 other sweep had read this test set" in text
    assert "had been read by 1 other sweep before this one" in text
    assert "beforehand" not in text and "before the sweep." not in text.replace("left out.", "")
