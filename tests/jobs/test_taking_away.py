"""A journey to take away: the notebook asks for the very same runs, and the ZIP holds what belongs to them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import engine
from engine.api import Run as ApiRun
from engine.cli.main import app
from engine.configs import Config, PipelineConfig
from engine.configs.pools import ControlPoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.seal import images_to_test, lay
from engine.jobs.journey_archive import packed, write_archive
from engine.jobs.journey_notebook import journey_notebook
from engine.jobs.lineage import datasets_of, lineage
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run, list_runs
from tests import fabricated


def cells(runs: list[Run]) -> list[dict[str, Any]]:
    return json.loads(journey_notebook(runs))["cells"]


def said(home: Home, value: Any) -> str:
    """Settings without the hashes of parents, and with the settings of parents in the place of their ids."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items() if not key.endswith(("sha256", "fingerprint"))}
        if isinstance(value, list):
            return [plain(part) for part in value]
        parent = isinstance(value, str) and value[:2] == "20" and home.run(value).is_dir()
        return said(home, Run(home, value).config()) if parent else value

    return json.dumps(plain(value), sort_keys=True)


def repeated(runs: list[Run], home: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the notebook's code: each run that it starts is that of `home` with the same settings, whose id is told."""
    asked: list[str] = []
    by_settings = {said(home, run.config()): run.id for run in list_runs(home)}

    def found(at: Home, config: Config, beside: int = 1, **_: Any) -> Run:
        asked.append(by_settings[said(home, config.plain())])
        return Run(home, asked[-1])

    monkeypatch.setattr("engine.jobs.submit.submit", found)
    monkeypatch.setattr(engine.api, "Home", lambda path: home)
    monkeypatch.setattr(ApiRun, "result", lambda self, progress=True: self.status().result)
    scope: dict[str, Any] = {}
    for cell in cells(runs):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), scope)
    return asked


def test_a_notebook_repeats_every_run_with_its_settings(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = fabricated.make_everything(home, quality=True)
    check = list_runs(home, "quality")[0]
    journey = create_run(home, PipelineConfig().plain(), "journey demo")
    made = {"dataset": "phantom", "train": [run.id for run in list_runs(home, "train")], "sweep": sweep.id}
    fabricated.set_state(journey, State.FINISHED, result=made)
    runs = lineage(journey)
    kinds = {run.id: run.kind for run in runs}
    assert kinds.keys() >= {journey.id, sweep.id, check.id, *made["train"]} and "pool" in kinds.values()
    created = [run.status().created for run in runs]
    assert created == sorted(created)
    asked = repeated(runs, home, monkeypatch)
    assert sorted(asked) == sorted(run_id for run_id, kind in kinds.items() if kind != "journey")
    assert f"now: {sweep.status().result['verdict']}" in capsys.readouterr().out


def test_folds_controls_and_texts_that_look_like_code(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = fabricated.make_folded(home)
    config = ControlPoolConfig(name="'); print('no", control="noise", dataset="phantom", images_per_class=3, seed=5)
    control = fabricated.set_state(create_run(home, config.plain(), "pool"), State.FINISHED)
    runs = lineage(sweep)
    assert {run.kind for run in runs} == {"sweep", "pool", "train", "quality"}
    assert set(datasets_of(runs)) == {"phantom", "phantom-fold1", "phantom-fold2"}
    assert "make_folds(images_1, 2, seed=0)" in json.dumps(cells(runs))
    assert sweep.id in repeated(runs, home, monkeypatch)
    assert repeated([control], home, monkeypatch) == [control.id]


def test_a_zip_holds_what_belongs_to_a_run_and_no_sealed_image(home: Home) -> None:
    sweep = fabricated.make_everything(home, quality=True)
    fabricated.make_training(home, "bleed")
    training = list_runs(home, "train")[-1]
    (training.path / "snapshots").mkdir()
    (training.path / "snapshots" / "network-1.safetensors").write_bytes(b"x")
    (sweep.path / "elsewhere").symlink_to("/etc/hostname")
    runs = lineage(sweep)
    content = io.BytesIO()
    write_archive(content, runs, "A title")
    with zipfile.ZipFile(content) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert json.loads(archive.read("repeat.ipynb"))["nbformat"] == 4
        assert archive.read(f"runs/{sweep.id}/summary.json") == (sweep.path / "summary.json").read_bytes()
        assert sweep.id in archive.read("README.txt").decode()
    assert {"datasets/phantom/manifest.csv", f"runs/{training.id}/config.json"} <= names
    assert not any(part in name for name in names for part in ("lock", "snapshots", "elsewhere", "phantom/images"))
    assert len({name.split("/")[1] for name in names if name.startswith("runs/")}) == len(runs) < len(list_runs(home))
    assert f"runs/{training.id}/snapshots/network-1.safetensors" in dict(packed(runs, networks=True))
    dataset = Dataset.open(home, "phantom")
    everything = dict(packed(runs, images=True))
    test_images = {f"datasets/phantom/{path}" for path in dataset.rows("test")["path"]}
    assert test_images <= everything.keys() and images_to_test(dataset)
    lay(dataset)
    sealed = dict(packed(runs, images=True)).keys()
    assert everything.keys() - sealed == test_images


def test_the_command_line_writes_both_and_replaces_nothing(home: Home, tmp_path: Path) -> None:
    run = fabricated.set_state(create_run(home, PipelineConfig().plain(), "journey"), State.FINISHED)
    for words in (["pack", run.id, "all.zip"], ["notebook", run.id, "all.ipynb"]):
        target = tmp_path / words[2]
        done = CliRunner().invoke(app, [*words[:2], str(target), "--json"])
        assert json.loads(done.stdout)["runs"] == [run.id] and target.stat().st_size > 100
        assert isinstance(CliRunner().invoke(app, [*words[:2], str(target)]).exception, ErsatzError)
    assert zipfile.is_zipfile(tmp_path / "all.zip")
