"""ONNX generators without training: what they draw is a picture of their class, with a pattern on it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser

from tests.fabricated.datasets import CLASSES, SIZE, picture


def dcgan(class_name: str) -> bytes:
    """An ONNX generator without training: a picture of its class, with a random pattern on it."""
    pattern = np.random.default_rng(1).normal(0, 0.04, (100, SIZE * SIZE)).astype(np.float32)
    base = (picture(0, class_name).reshape(1, -1) / 127.5 - 1).astype(np.float32)
    return _model(
        f"g (float[N, 100] z) => (float[N, 1, {SIZE}, {SIZE}] images) {{\n"
        "  patterned = MatMul(z, pattern)\n  flat = Add(patterned, base)\n  images = Reshape(flat, shape)\n}",
        pattern=pattern,
        base=base,
        shape=np.array([-1, 1, SIZE, SIZE]),
    )


def mapping() -> bytes:
    """An ONNX mapping without training: w is z, moved by the class and truncated towards 0, in every layer."""
    return _model(
        "m (float[N, 100] z, int64[N] label, float[P] psi, int64[K] cutoff) => (float[N, 4, 100] w) {\n"
        "  row = Unsqueeze(z, one)\n  every = Expand(row, layers)\n  share = Unsqueeze(psi, ends)\n"
        "  truncated = Mul(every, share)\n  number = Cast<to = 1>(label)\n  moved = Unsqueeze(number, ends)\n"
        "  number_k = Cast<to = 1>(cutoff)\n  nothing = Mul(number_k, zero)\n  still = Unsqueeze(nothing, ends)\n"
        "  shifted = Add(truncated, moved)\n  w = Add(shifted, still)\n}",
        psi=np.ones(1, np.float32),
        cutoff=np.array([4]),
        one=np.array([1]),
        layers=np.array([1, 4, 1]),
        ends=np.array([1, 2]),
        zero=np.zeros(1, np.float32),
    )


def synthesis() -> bytes:
    """An ONNX synthesis without training: a picture with a pattern of the mean w, and noise, on it."""
    return _model(
        f"s (float[N, 4, 100] w, float[M, {SIZE * SIZE}] noise) => (float[N, 1, {SIZE}, {SIZE}] images) {{\n"
        "  mean = ReduceMean<axes = [1], keepdims = 0>(w)\n  patterned = MatMul(mean, pattern)\n"
        "  flat = Add(patterned, base)\n  fine = Mul(noise, strength)\n  noisy = Add(flat, fine)\n"
        "  images = Reshape(noisy, shape)\n}",
        noise=np.random.default_rng(2).normal(0, 1, (1, SIZE * SIZE)).astype(np.float32),
        pattern=np.random.default_rng(1).normal(0, 0.04, (100, SIZE * SIZE)).astype(np.float32),
        base=(picture(0, CLASSES[0]).reshape(1, -1) / 127.5 - 1).astype(np.float32),
        strength=np.array([0.02], np.float32),
        shape=np.array([-1, 1, SIZE, SIZE]),
    )


def _model(text: str, **initializers: np.ndarray) -> bytes:
    graph = onnx.parser.parse_graph(text)
    for name, value in initializers.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=10)
    return model.SerializeToString()
