"""A journey is as long as the machine allows: by the clock alone, kept for good, and said."""

from __future__ import annotations

import json
import sys

import pytest

from engine.configs import PipelineConfig, SweepConfig
from engine.jobs import pace as trial
from engine.jobs import sizing
from engine.jobs.sizing import Pace, choose, measure, seconds_by_step, size_of
from engine.publications.presets import PRESETS, SIZES, step_settings, usual_size
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import create_run

AUTO = PipelineConfig(size="auto")
LAPTOP = Pace(load=4.0, kimg=16.0, step=0.04, generators=2, trials=2)


def times(factor: float) -> Pace:
    """A machine that takes so many times as long."""
    return Pace(LAPTOP.load * factor, LAPTOP.kimg * factor, LAPTOP.step * factor, LAPTOP.generators, LAPTOP.trials)


def test_every_size_keeps_what_a_verdict_needs() -> None:
    lengths = []
    for size in SIZES:
        settings = step_settings(AUTO, size)
        sweep = SweepConfig.build({**settings["sweep"], "name": "x", "dataset": "x", "pool": "x"})
        assert sweep.seeds >= 8 and sweep.claims
        assert {"real", "real+classical", "real+duplicates", "real+synthetic"} <= set(sweep.arms)
        lengths.append((settings["train"]["kimg"], sweep.steps))
    assert lengths == sorted(lengths, reverse=True) and len(set(lengths)) == len(SIZES)
    assert step_settings(AUTO, "full") == step_settings(PipelineConfig())


def test_slower_machines_get_shorter_journeys_that_end_in_time() -> None:
    found = [choose(AUTO, times(factor)) for factor in (0.05, 0.4, 0.6, 0.8, 1.0, 1.3)]
    order = [SIZES.index(sized.size) for sized in found]
    assert order == sorted(order) and order[0] == 0 and len(set(order)) > 2
    for sized in found:
        if "No size ends" not in sized.sentence:
            assert sum(sized.seconds.values()) <= 300
    assert choose(AUTO, times(0.7), spent=0).size != choose(AUTO, times(0.7), spent=100).size
    longer = choose(AUTO.model_copy(update={"minutes": 60.0}), LAPTOP)
    assert longer.size == "full" and "--full" not in longer.sentence


def test_the_smallest_is_taken_and_said_where_none_fits() -> None:
    sized = choose(AUTO, times(20))
    assert sized.size == SIZES[-1]
    assert "No size ends within 5 min here; this is the smallest." in sized.sentence
    assert "No size" not in choose(AUTO, LAPTOP).sentence


def test_a_named_size_is_only_foretold() -> None:
    sized = choose(PipelineConfig(size="full"), times(20))
    assert sized.size == "full"
    assert "No size" not in sized.sentence and "--full" not in sized.sentence


def test_more_work_takes_longer() -> None:
    usual = seconds_by_step(step_settings(AUTO, "full"), LAPTOP)
    trains = {"train": {"kimg": 32.0}}
    twice = seconds_by_step(step_settings(PipelineConfig(size="full", overrides=trains)), LAPTOP)
    assert twice["train"] - usual["train"] == pytest.approx(16 * LAPTOP.kimg)
    assert {**twice, "train": 0} == {**usual, "train": 0}
    one_by_one = Pace(LAPTOP.load, LAPTOP.kimg, LAPTOP.step, 1, 1)
    slower = seconds_by_step(step_settings(AUTO, "full"), one_by_one)
    assert slower["train"] - usual["train"] == pytest.approx(16 * LAPTOP.kimg)
    trials = 8 * (2 + 2 * 4 + 2)
    assert slower["sweep"] - usual["sweep"] == pytest.approx(trials * (200 + 10) * LAPTOP.step / 2)


def test_what_was_chosen_stays(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(home, AUTO.plain(), "journey")
    monkeypatch.setattr(sizing, "measure", lambda *_: LAPTOP)
    sized = size_of(run, AUTO)
    monkeypatch.setattr(sizing, "measure", lambda *_: pytest.fail("it was measured already"))
    assert size_of(run, AUTO) == sized
    assert json.loads((run.path / sizing.FILE).read_text())["pace"]["kimg"] == LAPTOP.kimg


def test_sizes_where_there_are_none_are_refused() -> None:
    assert (usual_size("demo"), usual_size("demo", "stylegan2-ada"), usual_size("head-ct")) == ("auto", "", "")
    for settings in ({"preset": "head-ct", "source": "x"}, {"gan": "stylegan2-ada"}):
        with pytest.raises(ErsatzError, match=r"has one length only; sizes are those of demo \(with dcgan\)"):
            step_settings(PipelineConfig.build({**settings, "size": "small"}))
    assert not PRESETS["head-ct"].shorter


BRIEF = PipelineConfig(
    size="auto",
    overrides={"import": {"size": 32}, "train": {"g_channels": 8, "d_channels": 8}, "sweep": {"batch": 8}},
)


@pytest.mark.slow
def test_the_machine_is_measured_with_all_processes_at_work(home: Home) -> None:
    found = measure(home, step_settings(BRIEF), seconds=0.3)
    assert found.load > 0 and found.kimg > 0 and found.step > 0
    assert found.generators == min(2, found.trials)


def test_a_process_that_ends_is_a_sentence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ErsatzError, match="could not be measured"):
        measure(home, step_settings(BRIEF))


def test_what_is_tried_is_what_the_settings_say() -> None:
    settings = {**step_settings(BRIEF), "seconds": 0.2}
    assert trial._pixels(settings).shape == (trial.IMAGES, 32, 32, 1)
    colour = {**settings, "import": {**settings["import"], "mode": "RGB"}}
    assert trial._pixels(colour).shape == (trial.IMAGES, 32, 32, 3)
    narrow = trial.seconds_a_kimg(settings)
    wide = trial.seconds_a_kimg({**settings, "train": {**settings["train"], "g_channels": 64, "d_channels": 64}})
    assert wide > 2 * narrow  # 64 times the products
    assert trial.seconds_a_step({**settings, "sweep": {**settings["sweep"], "batch": 64}}) > 0
