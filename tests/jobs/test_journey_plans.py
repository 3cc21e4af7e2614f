"""A journey that sweeps as published and then soundly: the second reading, planned before the first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from engine.configs import PipelineConfig, SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.seal import images_to_test
from engine.datasets.test_readings import record
from engine.jobs.pipeline import _Part, _register, _sweep_config
from engine.jobs.prepare import prepare_sweep
from engine.jobs.results import PipelineResult
from engine.store.home import Home
from engine.store.runs import Run, create_run
from engine.sweep.plans import plans
from engine.sweep.standing import standing_of
from tests.fabricated import CLASSES, make_dataset, make_pool_run, make_training


def test_the_sound_sweep_of_a_journey_is_planned_before_the_published_one_reads(home: Home) -> None:
    dataset = make_dataset(home)
    pool = make_pool_run(home, [make_training(home, name) for name in CLASSES], images=40)
    journey = create_run(home, PipelineConfig(preset="demo").plain(), "journey")
    pipeline: Any = SimpleNamespace(home=home, run=journey, parts=[_Part(dataset, pool, pool)], result=PipelineResult())
    settings = {"published": {"epochs": 2, "ratios": (0.5,)}, "sweep": {"seeds": 6, "primary_ratio": 0.5}}
    _register(pipeline, settings, ["published", "sweep"], dataset)
    (plan,) = plans(home)
    assert plan.sweep().seeds == 6

    def swept(step: str, beside: str = "") -> tuple[Run, SweepConfig]:
        config = _sweep_config(pipeline, step, settings[step], dataset).model_copy(update={"beside": beside})
        config = prepare_sweep(home, config)
        run = create_run(home, config.plain(), step)
        record(run, 0, images_to_test(Dataset.open(home, "phantom")))
        return run, config

    published, _ = swept("published")
    sound = standing_of(*swept("sweep", published.id))
    assert (sound.number, sound.read_when_fixed, sound.plan) == (2, 0, plan)
    _register(pipeline, settings, ["published", "sweep"], dataset)
    assert plans(home) == [plan], "the journey goes on, and registers nothing after a reading"
