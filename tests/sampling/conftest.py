"""Tiny exported generators, made without torch: what the sampler and the pools need and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.configs import DcganConfig
from engine.datasets.dataset import COLUMNS, Dataset, write_manifest
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
    row = dict.fromkeys(COLUMNS, "") | {"split": "train", "width": size, "height": size, "bits": 8}
    rows = [row | {"path": f"images/{name}/00000.png", "class": name, "sha256": name} for name in info["classes"]]
    write_json(home.dataset("tiny") / "dataset.json", info)
    write_manifest(home.dataset("tiny") / "manifest.csv", pd.DataFrame(rows))
    Dataset.open(home, "tiny").freeze()
    return Dataset.open(home, "tiny")


@pytest.fixture
def make_generator(home: Home) -> MakeGenerator:
    """Makes a training run with an exported generator, `make_generator("bleed", size=16, ...)`, and its data set."""

    def make(class_name: str = "", conditional: bool = False, channels: int = 1, size: int = 16, **changes: Any) -> Run:
        config = DcganConfig(dataset="tiny", class_name=class_name, conditional=conditional, z_dim=Z_DIM)
        run = create_run(home, config.plain(), f"tiny-{class_name}")
        seed = sum(class_name.encode())
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
