"""An imported network is a run like others: a snapshot, a generator that samples, and no list of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.configs import GeneratorReference, NetworkConfig, PoolConfig
from engine.gans.checkpoints import load_generator, load_snapshot
from engine.gans.nvidia_pkl.importing import import_network
from engine.gans.snapshots import snapshot_path
from engine.gans.stylegan2.networks import (
    one_hot,
)
from engine.jobs.prepare import prepare
from engine.jobs.worker import do
from engine.sampling.sampler import Sampler, to_pixels
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent
from engine.store.runs import Run, create_run
from tests.gans.nvidia_pkl.writing import content, dumped, generator_kwargs, persistent, small_networks

Made = tuple[Run, NetworkConfig]


def make_import(home: Home, path: Path, body: bytes, **changes: Any) -> Made:
    path.write_bytes(body)
    config = prepare(home, NetworkConfig(name="faces", source=str(path), **changes))
    assert isinstance(config, NetworkConfig)
    return create_run(home, config.plain(), "network faces"), config


def files(run: Run) -> set[str]:
    return {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}


def test_the_networks_become_a_snapshot_of_this_program(home: Home, tmp_path: Path) -> None:
    (g, d), (averaged, _) = small_networks(classes=2, conv_clamp=256), small_networks(seed=1, classes=2, conv_clamp=256)
    body = dumped(content(g, d, averaged=averaged))
    run, config = make_import(home, tmp_path / "x.pkl", body, class_names=("cat", "dog"))
    assert import_network(run, config) == "finished"
    tensors, facts = load_snapshot(snapshot_path(run.path, 0))
    for name, network in (("G", g), ("D", d), ("G_ema", averaged)):
        for key, value in network.state_dict().items():
            assert torch.equal(tensors[f"{name}.{key}"], value)
    expected = {"gan": "stylegan2-ada", "size": 16, "channels": 1, "classes": ["cat", "dog"], "conditional": True}
    expected |= {"images_seen": 0, "dataset": "", "dataset_fingerprint": "", "z_dim": 8, "w_dim": 8, "num_ws": 6}
    assert {key: facts[key] for key in expected} == expected
    assert facts["start"]["unknown_images"] is True
    assert facts["imported"]["augment_p"] == 0.25
    generator, _ = load_generator(snapshot_path(run.path, 0))
    z, c = torch.randn(2, 8), torch.eye(2)
    assert torch.equal(generator(z, c), averaged(z, c))
    assert "2 classes for grey images of 16 px" in run.status().result["sentence"]
    assert files(run) == {
        "config.json",
        "status.json",
        "log.txt",
        "lock",
        "snapshots/network-000000000.safetensors",
    }


def test_it_samples_without_torch(home: Home, tmp_path: Path) -> None:
    g, d = small_networks(classes=2, channels=3)
    run, config = make_import(home, tmp_path / "x.pkl", dumped(content(g, d, "flat")))
    assert do(run, config, silent, never) == "finished"
    sampler = Sampler.open(run.path, "cpu")
    assert sampler.classes == ["class 0", "class 1"]
    z = np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in range(3)])
    with torch.inference_mode():
        expected = g(torch.from_numpy(z), one_hot(torch.tensor([1, 1, 1]), 2)).numpy()
    difference = to_pixels(expected).astype(int) - sampler.sample(range(3), "class 1")
    assert np.abs(difference).max() <= 1


def test_a_network_without_classes_and_discriminator(home: Home, tmp_path: Path) -> None:
    g, _ = small_networks()
    body = dumped({"G_ema": persistent(g, generator_kwargs(g.architecture))})
    run, config = make_import(home, tmp_path / "x.pkl", body)
    assert do(run, config, silent, never) == "finished"
    tensors, facts = load_snapshot(snapshot_path(run.path, 0))
    assert all(name.startswith("G_ema.") for name in tensors)
    assert (facts["classes"], facts["conditional"]) == ([], False)
    assert Sampler.open(run.path, "cpu").sample([5]).shape == (1, 16, 16, 1)
    named, config = make_import(home, tmp_path / "x.pkl", body, class_names=("lesion",))
    assert do(named, config, silent, never) == "finished"
    assert Sampler.open(named.path, "cpu").classes == ["lesion"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("a",), "class_names has 1 names (a), and the network in"),
        (("a", "b", "c"), "2 different names are expected"),
        (("a", "a"), "2 different names are expected"),
        (("a", "b/c"), "class_names has 'b/c', which cannot be part of a file's name"),
    ],
)
def test_class_names_that_do_not_fit(home: Home, tmp_path: Path, names: tuple[str, ...], sentence: str) -> None:
    g, d = small_networks(classes=2)
    with pytest.raises(ErsatzError) as refusal:
        make_import(home, tmp_path / "x.pkl", dumped(content(g, d)), class_names=names)
    assert sentence in str(refusal.value)
    assert not home.runs.exists()


@pytest.mark.parametrize("body", [b"", b"text", b"\x80\x04cos\nsystem\n.", b"\x80\x04}."])
def test_a_refused_file_makes_no_run(home: Home, tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ErsatzError, match="is expected"):
        make_import(home, tmp_path / "x.pkl", body)
    assert not home.root.exists()


def test_a_file_that_changes_after_it_was_submitted(home: Home, tmp_path: Path) -> None:
    g, d = small_networks()
    run, config = make_import(home, tmp_path / "x.pkl", dumped(content(g, d)))
    before = files(run)
    (tmp_path / "x.pkl").write_bytes(dumped(content(*small_networks(seed=1))))
    with pytest.raises(ErsatzError, match="was changed since its import was set up"):
        import_network(run, config)
    assert files(run) == before


def test_a_fault_that_only_the_worker_sees_leaves_nothing(home: Home, tmp_path: Path) -> None:
    """Shapes of tensors are checked where torch is."""
    g, d = small_networks()
    g.mapping.w_avg = torch.zeros(1)
    run, config = make_import(home, tmp_path / "x.pkl", dumped(content(g, d)))
    before = files(run)
    with pytest.raises(ErsatzError, match=r"tensor mapping.w_avg of the shape 1"):
        do(run, config, silent, never)
    assert files(run) == before


def test_a_stop_before_the_snapshot(home: Home, tmp_path: Path) -> None:
    run, config = make_import(home, tmp_path / "x.pkl", dumped(content(*small_networks())))
    assert import_network(run, config, should_stop=lambda: True) == "stopped"
    assert not (run.path / "snapshots").exists()
    assert import_network(run, config) == "finished"


def test_no_pool_takes_it(home: Home, tmp_path: Path) -> None:
    from tests.jobs.scene import make_dataset

    make_dataset(home)
    run, config = make_import(home, tmp_path / "x.pkl", dumped(content(*small_networks())))
    import_network(run, config)
    pool = PoolConfig(name="p", dataset="empty", generators=(GeneratorReference(run=run.id),))
    with pytest.raises(ErsatzError, match=r"is an imported network, and nobody knows .* which may start from"):
        prepare(home, pool)
