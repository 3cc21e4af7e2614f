"""The commands of the four published presets, from a folder laid out like the real one to the report.

The steps run in this process, one after the other, with tiny budgets, the smallest backbone of each family and random
weights in place of the pretrained ones: what is tested is that every step accepts what the step before it made, and
that the report answers. Heads, flaws and arms are the published ones; classical augmentation is looked at in one.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import torchvision
from typer.testing import CliRunner

from engine.cli.main import app
from engine.configs import Config
from engine.datasets.dataset import Dataset
from engine.datasets.folds import folds_of
from engine.jobs import pipeline, submit, worker
from engine.jobs.prepare import prepare
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent
from engine.store.runs import Run, State, create_run, find_runs, list_runs
from tests.jobs import look_alikes

Command = Callable[..., dict[str, Any]]
Weights = Callable[[str], str]

NARROW = {"channel_base": 128, "channel_max": 8, "z_dim": 16, "w_dim": 16, "batch": 8, "mbstd_group": 4}
STYLEGAN = {**NARROW, "kimg": 0.016, "tick_kimg": 0.016, "snapshot_ticks": 1}
DCGAN = {"architecture": "recipe", "kimg": 0.016, "tick_kimg": 0.016, "g_channels": 8, "d_channels": 8}
QUICK = {"import.size": 32, "quality.extractor": "pixels"}
SWEEP = {"sweep.seeds": 2, "sweep.steps": 2, "sweep.validations": 1, "sweep.views": 1, "sweep.ratios": [1.0]}
PLAIN = {**SWEEP, "sweep.arms": ["real", "real+duplicates", "real+synthetic"]}


def run_inline(home: Home, config: Config, owner: str = "", beside: int = 1, place: str = "") -> Run:
    """`ensure` without a process of its own: the run is done when this returns."""
    config = prepare(home, config)
    for run in find_runs(home, config.plain()):
        if run.state() is State.FINISHED:
            return run
    run = create_run(home, config.plain(), submit.default_label(config))
    outcome = worker.do(run, config, silent, never)
    run.update(state=State(outcome), ended=time.time())
    return run


def follow_advice(error: str) -> None:
    """Run the commands that an error names, until one of them is refused too."""
    commands = re.findall(r"`python -m engine ([^`]+)`", error)
    assert commands, error
    with suppress(ErsatzError):
        for command in commands:
            CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)


@pytest.fixture
def command(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`python -m engine demo --preset ...` on a folder; the result of the journey that it made."""
    monkeypatch.setattr(submit, "ensure", run_inline)
    monkeypatch.setattr(pipeline, "ensure", run_inline)

    def run(preset: str, build: Callable[[Path], Path], settings: dict[str, Any], *more: str) -> dict[str, Any]:
        source = build(tmp_path / "source")
        arguments = ["demo", "--preset", preset, "--source", str(source), "--json", *more]
        for name, value in {**QUICK, **settings}.items():
            arguments += ["--set", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
        for _ in range(4):
            try:
                answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
            except ErsatzError as error:  # refused with the commands that mend it: they are run as they stand there
                follow_advice(str(error))
                continue
            break
        assert answer.exit_code == 0, answer.output
        (made,) = (run for run in list_runs(home, "journey") if "verdict" in run.status().result)
        return made.status().result

    return run


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A file with random weights of a torchvision network, in place of the pretrained ones."""

    def make(name: str) -> str:
        path = tmp_path_factory.getbasetemp() / f"{name}-random.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(torchvision.models.get_model(name).state_dict(), path)
        return str(path)

    return make


def report_of(home: Home, run_id: str) -> str:
    return (Run(home, run_id).path / "report.html").read_text()


def backbone(name: str, weights: Weights, *sweeps: str) -> dict[str, Any]:
    """The settings of a smaller backbone for these sweeps; weights are shared by both."""
    return {"sweep.weights": weights(name), **{f"{sweep}.classifier": name for sweep in sweeps}}


def train(settings: dict[str, Any]) -> dict[str, Any]:
    return {f"train.{name}": value for name, value in settings.items()}


def check_answers(home: Home, result: dict[str, Any]) -> None:
    """The report says whether it helps, how sure, compared to what, whether an image is a copy, and what leaked."""
    text = report_of(home, result["sweep"])
    assert result["verdict"] == "no evidence"  # 2 seeds, and networks that were never trained
    for words in (result["sentence"], "duplicates", "copies"):
        assert words in text
    assert set(Run(home, result["quality"]).status().result["flags"]) >= {"copy"}
    sweep = Run(home, result["sweep"]).config()
    assert sweep["quality"] == result["quality"]
    assert sweep["beside"] == result.get("published", "")
    kinds = [run.kind for run in list_runs(home)]
    assert kinds.count("pool") == kinds.count("quality") == 1
    assert kinds.count("sweep") == 1 + ("published" in result)


@pytest.mark.slow
def test_chest_ct(home: Home, command: Command, random_weights: Weights) -> None:
    """Twins are dropped, the test image kept; neighbouring slices in two splits are joined as the error advises; two
    generators; the published head beside the sound one."""
    settings = {**train(STYLEGAN), "train.batch_gpu": 8, **PLAIN, "published.epochs": 1, "published.ratios": [1.0]}
    settings |= {"pool.images_per_class": 12, **backbone("resnet18", random_weights, "published", "sweep")}
    result = command("chest-ct", look_alikes.chest_ct, settings)
    dataset = Dataset.open(home, "chest-ct")
    assert dataset.rows()["sha256"].is_unique
    assert dataset.rows()["class"].value_counts().to_dict() == {"normal": 18, "squamous-cell-carcinoma": 15}
    assert "n7.png" in " ".join(dataset.rows("test", "normal")["source"]), "of the twins the one in the test set stays"
    assert dataset.rows()[dataset.rows()["source"].str.contains("scan")]["split"].nunique() == 1
    assert dataset.info.config["remedies"] == ["drop-copies", "join-groups"]
    report = report_of(home, result["sweep"])
    assert "drop-copies and join-groups were applied" in report
    assert "split at random" not in report
    assert "By patient" not in report
    assert "<td>resnet18</td>" in report, "the settings that are not the preset's"
    assert len(result["train"]) == 2
    check_answers(home, result)
    published = pd.read_parquet(Run(home, result["published"]).path / "trials.parquet")
    assert len(published) == 2
    assert "dropped" in report_of(home, result["published"])


@pytest.mark.slow
def test_head_ct(home: Home, command: Command, random_weights: Weights) -> None:
    """The table with its odd header; the published test set holds synthetic images, the sound one none."""
    settings = {**train(DCGAN), **SWEEP, "published.epochs": 1, "published.views": 1, "pool.images_per_class": 12}
    settings |= {"import.split_counts": [12, 6, 6], **backbone("resnet18", random_weights, "published", "sweep")}
    result = command("head-ct", look_alikes.head_ct, settings)
    dataset = Dataset.open(home, "head-ct")
    numbers = dataset.manifest["source"].str.extract(r"(\d+)\.png")[0].astype(int)
    assert ((dataset.manifest["class"] == "hemorrhage") == (numbers < 12)).all()
    check_answers(home, result)
    sound, published = (
        pd.read_csv(Run(home, result[step]).path / "test_images.csv") for step in ("sweep", "published")
    )
    assert (len(sound), len(published)) == (6, 12)
    assert (sound["synthetic"].sum(), published["synthetic"].sum()) == (0, 6)


@pytest.mark.slow
def test_skin_lesions(home: Home, command: Command, random_weights: Weights) -> None:
    """Patients together, one conditional generator, melanomas topped up; the whole network trained as published."""
    settings = {**train(STYLEGAN), "train.metrics": [], **PLAIN, "published.epochs": 1, "published.batch": 8}
    settings |= {"published.arms": ["real", "real+synthetic+classical"], "import.metadata_columns": ["sex"]}
    settings |= {"sweep.subgroups": ["sex"], **backbone("efficientnet_b0", random_weights, "published", "sweep")}
    result = command("skin-lesions", look_alikes.skin_lesions, settings)
    dataset = Dataset.open(home, "skin-lesions")
    assert dataset.rows().groupby("group")["split"].nunique().max() == 1
    assert len(result["train"]) == 1
    assert set(Pool.open(Run(home, result["pool"])).manifest["class"]) == {"melanoma"}, "the class that is topped up"
    check_answers(home, result)
    assert "no scores over all classes" in report_of(home, result["sweep"])
    trials = pd.read_parquet(Run(home, result["sweep"]).path / "trials.parquet")
    counts = dataset.rows("train")["class"].value_counts()
    assert set(trials.loc[trials["arm"] == "real+synthetic", "n_synthetic"]) == {counts["other"] - counts["melanoma"]}


@pytest.mark.slow
def test_brain_mri(home: Home, command: Command, random_weights: Weights) -> None:
    """Class folders with exact copies, which leave, and a picture under both labels, which has to be dropped by hand;
    no classifier was published, so there is one sweep, which fills the smaller class up."""
    settings = {**train(DCGAN), **PLAIN, **backbone("resnet18", random_weights, "sweep")}
    result = command("brain-mri", look_alikes.brain_mri, settings)
    assert "published" not in result
    check_answers(home, result)
    dataset = Dataset.open(home, "brain-mri")
    excluded = dataset.manifest["excluded"].value_counts()
    assert (excluded["drop-copies"], excluded["drop-conflicts"]) == (2, 2)
    assert "2 exact copies were left out" in report_of(home, result["sweep"])
    counts = dataset.rows("train")["class"].value_counts()
    trials = pd.read_parquet(Run(home, result["sweep"]).path / "trials.parquet")
    filled = trials[trials["arm"] == "real+synthetic"]
    assert set(filled["n_real"] + filled["n_synthetic"]) == {2 * counts["yes"]}


@pytest.mark.slow
def test_cross_validated(home: Home, command: Command) -> None:
    """Two folds: generators, pool and check for each, on its own training part; one sweep over both."""
    settings = {**train(DCGAN), **PLAIN, "sweep.classifier": "small-cnn"}
    result = command("brain-mri", look_alikes.brain_mri, settings, "--folds", "2")
    dataset = Dataset.open(home, "brain-mri")
    assert result["folds"] == [fold.name for fold in folds_of(dataset)] == ["brain-mri-fold1", "brain-mri-fold2"]
    assert (len(result["train"]), len(result["pool"]), len(result["quality"])) == (4, 2, 2)
    sweep = Run(home, result["sweep"])
    tested = pd.read_csv(sweep.path / "test_images.csv")
    assert sorted(tested["sha256"]) == sorted(dataset.rows()["sha256"]), "every image is tested once"
    for fold, pool in zip(folds_of(dataset), result["pool"], strict=True):
        seen = set((Run(home, pool).path / "training_images.txt").read_text().split())
        assert seen == set(fold.rows("train")["sha256"])
    assert result["sentence"] in report_of(home, sweep.id)
