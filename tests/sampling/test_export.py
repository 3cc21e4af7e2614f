"""The export: ONNX Runtime's images are torch's, and nothing is written when they are not."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.configs import DcganConfig, ExportConfig
from engine.gans.checkpoints import describe_snapshot, save_snapshot
from engine.gans.dcgan.networks import Generator
from engine.gans.image_spec import ImageSpec
from engine.jobs.prepare import is_exported, prepare
from engine.sampling import one_graph
from engine.sampling.export import TOLERANCE, export, export_generator
from engine.sampling.exported import GeneratorInfo, combined, digests, read_generator, replace_generator
from engine.sampling.latents import latents
from engine.sampling.results import ExportResult
from engine.sampling.sampler import Sampler
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.runs import Run, create_run

CLASSES = ["bleed", "midline shift", "normal"]


def used(generator: Generator) -> Generator:
    """The generator with BatchNorm statistics and weights as if it had been trained a while."""
    torch.manual_seed(1)
    for module in generator.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, 0, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    return generator.eval()


def described(config: DcganConfig) -> dict[str, Any]:
    """What the trainer says of the networks."""
    return {"architecture": config.architecture, "z_dim": config.z_dim}


def trained(home: Home, images_seen: int = 2000, channels: int = 1, size: int = 32, **changes) -> tuple[Run, Generator]:
    """A training run with one snapshot, and the generator in it."""
    values = {"dataset": "brains", "dataset_fingerprint": "f" * 64, "g_channels": 8, "d_channels": 8, "z_dim": 20}
    config = DcganConfig(**{**values, **changes})
    run = create_run(home, config.plain(), "train")
    spec = ImageSpec(size, channels, len(CLASSES) if config.conditional else 0)
    generator = used(Generator(config, spec))
    tensors = {f"G_ema.{name}": tensor for name, tensor in generator.state_dict().items()}
    facts = describe_snapshot(
        config, described(config), "digest", spec, [config.class_name] if config.class_name else CLASSES
    )
    save_snapshot(run.path, tensors, {**facts, "images_seen": images_seen, "seconds": 1.0})
    return run, generator


@pytest.mark.parametrize(
    "changes",
    [
        {"class_name": "bleed"},
        {"class_name": "bleed", "size": 64, "channels": 3},
        {"class_name": "bleed", "architecture": "da-dcgan"},
        {"conditional": True, "channels": 3},
        {"conditional": True, "architecture": "da-dcgan"},
    ],
    ids=str,
)
def test_onnx_equals_torch_in_every_batch(home, changes, capfd):
    run, generator = trained(home, **changes)
    assert export_generator(run) == run.path / "generator.json"
    assert capfd.readouterr() == ("", "")

    path = run.path / "generator.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert {file.name for file in run.path.iterdir() if file.name.startswith("generator")} == {
        path.name,
        "generator.json",
    }
    assert str(Path(one_graph.__file__).parents[1]).encode() not in path.read_bytes()

    sampler = Sampler.open(run.path, device="cpu")
    classes = CLASSES if changes.get("conditional") else ["bleed"]
    assert sampler.classes == classes
    seeds = range(100, 117)
    z = latents(seeds, 20)
    for label, name in list(enumerate(classes))[:2]:
        inputs = {"z": z} | ({"label": np.full(17, label)} if len(classes) > 1 else {})
        found = sampler.graphs["generator.onnx"].run(inputs).numpy()
        with torch.inference_mode():
            expected = generator(torch.from_numpy(z), torch.full((17,), label)).numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert expected.std() > 0.01  # a constant image would agree with anything

        together = sampler.sample(seeds, name)
        for size in (1, 2, 5):
            apart = [sampler.sample(seeds[first : first + size], name) for first in range(0, 17, size)]
            np.testing.assert_array_equal(np.concatenate(apart), together)


def test_generator_json_says_what_the_generator_is(home):
    run, _ = trained(home, class_name="bleed", architecture="da-dcgan", images_seen=2048)
    info = read_json(export_generator(run))
    agreement = info.pop("agreement")
    sha256 = hashlib.sha256((run.path / "generator.onnx").read_bytes()).hexdigest()
    assert 0 < agreement <= TOLERANCE
    assert info == {
        "version": 1,
        "stored": {},
        "w_dim": 0,
        "num_ws": 0,
        "noise": [],
        "gan": "dcgan",
        "architecture": "da-dcgan",
        "files": {"generator.onnx": sha256},
        "sha256": sha256,
        "run": run.id,
        "snapshot": "network-000002048.safetensors",
        "kimg": 2.048,
        "z_dim": 20,
        "size": 32,
        "channels": 1,
        "mode": "L",
        "classes": ["bleed"],
        "conditional": False,
        "class_name": "bleed",
        "dataset": "brains",
        "dataset_fingerprint": "f" * 64,
        "start": None,
    }


def test_a_generator_of_unlabelled_classes_names_none(home):
    run, _ = trained(home)
    export_generator(run)
    sampler = Sampler.open(run.path)
    assert sampler.classes == []
    assert sampler.sample([1, 2]).shape == (2, 32, 32, 1)
    with pytest.raises(ErsatzError, match="trained without classes"):
        sampler.sample([1], "bleed")


def test_the_same_snapshot_gives_the_same_bytes(home):
    run, _ = trained(home, class_name="bleed")
    export_generator(run)
    first = (run.path / "generator.onnx").read_bytes()
    export_generator(run)
    assert (run.path / "generator.onnx").read_bytes() == first


def test_a_chosen_snapshot_is_exported_instead_of_the_newest(home):
    run, generator = trained(home, class_name="bleed", images_seen=1000)
    old = next((run.path / "snapshots").iterdir())
    old_images = generator(torch.from_numpy(latents([3], 20)))
    config = DcganConfig.build(run.config())
    newer = {f"G_ema.{name}": tensor * 1.5 for name, tensor in generator.state_dict().items()}
    facts = describe_snapshot(config, described(config), "digest", ImageSpec(32, 1), ["bleed"])
    save_snapshot(run.path, newer, {**facts, "images_seen": 9000, "seconds": 1.0})

    export_generator(run)
    assert read_json(run.path / "generator.json")["kimg"] == 9
    export_generator(run, old)
    assert read_json(run.path / "generator.json")["kimg"] == 1
    found = Sampler.open(run.path).graphs["generator.onnx"].run({"z": latents([3], 20)}).numpy()
    np.testing.assert_allclose(found, old_images.detach().numpy(), atol=1e-5)


def test_a_run_without_snapshots_is_a_sentence(home):
    run = create_run(home, DcganConfig(dataset="brains").plain(), "train")
    with pytest.raises(ErsatzError, match="has no snapshot to export"):
        export_generator(run)


@pytest.mark.parametrize("content", ["nothing", "text", "foreign", "half"])
def test_a_foreign_or_damaged_snapshot_is_a_sentence(home, tmp_path, content):
    run, _ = trained(home, class_name="bleed")
    path = tmp_path / "network.safetensors"
    if content == "foreign":
        save_file({"weight": torch.zeros(3)}, path)
    elif content == "half":
        path.write_bytes(next((run.path / "snapshots").iterdir()).read_bytes()[:-500])
    elif content == "text":
        path.write_text("no tensors here" * 50)
    with pytest.raises(ErsatzError, match="snapshot"):
        export_generator(run, path)
    assert not list(run.path.glob("*generator*"))


def test_the_snapshot_of_another_training_is_refused(home):
    """Its images were other ones than the run's training_images.txt lists."""
    run, _ = trained(home, class_name="bleed")
    other, _ = trained(home, class_name="normal")
    with pytest.raises(ErsatzError, match="snapshot of another training"):
        export_generator(run, next((other.path / "snapshots").iterdir()))
    assert not (run.path / "generator.onnx").exists()


@pytest.mark.parametrize("wrong", [1e-3, float("nan")])
def test_an_export_that_disagrees_is_not_written(home, monkeypatch, wrong):
    run, _ = trained(home, class_name="bleed")

    class Shifted(nn.Module):
        def __init__(self, module: nn.Module):
            super().__init__()
            self.module = module

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return self.module(z) + wrong

    to_onnx = one_graph.to_onnx
    monkeypatch.setattr(one_graph, "to_onnx", lambda module, *rest: to_onnx(Shifted(module), *rest))
    with pytest.raises(ErsatzError, match="differs from torch by"):
        export_generator(run)
    assert not list(run.path.glob("generator*"))


def test_a_kill_at_any_step_of_a_second_export_leaves_one_that_is_whole(tmp_path, monkeypatch):
    """Of one or of two graphs; with graphs that are mere bytes, since what is in them does not matter here."""

    class Killed(BaseException):
        pass

    def info(contents):
        files = digests(contents)
        return GeneratorInfo(
            gan="dcgan", files=files, sha256=combined(files), run="run", z_dim=2, size=32, channels=1, mode="L",
            classes=("a",), conditional=False, dataset_fingerprint="f",
        )  # fmt: skip

    first = {"mapping.onnx": b"mapping 1", "synthesis.onnx": b"synthesis 1"}
    second = {"mapping.onnx": b"mapping 2", "synthesis.onnx": b"synthesis 2"}
    replace_generator(tmp_path, info(first), first)
    seen: list[str] = []
    monkeypatch.setattr(disk, "fault", lambda step, path, when: seen.append(step))
    replace_generator(tmp_path, info(second), second)
    assert read_generator(tmp_path)[1] == second
    found = set()
    for place in range(len(seen)):
        monkeypatch.setattr(disk, "fault", None)
        replace_generator(tmp_path, info(first), first)
        steps = iter(range(len(seen)))

        def fault(*_, place=place, steps=steps):
            if next(steps, None) == place:
                raise Killed

        monkeypatch.setattr(disk, "fault", fault)
        with suppress(Killed):
            replace_generator(tmp_path, info(second), second)
        monkeypatch.setattr(disk, "fault", None)
        content = read_generator(tmp_path)[1]
        assert content in (first, second)
        found.add(content["mapping.onnx"])
        replace_generator(tmp_path, info(second), second)
        assert read_generator(tmp_path)[1] == second
        assert len(list(tmp_path.glob("*.onnx"))) == 2
    assert len(found) == 2


def test_an_export_can_be_a_run(home):
    """It names its snapshot by hash, and writes the generator that the command writes at once."""
    run, _ = trained(home, class_name="bleed")
    export_generator(run)
    at_once = (run.path / "generator.onnx").read_bytes()
    (run.path / "generator.json").unlink()
    config = prepare(home, ExportConfig(run=run.id))
    snapshot = run.path / "snapshots" / config.snapshot
    assert config.snapshot_sha256 == sha256_file(snapshot)
    assert prepare(home, ExportConfig(run=run.id, snapshot=str(snapshot))) == config, "a path of its own is its name"
    assert not is_exported(home, config)

    made = create_run(home, config.plain(), "export")
    assert export(made, config, lambda progress: None, lambda: True) == "stopped"
    assert export(made, config, lambda progress: None, lambda: False) == "finished"
    assert (run.path / "generator.onnx").read_bytes() == at_once
    assert is_exported(home, config)
    found = made.status().result_as(ExportResult)
    assert (found.run, found.snapshot, found.kimg) == (run.id, config.snapshot, 2.0)
    assert f"{config.snapshot} is the generator of {run.id} now" in found.sentence


def test_an_export_of_a_changed_snapshot_is_refused_and_of_a_thinned_one_is_not(home):
    """Of an older snapshot a training keeps the averaged generator alone, in another file, while an export waits."""
    run, generator = trained(home, class_name="bleed")
    config = prepare(home, ExportConfig(run=run.id))
    whole = run.path / "snapshots" / config.snapshot
    (run.path / "generators").mkdir()
    whole.rename(run.path / "generators" / whole.name)
    made = create_run(home, config.plain(), "export")
    assert export(made, config, lambda progress: None, lambda: False) == "finished"

    training = DcganConfig.build(run.config())
    facts = describe_snapshot(training, described(training), "digest", ImageSpec(32, 1), ["bleed"])
    other = {f"G_ema.{name}": tensor * 1.5 for name, tensor in generator.state_dict().items()}
    save_snapshot(run.path, other, {**facts, "images_seen": 2000, "seconds": 1.0})
    with pytest.raises(ErsatzError, match="has changed since this export was set up"):
        export(made, config, lambda progress: None, lambda: False)


def test_an_export_of_nothing_is_refused_before_there_is_a_run(home):
    empty = create_run(home, DcganConfig(dataset="brains").plain(), "train")
    with pytest.raises(ErsatzError, match="has no snapshot to export"):
        prepare(home, ExportConfig(run=empty.id))
    run, _ = trained(home, class_name="bleed")
    with pytest.raises(ErsatzError, match=r"There is no snapshot network-9\.safetensors; one of run .* is expected"):
        prepare(home, ExportConfig(run=run.id, snapshot="network-9.safetensors"))
    export_run = create_run(home, ExportConfig(run=run.id).plain(), "export")
    with pytest.raises(ErsatzError, match="is of the kind export and has no snapshots"):
        prepare(home, ExportConfig(run=export_run.id))
