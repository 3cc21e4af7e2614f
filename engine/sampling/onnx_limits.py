"""What an ONNX file asks for, looked at before ONNX Runtime runs it: a graph is a program that came from a file.

ONNX has no calls into the system, but a graph may read any other file (external data), name operators of a library of
its own, loop without end, or make a tensor of terabytes out of four numbers. No generator needs any of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError, EncodeError

MOST_ELEMENTS = 2**28
"""Numbers in one tensor for one image: 1 GiB of float32. The widest layer of a StyleGAN2 of 1024 px has 2**25."""
DOMAINS = ("", "ai.onnx")
RUNS_GRAPHS = ("Loop", "If", "Scan", "SequenceMap")


def refusal(content: bytes) -> str:
    """What is wrong with an ONNX model, to complete `it ...`; empty for one that may be run."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        return "is no ONNX model"
    graph = model.graph
    if model.functions or graph.sparse_initializer:
        return "holds functions or sparse tensors"
    for node in graph.node:
        if node.domain not in DOMAINS:
            return f"asks for the operator {node.op_type} of {node.domain}"
        if node.op_type in RUNS_GRAPHS:
            return f"runs graphs within the graph ({node.op_type})"
    for tensor in _tensors(graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            return f"takes the tensor {tensor.name} from another file"
        if any(length < 0 for length in tensor.dims) or math.prod(tensor.dims) > max(len(content), 1) * 8:
            return f"claims a tensor {tensor.name} of {' x '.join(map(str, tensor.dims))}, which the file cannot hold"
    return _too_large(model)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _too_large(model: onnx.ModelProto) -> str:
    """A tensor on the way that would be too large for one image, as far as shapes can be told without computing."""
    for value in model.graph.input:
        for length in value.type.tensor_type.shape.dim:
            if not length.HasField("dim_value"):
                length.dim_value = 1
    try:
        told = onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, EncodeError, ValueError, RuntimeError) as error:
        return (
            f"is no sound graph ({str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__})"
        )
    for value in [*told.graph.value_info, *told.graph.output]:
        lengths = [length.dim_value for length in value.type.tensor_type.shape.dim if length.HasField("dim_value")]
        if math.prod(lengths) > MOST_ELEMENTS:
            return f"makes a tensor of {' x '.join(map(str, lengths))} for one image"
    return ""
