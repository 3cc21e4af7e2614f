"""Whether ONNX Runtime computes on a GPU here: tried, since it goes to the CPU without a word to its caller.

Its part for CUDA may be installed and lack a library, the driver may be too old for it, or the GPU not one that it
knows; in each of these cases a session comes out on the CPU. Never imports torch.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.gpus import visible

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    # So that fp32 stays fp32 and a seed gives the CPU's image up to rounding.
    "use_tf32": "0",
    # No exhaustive search of algorithms, which would start again at every new batch size.
    "cudnn_conv_algo_search": "HEURISTIC",
    # Takes what it needs, and not twice as much each time.
    "arena_extend_strategy": "kSameAsRequested",
}
TRIAL = (
    b'\x08\n:o\n\x0f\n\x01x\n\x01w\x12\x01y"\x04Conv\x12\x05trial'
    b"Z\x1b\n\x01x\x12\x16\n\x14\x08\x01\x12\x10\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x03\n\x02\x08\x03"
    b"Z\x1b\n\x01w\x12\x16\n\x14\x08\x01\x12\x10\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x03\n\x02\x08\x03"
    b"b\x1b\n\x01y\x12\x16\n\x14\x08\x01\x12\x10\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x01B\x04\n\x00\x10\x12"
)
"""An ONNX file (opset 18) of one node, y = Conv(x, w) with x and w [1, 1, 3, 3]; a convolution needs cuDNN too."""


def open_session(content: bytes, threads: int, gpu: int | None = None, gpu_bytes: int = 0) -> ort.InferenceSession:
    """A session over the bytes of a model, on that GPU if one is given; it may come out on the CPU all the same.

    `threads`: at most so many on the CPU. `gpu_bytes`: the most that its arena may take of the GPU, 0 for no limit.
    """
    options = ort.SessionOptions()
    # Given explicitly, because ONNX Runtime else pins threads to cores that a container may not have, and says so.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options.intra_op_num_threads = min(usable, threads)
    options.log_severity_level = 3  # errors only
    on_gpu = dict(CUDA_OPTIONS)
    if gpu:  # ONNX Runtime warns where the first one is named
        on_gpu["device_id"] = str(gpu)
    if gpu_bytes:
        on_gpu["gpu_mem_limit"] = str(gpu_bytes)
    providers = [*([] if gpu is None else [(CUDA, on_gpu)]), CPU]
    return ort.InferenceSession(content, options, providers, enable_fallback=0)  # else it prints errors and goes on


@cache
def without_cuda() -> str:
    """Why ONNX Runtime cannot use a GPU in this process and what to do about it; empty where it can.

    Where the driver shows no GPU, CUDA is not touched, and nothing is printed.
    """
    if CUDA not in ort.get_available_providers():
        return "the installed ONNX Runtime has no part for CUDA; install onnxruntime-gpu in place of onnxruntime"
    if not visible():
        return "the CUDA driver shows no GPU to this process; look at the driver and at CUDA_VISIBLE_DEVICES"
    said = io.StringIO()
    # The CUDA libraries that torch's packages brought, without importing torch. What is missing is printed.
    with contextlib.redirect_stdout(said):
        ort.preload_dlls()
    sys.stderr.write(said.getvalue())
    return trial(0)


def trial(gpu: int | None) -> str:
    """Why a convolution does not come out right on that GPU, or for None on the CPU, and what to do; empty if it does.

    For a GPU `without_cuda` is what to ask: it prepares what is needed.
    """
    x, w = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3), np.full((1, 1, 3, 3), 0.5, np.float32)
    try:
        session = open_session(TRIAL, 1, gpu)
        if gpu is not None and session.get_providers()[0] != CUDA:
            return f"ONNX Runtime's part for CUDA cannot be loaded ({_missing()}); install what is missing"
        (y,) = session.run(None, {"x": x, "w": w})
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        return f"a convolution fails there ({reason(error)}); {_REMEDY}"
    expected = (x * w).sum()
    if not np.allclose(y, expected, rtol=1e-5):
        return f"a convolution gives {float(y.ravel()[0]):g} there in place of {expected:g}; {_REMEDY}"
    return ""


_REMEDY = "update the driver, or install the onnxruntime-gpu that belongs to it"


def reason(error: Exception) -> str:
    """What CUDA or the arena said, which ONNX Runtime wraps into its own functions' names; else the first line."""
    text = str(error).strip()
    said = re.search(r"\bCU\w+ failure \d+: [^;\n]+|(Available|Failed to allocate) memory [^;\n]+", text)
    return (said[0].strip() if said else text.splitlines()[0])[:200]


def _missing() -> str:
    """Why the library for CUDA is not loaded, which ONNX Runtime prints but does not return."""
    name = "onnxruntime_providers_{}.dll" if sys.platform == "win32" else "libonnxruntime_providers_{}.so"
    folder = Path(ort.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / name.format("shared")), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / name.format("cuda")))
    except OSError as error:
        return str(error)
    return "the lines above say why"
