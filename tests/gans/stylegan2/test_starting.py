"""A training that starts from other networks takes over what fits, names what does not, and knows what they saw."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.configs import NetworkConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.gans.checkpoints import load_generator, load_snapshot, save_snapshot
from engine.gans.init_source import Start, resolve_start
from engine.gans.nvidia_pkl.importing import import_network
from engine.gans.snapshots import latest_snapshot, snapshot_path
from engine.gans.training import train
from engine.gans.transfer import start_players
from engine.jobs.prepare import prepare
from engine.sampling.export import export_generator
from engine.sampling.sampler import Sampler, to_pixels
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.gans.nvidia_pkl.writing import content, converted, dumped, generator_kwargs, persistent, small_networks
from tests.gans.stylegan2.conftest import TINY, MakeRun

LIKE_TINY = {"channel_max": 8, "mapping_layers": 2}


def write(path: Path, body: Any) -> Start:
    path.write_bytes(dumped(body))
    return Start(str(path), path, "pkl", sha256_file(path))


def networks(**changes: Any) -> dict[str, nn.Module]:
    g, d = small_networks(seed=7, **changes)
    averaged, _ = small_networks(seed=8, **changes)
    return {"G": g, "D": d, "G_ema": averaged}


def values(trainer: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    return {f"{n}.{key}": value.clone() for n, net in trainer.items() for key, value in net.state_dict().items()}


@pytest.mark.parametrize(("theirs", "ours"), [(0, 0), (0, 4), (4, 0)])
def test_all_three_networks_are_taken_over(tmp_path: Path, theirs: int, ours: int) -> None:
    """Whichever of the discriminator's layers are frozen, there or here."""
    (g, d), (averaged, _) = small_networks(seed=1, freeze_d=theirs), small_networks(seed=2)
    trainer = networks(freeze_d=ours)
    started = start_players(trainer, write(tmp_path / "x.pkl", content(g, d, averaged=averaged)))
    for name, network in {"G": g, "D": d, "G_ema": averaged}.items():
        assert all(torch.equal(value, values(trainer)[f"{name}.{key}"]) for key, value in network.state_dict().items())
    assert (started.untrained, started.training_images, started.unknown_images) == ([], [], True)


def test_networks_that_the_file_does_not_have(tmp_path: Path) -> None:
    averaged, _ = small_networks(seed=2)
    trainer = networks()
    before = values(trainer)
    start = write(tmp_path / "x.pkl", {"G_ema": persistent(averaged, generator_kwargs(averaged.architecture))})
    started = start_players(trainer, start)
    after = values(trainer)
    for key, value in averaged.state_dict().items():
        assert torch.equal(after[f"G.{key}"], value)
        assert torch.equal(after[f"G_ema.{key}"], value)
    of_d = [name for name in before if name.startswith("D.")]
    assert started.untrained == of_d
    assert all(torch.equal(after[name], before[name]) for name in of_d)


@pytest.mark.parametrize(("theirs", "ours"), [(32, 16), (16, 32)])
def test_another_size_takes_over_the_blocks_of_both(tmp_path: Path, theirs: int, ours: int) -> None:
    g, d = small_networks(seed=1, size=theirs)
    trainer = networks(size=ours)
    before = values(trainer)
    started = start_players(trainer, write(tmp_path / "x.pkl", content(g, d)))
    after = values(trainer)
    for key in ("synthesis.b16.conv1.weight", "mapping.fc0.weight", "synthesis.b16.torgb.bias"):
        assert torch.equal(after[f"G_ema.{key}"], g.state_dict()[key])
    assert torch.equal(after["D.b16.conv0.weight"], d.state_dict()["b16.conv0.weight"])
    assert f"D.b{ours}.fromrgb.weight" in started.untrained
    assert all(torch.equal(after[name], before[name]) for name in started.untrained)
    assert any("b32" in name for name in started.untrained) == (ours == 32)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": 3}, "its kind of image is RGB, and grey is expected. Import the data set anew"),
        ({"classes": 2}, "its number of classes is 2, and 0 is expected. Choose conditional"),
        (
            {"channel_max": 32},
            "its width at 4 px is 32, and 16 is expected. Set channel_base to 128 and",
        ),
        ({"channel_base": 64}, "its width at 8 px is 8, and 16 is expected. Set channel_base to 64"),
        ({"z_dim": 16}, "its z_dim is 16, and 8 is expected. Set z_dim to 16"),
        ({"w_dim": 1}, "its w_dim is 1, and 8 is expected"),
        ({"z_dim": 16, "w_dim": 1}, "z_dim is 16, and 8 is expected; its w_dim is 1, and 8 is expected. Set z_dim"),
        ({"mapping_layers": 8}, "its mapping_layers is 8, and 2 is expected. Set mapping_layers to 8"),
        ({"mapping_lr": 0.1}, "its mapping_lr is 0.1, and 0.01 is expected. Set mapping_lr to 0.1"),
        ({"d_architecture": "orig"}, "its d_architecture is orig, and resnet is expected. Set d_architecture to orig"),
        ({"mbstd_channels": 2}, "its tensor D.b4.conv.weight has the shape (16, 18, 3, 3), and (16, 17, 3, 3)"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    g, d = small_networks(**change)
    body = content(g, d)
    if "mbstd_channels" in change:
        body["D"].state["_init_kwargs"]["epilogue_kwargs"]["mbstd_num_channels"] = 2
    trainer = networks()
    before = values(trainer)
    with pytest.raises(ErsatzError) as refusal:
        start_players(trainer, write(tmp_path / "x.pkl", body))
    assert sentence in str(refusal.value)
    assert all(torch.equal(value, before[name]) for name, value in values(trainer).items())


@pytest.mark.parametrize(
    ("theirs", "sentence"),
    [
        ({"d_mapping_layers": 0}, "its d_mapping_layers is 0, and 2 is expected. Set d_mapping_layers to 0"),
        ({"d_mapping_lr": 0.1}, "its d_mapping_lr is 0.1, and 0.01 is expected. Set d_mapping_lr to 0.1"),
    ],
)
def test_the_mapping_of_a_conditional_discriminator(tmp_path: Path, theirs: dict[str, Any], sentence: str) -> None:
    """Its rate is no tensor's shape: taken over in silence, the weights would mean another function."""
    common = {"classes": 2, "d_mapping_layers": 2}
    start = write(tmp_path / "x.pkl", converted(*small_networks(seed=1, **{**common, **theirs})))
    with pytest.raises(ErsatzError) as refusal:
        start_players(networks(**common), start)
    assert sentence in str(refusal.value)
    fitting = networks(**{**common, **theirs})
    assert start_players(fitting, start).untrained == []
    # A rate is nothing to a network without the layers that it is of.
    assert start_players(networks(d_mapping_lr=0.1), write(start.path, converted(*small_networks()))).untrained == []


def test_a_converted_network_is_trained_and_exported_with_its_rates(
    make_run: MakeRun, home: Home, tmp_path: Path
) -> None:
    rates = {"mapping_lr": 0.05, "d_mapping_layers": 2, "d_mapping_lr": 0.1}
    g, d = small_networks(seed=3, **LIKE_TINY, classes=2, **rates)
    write(tmp_path / "x.pkl", converted(g, d, cur_nimg=7))
    config = prepare(home, NetworkConfig(name="x", source=str(tmp_path / "x.pkl")))
    assert isinstance(config, NetworkConfig)
    imported = create_run(home, config.plain(), "network")
    import_network(imported, config)
    assert imported.status().result["left_out"] == {"cur_nimg": "7"}
    assert imported.status().result["sentence"].endswith("Left out, because nothing here uses it: 'cur_nimg' (7).")

    settings = {
        "class_name": "",
        "conditional": True,
        "start_from": imported.id,
        "kimg": 0.008,
        "on_explosion": "return",
    }
    run, _ = make_run(**settings, **rates)
    prepared = prepare(home, make_run(**settings, **rates)[1])
    assert isinstance(prepared, StyleganConfig)
    run = create_run(home, prepared.plain(), "train")
    assert train(run, prepared) == "finished"
    first, _ = load_snapshot(snapshot_path(run.path, 0))
    assert torch.equal(first["D.mapping.fc1.weight"], d.state_dict()["mapping.fc1.weight"])
    for name in ("g_architecture", "d_architecture"):
        assert {key: facts(run)[name][key] for key in rates} == rates
    export_generator(run)
    generator, _ = load_generator(latest_snapshot(run.path))
    z = torch.from_numpy(np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in range(3)]))
    with torch.inference_mode():
        expected = to_pixels(generator(z, torch.eye(2)[[1, 1, 1]]).numpy())
    sampled = Sampler.open(run.path, "cpu").sample(range(3), "b")
    assert np.abs(expected.astype(int) - sampled).max() <= 1


def test_a_grey_start_is_not_spread_over_three_channels(tmp_path: Path) -> None:
    """tensor.copy_ would broadcast [1, ...] to [3, ...] in silence."""
    start = write(tmp_path / "x.pkl", content(*small_networks(channels=1)))
    with pytest.raises(ErsatzError, match="its kind of image is grey, and RGB is expected"):
        start_players(networks(channels=3), start)


def own_images(dataset: Dataset, *classes: str) -> set[str]:
    return {sha256 for name in classes for sha256 in dataset.rows("train", name)["sha256"]}


def listed(run: Run) -> list[str]:
    return (run.path / "training_images.txt").read_text().split()


def facts(run: Run) -> dict[str, Any]:
    path = latest_snapshot(run.path)
    assert path is not None
    return load_snapshot(path)[1]


def test_the_images_of_the_start_join_the_list_also_when_it_is_gone(make_run: MakeRun, dots: Dataset) -> None:
    first, config = make_run(kimg=0.008, class_name="a")
    train(first, config)
    prepared = prepare(first.home, make_run(kimg=0.016, class_name="b", start_from=first.id)[1])
    assert isinstance(prepared, StyleganConfig)
    path = latest_snapshot(first.path)
    assert path is not None
    assert (prepared.start_from, prepared.start_sha256) == (first.id, sha256_file(path))
    assert (prepared.ada_kimg, prepared.ema_ramp) == (TINY["ada_kimg"], 0)
    second = create_run(first.home, prepared.plain(), "train")
    assert train(second, prepared, should_stop=lambda: True) == "stopped"
    shutil.rmtree(first.path)
    assert train(second, prepared) == "finished"
    assert set(listed(second)) == own_images(dots, "a", "b")
    assert len(listed(second)) == len(set(listed(second)))
    assert facts(second)["start"] == {
        "start_from": first.id,
        "sha256": prepared.start_sha256,
        "unknown_images": False,
    }


def test_training_begins_with_the_networks_of_the_start(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    g, d = small_networks(seed=3, **LIKE_TINY)
    write(tmp_path / "x.pkl", content(g, d))
    monkeypatch.chdir(tmp_path)
    run, config = make_run(start_from="x.pkl", on_explosion="return", kimg=0.004)
    prepared = prepare(run.home, config)
    assert isinstance(prepared, StyleganConfig)
    assert prepared.start_from == str(tmp_path / "x.pkl")
    run = create_run(run.home, prepared.plain(), "train")
    train(run, prepared)
    tensors, _ = load_snapshot(snapshot_path(run.path, 0))  # kept at the start for a return after an explosion
    for name, network in {"G": g, "D": d, "G_ema": g}.items():
        assert all(torch.equal(value, tensors[f"{name}.{key}"]) for key, value in network.state_dict().items())
    assert "which images it has seen is not known" in caplog.text
    assert json.loads((run.path / "start.json").read_text())["unknown_images"] is True
    # What is not known stays unknown for those that start from this training.
    _, heir = make_run(start_from=run.id, kimg=0.004)
    prepared = prepare(run.home, heir)
    assert isinstance(prepared, StyleganConfig)
    second = create_run(run.home, prepared.plain(), "train")
    train(second, prepared)
    assert facts(second)["start"]["unknown_images"] is True


def test_an_imported_network_is_a_start(make_run: MakeRun, home: Home, tmp_path: Path) -> None:
    g, d = small_networks(seed=3, **LIKE_TINY)
    write(tmp_path / "x.pkl", content(g, d))
    config = prepare(home, NetworkConfig(name="x", source=str(tmp_path / "x.pkl")))
    assert isinstance(config, NetworkConfig)
    imported = create_run(home, config.plain(), "network")
    import_network(imported, config)
    trainer = networks(**LIKE_TINY)
    started = start_players(trainer, resolve_start(home, imported.id))
    assert torch.equal(values(trainer)["G.mapping.fc0.weight"], g.state_dict()["mapping.fc0.weight"])
    assert started.unknown_images
    # A copy of a snapshot outside of its run tells nothing of the images either.
    copy = tmp_path / "kept.safetensors"
    shutil.copy(snapshot_path(imported.path, 0), copy)
    assert start_players(trainer, resolve_start(home, str(copy))).unknown_images


def test_the_snapshot_of_a_run_is_known_by_its_hash(make_run: MakeRun) -> None:
    run, config = make_run(kimg=0.032)
    train(run, config)
    older = snapshot_path(run.path, 16)
    found = resolve_start(run.home, run.id, sha256_file(older))
    assert found.path == older
    assert resolve_start(run.home, run.id).path == snapshot_path(run.path, 32)
    with pytest.raises(ErsatzError, match="no longer has the snapshot that this training was set up to start from"):
        resolve_start(run.home, run.id, "0" * 64)
    with pytest.raises(ErsatzError, match="was changed since this training was set up"):
        resolve_start(run.home, str(older), "0" * 64)


def test_what_is_no_start(make_run: MakeRun, home: Home, tmp_path: Path) -> None:
    run, config = make_run()
    for text, sentence in (
        ("absent.pkl", "'absent.pkl', which is neither a file nor a run"),
        (run.id, "has no snapshot yet"),
        (create_run(home, {"kind": "pool"}, "pool").id, "a pool run; expected the id of a StyleGAN2-ADA training"),
    ):
        with pytest.raises(ErsatzError, match=sentence):
            resolve_start(home, text)
        with pytest.raises(ErsatzError, match=sentence):
            prepare(home, config.model_copy(update={"start_from": text}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gan": "dcgan"}, "is a snapshot of a dcgan training; one of StyleGAN2-ADA is expected"),
        ({"g_architecture": {"size": 17, "channels": 1}}, "does not say what its networks are"),
        ({"g_architecture": {"colour": "red"}}, "does not say what its networks are"),
        ({}, "does not say what its networks are"),
    ],
)
def test_snapshots_that_are_no_start(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    metadata = {"gan": "stylegan2-ada", "images_seen": 0, **changes}
    path = save_snapshot(tmp_path, {"G_ema.mapping.w_avg": torch.zeros(8)}, metadata)
    with pytest.raises(ErsatzError, match=sentence):
        start_players(networks(), Start(str(path), path, "snapshot", ""))


def test_a_snapshot_with_a_tensor_missing(home: Home, tmp_path: Path) -> None:
    g, _ = small_networks()
    shape = asdict(g.architecture)
    metadata = {"gan": "stylegan2-ada", "images_seen": 0, "g_architecture": shape, "d_architecture": shape}
    tensors = {f"G_ema.{key}": value for key, value in g.state_dict().items() if key != "mapping.w_avg"}
    path = save_snapshot(tmp_path, tensors, metadata)
    with pytest.raises(ErsatzError, match=r"lacks the tensor G.mapping.w_avg of a network of its own size"):
        start_players(networks(), Start(str(path), path, "snapshot", ""))
