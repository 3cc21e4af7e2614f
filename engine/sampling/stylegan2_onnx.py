"""The two ONNX graphs of a StyleGAN2 generator, written node by node from its weights.

    mapping.onnx    z [N, z_dim], label [N] if conditional, psi [N or 1], cutoff [N or 1] -> w [N, num_ws, w_dim]
    synthesis.onnx  w [N, num_ws, w_dim], noise [N or 1, total] -> images [N, C, size, size]

Inputs with a default may be left out: psi 1, cutoff num_ws (all layers), and as `noise` the generator's own constant
planes. The planes of all convolutions lie one after the other in a row, from the lowest resolution up, before their
strengths; zeros mean no noise, and a row an image makes noise random.

Written by hand because tracing the torch module gives neither defaults nor a noise input that one row or many may
feed, takes seconds instead of milliseconds, and runs slower: here gains and norms are folded into the weights, the
styles of ToRGB scale its few weights instead of its input, and every product with w is a batch of vectors times one
matrix, whose rounding does not depend on the batch. So a seed gives the same image in any batch, bit by bit on a CPU.
Convolving with shared weights between two scalings of the activations (appendix B of arXiv 1912.04958) is what makes
the batch free: weights of each image's own would need its size in the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import torch
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from torch import Tensor

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.networks import (
    GAINS,
    SLOPE,
    Generator,
    Noise,
    one_hot,
)
from engine.sampling.exported import MAPPING_FILE, SYNTHESIS_FILE
from engine.sampling.graphs import Graph
from engine.sampling.latents import noise_planes
from engine.sampling.one_graph import Pairs, run_graph

OPSET, IR_VERSION = 20, 10
EPSILON = 1e-8
GAIN = GAINS["lrelu"]

Weights = dict[str, np.ndarray]
"""The generator's state by the names of the file format, as float64: sums and foldings are exact, then rounded once."""


class TwoGraphs:
    """mapping.onnx and synthesis.onnx."""

    def graphs(self, generator: Generator, metadata: dict[str, Any]) -> dict[str, bytes]:
        return {MAPPING_FILE: mapping_graph(generator), SYNTHESIS_FILE: synthesis_graph(generator)}

    def compare(self, generator: Generator, inputs: dict[str, Tensor], noise: Noise, graphs: dict[str, Graph]) -> Pairs:
        """w, with another psi and cutoff for each image, and the images of that w."""
        architecture, batch = generator.architecture, len(inputs["z"])
        psi = torch.linspace(1, -0.5, batch)
        cutoff = architecture.num_ws - torch.arange(batch) % (architecture.num_ws + 1)
        w = run_graph(graphs[MAPPING_FILE], {**inputs, "psi": psi, "cutoff": cutoff}, "w")
        c = one_hot(inputs.get("label"), architecture.classes)
        expected = [
            generator.mapping(
                inputs["z"][i : i + 1], None if c is None else c[i : i + 1], float(psi[i]), int(cutoff[i])
            )
            for i, z in enumerate(inputs["z"])
        ]
        resolutions = noise_resolutions(architecture)
        drawn = torch.from_numpy(noise_planes(range(batch), sum(resolution**2 for resolution in resolutions)))
        given: dict[Noise, dict[str, Tensor]] = {
            "const": {},
            "none": {"noise": 0 * drawn[:1]},
            "random": {"noise": drawn},
        }
        rows = drawn.split([resolution**2 for resolution in resolutions], dim=1)
        planes = [row.unflatten(1, (1, resolution, -1)) for row, resolution in zip(rows, resolutions, strict=True)]
        images = run_graph(graphs[SYNTHESIS_FILE], {"w": w, **given[noise]}, "images")
        return [(w, torch.cat(expected)), (images, generator.synthesis(w, planes if noise == "random" else noise))]

    def facts(self, generator: Generator) -> dict[str, Any]:
        architecture = generator.architecture
        return {"w_dim": architecture.w_dim, "num_ws": architecture.num_ws, "noise": noise_resolutions(architecture)}


def mapping_graph(generator: Generator) -> bytes:
    """mapping.onnx."""
    graph, weights = _Graph(), _weights(generator, "mapping.")
    architecture = generator.architecture
    x = _norm2(graph, graph.op("Unsqueeze", "z", [2]), architecture.z_dim)
    if architecture.classes:
        embedded = _fully_connected_arrays(weights, "embed")
        table = (embedded[0] + embedded[1]).T  # [classes, w_dim]: what each one-hot label is embedded as
        table /= np.sqrt(np.square(table).mean(1, keepdims=True) + EPSILON)
        x = graph.op("Concat", x, graph.op("Unsqueeze", graph.op("Gather", table, "label"), [2]), axis=1)
    for layer in range(architecture.mapping_layers):
        weight, bias = _fully_connected_arrays(weights, f"fc{layer}", architecture.mapping_lr * GAIN)
        x = graph.op("LeakyRelu", _fully_connected(graph, x, weight, bias), alpha=SLOPE)

    x = graph.op("Reshape", x, [0, 1, -1])

    # w_avg + psi (w - w_avg) in the first layers, in the form that is exact for psi 0 and 1.
    layers = np.arange(architecture.num_ws)[None]
    truncated = graph.op("Less", layers, graph.op("Unsqueeze", "cutoff", [1]))
    share = graph.op("Where", truncated, graph.op("Unsqueeze", "psi", [1]), np.float64(1))
    share = graph.op("Unsqueeze", share, [2])  # [N or 1, num_ws, 1]
    mean = graph.op("Mul", weights["w_avg"], graph.op("Sub", np.float64(1), share))
    graph.op("Add", graph.op("Mul", x, share), mean, output="w")

    inputs = [_value("z", TensorProto.FLOAT, "batch", architecture.z_dim)]
    if architecture.classes:
        inputs.append(_value("label", TensorProto.INT64, "batch"))
    inputs += [_value("psi", TensorProto.FLOAT, "psis"), _value("cutoff", TensorProto.INT64, "cutoffs")]
    graph.default("psi", np.ones(1, np.float32))
    graph.default("cutoff", np.array([architecture.num_ws]))
    output = _value("w", TensorProto.FLOAT, "batch", architecture.num_ws, architecture.w_dim)
    return _serialised(graph, "mapping", inputs, output)


def synthesis_graph(generator: Generator) -> bytes:
    """synthesis.onnx."""
    graph, weights = _Graph(), _weights(generator, "synthesis.")
    architecture = generator.architecture
    planes = noise_resolutions(architecture)
    each_w = graph.split(graph.op("Unsqueeze", "w", [3]), [1] * architecture.num_ws)
    each_w = [graph.op("Squeeze", w, [1]) for w in each_w]
    each_noise = graph.split("noise", [resolution**2 for resolution in planes])
    layers = iter(zip(each_w, each_noise, planes, strict=False))

    x = image = ""
    for resolution in architecture.resolutions:
        block = f"b{resolution}."
        residual = architecture.g_architecture == "resnet" and resolution > 4
        clamp, gain = architecture.conv_clamp, 1.0
        if residual:
            gain = sqrt(0.5)
            kernel = weights[block + "skip.weight"]
            shortcut = graph.op("Conv", x, kernel * (gain / sqrt(kernel.shape[1])))
            shortcut = _upsampled(graph, shortcut, kernel.shape[0])
        if resolution == 4:
            x = graph.constant(weights[block + "const"][None])
        else:
            x = _synthesis_layer(graph, weights, block + "conv0.", x, *next(layers), up=True, clamp=clamp)
        x = _synthesis_layer(graph, weights, block + "conv1.", x, *next(layers), gain=gain, clamp=clamp)
        if residual:
            x = graph.op("Add", x, shortcut)
        if image:
            image = _upsampled(graph, image, architecture.channels)
        if architecture.g_architecture == "skip" or resolution == architecture.size:
            # The w after those of the block's convolutions, which the next block's first one takes again.
            w = each_w[2 * architecture.resolutions.index(resolution) + 1]
            rgb = _to_rgb(graph, weights, block + "torgb.", x, w, resolution, clamp)
            image = graph.op("Add", image, rgb) if image else rgb
    graph.op("Identity", image, output="images")

    graph.default("noise", _constant_planes(weights, planes))
    size = architecture.size
    inputs = [
        _value("w", TensorProto.FLOAT, "batch", architecture.num_ws, architecture.w_dim),
        _value("noise", TensorProto.FLOAT, "rows", sum(resolution**2 for resolution in planes)),
    ]
    return _serialised(
        graph, "synthesis", inputs, _value("images", TensorProto.FLOAT, "batch", architecture.channels, size, size)
    )


def noise_resolutions(architecture: Architecture) -> list[int]:
    """Side of each convolution's noise plane, in the order of the input `noise`: 4, 8, 8, 16, 16, ..."""
    return [4, *(resolution for resolution in architecture.resolutions[1:] for _ in range(2))]


class _Graph:
    """Nodes and constants in the order in which they were added; values go by their names."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: Any) -> str:
        """A constant's name; floats become fp32."""
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.default(name, array)
        return name

    def default(self, name: str, value: np.ndarray) -> None:
        """A named constant; where an input has the same name, its value when it is not given."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))

    def op(self, kind: str, *inputs: Any, output: str = "", **attributes: Any) -> str:
        """Add a node whose inputs are names or constants; returns the name of its output."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def split(self, value: str, sizes: Sequence[int]) -> list[str]:
        """`value` in pieces along the second axis."""
        names = [f"{value}{index}" for index in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [value, self.constant(list(sizes))], names, axis=1))
        return names


def _weights(generator: Generator, prefix: str) -> Weights:
    state = generator.state_dict().items()
    return {name.removeprefix(prefix): value.double().cpu().numpy() for name, value in state if name.startswith(prefix)}


def _fully_connected_arrays(weights: Weights, name: str, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Weight [o, i] and bias [o, 1] of a layer with the equalised learning rate and `gain` folded in."""
    weight = weights[f"{name}.weight"]
    return weight * (gain / sqrt(weight.shape[1])), weights[f"{name}.bias"][:, None] * gain


def _fully_connected(graph: _Graph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """x [N, i, 1] -> [N, o, 1]: N products. With the weight on the right it were one, whose rounding N would move."""
    return graph.op("Add", graph.op("MatMul", weight, x), bias)


def _norm2(graph: _Graph, x: str, length: int) -> str:
    """x [N, length, 1] over its root mean square; ReduceMean would round by the batch."""
    mean = graph.op("MatMul", np.full((1, length), 1 / length), graph.op("Mul", x, x))
    return graph.op("Div", x, graph.op("Sqrt", graph.op("Add", mean, np.float64(EPSILON))))


def _synthesis_layer(
    graph: _Graph,
    weights: Weights,
    name: str,
    x: str,
    w: str,
    noise: str,
    resolution: int,
    *,
    up: bool = False,
    gain: float = 1.0,
    clamp: float | None,
) -> str:
    """A modulated 3x3 convolution with noise: x [N, i, h, h] and w [N, w_dim, 1] -> [N, o, resolution, resolution]."""
    kernel = weights[name + "weight"]
    styles = _fully_connected(graph, w, *_fully_connected_arrays(weights, name + "affine"))  # [N, i, 1]
    x = graph.op("Mul", x, _as_image(graph, styles))
    if up:
        x = graph.op("ConvTranspose", x, kernel.transpose(1, 0, 2, 3), strides=[2, 2])
        x = graph.op("Conv", x, _filter(len(kernel)), pads=[1] * 4, group=len(kernel))
    else:
        x = graph.op("Conv", x, kernel, pads=[1] * 4)

    # LeakyReLU(g x) = g LeakyReLU(x): its gain goes to what is added and to the demodulation.
    energy = graph.op("MatMul", np.square(kernel).sum((2, 3)), graph.op("Mul", styles, styles))  # [N, o, 1]
    norm = graph.op("Sqrt", graph.op("Add", energy, np.float64(EPSILON)))
    x = graph.op("Mul", x, _as_image(graph, graph.op("Div", np.float64(GAIN * gain), norm)))
    plane = graph.op("Reshape", noise, [0, 1, resolution, resolution])
    x = graph.op("Add", x, graph.op("Mul", plane, weights[name + "noise_strength"] * GAIN * gain))
    x = graph.op("Add", x, weights[name + "bias"][:, None, None] * GAIN * gain)
    return _clamped(graph, graph.op("LeakyRelu", x, alpha=SLOPE), None if clamp is None else clamp * gain)


def _to_rgb(graph: _Graph, weights: Weights, name: str, x: str, w: str, resolution: int, clamp: float | None) -> str:
    """A modulated 1x1 convolution: x [N, i, r, r] and w [N, w_dim, 1] -> [N, channels, r, r]."""
    kernel = weights[name + "weight"][:, :, 0, 0]
    channels, inputs = kernel.shape
    weight, bias = _fully_connected_arrays(weights, name + "affine")
    styles = _fully_connected(graph, w, weight / sqrt(inputs), bias / sqrt(inputs))
    styles = graph.op("Reshape", styles, [0, 1, -1])
    rgb = graph.op("MatMul", graph.op("Mul", styles, kernel), graph.op("Reshape", x, [0, 0, -1]))
    rgb = graph.op("Reshape", rgb, [0, channels, resolution, resolution])
    return _clamped(graph, graph.op("Add", rgb, weights[name + "bias"][:, None, None]), clamp)


def _as_image(graph: _Graph, x: str) -> str:
    """[N, C, 1] as [N, C, 1, 1]."""
    return graph.op("Unsqueeze", x, [3])


def _clamped(graph: _Graph, x: str, clamp: float | None) -> str:
    return x if clamp is None else graph.op("Clip", x, np.float64(-clamp), np.float64(clamp))


def _filter(channels: int) -> np.ndarray:
    """The filter [1, 3, 3, 1] in both axes with the gain 4 of upsampling, depthwise [channels, 1, 4, 4]."""
    taps = np.array([1.0, 3.0, 3.0, 1.0]) / 4
    return np.tile(np.outer(taps, taps), (channels, 1, 1, 1))


def _upsampled(graph: _Graph, x: str, channels: int) -> str:
    return graph.op("ConvTranspose", x, _filter(channels), strides=[2, 2], pads=[1] * 4, group=channels)


def _constant_planes(weights: Weights, resolutions: Sequence[int]) -> np.ndarray:
    """noise_const of every convolution as one row, float32 [1, total]."""
    names = [f"b{resolution}.conv{layer % 2}" for layer, resolution in enumerate(resolutions, start=1)]
    rows = [weights[f"{name}.noise_const"].ravel() for name in names]
    return np.concatenate(rows)[None].astype(np.float32)


def _value(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    """An input or output; free dimensions are named."""
    return helper.make_tensor_value_info(name, kind, shape)


def _serialised(graph: _Graph, name: str, inputs: list[ValueInfoProto], output: ValueInfoProto) -> bytes:
    body = helper.make_graph(graph.nodes, name, inputs, [output], graph.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ersatz"
    )
    return model.SerializeToString(deterministic=True)
