"""Training StyleGAN2-ADA: resumed equals never stopped, rows say what happened, an explosion can be gone back from."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.gans.checkpoints import load_generator, load_snapshot
from engine.gans.snapshots import latest_snapshot, list_snapshots
from engine.gans.stylegan2.trainer import StyleganTrainer
from engine.gans.training import Sample, train
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY
from engine.store.runs import Run
from tests.gans.stylegan2.conftest import MakeRun
from tests.gans.test_training import StopAfter, assert_same_end, comparable

# What else draws random numbers or holds state: classes, pieces, mirrors, fixed p, other forms, bf16.
EVERYTHING: dict[str, Any] = {
    "class_name": "",
    "conditional": True,
    "batch_gpu": 2,
    "mirror": True,
    "mirror_vertical": True,
    "subset": 10,
    "d_architecture": "skip",
    "freeze_d": 2,
    "ema_ramp": 0.5,
    "aug": "fixed",
    "aug_p": 0.5,
    "precision": "bf16",
}

KILLED = """
import os, signal, sys
from engine.configs import parse_training
from engine.gans.training import train
from engine.store.home import Home
from engine.store.runs import Run

ticks = 0

def kill() -> bool:
    global ticks
    ticks += 1
    if ticks == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return False

run = Run(Home.from_environment(), sys.argv[1])
train(run, parse_training(run.config()), should_stop=kill)
"""


def snapshot_of(run: Run) -> dict[str, torch.Tensor]:
    path = latest_snapshot(run.path)
    assert path is not None
    return load_file(path)


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["ada", "everything"])
def test_stopped_and_resumed_equals_never_stopped(make_run: MakeRun, changes: dict[str, Any]) -> None:
    straight, config = make_run(**changes)
    assert train(straight, config) == "finished"
    stopped, _ = make_run(**changes)
    assert train(stopped, config, should_stop=StopAfter(3)) == "stopped"
    assert comparable(stopped)[-1]["kimg"] == pytest.approx(0.024)
    assert train(stopped, config) == "finished"
    assert_same_end(stopped, straight)


@pytest.mark.slow
def test_killed_and_resumed_equals_never_stopped(make_run: MakeRun) -> None:
    """SIGKILL in the fifth tick, between its row and any snapshot: the last is that of the fourth."""
    straight, config = make_run()
    train(straight, config)
    killed, _ = make_run()
    command = [sys.executable, "-c", KILLED, killed.id]
    assert subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True).returncode == -9
    assert len(comparable(killed)) == 5
    assert train(killed, config) == "finished"
    assert_same_end(killed, straight)


def test_a_snapshot_holds_all_that_moves(make_run: MakeRun) -> None:
    run, config = make_run(kimg=0.016)
    train(run, config)
    tensors = snapshot_of(run)
    assert tensors["pl_mean"] > 0
    assert tensors["G.mapping.w_avg"].norm() > 0
    assert torch.equal(tensors["G.mapping.w_avg"], tensors["G_ema.mapping.w_avg"])
    # 4 iterations: 4 generator steps and 2 path length penalties; 4 discriminator steps and 2 R1 penalties.
    assert tensors["G.optimizer.0.step"] == tensors["D.optimizer.0.step"] == 6
    assert tensors["G.optimizer.lr"].item() == pytest.approx(config.g_lr * 2 / 3)
    assert tensors["D.optimizer.lr"].item() == pytest.approx(config.d_lr * 3 / 4)
    assert tensors.keys() >= {"augment.p", "ada.observed", "ada.r_t"}


def test_a_row_says_what_happened(make_run: MakeRun) -> None:
    run, config = make_run()
    asked: list[list[int]] = []

    def score(sample: Sample) -> dict[str, float]:
        images = sample([3, 4, 5])
        assert images.shape == (3, 16, 16, 1) and images.dtype == np.uint8
        asked.append([int(images[0].sum()), int(sample([3, 4, 5])[0].sum())])
        return {"kid": 0.25}

    train(run, config, score=score)
    rows = comparable(run)
    meters = "g_loss d_loss d_real d_fake g_grad_norm d_grad_norm real_logits fake_logits augment_p r_t"
    assert all(row.keys() >= {"kimg", *meters.split()} for row in rows)
    assert all(("pl" in row, "r1" in row) == (True, True) for row in rows[::3])
    at_snapshots = {"valid_logits", "train_logits", "diversity", "kid"}
    assert [at_snapshots & row.keys() for row in rows] == [set(), at_snapshots] * 3
    assert len(asked) == 3 and all(first == again for first, again in asked)
    assert asked[0] != asked[2]


def test_the_averaged_generator_comes_back(make_run: MakeRun) -> None:
    run, config = make_run(class_name="", conditional=True, kimg=0.008)
    train(run, config)
    path = latest_snapshot(run.path)
    assert path is not None
    generator, facts = load_generator(path)
    assert not generator.training
    expected = {"gan": "stylegan2-ada", "architecture": "auto", "z_dim": 8, "w_dim": 8, "num_ws": 6, "size": 16}
    expected |= {"channels": 1, "classes": ["a", "b"], "conditional": True, "dataset": "dots", "images_seen": 8}
    assert {key: facts[key] for key in expected} == expected
    tensors = snapshot_of(run)
    assert all(torch.equal(value, tensors[f"G_ema.{name}"]) for name, value in generator.state_dict().items())
    images = generator(torch.randn(2, 8), torch.eye(2))
    assert images.shape == (2, 1, 16, 16) and images.dtype == torch.float32


class Poison:
    """`StyleganPlayers.play` that makes the generator's weights NaN after the iterations that begin at `images`."""

    def __init__(self, images: Sequence[int]):
        self.images, self.train_step = list(images), StyleganTrainer.train_step

    def __call__(self, trainer: StyleganTrainer, microbatches: Any, images_seen: int) -> None:
        self.train_step(trainer, microbatches, images_seen)
        if self.images and images_seen == self.images[0]:
            del self.images[0]
            next(trainer.g.parameters()).data.fill_(math.nan)


def poison(monkeypatch: pytest.MonkeyPatch, *images: int) -> None:
    poisoned = Poison(images)
    monkeypatch.setattr(StyleganTrainer, "train_step", lambda *arguments: poisoned(*arguments))


def test_an_explosion_stops_with_the_last_good_snapshot(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, 16)
    run, config = make_run()
    with pytest.raises(ErsatzError, match=r"exploded before 0.024 kimg: g_loss, .*network-000000016.*lower g_lr"):
        train(run, config)
    assert all(tensor.isfinite().all() for tensor in snapshot_of(run).values())
    assert [alarm.name for alarm in run.status().alarms] == ["explosion"]
    assert len(comparable(run)) == 2


def test_weights_that_broke_in_the_last_iteration_are_never_kept(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, 12)  # the last iteration before the first snapshot, whose losses were still finite
    run, config = make_run()
    with pytest.raises(ErsatzError, match=r"exploded before 0.016 kimg: weights .* There is no snapshot yet"):
        train(run, config)
    assert list_snapshots(run.path) == []


def test_an_explosion_can_be_gone_back_from(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison(monkeypatch, 0, 20)
    run, config = make_run(on_explosion="return")
    assert train(run, config) == "finished"
    rows = comparable(run)
    assert [row["kimg"] for row in rows] == pytest.approx([0.008 * k for k in range(1, 7)])
    assert [row["returns"] for row in rows] == [1, 1, 2, 2, 2, 2]
    tensors = snapshot_of(run)
    assert tensors["G.optimizer.lr"].item() == pytest.approx(config.g_lr * 2 / 3 / 4)
    assert tensors["D.optimizer.lr"].item() == pytest.approx(config.d_lr * 3 / 4 / 4)
    alarms = {alarm.name: alarm.sentence for alarm in run.status().alarms}
    assert list(alarms) == ["return-1-after-explosion", "return-2-after-explosion"]
    assert "network-000000000" in alarms["return-1-after-explosion"]
    assert "network-000000016.safetensors with half the learning rates" in caplog.text
    path = latest_snapshot(run.path)
    assert path is not None and load_snapshot(path)[1]["returns"] == 2


def test_a_return_survives_being_killed_right_after_it(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, config = make_run(on_explosion="return")
    with monkeypatch.context() as patch:
        poison(patch, 20)
        train(straight, config)
    killed, _ = make_run(on_explosion="return")
    with monkeypatch.context() as patch:
        poison(patch, 20)
        killing = KeyboardInterrupt()
        patch.setattr("engine.gans.metrics_log.Recording.rewind", lambda *_: (_ for _ in ()).throw(killing))
        with pytest.raises(KeyboardInterrupt):
            train(killed, config)
    assert train(killed, config) == "finished"
    assert_same_end(killed, straight)


def test_returns_come_to_an_end(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, *[20] * 9)
    run, config = make_run(on_explosion="return")
    with pytest.raises(ErsatzError, match=r"network-000000016.safetensors, and 3 returns"):
        train(run, config)
    path = latest_snapshot(run.path)
    assert path is not None and load_snapshot(path)[1]["returns"] == 3


def test_rows_are_plain_json(make_run: MakeRun) -> None:
    """No NaN where a phase was not due: readers of other languages refuse it."""
    run, config = make_run(kimg=0.008, d_reg_interval=16, g_reg_interval=16)
    train(run, config)

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    for line in run.metrics_path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_what_the_rows_say_is_wrong_becomes_an_alarm(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A discriminator that is certain from the first tick on, by rows written before a kill too."""
    run, config = make_run(aug="noaug")
    read = StyleganTrainer.read_meters
    monkeypatch.setattr(StyleganTrainer, "read_meters", lambda trainer: {**read(trainer), "r_t": 0.99})
    assert train(run, config, should_stop=StopAfter(3)) == "stopped"
    assert run.status().alarms == ()
    assert train(run, config) == "finished"
    (alarm,) = run.status().alarms
    assert alarm.name == "overfitting" and "Train with aug ada" in alarm.sentence
    assert caplog.text.count(alarm.sentence) == 1
