"""A whole training iteration as one CUDA graph: one launch instead of some hundred small ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.store.errors import ErsatzError

Iteration = Callable[[Tensor], None]

WARM_UP = 4


class GraphedIteration:
    """`iteration(rows)`, recorded once and replayed; `rows` int64 [batch] on the device, always of the same length.

    The first calls are real iterations run eagerly on a side stream: they create the optimisers' state and let
    cuDNN choose its algorithms, neither of which may happen while recording. Recording itself runs nothing, so
    nothing has to be undone. Random draws come from torch's default generator, whose seed a replay reads anew.
    """

    def __init__(self, iteration: Iteration):
        self.iteration = iteration
        self.stream = torch.cuda.Stream()
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.rows: Tensor | None = None

    def __call__(self, rows: Tensor) -> None:
        if self.graph is None and self.calls < WARM_UP:
            self._run_eagerly(rows)
        else:
            if self.graph is None:
                self._record(rows)
            assert self.graph is not None
            assert self.rows is not None
            self.rows.copy_(rows)
            self.graph.replay()
        self.calls += 1

    def _run_eagerly(self, rows: Tensor) -> None:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.iteration(rows)
        torch.cuda.current_stream().wait_stream(self.stream)

    def _record(self, rows: Tensor) -> None:
        self.rows = rows.clone()
        self.graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.iteration(self.rows)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a failed recording leaves the device in a state that only a new process mends
            reason = str(error).splitlines()[0]
            raise ErsatzError(
                f"This GPU and driver could not record the training iteration as a CUDA graph ({reason}). "
                "Train with --no-cuda-graphs, which gives the same numbers more slowly."
            ) from error


def graphed(iteration: Iteration, device: torch.device, wanted: bool) -> Iteration:
    """The iteration as a CUDA graph on a GPU if `wanted`, and as it is elsewhere."""
    return GraphedIteration(iteration) if wanted and device.type == "cuda" else iteration
