"""Snapshots that can be sampled from, and files that are none."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.gans import checkpoints
from engine.gans.checkpoints import load_generator, load_snapshot, save_snapshot
from engine.gans.snapshots import images_seen, latest_snapshot, list_generators, list_snapshots
from engine.gans.training import train
from engine.store.errors import ErsatzError
from tests.gans.conftest import MakeRun


@pytest.fixture
def snapshot(make_run: MakeRun) -> Path:
    run, config = make_run(class_name="", conditional=True, ema_kimg=0.008)
    train(run, config)
    path = latest_snapshot(run.path)
    assert path is not None
    return path


def test_the_averaged_generator_comes_back_with_its_facts(snapshot: Path) -> None:
    generator, facts = load_generator(snapshot)
    assert not generator.training
    expected = {"gan": "dcgan", "architecture": "recipe", "images_seen": 48, "z_dim": 16, "size": 32, "channels": 1}
    expected |= {"classes": ["a", "b"], "conditional": True, "class_name": "", "dataset": "discs"}
    assert {key: facts[key] for key in expected} == expected
    tensors = load_file(snapshot)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, tensors[f"G_ema.{name}"])


def test_a_picture_does_not_depend_on_its_batch(snapshot: Path) -> None:
    generator, _ = load_generator(snapshot)
    z, labels = torch.randn(9, 16), torch.arange(9) % 2
    alone = torch.cat([generator(z[i : i + 1], labels[i : i + 1]) for i in range(9)])
    torch.testing.assert_close(generator(z, labels), alone, rtol=0, atol=1e-5)


def test_the_average_holds_weights_and_statistics(make_run: MakeRun) -> None:
    """After one iteration of 4 images with a half-life of 8, the average kept 2 ** -0.5 of the initial values."""
    first, config = make_run(kimg=0.004, tick_kimg=0.004, ema_kimg=0.008)
    train(first, config)
    path = latest_snapshot(first.path)
    assert path is not None
    tensors = load_file(path)
    keep = 2**-0.5
    mean = "layers.2.running_mean"  # begins at 0
    torch.testing.assert_close(tensors[f"G_ema.{mean}"], (1 - keep) * tensors[f"G.{mean}"])
    none, config = make_run(kimg=0.004, tick_kimg=0.004, ema_kimg=0)
    train(none, config)
    path = latest_snapshot(none.path)
    assert path is not None
    tensors = load_file(path)
    for name in (name for name in tensors if name.startswith("G.layers")):
        assert torch.equal(tensors[name], tensors["G_ema." + name.removeprefix("G.")])


def test_files_that_are_no_snapshots(snapshot: Path, tmp_path: Path) -> None:
    cut, foreign, text = (tmp_path / name for name in ("cut.safetensors", "foreign.safetensors", "text.safetensors"))
    cut.write_bytes(snapshot.read_bytes()[:-100])
    save_file({"weight": torch.zeros(2)}, foreign)
    text.write_text("not a network")
    for path, sentence in (
        (cut, "cannot be read as a snapshot"),
        (text, "cannot be read as a snapshot"),
        (foreign, "not a snapshot of this program's training"),
        (tmp_path / "absent.safetensors", "is missing"),
    ):
        with pytest.raises(ErsatzError, match=sentence):
            load_generator(path)


def test_older_snapshots_leave_their_generator_spread_over_the_training(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "KEEP_GENERATORS", 4)
    tensors, facts = load_snapshot(snapshot)
    for images in range(100, 2100, 100):
        save_snapshot(tmp_path, tensors, {**facts, "images_seen": images})
    assert [images_seen(path) for path in list_snapshots(tmp_path)] == [2000, 1900, 1800]
    kept = [images_seen(path) for path in list_generators(tmp_path)][3:]
    assert len(kept) == 4 and kept[-1] == 100 and kept[0] == 1700
    assert max(later - earlier for later, earlier in itertools.pairwise(kept)) <= 1200
    generator, metadata = load_generator(list_generators(tmp_path)[-1])
    assert metadata["images_seen"] == 100
    latents, labels = torch.ones(1, 16), torch.tensor([0])
    assert torch.equal(generator(latents, labels), load_generator(snapshot)[0](latents, labels))


def test_a_changed_bit_is_found_and_costs_no_whole_snapshot(snapshot: Path, tmp_path: Path) -> None:
    tensors, facts = load_snapshot(snapshot)
    paths = [save_snapshot(tmp_path, tensors, {**facts, "images_seen": images}) for images in (100, 200, 300)]
    content = bytearray(paths[-1].read_bytes())
    content[-7] ^= 1
    paths[-1].write_bytes(content)
    with pytest.raises(ErsatzError, match=r"the checksum of .* is another"):
        load_snapshot(paths[-1])
    save_snapshot(tmp_path, tensors, {**facts, "images_seen": 400})
    assert [images_seen(path) for path in list_snapshots(tmp_path) if checkpoints.is_whole(path)] == [400, 200, 100]
    save_snapshot(tmp_path, tensors, {**facts, "images_seen": 500})
    assert [images_seen(path) for path in list_snapshots(tmp_path) if checkpoints.is_whole(path)] == [500, 400, 200]
