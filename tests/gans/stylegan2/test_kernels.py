"""The Triton kernels without a GPU: what they compute, that they compile for A100 and H100, and when they are used.

What they compute is tested in `interpreted_kernels.py`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.gans.stylegan2.operations import kernels
from engine.store.home import REPOSITORY

needs_triton = pytest.mark.skipif(not kernels.PRESENT, reason="Triton comes with torch on Linux alone")


@needs_triton
def test_in_tritons_interpreter_the_kernels_do_as_they_say() -> None:
    """Derivatives included; in a process of its own, because the interpreter replaces the whole of Triton."""
    path = Path(__file__).with_name("interpreted_kernels.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", str(path), "-q", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if "passed" not in done.stdout:
        pytest.skip(done.stdout.strip().splitlines()[-2])


# Compiling


Launch = tuple[Any, dict[str, Any]]
"""A kernel and its arguments by name."""

DTYPES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def launches(dtype: torch.dtype, channels: int, side: int) -> Iterator[Launch]:
    """What images of one size need: the filter's three uses, epilogues with a bias alone and, but for RGB, with all."""
    found: list[Launch] = []

    def launch(kernel: Any, programs: int, *arguments: Any, **blocks: int) -> None:
        found.append((kernel, {**dict(zip(kernel.arg_names, arguments, strict=False)), **blocks}))

    def image(size: int) -> Tensor:
        return torch.empty(8, channels, size, size, dtype=dtype, device="meta").to(memory_format=torch.channels_last)

    def vector(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    x, scale, bias, noise, strength = (
        image(side),
        vector(8, channels),
        vector(channels),
        vector(8, 1, side, side),
        vector(),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_launch", launch)
        kernels.resampled(image(side + 1), "blur", 1, 4.0)
        kernels.resampled(x, "down", 1, 1.0)
        kernels.resampled(image(side // 2), "up", 1, 4.0)
        for given in ((None, bias, None, None), (scale, bias, noise, strength))[: 1 if channels == 3 else 2]:
            some = [tensor is not None for tensor in (given[0], given[1], given[3])]
            known = x, x, x, given[0], given[2], 0.2, 256.0
            kernels.epilogue(x, *given, 0.2, 256.0)
            kernels.epilogue_backward(*known, *some)
            along = x, given[0], None if given[0] is None else bias, given[3]
            kernels.epilogue_double_backward(*along, *known, True, some[0], some[0])
    yield from found


def described(launch: Launch) -> tuple[dict[str, str], dict[str, Any], dict[tuple[int], Any]]:
    """What Triton compiles a kernel for: types, values that are known, and what values can be divided by."""
    kernel, arguments = launch
    signature, constants, attributes = {}, {}, {}
    for i, parameter in enumerate(kernel.params):
        name, value = parameter.name, arguments[parameter.name]
        special = isinstance(value, int) and not parameter.do_not_specialize
        if parameter.is_constexpr or value is None or (special and value == 1):
            signature[name], constants[name] = "constexpr", value
        elif isinstance(value, Tensor):
            signature[name] = f"*{DTYPES[value.dtype]}"
            attributes[(i,)] = [["tt.divisibility", 16]]
        elif isinstance(value, int):
            signature[name] = "i32"
            if special and value % 16 == 0:
                attributes[(i,)] = [["tt.divisibility", 16]]
        else:
            signature[name] = "fp32"
    return signature, constants, attributes


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was compiled before, or left behind."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))


@needs_triton
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("dtype", "channels", "side", "capability"),
    [
        (torch.bfloat16, 128, 256, 80),
        (torch.bfloat16, 128, 256, 90),
        (torch.float32, 512, 32, 80),
        (torch.float32, 512, 32, 90),
        (torch.float32, 3, 256, 80),
    ],
)
def test_all_kernels_compile_to_machine_code(dtype: torch.dtype, channels: int, side: int, capability: int) -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    seen = set()
    for launch in launches(dtype, channels, side):
        kernel = launch[0]
        seen.add(kernel.__name__)
        source = ASTSource(kernel, *described(launch))
        result = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": True})
        ptx = result.asm["ptx"]
        assert re.search(rf"\.target sm_{capability}", ptx)
        assert result.asm["cubin"][:4] == b"\x7fELF"
        assert not re.search(r"\b(atom|red)\.", ptx), "atomics add in an order of their own"
        if channels % 64 == 0 and kernel.__name__ != "_add_up":
            assert re.search(r"ld\.global\S*\.v4\.b32", ptx), "images are not read in pieces of 16 bytes"
            assert re.search(r"st\.global\S*\.v4\.b32", ptx), "images are not written in pieces of 16 bytes"
    assert seen == {"_filter", "_up", "_forward", "_backward", "_double_backward", "_add_up"}


@needs_triton
def test_images_of_all_sizes_share_their_kernels() -> None:
    """Each further one would be compiled at the start of a training."""
    large, small = ([described(launch) for launch in launches(torch.bfloat16, 128, side)] for side in (256, 100))
    assert large == small


# Whether they are used


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if there were an A100 on which all kernels are right."""
    monkeypatch.delenv("ERSATZ_TRITON", raising=False)
    monkeypatch.setattr(kernels, "_usable", {})
    monkeypatch.setattr(kernels, "PRESENT", True)
    monkeypatch.setattr(kernels, "_tried", lambda device: {})
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    return monkeypatch


def raising(error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


OBSTACLES = {
    "switched off": (lambda m: m.setenv("ERSATZ_TRITON", "0"), "ERSATZ_TRITON=0"),
    "no Triton": (lambda m: m.setattr(kernels, "PRESENT", False), "not installed"),
    "old": (lambda m: m.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5)), "this one has 7.5"),
    "no compiler": (
        lambda m: m.setattr(kernels, "_tried", raising(RuntimeError("Failed to find\n  C compiler."))),
        "(Failed to find C compiler.)",
    ),
    "wrong": (
        lambda m: m.setattr(
            kernels, "_tried", lambda d: {"up": (torch.zeros(3), torch.ones(3)), "y": (None, torch.ones(1))}
        ),
        "(up, y)",
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_an_obstacle_is_told_once_and_never_raised(
    obstacle: str, gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arrange, reason = OBSTACLES[obstacle]
    arrange(gpu)
    assert [kernels.usable(torch.device(name)) for name in ("cuda", "cuda:0", "cuda")] == [False] * 3
    (told,) = caplog.messages
    assert reason in told
    assert told.endswith("; torch's operators are used instead, which are slower.")
    assert "\n" not in told


def test_a_device_is_tried_once(gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    tried: list[torch.device] = []
    gpu.setattr(kernels, "_tried", lambda device: tried.append(device) or {})
    assert all(kernels.usable(torch.device(name)) for name in ("cuda", "cuda:0", "cuda:1", "cuda:1"))
    assert [device.index for device in tried] == [0, 1]
    assert caplog.messages == []


def test_nothing_is_tried_while_a_graph_is_recorded(gpu: pytest.MonkeyPatch) -> None:
    gpu.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    gpu.setattr(kernels, "_tried", raising(AssertionError("tried while recording")))
    assert not kernels.usable(torch.device("cuda:0"))
    gpu.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    gpu.setattr(kernels, "_tried", lambda device: {})
    assert kernels.usable(torch.device("cuda:0"))
    gpu.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert kernels.usable(torch.device("cuda:0"))


def test_other_devices_go_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert not kernels.usable(torch.device("cpu"))
    assert not kernels.usable(torch.device("mps"))
    assert caplog.messages == []


def test_the_module_can_be_imported_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    spec = importlib.util.spec_from_file_location("kernels_without_triton", kernels.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    assert not copy.PRESENT
    assert not copy.usable(torch.device("cpu"))
