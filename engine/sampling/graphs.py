"""One ONNX graph on ONNX Runtime: CUDA where there is a GPU, else the CPU. Never imports torch.

A generator is one graph here, or several in a row (mapping, synthesis): `Graph.run` takes and gives `OrtValue`s,
so that what one graph makes stays on the device for the next.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.store.errors import ErsatzError

OUTPUT = "images"
# Small networks gain nothing above. The other defaults measured best on a CPU (DCGAN 64 px, batch 64): without threads
# that spin 49 ms instead of 44, without the memory arena 53 ms; at batch 1 all take 1.2 ms.
MAX_THREADS = 8
# No TF32, so that fp32 stays fp32 and a seed gives the CPU's image up to rounding; no exhaustive search of algorithms,
# which would start again at every new batch size.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


class Graph:
    """An ONNX Runtime session over the bytes of a model.

    Raises `ErsatzError` when the bytes are no model that ONNX Runtime can run.
    """

    def __init__(self, content: bytes, path: Path, device: str = "auto", threads: int = MAX_THREADS):
        """`device`: cuda, cpu, or auto for cuda where it works. `threads`: at most so many on the CPU.

        The threads of a graph go on spinning for a while after each run, and are in the way of the next graph's: a
        small one before a large one runs best on the caller's thread alone (1).
        """
        self.path = path
        on_cuda = device != "cpu" and (cuda_works() or device == "cuda")
        providers = [("CUDAExecutionProvider", CUDA_OPTIONS)] if on_cuda else []
        try:
            self.session = ort.InferenceSession(content, _options(threads), [*providers, "CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            raise ErsatzError(
                f"{path} is not a network that ONNX Runtime can run ({_first_line(error)}); "
                "a file that Ersatz exported is expected. Export the training run again."
            ) from error
        self.provider: str = self.session.get_providers()[0]
        self._device = "cuda" if self.provider == "CUDAExecutionProvider" else "cpu"

    @property
    def inputs(self) -> dict[str, list[int | str | None]]:
        """Names and shapes of the inputs; free dimensions are strings or None."""
        return {value.name: value.shape for value in self.session.get_inputs()}

    @property
    def outputs(self) -> dict[str, list[int | str | None]]:
        """Names and shapes of the outputs; free dimensions are strings or None."""
        return {value.name: value.shape for value in self.session.get_outputs()}

    def run(self, inputs: dict[str, np.ndarray | ort.OrtValue], output: str = OUTPUT) -> ort.OrtValue:
        """The value of `output`, left on the device; `.numpy()` copies it to the host once."""
        binding = self.session.io_binding()
        held = {name: self._on_device(value) for name, value in inputs.items()}  # on the CPU the binding only points
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(output, self._device, 0)
        try:
            self.session.run_with_iobinding(binding)
        except Exception as error:
            if "memory" in str(error).lower() or "bad_alloc" in str(error):
                raise ErsatzError(
                    f"The {self._device} ran out of memory while {self.path.name} made images ({_first_line(error)}); "
                    "sample fewer images at once."
                ) from error
            raise
        return binding.get_outputs()[0]

    def _on_device(self, value: np.ndarray | ort.OrtValue) -> ort.OrtValue:
        if isinstance(value, ort.OrtValue):
            return value
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), self._device, 0)


@cache
def cuda_works() -> bool:
    """Whether ONNX Runtime can use a GPU: its CUDA provider is installed and the driver shows a device.

    ONNX Runtime itself would find out too, but prints errors where there is no GPU. `preload_dlls` loads the CUDA
    libraries that torch's packages brought, without importing torch; it prints what is missing, which goes to stderr.
    """
    if "CUDAExecutionProvider" not in ort.get_available_providers() or _count_gpus() == 0:
        return False
    with contextlib.redirect_stdout(sys.stderr):
        ort.preload_dlls()
    return True


def _count_gpus() -> int:
    """GPUs that the CUDA driver shows to this process (`CUDA_VISIBLE_DEVICES` counts); 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    # Given explicitly, because ONNX Runtime else pins threads to cores that a container may not have, and says so.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options.intra_op_num_threads = min(usable, threads)
    options.log_severity_level = 3  # errors only
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
