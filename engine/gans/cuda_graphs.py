"""Parts of a training iteration as CUDA graphs: one launch instead of some hundred small ones.

Only what never changes its shape and never has the host wait for the device can be recorded. Recording runs nothing, so
that it changes no number, and where it fails the training goes on without graphs.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from engine.store.errors import ErsatzError, is_out_of_memory

logger = logging.getLogger(__name__)

Work = Callable[..., None]
"""Changes tensors on the device, given tensors whose shapes are always the same; returns nothing."""

WARM_UP = 2
"""Iterations that run eagerly before anything is recorded."""


class Recorder:
    """Records the work of one device, all of it in a row; it shares a stream and, since nothing is left there, memory.

    At first everything runs eagerly: that lets cuDNN choose its algorithms and creates what is created once, neither of
    which may happen while recording. It takes `WARM_UP` iterations, and as many more as it takes until every lazy
    penalty was due (a resumed training may begin between two). Were each recorded by itself as soon as it has run,
    the graphs' memory would come on top of what the eager rest needs, half as much again.
    """

    def __init__(self, device: torch.device, wanted: bool = True):
        self.device = device
        self.waiting = wanted and device.type == "cuda"
        """Whether anything is still to be recorded."""
        self.iterations = 0
        self.works: list[_Recordable] = []
        if self.waiting:
            self.stream = torch.cuda.Stream(device)

    def graphed(self, work: Work) -> Work:
        """The work as a CUDA graph, as soon as it is recorded, on a GPU if that was wanted; elsewhere as it is."""
        if not self.waiting:
            return work
        self.works.append(_Recordable(work, self))
        return self.works[-1]

    def begin_iteration(self) -> None:
        """Record everything if it is time; called before each iteration.

        Where that fails, out of memory for instance, nothing is left of it, a line of the log says so, and everything
        runs eagerly for good. Only a GPU that is unusable after it is an `ErsatzError`.
        """
        if self.waiting and self.iterations >= WARM_UP and all(work.inputs is not None for work in self.works):
            self.waiting = False
            self._record()
        self.iterations += 1

    def begin_phase(self) -> None:
        """Give back memory that is held and free; called before each phase, and does something in the first iterations.

        Phases have tensors of different sizes, and what one leaves does not fit the next. Once the largest have
        memory of their own, those of the other phases find room in it: at 256 px and batch 8 with Triton 4.1 GiB were
        held instead of 5.3 without graphs, and 4.9 instead of 5.3 with them (on a CUDA runtime that computes nothing).
        """
        if self.device.type == "cuda" and self.iterations <= WARM_UP:
            torch.cuda.empty_cache()

    def _record(self) -> None:
        outside = torch.cuda.current_stream(self.device)
        generator = torch.cuda.default_generators[outside.device_index]
        untouched = generator.clone_state()
        memory = torch.cuda.graph_pool_handle()
        gc.collect()  # what is dead but not yet collected would have its memory beside the graphs'
        graphs: list[torch.cuda.CUDAGraph] = []
        # The last first: large tensors come late in StyleGAN2's iteration, and the others find room in their memory.
        works = self.works[::-1]
        reason = ""
        try:
            for work in works:
                graphs.append(torch.cuda.CUDAGraph())
                # Of this thread alone: the one that reads images ahead may take pinned memory meanwhile.
                with torch.cuda.graph(graphs[-1], memory, self.stream, capture_error_mode="thread_local"):
                    work.work(*work.inputs or ())
        except Exception as error:
            reason = _reason(error)
        if not reason:
            for work, graph in zip(works, graphs, strict=True):
                work.graph = graph
            return

        # torch up to 2.11 or so leaves a broken recording's stream, generator and memory as they were in it.
        torch.cuda.set_stream(outside)
        generator.graphsafe_set_state(untouched)
        for work in self.works:
            work.inputs = None
        gc.collect()  # only now, when the error and its stack are gone, can what they held be freed
        for graph in graphs:
            graph.reset()
        with suppress(RuntimeError):  # it says that nothing is being recorded any more
            torch._C._cuda_endAllocateToPool(outside.device_index, memory)
            torch._C._cuda_releasePool(outside.device_index, memory)
        self._require_sound_device(reason)
        logger.warning(
            f"This training could not be recorded as CUDA graphs ({reason}); it goes on without them, with the same "
            "numbers, only slower."
        )

    def _require_sound_device(self, reason: str) -> None:
        try:
            torch.cuda.synchronize(self.device)
            torch.cuda.empty_cache()
            torch.zeros(1, device=self.device).item()
        except RuntimeError as error:
            raise ErsatzError(
                f"Recording the training as CUDA graphs failed ({reason}) and left the GPU unusable "
                f"({_first_line(error)}). Train with --no-cuda-graphs, which gives the same numbers more slowly."
            ) from error


class _Recordable:
    """`work(*tensors)`: eagerly until it has a graph, then a replay of that, given copies of the tensors.

    Random draws come from torch's default generator, whose seed a replay reads anew.
    """

    def __init__(self, work: Work, recorder: Recorder):
        self.work, self.recorder = work, recorder
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] | None = None
        """Where a replay finds its inputs; made by the first call while the recorder is waiting."""

    def __call__(self, *tensors: Tensor) -> None:
        if self.graph is not None and self.inputs is not None:
            for place, tensor in zip(self.inputs, tensors, strict=True):
                place.copy_(tensor)
            self.graph.replay()
        elif self.recorder.waiting:
            if self.inputs is None:
                self.inputs = [tensor.clone() for tensor in tensors]
            self._run_beside(*tensors)
        else:
            self.work(*tensors)

    def _run_beside(self, *tensors: Tensor) -> None:
        """On the stream that it will be recorded on: what libraries keep for a stream is then there."""
        outside, stream = torch.cuda.current_stream(), self.recorder.stream
        stream.wait_stream(outside)
        with torch.cuda.stream(stream):
            self.work(*tensors)
        outside.wait_stream(stream)


def _reason(error: BaseException) -> str:
    """In a few words why a recording failed; ending it only reports that something failed before."""
    if isinstance(error, Exception) and is_out_of_memory(error):
        return "the GPU's memory is full"
    return _reason(error.__context__) if error.__context__ else _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
