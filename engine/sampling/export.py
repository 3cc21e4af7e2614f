"""Export of a run's averaged generator to ONNX, checked against torch before it is written.

A DCGAN becomes one graph, generator.onnx; a StyleGAN2 two, mapping.onnx and synthesis.onnx (`stylegan2_onnx`).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine.configs import Config, NetworkConfig, parse_training
from engine.gans.checkpoints import load_generator
from engine.gans.snapshots import latest_snapshot, list_generators
from engine.gans.stylegan2.generator import Generator
from engine.gans.stylegan2.mapping import one_hot
from engine.sampling.exported import GENERATOR_FILE, INFO_FILE, MAPPING_FILE, SYNTHESIS_FILE, combined, digests
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents, noise_planes
from engine.sampling.sampler import Noise
from engine.sampling.stylegan2_onnx import mapping_graph, noise_resolutions, synthesis_graph
from engine.store.errors import ErsatzError
from engine.store.files import write_bytes, write_json
from engine.store.runs import Run

TOLERANCE = 1e-4
"""Largest difference accepted between torch and ONNX Runtime, on the scale [-1, 1]: 1/78 of an 8-bit level.

Of a network whose numbers go beyond 1 (images of one hardly trained, or its w), it is a share of the largest.
"""
CHECKED_BATCHES: dict[int, Noise] = {1: "const", 2: "none", 7: "random"}
"""Each batch size with the kind of noise that a StyleGAN2 is checked with."""
LARGE = 256
"""Pixels of a side above which a batch of 7 would take gigabytes, and 3 must do."""


def export_generator(run: Run, snapshot: Path | None = None) -> Path:
    """Write the ONNX graphs and generator.json into the run folder; returns the path of the latter.

    `snapshot`: the run's newest, if left out. Raises `ErsatzError` when there is none, when the file is no snapshot
    of Ersatz, or when ONNX Runtime's images differ from torch's by more than `TOLERANCE`.
    """
    if snapshot is not None and not snapshot.exists():
        snapshot = next((path for path in list_generators(run.path) if path.name == snapshot.name), snapshot)
    snapshot = snapshot or latest_snapshot(run.path)
    if snapshot is None:
        raise ErsatzError(
            f"Run {run.id} has no snapshot to export; at least one is expected. Train until the first is written."
        )
    generator, metadata = load_generator(snapshot)
    if _made_by(metadata["config"]) != _made_by(run.config()):
        raise ErsatzError(
            f"{snapshot} is a snapshot of another training than run {run.id}; one of its own is expected, because the "
            "run's list of training images must fit. Export the run that the snapshot belongs to."
        )
    contents = _contents(generator, metadata)
    graphs = {name: Graph(content, run.path / name, device="cpu") for name, content in contents.items()}
    agreement = _agreement(generator, metadata, graphs)
    if not agreement <= TOLERANCE:  # NaN must fail too
        raise ErsatzError(
            f"The ONNX export of {snapshot} differs from torch by {agreement:.2g} on the scale [-1, 1]; at most "
            f"{TOLERANCE:g} is expected. Nothing was exported; choose another snapshot, or other versions of torch and "
            "onnxruntime."
        )
    for name, content in contents.items():
        write_bytes(run.path / name, content)
    write_json(run.path / INFO_FILE, _info(run, snapshot, generator, metadata, digests(contents), agreement))
    return run.path / INFO_FILE


def _made_by(values: dict[str, Any]) -> Config:
    """The typed config of what makes snapshots: a training or the import of a network."""
    return NetworkConfig.build(values) if values["kind"] == "network" else parse_training(values)


def _contents(generator: nn.Module, metadata: dict[str, Any]) -> dict[str, bytes]:
    """The graphs by the names of their files."""
    if isinstance(generator, Generator):
        return {MAPPING_FILE: mapping_graph(generator), SYNTHESIS_FILE: synthesis_graph(generator)}
    return {GENERATOR_FILE: to_onnx(generator, _example(metadata, batch=2), "images")}


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
def _agreement(generator: nn.Module, metadata: dict[str, Any], graphs: dict[str, Graph]) -> float:
    """Largest difference between torch and ONNX Runtime over several batch sizes, as `TOLERANCE` means it."""
    differences = []
    for batch, noise in CHECKED_BATCHES.items():
        inputs = _example(metadata, batch if metadata["size"] <= LARGE else min(batch, 3))
        if isinstance(generator, Generator):
            pairs = _compare_stylegan(generator, inputs, noise, graphs)
        else:
            pairs = [(_run(graphs[GENERATOR_FILE], inputs), generator(*inputs.values()))]
        for found, expected in pairs:
            differences.append(float((found - expected).abs().max() / expected.abs().max().clamp(min=1)))
    return float(np.max(differences))


def _compare_stylegan(
    generator: Generator, inputs: dict[str, Tensor], noise: Noise, graphs: dict[str, Graph]
) -> list[tuple[Tensor, Tensor]]:
    """w, with another psi and cutoff for each image, and the images of that w."""
    architecture, batch = generator.architecture, len(inputs["z"])
    psi = torch.linspace(1, -0.5, batch)
    cutoff = architecture.num_ws - torch.arange(batch) % (architecture.num_ws + 1)
    w = _run(graphs[MAPPING_FILE], {**inputs, "psi": psi, "cutoff": cutoff}, "w")
    c = one_hot(inputs.get("label"), architecture.classes)
    expected = [
        generator.mapping(inputs["z"][i : i + 1], None if c is None else c[i : i + 1], float(psi[i]), int(cutoff[i]))
        for i in range(batch)
    ]
    resolutions = noise_resolutions(architecture)
    drawn = torch.from_numpy(noise_planes(range(batch), sum(resolution**2 for resolution in resolutions)))
    given: dict[Noise, dict[str, Tensor]] = {"const": {}, "none": {"noise": 0 * drawn[:1]}, "random": {"noise": drawn}}
    rows = drawn.split([resolution**2 for resolution in resolutions], dim=1)
    planes = [row.unflatten(1, (1, resolution, -1)) for row, resolution in zip(rows, resolutions, strict=True)]
    images = _run(graphs[SYNTHESIS_FILE], {"w": w, **given[noise]})
    return [(w, torch.cat(expected)), (images, generator.synthesis(w, planes if noise == "random" else noise))]


def _run(graph: Graph, inputs: dict[str, Tensor], output: str = "images") -> Tensor:
    return torch.from_numpy(graph.run({name: value.numpy() for name, value in inputs.items()}, output).numpy())


def _info(
    run: Run,
    snapshot: Path,
    generator: nn.Module,
    metadata: dict[str, Any],
    files: dict[str, str],
    agreement: float,
) -> dict[str, Any]:
    """The content of generator.json. The order of `classes` is that of the labels of a conditional generator.

    A generator trained on several classes without labels makes images of no known class.
    """
    labelled = metadata["conditional"] or len(metadata["classes"]) == 1
    shape: dict[str, Any] = {}
    if isinstance(generator, Generator):
        architecture = generator.architecture
        shape = {"w_dim": architecture.w_dim, "num_ws": architecture.num_ws, "noise": noise_resolutions(architecture)}
    return {
        "gan": metadata["gan"],
        "architecture": metadata["architecture"],
        "files": files,
        "sha256": combined(files),
        "run": run.id,
        "snapshot": snapshot.name,
        "kimg": metadata["images_seen"] / 1000,
        "z_dim": metadata["z_dim"],
        **shape,
        "size": metadata["size"],
        "channels": metadata["channels"],
        "mode": "L" if metadata["channels"] == 1 else "RGB",
        "classes": metadata["classes"] if labelled else [],
        "conditional": metadata["conditional"],
        "class_name": metadata["class_name"],
        "dataset": metadata["dataset"],
        "dataset_fingerprint": metadata["dataset_fingerprint"],
        "start": metadata.get("start"),  # the networks that a transfer began with
        "agreement": agreement,
    }
