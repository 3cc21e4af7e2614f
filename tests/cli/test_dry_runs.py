"""A dry run from the command line's side: a run of its own, whose answer is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.dry_run import dry_run_command
from engine.configs import ImportConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.store.home import Home
from engine.store.runs import State, list_runs
from tests.gans.conftest import write_pictures


@pytest.mark.slow
def test_a_dry_run_answers_and_leaves_no_training(
    home: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = str(write_pictures(tmp_path / "source", 16))
    import_dataset(
        home, ImportConfig(name="discs", source=source, layout="folder", size=16, mode="L", split="given", positive="b")
    )
    Dataset.open(home, "discs").freeze(accept_findings=True)
    config = StyleganConfig(dataset="discs", class_name="a", device="cpu", channel_max=8, w_dim=8, z_dim=8, batch=4)
    dry_run_command(home, [config], as_json=True)
    result = json.loads(capfd.readouterr().out)
    assert result["fits"] and result["images"] == 12
    assert result["kimg"] == 25000  # of the configuration auto, which also completes what was not given:
    (run,) = list_runs(home)
    assert (run.id, run.kind, run.state()) == (result["run"], "dry-run", State.FINISHED)
    training = run.config()["training"]
    assert (training["batch"], training["gamma"], training["channel_max"]) == (4, 0.0002 * 16**2 / 32, 8)
    left = sorted(path.name for path in run.path.iterdir())
    assert left == ["about.json", "config.json", "lock", "log.txt", "status.json"]
