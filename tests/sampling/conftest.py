"""Tiny generators: DCGANs exported without torch, and StyleGAN2s with weights as if trained a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from engine.configs import DcganConfig, NetworkConfig, StyleganConfig
from engine.datasets.dataset import COLUMNS, Dataset, write_manifest
from engine.gans.checkpoints import describe_snapshot, save_snapshot
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.architecture import Architecture, describe_networks
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.sampling.export import export_generator
from engine.sampling.sampler import Sampler, StyleganSampler
from engine.store.files import write_bytes, write_json, write_text
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.runs import Run, create_run

Z_DIM = 8


def tiny_onnx(channels: int = 1, size: int = 16, conditional: bool = False, seed: int = 0) -> bytes:
    """tanh(z W), and, if conditional, brighter by a third for each next label."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(Z_DIM, channels * size * size)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.array([-1, channels, size, size]), "shape"),
    ]
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", Z_DIM])]
    nodes = [helper.make_node("MatMul", ["z", "weight"], ["flat"])]
    last = "flat"
    if conditional:
        inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]))
        constants.append(numpy_helper.from_array(np.array([[0.0], [1 / 3], [2 / 3]], np.float32), "shifts"))
        nodes += [
            helper.make_node("Gather", ["shifts", "label"], ["shift"]),
            helper.make_node("Add", ["flat", "shift"], ["shifted"]),
        ]
        last = "shifted"
    nodes += [helper.make_node("Reshape", [last, "shape"], ["raw"]), helper.make_node("Tanh", ["raw"], ["images"])]
    output = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", channels, size, size])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


MakeGenerator = Callable[..., Run]


def make_dataset(home: Home, size: int = 16, mode: str = "L") -> Dataset:
    """A frozen data set without its images, which sampling never reads."""
    info = {"name": "tiny", "config": {}, "classes": ["bleed", "normal"], "size": size, "mode": mode, "frozen": None}
    info |= {"audit": {"findings": []}, "provenance": {"preprocessing": {"size": size, "mode": mode}}}
    manifest = home.dataset("tiny") / "manifest.csv"
    row = dict.fromkeys(COLUMNS, "") | {"split": "train", "width": size, "height": size, "bits": 8}
    rows = [row | {"path": f"images/{name}/00000.png", "class": name, "sha256": name} for name in info["classes"]]
    write_manifest(manifest, pd.DataFrame(rows))
    write_json(home.dataset("tiny") / "dataset.json", info | {"manifest_sha256": sha256_file(manifest)})
    Dataset.open(home, "tiny").freeze()
    return Dataset.open(home, "tiny")


@pytest.fixture
def make_generator(home: Home) -> MakeGenerator:
    """Makes a training run with an exported generator, `make_generator("bleed", size=16, ...)`, and its data set;
    `trained` are other settings of its training, such as the seed, which makes another generator.
    """

    def make(
        class_name: str = "",
        conditional: bool = False,
        channels: int = 1,
        size: int = 16,
        trained: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Run:
        config = DcganConfig.build(
            {"dataset": "tiny", "class_name": class_name, "conditional": conditional, "z_dim": Z_DIM, **(trained or {})}
        )
        run = create_run(home, config.plain(), f"tiny-{class_name}")
        seed = sum(class_name.encode()) + 1000 * config.seed
        write_bytes(run.path / "generator.onnx", tiny_onnx(channels, size, conditional, seed))
        mode = "L" if channels == 1 else "RGB"
        exists = home.dataset("tiny").exists()
        dataset = Dataset.open(home, "tiny") if exists else make_dataset(home, size, mode)
        info = {
            "gan": "dcgan",
            "architecture": "recipe",
            "sha256": sha256_file(run.path / "generator.onnx"),
            "run": run.id,
            "snapshot": "network-000001000.safetensors",
            "kimg": 1.0,
            "z_dim": Z_DIM,
            "size": size,
            "channels": channels,
            "mode": mode,
            "classes": ["bleed", "normal"] if conditional else [class_name] if class_name else [],
            "conditional": conditional,
            "class_name": class_name,
            "dataset": "tiny",
            "dataset_fingerprint": dataset.fingerprint,
            "agreement": 0.0,
        }
        write_json(run.path / "generator.json", {**info, **changes})
        write_text(run.path / "training_images.txt", f"{class_name or 'both'}-1\n{class_name or 'both'}-2\n")
        return run

    return make


CLASSES = ["bleed", "normal"]
SMALL = {"z_dim": 20, "w_dim": 24, "channel_base": 512, "channel_max": 32}

MakeStylegan = Callable[..., tuple[Run, Generator]]


def used(generator: Generator) -> Generator:
    """The generator with every parameter and buffer as if it had been trained a while."""
    for name, parameter in generator.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, 1.0 if "affine" in name else 0.0, 0.2)
        elif name.endswith("noise_strength"):
            nn.init.constant_(parameter, 0.3)
    nn.init.normal_(generator.mapping.w_avg)
    return generator.eval()


def averaged(generator: Generator) -> dict[str, torch.Tensor]:
    return {f"G_ema.{name}": tensor for name, tensor in generator.state_dict().items()}


def imported_network(home: Home, **changes: Any) -> tuple[Run, Generator]:
    """The run of an imported network with one snapshot, not exported, and its generator."""
    architecture = Architecture(**{"size": 16, "channels": 1, "mapping_layers": 3, **SMALL, **changes})
    torch.manual_seed(1)
    generator = used(Generator(architecture))
    config = NetworkConfig(name="faces", source="faces.pkl")
    run = create_run(home, config.plain(), "network")
    facts = {
        "gan": "stylegan2-ada",
        "architecture": "imported",
        **describe_networks(architecture, architecture),
        "config": config.plain(),
        "z_dim": architecture.z_dim,
        "size": architecture.size,
        "channels": architecture.channels,
        "classes": CLASSES[: architecture.classes],
        "conditional": architecture.classes > 0,
        "class_name": "",
        "dataset": "",
        "dataset_fingerprint": "",
        "images_seen": 0,
    }
    save_snapshot(run.path, averaged(generator), facts)
    return run, generator


@pytest.fixture
def imported(home: Home) -> MakeStylegan:
    """Makes the run of an imported network: `imported(size=32, classes=2, ...)`."""
    return partial(imported_network, home)


@pytest.fixture
def stylegan(imported: MakeStylegan) -> StyleganSampler:
    """A sampler of 16 px grey images without classes: 6 layers of w, 24 numbers each."""
    run, _ = imported()
    export_generator(run)
    sampler = Sampler.open(run.path, device="cpu")
    assert isinstance(sampler, StyleganSampler)
    return sampler


@pytest.fixture
def trained_stylegan(home: Home) -> Callable[[], Run]:
    """Makes a conditional training on the data set `tiny`, exported."""

    def make() -> Run:
        fingerprint = Dataset.open(home, "tiny").fingerprint
        config = StyleganConfig(
            dataset="tiny", dataset_fingerprint=fingerprint, conditional=True, mapping_layers=2, **SMALL
        )
        run = create_run(home, config.plain(), "train")
        spec = ImageSpec(16, 1, len(CLASSES))
        torch.manual_seed(0)
        architecture = Architecture.from_config(config, spec)
        networks = {"architecture": config.cfg, "z_dim": config.z_dim, **describe_networks(architecture, architecture)}
        generator = used(Generator(architecture))
        facts = describe_snapshot(config, networks, "digest", spec, CLASSES)
        save_snapshot(run.path, averaged(generator), {**facts, "images_seen": 4000, "seconds": 1.0})
        export_generator(run)
        write_text(run.path / "training_images.txt", "a\nb\n")
        return run

    return make
