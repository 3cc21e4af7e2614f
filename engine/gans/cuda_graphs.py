"""Parts of a training iteration as CUDA graphs: one launch instead of some hundred small ones.

Only what never changes its shape and never has the host wait for the device can be recorded. The graphs of StyleGAN2's
phases are written for that and were tested eagerly; no GPU was at hand to record them on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.store.errors import ErsatzError

Work = Callable[..., None]
"""Changes tensors on the device, given tensors whose shapes are always the same; returns nothing."""

WARM_UP = 4


class Recorder:
    """Records work for one device; all of it shares a stream and, since nothing is left there, its memory."""

    def __init__(self, device: torch.device, wanted: bool = True):
        self.records = wanted and device.type == "cuda"
        if self.records:
            self.stream = torch.cuda.Stream()
            self.memory = torch.cuda.graph_pool_handle()

    def graphed(self, work: Work) -> Work:
        """The work as a CUDA graph on a GPU if that was wanted, and as it is elsewhere."""
        return _Graphed(work, self) if self.records else work


class _Graphed:
    """`work(*tensors)`, recorded once and replayed.

    The first calls run eagerly on a side stream: they let cuDNN choose its algorithms and create what is created once,
    neither of which may happen while recording. Recording itself runs nothing, so nothing has to be undone. Random
    draws come from torch's default generator, whose seed a replay reads anew.
    """

    def __init__(self, work: Work, recorder: Recorder):
        self.work, self.recorder = work, recorder
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] = []

    def __call__(self, *tensors: Tensor) -> None:
        self.calls += 1
        if self.calls <= WARM_UP:
            self._run_eagerly(*tensors)
            return
        if self.graph is None:
            self._record(*tensors)
        assert self.graph is not None
        for place, tensor in zip(self.inputs, tensors, strict=True):
            place.copy_(tensor)
        self.graph.replay()

    def _run_eagerly(self, *tensors: Tensor) -> None:
        stream = self.recorder.stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.work(*tensors)
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self, *tensors: Tensor) -> None:
        self.inputs = [tensor.clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self.graph, pool=self.recorder.memory, stream=self.recorder.stream):
                self.work(*self.inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a failed recording leaves the device in a state that only a new process mends
            reason = str(error).splitlines()[0]
            raise ErsatzError(
                f"This GPU and driver could not record the training iteration as a CUDA graph ({reason}). "
                "Train with --no-cuda-graphs, which gives the same numbers more slowly."
            ) from error


def graphed(work: Work, device: torch.device, wanted: bool) -> Work:
    """One piece of work as a CUDA graph on a GPU if `wanted`, and as it is elsewhere."""
    return Recorder(device, wanted).graphed(work)
