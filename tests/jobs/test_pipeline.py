"""The whole journey, with real workers and a budget of seconds: killed anywhere, it completes when started again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.configs import PipelineConfig
from engine.datasets.dataset import Dataset
from engine.jobs.submit import ensure, stop
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from tests.jobs.scene import ended, kill, processes_of, until

BRIEF = PipelineConfig(
    overrides={
        "import": {"size": 32, "remedies": ["drop-conflicts"], "train_per_class": 40},
        "train": {"kimg": 0.4, "tick_kimg": 0.05, "snapshot_ticks": 1, "g_channels": 8, "d_channels": 8},
        "pool": {"images_per_class": 40},
        "sweep": {"seeds": 2, "steps": 4, "batch": 8, "validations": 1, "ratios": [0.5]},
    }
)
PATIENCE_SECONDS = 400
LONG = pytest.mark.timeout(1200)
"""Some twenty processes are started one after the other, each of which loads torch: minutes on a busy machine."""


@pytest.fixture
def quiet_home(home: Home) -> Iterator[Home]:
    """A home whose processes all end with the test."""
    yield home
    kill_all(home)


def kill_all(home: Home) -> None:
    """SIGKILL to every supervisor and worker at once, as when the power fails."""
    for process in processes_of(home):
        kill(process)


@LONG
@pytest.mark.slow
def test_journey_killed_in_every_step_completes_and_repeats_nothing(quiet_home: Home) -> None:
    run = ensure(quiet_home, BRIEF)
    for step in ("import", "train", "pool", "quality", "sweep"):
        until(lambda step=step: step in run.status().result or run.state().is_final, PATIENCE_SECONDS)
        kill_all(quiet_home)
        assert run.state() is State.INTERRUPTED, run.status().error
        assert ensure(quiet_home, BRIEF) == run
    assert ended(run, PATIENCE_SECONDS) is State.FINISHED, run.status().error

    result = run.status().result
    assert result["verdict"] == "no evidence"  # 2 seeds are a quick look
    assert (Run(quiet_home, result["sweep"]).path / "report.html").is_file()
    assert len(result["train"]) == len(Dataset.open(quiet_home, "phantom").classes)
    kinds = [listed.kind for listed in list_runs(quiet_home)]
    assert sorted(kinds) == ["import", "journey", "pool", "quality", "sweep", "train", "train"]
    assert ensure(quiet_home, BRIEF) == run  # and now it is there at once
    assert run.state() is State.FINISHED


@LONG
@pytest.mark.slow
def test_journey_with_the_other_gan(quiet_home: Home) -> None:
    """One class-conditional StyleGAN2-ADA instead of a DCGAN a class, to the same end."""
    narrow = {"channel_base": 128, "channel_max": 8, "z_dim": 16, "w_dim": 16, "batch": 8, "mbstd_group": 4}
    train = {**narrow, "conditional": True, "kimg": 0.064, "tick_kimg": 0.032, "snapshot_ticks": 1}
    overrides = {**BRIEF.overrides, "train": train}
    run = ensure(quiet_home, BRIEF.model_copy(update={"gan": "stylegan2-ada", "overrides": overrides}))
    assert ended(run, PATIENCE_SECONDS) is State.FINISHED, run.status().error
    result = run.status().result
    (training,) = (Run(quiet_home, run_id) for run_id in result["train"])
    assert training.config()["gan"] == "stylegan2-ada"
    assert (training.path / "synthesis.onnx").is_file()
    text = (Run(quiet_home, result["sweep"]).path / "report.html").read_text()
    assert "StyleGAN2-ADA" in text


@LONG
@pytest.mark.slow
def test_stopped_journey_stops_its_step(quiet_home: Home) -> None:
    run = ensure(quiet_home, BRIEF.model_copy(update={"overrides": {**BRIEF.overrides, "train": {"kimg": 100.0}}}))
    until(lambda: "train" in run.status().result or run.state().is_final, PATIENCE_SECONDS)
    training = Run(quiet_home, run.status().result["train"][0])
    until(lambda: training.status().done > 0 or training.state().is_final, PATIENCE_SECONDS)
    stop(run)
    assert ended(run, PATIENCE_SECONDS) is State.STOPPED
    assert training.state() is State.STOPPED


def test_failed_step_names_itself_in_the_journey(quiet_home: Home) -> None:
    impossible = {**BRIEF.overrides, "import": {"layout": "folder", "source": str(quiet_home.root / "nothing")}}
    run = ensure(quiet_home, BRIEF.model_copy(update={"overrides": impossible}))
    assert ended(run, PATIENCE_SECONDS) is State.FAILED
    assert "'Import' did not finish" in run.status().error
    assert "There is no" in run.status().error


def test_missing_weights_stop_a_journey_before_its_first_step(
    quiet_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(quiet_home.root / "nowhere"))
    resnet = {**BRIEF.overrides, "sweep": {"classifier": "resnet50"}}
    run = ensure(quiet_home, BRIEF.model_copy(update={"overrides": resnet}))
    assert ended(run, PATIENCE_SECONDS) is State.FAILED
    assert "ERSATZ_WEIGHTS" in run.status().error
    assert [listed.kind for listed in list_runs(quiet_home)] == ["journey"]
