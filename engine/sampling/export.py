"""Export of a training run's averaged generator to ONNX, checked against torch before it is written."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.configs import parse_config
from engine.gans.checkpoints import latest_snapshot, load_generator
from engine.sampling.graphs import Graph
from engine.sampling.sampler import GENERATOR_FILE, INFO_FILE, latents
from engine.store.errors import ErsatzError
from engine.store.files import write_bytes, write_json
from engine.store.runs import Run

TOLERANCE = 1e-4
"""Largest difference accepted between torch and ONNX Runtime, on the scale [-1, 1]: 1/78 of an 8-bit level."""
CHECKED_BATCHES = (1, 2, 7)


def export_generator(run: Run, snapshot: Path | None = None) -> Path:
    """Write generator.onnx and generator.json into the run folder; returns the path of the former.

    `snapshot`: the run's newest, if left out. Raises `ErsatzError` when there is none, when the file is no snapshot
    of Ersatz, or when ONNX Runtime's images differ from torch's by more than `TOLERANCE`.
    """
    snapshot = snapshot or latest_snapshot(run.path)
    if snapshot is None:
        raise ErsatzError(
            f"Run {run.id} has no snapshot to export; at least one is expected. Train until the first is written."
        )
    generator, metadata = load_generator(snapshot)
    if parse_config(metadata["config"]) != parse_config(run.config()):
        raise ErsatzError(
            f"{snapshot} is a snapshot of another training than run {run.id}; one of its own is expected, because the "
            "run's list of training images must fit. Export the run that the snapshot belongs to."
        )
    content = to_onnx(generator, _example(metadata, batch=2), "images")
    path = run.path / GENERATOR_FILE
    agreement = _agreement(generator, metadata, Graph(content, path, device="cpu"))
    if not agreement <= TOLERANCE:  # NaN must fail too
        raise ErsatzError(
            f"The ONNX export of {snapshot} differs from torch by {agreement:.2g} on the scale [-1, 1]; at most "
            f"{TOLERANCE:g} is expected. Nothing was exported; choose another snapshot, or other versions of torch and "
            "onnxruntime."
        )
    info = _info(run, snapshot, metadata, hashlib.sha256(content).hexdigest(), agreement)
    write_bytes(path, content)
    write_json(run.path / INFO_FILE, info)
    return path


def to_onnx(module: nn.Module, inputs: dict[str, Tensor], output: str) -> bytes:
    """`module` as one self-contained ONNX model whose first dimension (the batch) is free.

    `inputs` are examples by the name of their ONNX input, in the order of `forward`. The exporter folds every
    BatchNorm into the layer before it. The bytes depend on the weights alone: the exporter's notes about source lines
    and paths of this machine are dropped.
    """
    batch = torch.export.Dim("batch")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter gives a program when no file is named"
    model = program.model_proto
    _drop_notes(model)
    return model.SerializeToString(deterministic=True)


def _drop_notes(model: onnx.ModelProto) -> None:
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("doc_string")
        del part.metadata_props[:]


def _example(metadata: dict[str, Any], batch: int) -> dict[str, Tensor]:
    """Inputs of a generator for `batch` images: the seeds 0, 1, ... and every class in turn."""
    inputs = {"z": torch.from_numpy(latents(range(batch), metadata["z_dim"]))}
    if metadata["conditional"]:
        inputs["label"] = torch.arange(batch) % len(metadata["classes"])
    return inputs


@torch.inference_mode()
def _agreement(generator: nn.Module, metadata: dict[str, Any], graph: Graph) -> float:
    """Largest absolute difference between torch and ONNX Runtime over several batch sizes."""
    differences = []
    for batch in CHECKED_BATCHES:
        inputs = _example(metadata, batch)
        found = graph.run({name: value.numpy() for name, value in inputs.items()}).numpy()
        differences.append(np.abs(found - generator(*inputs.values()).numpy()).max())
    return float(np.max(differences))


def _info(run: Run, snapshot: Path, metadata: dict[str, Any], sha256: str, agreement: float) -> dict[str, Any]:
    """The content of generator.json. The order of `classes` is that of the labels of a conditional generator.

    A generator trained on several classes without labels makes images of no known class.
    """
    labelled = metadata["conditional"] or len(metadata["classes"]) == 1
    return {
        "gan": metadata["gan"],
        "architecture": metadata["architecture"],
        "sha256": sha256,
        "run": run.id,
        "snapshot": snapshot.name,
        "kimg": metadata["images_seen"] / 1000,
        "z_dim": metadata["z_dim"],
        "size": metadata["size"],
        "channels": metadata["channels"],
        "mode": "L" if metadata["channels"] == 1 else "RGB",
        "classes": metadata["classes"] if labelled else [],
        "conditional": metadata["conditional"],
        "class_name": metadata["class_name"],
        "dataset": metadata["dataset"],
        "dataset_fingerprint": metadata["dataset_fingerprint"],
        "agreement": agreement,
    }
