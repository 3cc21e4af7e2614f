"""Where the arithmetic happens and how precise it is, and one sentence for a device that cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import psutil
import torch
import torch.nn.functional as F
from torch import nn

from engine.configs import TrainConfig
from engine.gpus import visible
from engine.store.errors import ErsatzError, is_out_of_memory

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`; asking for CUDA without one is an `ErsatzError`.

    A GPU that the driver shows and torch cannot use is named in one warning, where `auto` falls back to the CPU.
    """
    if wanted == "cpu" or torch.cuda.is_available():
        return torch.device("cpu" if wanted == "cpu" else "cuda")
    if wanted == "cuda":
        raise ErsatzError(
            "device is cuda, but torch finds no CUDA GPU here; expected a GPU with a working driver. "
            "Choose device auto or cpu, or mend the driver (python -m engine doctor shows what was found)."
        )
    _tell_of_unused()
    return torch.device("cpu")


@cache
def _tell_of_unused() -> None:
    if found := visible():
        logger.warning(
            f"{found[0].name or 'A GPU'} is there, but torch {torch.__version__} cannot use it, so the CPU computes; "
            "python -m engine doctor says what to do."
        )


def trial(device: torch.device) -> str:
    """Why a small convolution and its gradient do not come out right on the device; empty if they do."""
    x = torch.arange(2 * 3 * 8 * 8, dtype=torch.float64).view(2, 3, 8, 8).sin()
    weight = torch.arange(4 * 3 * 3 * 3, dtype=torch.float64).view(4, 3, 3, 3).cos()

    def convolved(kind: torch.dtype, where: torch.device) -> list[torch.Tensor]:
        inputs, kernel = (tensor.to(where, kind).requires_grad_() for tensor in (x, weight))
        y = F.conv2d(inputs, kernel, padding=1)
        return [
            found.detach().cpu().double() for found in (y, *torch.autograd.grad(y.square().sum(), (inputs, kernel)))
        ]

    try:
        with exact_arithmetic():
            found = convolved(torch.float32, device)
    except RuntimeError as error:
        return f"a convolution fails ({str(error).splitlines()[0]})"
    expected = convolved(torch.float64, torch.device("cpu"))
    right = all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(found, expected, strict=True))
    return "" if right else "a convolution gives wrong numbers"


def describe(device: torch.device) -> str:
    """The device in words, for the run's status and log."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads != 1)}"


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(wanted: str, device: torch.device, older_gpus: torch.dtype = torch.float32) -> torch.dtype:
    """bfloat16 where the hardware multiplies it (and does not emulate it), else float32, unless `wanted` names one.

    `older_gpus` is for GPUs that cannot: float16 for what was written to stay within its range.
    """
    if wanted != "auto":
        return PRECISIONS[wanted]
    on_gpu = device.type == "cuda"
    pays = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else cpu_multiplies_bf16()
    return torch.bfloat16 if pays else older_gpus if on_gpu else torch.float32


def on_device(network: Network, device: torch.device) -> Network:
    """The network with its convolutions channels last: the layout in which CPUs and GPUs convolve fastest."""
    return network.to(device).to(memory_format=torch.channels_last)


@cache
def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has bf16 instructions (AVX512_BF16 or AMX) that torch may use.

    ATEN_CPU_CAPABILITY can forbid them. torch before 2.12 or so knows the instructions by private names alone.
    """
    if not torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX")):
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe)() for probe in probes if hasattr(torch.cpu, probe))


def set_arithmetic(device: torch.device, precision: str = "auto") -> None:
    """How this process computes from now on, for a training or search in the `precision` of its config.

    With fp32 every product on a GPU is float32 as IEEE 754 has it. Else what stays float32 beside the half precision
    is multiplied as TF32 (float32 with 10 bits behind the point). cuDNN tries out its algorithms for the ever-same
    shapes. On a CPU there is nothing to choose.
    """
    if device.type == "cuda":
        kind = "ieee" if precision == "fp32" else "tf32"
        _set_float32(kind, kind, kind)
        torch.backends.cudnn.benchmark = True


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Float32 as IEEE 754 has it, and cuDNN's algorithms not chosen by the clock, whatever this process allowed before.

    For features, distances and trials, whose numbers must not depend on what else is computed in the process: those of
    an image are the same in a training's scores, in a check and in the cache that both share. Also a decorator.
    """
    cudnn = torch.backends.cudnn
    before = _float32(), cudnn.benchmark, cudnn.deterministic
    try:
        _set_float32("ieee", "ieee", "ieee")
        cudnn.benchmark, cudnn.deterministic = False, True
        yield
    finally:
        kinds, cudnn.benchmark, cudnn.deterministic = before
        _set_float32(*kinds)


def _float32() -> tuple[str, str, str]:
    """Kinds of float32 on a GPU, tf32, ieee or none (of these), of products, convolutions and recurrences."""
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    return cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision  # type: ignore[attr-defined]


def _set_float32(products: str, convolutions: str, recurrences: str) -> None:
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    # The older switches too: torch (2.11 to 2.15 at least) raises where it reads one that contradicts the newer ones,
    # as `torch.backends.cudnn.flags` does; and cuDNN's two kinds have but one of them.
    cuda.matmul.allow_tf32 = products == "tf32"
    cudnn.allow_tf32 = convolutions == "tf32"
    cuda.matmul.fp32_precision = products
    cudnn.conv.fp32_precision = convolutions  # type: ignore[attr-defined]
    cudnn.rnn.fp32_precision = recurrences  # type: ignore[attr-defined]


def memory_gib(device: torch.device) -> float:
    """Most memory that torch took from the GPU so far, or resident memory of the process, in GiB.

    Taken, not in use by tensors: what a CUDA graph works with counts too, and no other process can have what is taken.
    """
    used = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else psutil.Process().memory_info().rss
    return used / 2**30


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; a CPU has nothing to wait for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def memory_errors(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Turn exhausted memory into one sentence with a remedy."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise _out_of_memory(config, device) from error
        raise


def _out_of_memory(config: TrainConfig, device: torch.device) -> ErsatzError:
    least = 2 if config.at_once_field == "batch" else 1
    fewer = f"{config.at_once_field} to {max(least, config.at_once // 2)}"
    return ErsatzError(
        f"The memory of the device ({describe(device)}) is full with batch {config.at_once}; it must hold both "
        f"networks, their optimisers and all training images. Set {fewer} (train --dry-run finds the largest that "
        "fits), import smaller images, "
        f"or end other programs{' on the GPU, or choose device cpu' if device.type == 'cuda' else ''}."
    )
