"""One ONNX graph on ONNX Runtime: CUDA where there is a GPU, else the CPU. Never imports torch.

A generator is one graph here, or several in a row (mapping, synthesis): `Graph.run` takes and gives `OrtValue`s,
so that what one graph makes stays on the device for the next.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.gpus import visible
from engine.sampling import onnx_limits
from engine.sampling.providers import CUDA, open_session, reason, without_cuda
from engine.store.errors import ErsatzError, OutOfMemory, is_out_of_memory

logger = logging.getLogger(__name__)

OUTPUT = "images"
# Small networks gain nothing above. The other defaults measured best on a CPU (DCGAN 64 px, batch 64): without threads
# that spin 49 ms instead of 44, without the memory arena 53 ms; at batch 1 all take 1.2 ms.
MAX_THREADS = 8


class Graph:
    """An ONNX Runtime session over the bytes of a model.

    Raises `ErsatzError` when the bytes are no model that ONNX Runtime can run, and when a GPU is wanted that it cannot
    use; `OutOfMemory` when that GPU is full.
    """

    def __init__(
        self,
        content: bytes,
        path: Path,
        device: str = "auto",
        threads: int = MAX_THREADS,
        gpu: int = 0,
        gpu_bytes: int = 0,
    ):
        """`device`: cuda, cpu, or auto for cuda where it works. `threads`: at most so many on the CPU. `gpu`: which
        one, as CUDA counts. `gpu_bytes`: the most that may be taken of it, given back after each run; 0 for no limit.

        The threads of a graph go on spinning for a while after each run, and are in the way of the next graph's: a
        small one before a large one runs best on the caller's thread alone (1).
        """
        self.path = path
        if wrong := onnx_limits.refusal(content):
            raise ErsatzError(
                f"{path} is not a network that ONNX Runtime can run here: it {wrong}; a file that Ersatz exported is "
                "expected. Export the training run again."
            )
        self.notice = ""
        """One sentence where a GPU is there and the CPU computes; it was printed once, to stderr."""
        refusal = "" if device == "cpu" else without_cuda()
        if refusal and device == "cuda":
            raise _no_cuda(refusal)
        wanted = None if device == "cpu" or refusal else gpu
        try:
            self.session = open_session(content, threads, wanted, gpu_bytes)
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            if is_out_of_memory(error):
                raise _full(path, wanted, error) from error
            raise ErsatzError(
                f"{path} is not a network that ONNX Runtime can run ({reason(error)}); "
                "a file that Ersatz exported is expected. Export the training run again."
            ) from error
        self.provider: str = self.session.get_providers()[0]
        self._gpu = gpu if self.provider == CUDA else None
        self.limited = self._gpu is not None and gpu_bytes > 0
        if wanted is not None and self._gpu is None:  # it worked a moment ago: most often the GPU is full by now
            refusal = "this network was refused there (the lines above say why); end other programs on the GPU"
            if device == "cuda":
                raise _no_cuda(refusal)
        if refusal and visible():
            self.notice = f"There is a GPU, and images are sampled on the CPU all the same: {refusal}."
            _say_once(self.notice)
        self._run_options = None
        if self.limited:
            self._run_options = ort.RunOptions()
            self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", f"gpu:{gpu}")

    @property
    def where(self) -> str:
        """What computes, in words: the GPU's name, or the CPU with its threads."""
        if self._gpu is not None:
            return visible()[self._gpu].name or "CUDA GPU"
        threads = self.session.get_session_options().intra_op_num_threads
        return f"CPU, {threads} thread{'s' * (threads != 1)}"

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
        binding.bind_output(output, *self._device)
        try:
            self.session.run_with_iobinding(binding, self._run_options)
        except Exception as error:
            if is_out_of_memory(error):
                raise _full(self.path, self._gpu, error) from error
            raise
        return binding.get_outputs()[0]

    @property
    def _device(self) -> tuple[str, int]:
        return ("cpu", 0) if self._gpu is None else ("cuda", self._gpu)

    def _on_device(self, value: np.ndarray | ort.OrtValue) -> ort.OrtValue:
        if isinstance(value, ort.OrtValue):
            return value
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), *self._device)


def _no_cuda(refusal: str) -> ErsatzError:
    return ErsatzError(
        f"The device is cuda, but images cannot be sampled on a GPU here: {refusal}. "
        "Choose device auto or cpu, or mend that (python -m engine doctor tries again)."
    )


def _full(path: Path, gpu: int | None, error: Exception) -> OutOfMemory:
    where = "CPU" if gpu is None else "GPU"
    return OutOfMemory(
        f"The memory of the {where} is full with {path.name} ({reason(error)}); "
        f"sample fewer images at once, or end other programs{' on it' if gpu is not None else ''}."
    )


@cache
def _say_once(sentence: str) -> None:
    logger.warning(sentence)
