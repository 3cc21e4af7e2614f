"""What a training would cost, said before it: the numbers are of this training, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from engine.configs import DcganConfig, DryRunConfig, StyleganConfig, TrainConfig
from engine.gans.dry_run import dry_run, figure, remedies, sentence
from engine.gans.results import DryRunResult
from engine.gans.stylegan2.trainer import StyleganTrainer
from engine.gans.training import train
from engine.store.progress import Outcome, Progress, duration, never
from engine.store.runs import Run
from tests.gans.conftest import MakeRun

SMALL: dict[str, Any] = {"dataset": "discs", "kimg": 1.0, "device": "cpu", "batch": 8, "grid": 6, "precision": "fp32"}
STYLEGAN = {**SMALL, "z_dim": 8, "w_dim": 8, "channel_base": 256, "channel_max": 8, "subset": 20}


def try_out(run: Run, training: TrainConfig, iterations: int = 4, stop: Any = never) -> tuple[Outcome, list[Progress]]:
    seen: list[Progress] = []
    config = DryRunConfig(training=training.plain(), iterations=iterations)
    return dry_run(run, config, seen.append, stop), seen


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return make_run()[0]


def files(run: Run) -> set[Path]:
    return set(run.home.root.rglob("*"))


def test_it_tells_the_cost_of_a_stylegan_and_keeps_nothing(run: Run) -> None:
    training = StyleganConfig.build({**STYLEGAN, "aug": "fixed", "aug_p": 0.3}).completed(32)
    before = files(run)
    outcome, seen = try_out(run, training)
    assert outcome == "finished"
    assert files(run) == before
    result = run.status().result
    assert result["fits"] and result["room"] and result["remedy"] == ""
    assert (result["images"], result["kimg"], result["precision"], result["gpus"]) == (20, 1.0, "float32", 1)
    assert 0.05 < result["memory_gib"] < result["memory_free_gib"]
    assert result["seconds_per_kimg"] == pytest.approx(1000 / result["images_per_second"])
    assert result["seconds"] >= result["seconds_per_kimg"]
    assert "1 kimg take about" in result["sentence"] and "float32 on CPU" in result["sentence"]
    assert [p.done for p in seen if p.stage == "measuring"] == [1, 2, 3, 4]


def test_sizes_are_those_of_the_training_itself(run: Run, make_run: MakeRun) -> None:
    trained, config = make_run(class_name="", kimg=0.016)
    assert try_out(run, config)[0] == "finished"
    result = run.status().result
    train(trained, config)
    snapshot = max(path.stat().st_size for path in (trained.path / "snapshots").iterdir())
    assert 3 * snapshot < result["disk_gib"] * 2**30 < 5.5 * snapshot
    assert result["images"] == 24
    stored = load_file(max((trained.path / "snapshots").iterdir()))
    for network in ("G", "D"):
        own = [t for name, t in stored.items() if name.startswith(f"{network}.") and name.endswith(("weight", "bias"))]
        assert result[f"{network.lower()}_parameters"] == sum(tensor.numel() for tensor in own)


def test_a_rank_takes_its_share_of_the_batch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[int] = []
    train_step = StyleganTrainer.train_step

    def counting(self: StyleganTrainer, microbatches: Any, images_seen: int) -> None:
        shares.append(sum(len(pixels) for pixels, _ in microbatches))
        train_step(self, microbatches, images_seen)

    monkeypatch.setattr(StyleganTrainer, "train_step", counting)
    try_out(run, StyleganConfig.build({**STYLEGAN, "gpus": 2}).completed(32), iterations=1)
    assert set(shares) == {4}
    result = run.status().result
    assert result["gpus"] == 2 and "on each of 2 devices" in result["sentence"]


def test_full_memory_is_an_answer_with_the_batch_that_fits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    train_step = StyleganTrainer.train_step

    def only_two(self: StyleganTrainer, microbatches: Any, images_seen: int) -> None:
        tried.append(len(microbatches[0][0]))
        if tried[-1] > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        train_step(self, microbatches, images_seen)

    monkeypatch.setattr(StyleganTrainer, "train_step", only_two)
    training = StyleganConfig.build(STYLEGAN).completed(32)
    assert try_out(run, training)[0] == "finished"
    assert tried == [8, 4, 2]
    result = run.status().result
    assert not result["fits"]
    assert "Set batch_gpu 2, with which it fits" in result["sentence"]

    monkeypatch.setattr(StyleganTrainer, "train_step", lambda *_: (_ for _ in ()).throw(MemoryError()))
    try_out(run, training)
    assert "Not even the smallest batch fits" in run.status().result["sentence"]


def test_other_errors_are_not_mistaken_for_full_memory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(StyleganTrainer, "train_step", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        try_out(run, StyleganConfig.build(STYLEGAN).completed(32))


def test_it_stops_when_asked(run: Run) -> None:
    outcome, _ = try_out(run, DcganConfig.build({**SMALL, "g_channels": 8, "d_channels": 8}), stop=lambda: True)
    assert outcome == "stopped"
    assert run.status().result == {}


def test_remedies_are_settings_that_are_valid() -> None:
    stylegan = StyleganConfig.build({**STYLEGAN, "batch": 12, "mbstd_group": 3})
    assert [text for text, _ in remedies(stylegan)] == ["batch_gpu 6", "batch_gpu 3", "batch_gpu 1"]
    assert [smaller.batch for _, smaller in remedies(DcganConfig.build({**SMALL, "batch": 8}))] == [4, 2]


def test_durations_and_a_full_disk_are_said_plainly() -> None:
    assert [duration(s) for s in (5, 119, 700, 9000, 400000)] == ["5 s", "119 s", "12 min", "2.5 h", "4.6 days"]
    assert [figure(n) for n in (0.0123, 9.876, 45.67, 1173.5)] == ["0.0123", "9.88", "45.7", "1,174"]
    cost = DryRunResult(
        fits=True, remedy="", device="CPU", precision="float32", gpus=1, images=10, g_parameters=1, d_parameters=1,
        memory_gib=1, memory_free_gib=2, images_per_second=50, seconds_per_kimg=20, kimg=100, seconds=2000,
        disk_gib=3, disk_free_gib=1, room=False,
    )  # fmt: skip
    assert sentence(cost).endswith("disk 3.0 of 1.0 GiB free. The disk is too full for that: free some space first.")
    assert sentence(cost).startswith("100 kimg take about 33 min: 50 images/s, 20 s/kimg")
