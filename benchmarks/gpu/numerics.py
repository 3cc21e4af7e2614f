"""Sections on numbers: derivatives, Triton kernels, the CPU against the GPU, ONNX Runtime against torch, sweeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.common import GPU, IDEAL_BYTES, Figures, Skipped, milliseconds, relative, without_triton
from engine.configs import SweepConfig
from engine.devices import exact_arithmetic
from engine.gans.augment.bilinear import bilinear_samples
from engine.gans.augment.pipe import AugmentPipe
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.losses import gradient_penalty, path_lengths
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)
from engine.gans.stylegan2.operations import filters, kernels
from engine.gans.stylegan2.operations.convolutions import convolved
from engine.gans.stylegan2.operations.epilogue import epilogue
from engine.quality.nearest import nearest
from engine.sampling.graphs import Graph
from engine.sampling.latents import latents
from engine.sampling.providers import without_cuda
from engine.sampling.stylegan2_onnx import mapping_graph, synthesis_graph
from engine.sweep.arms import plan
from engine.sweep.trial_data import Inputs
from engine.sweep.trials import train_group


def derivatives(found: Figures, quick: bool) -> None:
    """Our operators' first and second derivatives are those that differences show, in float64; bf16 is near fp32."""

    def made(*shape: int) -> Tensor:
        return torch.randn(shape, device=GPU, dtype=torch.float64).requires_grad_()

    grid = torch.rand(2, 5, 5, 2, device=GPU, dtype=torch.float64) * 2 - 1
    noise = torch.randn(2, 1, 5, 5, device=GPU, dtype=torch.float64)
    cases: dict[str, tuple[Callable[..., Tensor], list[Tensor]]] = {
        "convolution": (lambda x, w: convolved(x, w, padding=1), [made(2, 3, 6, 6), made(4, 3, 3, 3)]),
        "strided": (lambda x, w: convolved(x, w, stride=2), [made(2, 3, 7, 7), made(4, 3, 3, 3)]),
        "transposed": (
            lambda x, w: convolved(x, w, stride=2, transposed=True),
            [made(2, 3, 4, 4), made(3, 4, 3, 3)],
        ),
        "grey": (lambda x, w: convolved(x, w), [made(2, 1, 4, 4), made(4, 1, 1, 1)]),
        "blur": (lambda x: filters.blurred(x, 2), [made(1, 2, 6, 6)]),
        "up": (lambda x: filters.upsampled(x), [made(1, 2, 5, 5)]),
        "down": (lambda x: filters.downsampled(x), [made(1, 2, 6, 6)]),
        "bilinear": (lambda x: bilinear_samples(x, grid, True), [made(2, 1, 6, 6)]),
        "epilogue": (
            lambda x, scale, bias, strength: epilogue(x, scale, bias, noise, strength, 0.2, 2.0),
            [made(2, 3, 5, 5), made(2, 3), made(3), made()],
        ),
    }
    for name, (work, inputs) in cases.items():
        assert torch.autograd.gradcheck(work, inputs, nondet_tol=1e-9), name
        assert torch.autograd.gradgradcheck(work, inputs, nondet_tol=1e-9), name
    x = torch.randn(4, 64, 33, 33, device=GPU).to(memory_format=torch.channels_last)
    w = torch.randn(32, 64, 3, 3, device=GPU)
    with exact_arithmetic():
        for name, stride in (("convolution", 1), ("strided", 2)):
            rounded = convolved(x.bfloat16(), w.bfloat16(), stride=stride).float()
            found[f"bf16 {name}"] = relative(rounded, convolved(x, w, stride=stride))
    assert max(found.values()) < 0.02, found


def triton(found: Figures, quick: bool) -> None:
    """The Triton kernels: what torch's operators give, both derivatives included, and how long each takes."""
    if not kernels.usable(GPU):
        raise Skipped("the Triton kernels cannot be used here; the line above says why")
    turns = 1 if quick else 20
    limits = {torch.float32: 1e-5, torch.bfloat16: 0.02, torch.float16: 0.005}
    for dtype, limit in limits.items():
        ours, torchs = (_epilogue_numbers(dtype, own) for own in (True, False))
        for name, value in ours.items():
            found[f"{name}, {str(dtype)[6:]}"] = error = relative(value, torchs[name])
            assert error < limit, (name, dtype, error)
    x, scale, bias, noise, strength = _epilogue_inputs(torch.bfloat16, 8, 128, 256)

    def forward() -> Tensor:
        return epilogue(x, scale, bias, noise, strength, 0.2, 256.0)

    def backward() -> None:
        torch.autograd.grad(forward().sum(), (x, scale, bias, strength))

    size = x.numel() * x.element_size()
    found["epilogue at 256 px, ms"] = {
        "forward": milliseconds(forward, turns),
        "forward of torch": _without(lambda: milliseconds(forward, turns)),
        "forward ideally": 2 * size / IDEAL_BYTES * 1e3,
        "with derivative": milliseconds(backward, turns),
        "with derivative of torch": _without(lambda: milliseconds(backward, turns)),
        "with derivative ideally": 6 * size / IDEAL_BYTES * 1e3,
    }
    print(found["epilogue at 256 px, ms"])


def _without(work: Callable[[], float]) -> float:
    with without_triton():
        return work()


def _epilogue_inputs(dtype: torch.dtype, count: int, channels: int, size: int) -> list[Tensor]:
    torch.manual_seed(0)
    x = torch.randn(count, channels, size, size, device=GPU).to(dtype).to(memory_format=torch.channels_last)
    rest = [torch.randn(shape, device=GPU) for shape in ((count, channels), (channels,), (count, 1, size, size), ())]
    for tensor in (x, rest[0], rest[1], rest[3]):
        tensor.requires_grad_()
    return [x, *rest]


def _epilogue_numbers(dtype: torch.dtype, own: bool) -> dict[str, Tensor]:
    """Value, gradients and a gradient of theirs."""
    inputs = _epilogue_inputs(dtype, 4, 48, 33)
    x, scale, bias, noise, strength = inputs
    wanted = [x, scale, bias, strength]
    usable = kernels.usable(GPU) and own
    with mock.patch.object(kernels, "usable", lambda device: usable):
        y = epilogue(x, scale, bias, noise, strength, 0.2, 1.5)
        gradients = torch.autograd.grad((y.float() * torch.cos(noise)).sum(), wanted, create_graph=True)
        lengths = torch.stack([gradient.float().square().sum() for gradient in gradients])
        second = torch.autograd.grad(lengths.sum(), [x, scale])
    names = ("value", "of x", "of scale", "of bias", "of strength", "second of x", "second of scale")
    return dict(zip(names, (y, *gradients, *second), strict=True))


def cpu_against_gpu(found: Figures, quick: bool) -> None:
    """Networks, penalties, augmentation and Triton kernels in IEEE fp32: the CPU's numbers."""
    torch.manual_seed(0)
    architecture = Architecture(size=64, channels=3, channel_base=2048, channel_max=64, z_dim=64, w_dim=64)
    g, d = Generator(architecture), Discriminator(architecture)
    pipe = AugmentPipe("bgcfnc", 3, "static")
    z, images, noise = torch.randn(4, 64), torch.rand(4, 3, 64, 64) * 2 - 1, torch.randn(4, 3, 64, 64)
    numbers: list[list[Tensor]] = []
    with exact_arithmetic():
        for device in (torch.device("cpu"), GPU):
            for module in (g, d, pipe):
                module.to(device)
            ws = g.mapping(z.to(device))
            fakes = g.synthesis(ws, "const")
            seen = pipe(images.to(device), 0.3, torch.zeros(4, 3, 64, 64, device=device))
            penalty, logits = gradient_penalty(lambda x: d(pipe(x, 0.3, torch.zeros_like(x))), images.to(device))
            lengths = path_lengths(lambda ws: g.synthesis(ws, "const"), ws, noise.to(device))
            d.zero_grad()
            penalty.mean().backward()
            slope = dict(d.named_parameters())["b64.conv0.weight"].grad
            assert slope is not None
            numbers.append([t.detach().cpu() for t in (fakes, seen, logits, penalty, lengths, slope)])
    names = ("fakes", "augmented", "logits", "r1", "path_lengths", "gradient_of_r1")
    found |= {name: relative(there, here) for name, here, there in zip(names, *numbers, strict=True)}
    print(found)
    assert all(error < 1e-3 for error in found.values())


def onnx(found: Figures, quick: bool) -> None:
    """ONNX Runtime on the GPU makes torch's w and images of the same z, in IEEE fp32."""
    if refusal := without_cuda():
        raise Skipped(f"ONNX Runtime has no use of the GPU here: {refusal}")
    torch.manual_seed(0)
    generator = Generator(Architecture(size=64, channels=3, channel_base=8192)).eval().requires_grad_(False)
    with torch.no_grad():  # noise strengths begin at 0, where noise planes would not matter
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    mapping, synthesis = (
        Graph(make(generator), Path(name), "cuda")
        for make, name in ((mapping_graph, "mapping.onnx"), (synthesis_graph, "synthesis.onnx"))
    )
    z = latents(range(8), generator.architecture.z_dim)
    w = mapping.run({"z": z}, "w")
    images = synthesis.run({"w": w})
    generator.to(GPU)
    with exact_arithmetic():
        ws = generator.mapping(torch.from_numpy(z).to(GPU))
        expected = generator.synthesis(ws, "const")
    found |= {
        "provider": synthesis.provider,
        "w": relative(torch.from_numpy(w.numpy()), ws.cpu()),
        "images": relative(torch.from_numpy(images.numpy()), expected.cpu()),
    }
    began = time.perf_counter()
    turns = 2 if quick else 20
    for _ in range(turns):
        synthesis.run({"w": mapping.run({"z": z}, "w")}).numpy()
    found["images_per_second"] = turns * len(z) / (time.perf_counter() - began)
    print(found)
    assert found["provider"] == "CUDAExecutionProvider", found
    assert max(found["w"], found["images"]) < 1e-4, found


def sweeps(found: Figures, quick: bool) -> None:
    """Two trials with equal seeds give equal scores; nearest neighbours on the GPU are those on the CPU."""
    rng = torch.Generator().manual_seed(0)

    def images(count: int) -> Tensor:
        return torch.randint(0, 256, (count, 1, 64, 64), generator=rng, dtype=torch.uint8)

    inputs = Inputs(
        train=images(128),
        valid=images(32),
        test=images(32),
        real_labels=np.arange(64) % 2,
        pool_labels=np.arange(64) % 2,
        valid_labels=np.arange(32) % 2,
        classes=2,
    ).to(GPU)
    arms = ("real", "real+classical", "real+synthetic")
    values = {"name": "s", "dataset": "d", "pool": "p", "seeds": 1, "steps": 60, "device": "cuda", "arms": arms}
    config = SweepConfig.build(values).completed()
    for trial in plan(config)[:3]:
        (one,), (two,) = (train_group([trial], inputs, config) for _ in range(2))
        assert np.array_equal(one.scores, two.scores), trial
    queries, base = (np.random.default_rng(i).standard_normal((3000, 256), dtype=np.float32) for i in range(2))
    here, there = nearest(queries, base, 5), nearest(queries, base, 5, device=GPU)
    found["same_neighbours"] = float((here.rows == there.rows).mean())
    assert found["same_neighbours"] > 0.9999 and np.allclose(here.distances, there.distances, rtol=1e-5)
