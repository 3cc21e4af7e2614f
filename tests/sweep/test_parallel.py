"""Where trials run: side by side where each has its own network, at once where heads share a table of features."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from engine.configs import SweepConfig
from engine.sweep import parallel
from engine.sweep.parallel import devices_for_trials


def config(**changes: Any) -> SweepConfig:
    return SweepConfig(name="s", dataset="d", pool="p", **{"device": "cpu", **changes})


def test_networks_train_in_as_many_processes_as_there_are_workers() -> None:
    for settings in ({}, {"classifier": "resnet18", "training": "fine-tuned"}):
        assert devices_for_trials(config(**settings), 80, workers=4) == [torch.device("cpu")] * 4
        assert len(devices_for_trials(config(**settings), 3, workers=4)) == 3
    assert len(devices_for_trials(config(), 80)) == torch.get_num_threads()


def test_whole_backbones_train_side_by_side_as_far_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=9 * 2**30))
    assert len(devices_for_trials(config(classifier="resnet18", training="fine-tuned"), 80)) == 2
    assert len(devices_for_trials(config(), 80)) == 16


def test_heads_that_train_at_once_and_heads_that_fill_the_memory_stay_in_one() -> None:
    assert len(devices_for_trials(config(classifier="resnet50"), 8, workers=4)) == 1
    assert len(devices_for_trials(config(classifier="resnet50", head="chest-ct"), 8, workers=4)) == 1


@pytest.mark.parametrize("classifier", ["small-cnn", "resnet50"])
def test_every_gpu_that_is_asked_for_gets_one_process(monkeypatch: pytest.MonkeyPatch, classifier: str) -> None:
    monkeypatch.setattr(parallel, "choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    for gpus, groups, found in ((1, 8, 1), (2, 8, 2), (3, 8, 3), (3, 2, 2)):
        devices = [f"cuda:{number}" for number in range(found)]
        assert [
            str(place) for place in devices_for_trials(config(classifier=classifier, gpus=gpus), groups, 8)
        ] == devices
