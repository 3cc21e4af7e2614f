"""The export of a generator that is one module from z to the image: one ONNX graph, traced from torch."""

from __future__ import annotations

import warnings
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from engine.sampling.exported import GENERATOR_FILE
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents

Pairs = list[tuple[Tensor, Tensor]]
"""What ONNX Runtime and torch made of the same inputs."""


class OneGraph:
    """generator.onnx, of a module `(z [N, z_dim]) -> images [N, C, H, W]` or `(z, label [N]) -> images`."""

    def graphs(self, generator: nn.Module, metadata: dict[str, Any]) -> dict[str, bytes]:
        return {GENERATOR_FILE: to_onnx(generator, example_inputs(metadata, batch=2), "images")}

    def compare(self, generator: nn.Module, inputs: dict[str, Tensor], noise: str, graphs: dict[str, Graph]) -> Pairs:
        return [(run_graph(graphs[GENERATOR_FILE], inputs, "images"), generator(*inputs.values()))]

    def facts(self, generator: nn.Module) -> dict[str, Any]:
        return {}


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


def example_inputs(metadata: dict[str, Any], batch: int) -> dict[str, Tensor]:
    """Inputs of a generator for `batch` images: the seeds 0, 1, ... and every class in turn."""
    inputs = {"z": torch.from_numpy(latents(range(batch), metadata["z_dim"]))}
    if metadata["conditional"]:
        inputs["label"] = torch.arange(batch) % len(metadata["classes"])
    return inputs


def run_graph(graph: Graph, inputs: dict[str, Tensor], output: str) -> Tensor:
    """The value of a graph's output, on the CPU."""
    return torch.from_numpy(graph.run({name: value.numpy() for name, value in inputs.items()}, output).numpy())
