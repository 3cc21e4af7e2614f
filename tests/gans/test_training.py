"""The training loop: resume equals never stopped, explosions and foreign snapshots end in one sentence."""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.configs import DcganConfig
from engine.datasets.dataset import Dataset
from engine.gans.checkpoints import load_snapshot
from engine.gans.dcgan.trainer import METERS, DcganTrainer
from engine.gans.snapshots import latest_snapshot, list_snapshots
from engine.gans.training import length, train
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_value
from engine.store.progress import Progress
from engine.store.runs import Run
from tests.gans.conftest import TIMES, MakeRun

# Everything that draws random numbers or holds state: dropout, soft labels, flips, penalty, mirror, classes, bf16.
EVERYTHING: dict[str, Any] = {
    "class_name": "",
    "conditional": True,
    "mirror": True,
    "dropout": 0.4,
    "gradient_penalty": 10.0,
    "soft_labels": 0.1,
    "flip_probability": 0.05,
    "inverted_labels": True,
    "precision": "bf16",
}


class StopAfter:
    """A `should_stop` that says yes at the given tick."""

    def __init__(self, tick: int):
        self.left = tick

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it."""


def killed_after(tick: int) -> Any:
    stop = StopAfter(tick)

    def should_stop() -> bool:
        if stop():
            raise Killed
        return False

    return should_stop


def comparable(run: Run) -> list[dict[str, float]]:
    """The metrics rows without what depends on the clock."""
    return [{key: value for key, value in row.items() if key not in TIMES} for row in run.read_metrics()[0]]


def assert_same_end(run: Run, other: Run) -> None:
    snapshots = [latest_snapshot(r.path) for r in (run, other)]
    assert snapshots[0] is not None and snapshots[1] is not None
    assert snapshots[0].name == snapshots[1].name
    ours, theirs = (load_file(snapshot) for snapshot in snapshots)
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert different == []
    assert comparable(run) == comparable(other)
    grids = [sorted((r.path / "samples").glob("*.png"))[-1].read_bytes() for r in (run, other)]
    assert grids[0] == grids[1]


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["recipe", "everything"])
def test_stopped_and_resumed_equals_never_stopped(make_run: MakeRun, changes: dict[str, Any]) -> None:
    straight, config = make_run(**changes)
    assert train(straight, config) == "finished"
    stopped, _ = make_run(**changes)
    assert train(stopped, config, should_stop=StopAfter(3)) == "stopped"
    assert train(stopped, config, should_stop=StopAfter(1)) == "stopped"
    assert comparable(stopped)[-1]["kimg"] == pytest.approx(0.032)
    assert train(stopped, config) == "finished"
    assert_same_end(stopped, straight)


def test_killed_and_resumed_equals_never_stopped(make_run: MakeRun) -> None:
    straight, config = make_run()
    train(straight, config)
    killed, _ = make_run()
    with pytest.raises(Killed):
        train(killed, config, should_stop=killed_after(5))  # the last snapshot is that of tick 4
    assert len(comparable(killed)) == 5
    with killed.metrics_path.open("a") as file:
        file.write('{"kimg": 0.048, "seco')
    time.sleep(1)  # event files are read in the order of their names, which hold the second
    assert train(killed, config) == "finished"
    assert_same_end(killed, straight)
    events = EventAccumulator(str(killed.path / "events")).Reload()
    assert [event.step for event in events.Scalars("train/g_loss")] == [8, 16, 24, 32, 40, 48]


def test_killed_before_the_first_snapshot_begins_again(make_run: MakeRun) -> None:
    straight, config = make_run(kimg=0.024)
    train(straight, config)
    killed, _ = make_run(kimg=0.024)
    with pytest.raises(Killed):
        train(killed, config, should_stop=killed_after(1))
    assert train(killed, config) == "finished"
    assert_same_end(killed, straight)


def test_finished_run_stays_as_it_is(make_run: MakeRun) -> None:
    run, config = make_run(kimg=0.016)
    train(run, config)
    rows, snapshot = run.metrics_path.read_text(), latest_snapshot(run.path)
    assert train(run, config) == "finished"
    assert (run.metrics_path.read_text(), latest_snapshot(run.path)) == (rows, snapshot)


def test_a_run_folder_says_what_happened(make_run: MakeRun, discs: Dataset) -> None:
    run, config = make_run()
    seen: list[Progress] = []
    train(run, config, seen.append)
    assert [p.done for p in seen if p.stage == "training"] == pytest.approx([k * 0.008 for k in range(7)])
    assert {(p.total, p.unit) for p in seen if p.stage == "training"} == {(0.048, "kimg")}
    rows, _ = run.read_metrics()
    assert [row["kimg"] for row in rows] == pytest.approx([k * 0.008 for k in range(1, 7)])
    fields = "kimg seconds g_loss d_loss d_real d_fake g_grad_norm d_grad_norm images_per_second memory_gib time"
    scores = [["diversity"] if k % 2 else [] for k in range(6)]  # at the snapshots, after each second tick
    assert [list(row) for row in rows] == [[*fields.split(), *more] for more in scores]
    assert all(0 < row["d_real"] < 1 and 0 < row["d_fake"] < 1 for row in rows)
    hashes = (run.path / "training_images.txt").read_text().split()
    assert hashes == list(discs.rows("train", "a")["sha256"])
    samples = sorted(path.name for path in (run.path / "samples").iterdir())
    assert samples == [f"fakes-{images:09d}.png" for images in (0, 16, 32, 48)] + ["reals.png"]
    assert {Image.open(run.path / "samples" / name).size for name in samples} == {(96, 64)}  # 6 images of 32 px
    assert [path.name for path in list_snapshots(run.path)] == [
        f"network-{images:09d}.safetensors" for images in (48, 32, 16)
    ]


def test_only_the_newest_snapshots_are_kept(make_run: MakeRun) -> None:
    run, config = make_run(snapshot_ticks=1)
    train(run, config)
    assert [path.name[8:17] for path in list_snapshots(run.path)] == ["000000048", "000000040", "000000032"]
    assert len(list((run.path / "samples").glob("fakes-*"))) == 7


def test_explosion_keeps_the_last_good_snapshot(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    iterate, calls = DcganTrainer.iterate, []

    def poisoned(self: DcganTrainer, *batch: torch.Tensor) -> None:
        iterate(self, *batch)
        calls.append(None)
        if len(calls) == 5:
            next(self.g.parameters()).data.fill_(math.nan)

    monkeypatch.setattr(DcganTrainer, "iterate", poisoned)
    run, config = make_run()
    with pytest.raises(ErsatzError, match=r"exploded before 0.024 kimg: g_loss, .*network-000000016.*lower g_lr"):
        train(run, config)
    snapshot = latest_snapshot(run.path)
    assert snapshot is not None and snapshot.name == "network-000000016.safetensors"
    assert all(tensor.isfinite().all() for tensor in load_file(snapshot).values())
    assert [alarm.name for alarm in run.status().alarms] == ["explosion"]
    assert len(comparable(run)) == 2
    assert all(math.isfinite(value) for row in comparable(run) for value in row.values())


def test_a_learning_rate_far_too_high_explodes_with_a_sentence(make_run: MakeRun) -> None:
    run, config = make_run(g_lr=1e38, d_lr=1e38)
    with pytest.raises(ErsatzError, match=r"Training exploded .* There is no snapshot yet"):
        train(run, config)


def test_the_log_names_the_training_and_then_every_tick(make_run: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    run, config = make_run()
    train(run, config)
    first, *others = caplog.messages
    ticks = [line for line in others if not line.startswith("Alarm: ")]
    expected = r"dcgan .+, \d+ images of (\d+)x\1x\d, CPU, .+, torch\.float32, from 0 to 0\.048 kimg"
    assert re.fullmatch(expected, first)
    numbers = r"(, \w+ -?\d+\.\d{3})+"
    assert [re.sub(rf"\d+ images/s{numbers}", "...", tick) for tick in ticks] == [
        f"kimg {kimg:g} of 0.048, ..." for kimg in (0.008, 0.016, 0.024, 0.032, 0.04, 0.048)
    ]


def test_a_damaged_snapshot_is_passed_over(make_run: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    straight, config = make_run()
    train(straight, config)
    run, _ = make_run()
    train(run, config, should_stop=StopAfter(4))
    newest = latest_snapshot(run.path)
    assert newest is not None
    newest.write_bytes(newest.read_bytes()[:5000])
    assert train(run, config) == "finished"
    assert "Passing over a snapshot" in caplog.text
    assert_same_end(run, straight)


def test_a_training_from_before_a_setting_came_goes_on(make_run: MakeRun) -> None:
    """The settings that a run was made with are those in its folder, not what they have become since."""
    run, config = make_run()
    older = {name: value for name, value in run.config().items() if name != "mirror"}
    assert older != run.config()
    (run.path / "config.json").write_text(json.dumps(older))
    assert train(run, config, should_stop=StopAfter(2)) == "stopped"
    newest = latest_snapshot(run.path)
    assert newest is not None
    assert load_snapshot(newest)[1]["config_sha256"] == sha256_value(older)
    assert train(run, config) == "finished"


def test_a_snapshot_of_another_run_is_refused(make_run: MakeRun) -> None:
    other, config = make_run(seed=1)
    train(other, config, should_stop=StopAfter(2))
    run, config = make_run()
    foreign = latest_snapshot(other.path)
    assert foreign is not None
    (run.path / "snapshots").mkdir()
    (run.path / "snapshots" / foreign.name).write_bytes(foreign.read_bytes())
    with pytest.raises(ErsatzError, match="made with other settings than this run's"):
        train(run, config)


@pytest.mark.parametrize("missing", ["G.layers.1.weight", "D.optimizer.0.exp_avg"])
def test_a_snapshot_without_all_its_tensors_is_refused(make_run: MakeRun, missing: str) -> None:
    run, config = make_run()
    train(run, config, should_stop=StopAfter(2))
    path = latest_snapshot(run.path)
    assert path is not None
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({name: tensor for name, tensor in load_file(path).items() if name != missing}, path, metadata)
    with pytest.raises(ErsatzError, match="does not hold the networks of this run"):
        train(run, config)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_full_memory_names_the_remedy(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(DcganTrainer, "iterate", fail)
    run, config = make_run(batch=8)
    with pytest.raises(ErsatzError, match=r"is full with batch 8; .* Set batch to 4"):
        train(run, config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_cuda_without_a_gpu_is_refused(make_run: MakeRun) -> None:
    run, config = make_run(device="cuda")
    with pytest.raises(ErsatzError, match="torch finds no CUDA GPU here"):
        train(run, config)


def test_length_counts_whole_batches() -> None:
    assert length(DcganConfig(dataset="discs", kimg=1.0, batch=16, tick_kimg=0.1), images=50) == (1008, 96)
    assert length(DcganConfig(dataset="discs", epochs=3, batch=16, tick_kimg=0.001), images=50) == (160, 16)


@pytest.mark.parametrize(
    ("architecture", "changes", "tolerance", "golden"),
    [
        (
            "recipe",
            {},
            1e-4,
            [
                [0.7802793, 1.318114, 0.5350618, 0.4918627, 13.81899, 15.74044],
                [0.7884328, 1.173555, 0.6152759, 0.4909602, 14.80991, 14.13092],
            ],
        ),
        # A penalty and a tiny batch multiply rounding: other instruction sets differ by 2e-3 after two iterations.
        (
            "da-dcgan",
            {**EVERYTHING, "precision": "fp32", "kimg": 0.008},
            1e-2,
            [[0.632966, 2.227928, 0.5813125, 0.7457068, 171.6708, 2905.907]],
        ),
    ],
    ids=["recipe", "da-dcgan"],
)
def test_golden_losses(
    make_run: MakeRun, architecture: str, changes: dict[str, Any], tolerance: float, golden: list[list[float]]
) -> None:
    """The first meters in fp32, a row for each two iterations: another number is another algorithm."""
    run, config = make_run(**{"architecture": architecture, "kimg": 0.016, **changes})
    train(run, config)
    found = [[row[name] for name in METERS] for row in comparable(run)]
    np.testing.assert_allclose(found, golden, rtol=tolerance)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_cuda_graph_trains_as_eager_iterations_do(make_run: MakeRun) -> None:
    graphed, config = make_run(device="cuda", precision="fp32")
    train(graphed, config)
    eager, config = make_run(device="cuda", precision="fp32", cuda_graphs=False)
    train(eager, config)
    for row, other in zip(comparable(graphed), comparable(eager), strict=True):
        assert list(row.values()) == pytest.approx(list(other.values()), rel=0.02)


def test_lost_rows_and_alarms_come_back_with_a_resume(make_run: MakeRun) -> None:
    """Killed after its last tick with a damaged row in the middle: the same rows and alarms as never disturbed."""
    straight, config = make_run()
    train(straight, config)
    killed, _ = make_run()
    train(killed, config)
    alarms = [(alarm.name, alarm.kimg) for alarm in straight.status().alarms]
    assert alarms and [(alarm.name, alarm.kimg) for alarm in killed.status().alarms] == alarms
    train(killed, config)  # as a worker does that was killed while it exported
    assert [(alarm.name, alarm.kimg) for alarm in killed.status().alarms] == alarms
    lines = killed.metrics_path.read_text().splitlines(keepends=True)
    killed.metrics_path.write_text("".join([*lines[:4], lines[4][:20] + "\n", *lines[5:]]))
    assert train(killed, config) == "finished"
    assert_same_end(killed, straight)
    found = [(alarm.name, alarm.kimg) for alarm in killed.status().alarms]
    assert found == [("repaired metrics.jsonl", None), *alarms]
