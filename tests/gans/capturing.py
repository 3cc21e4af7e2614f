"""CUDA graphs on the CPU: a stand-in for `torch.cuda` that records, replays and enforces what a recording allows.

Recording runs the operators, notes them and undoes what they did, as if nothing had run. A replay runs what was noted,
without the Python that led to it: whatever that would have decided anew, or computed on the host, stays as it was.
Forbidden is what fails or goes wrong on a GPU:

* the host reads a tensor, or makes one of its own values;
* a tensor that a recording made lives on after it, where the next graph's memory is;
* a convolution or matrix product meets shapes that it did not meet eagerly, on the same stream, before: cuDNN would
  look for its fastest algorithm;
* another thread is kept from what the recording thread must not do (the mode is not thread-local).
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from engine.gans.cuda_graphs import Recorder

READS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal.default", "bincount")
READS += ("_linalg_check_errors", "repeat_interleave.Tensor")
TELLS = ("lift_fresh",)
"""A tensor made of Python numbers: a copy from the host."""
TUNED = ("convolution", "mm.", "addmm", "bmm", "_efficientzerotensor")
HOST_METHODS = ("tolist", "numpy", "__array__")


class Forbidden(RuntimeError):
    """What CUDA would refuse while recording, or do wrong at a replay."""


def signature(operator: Any, args: Any, kwargs: Any) -> tuple[Any, ...]:
    """The operator with the shapes, types and layouts that it meets."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    return (str(operator), *((tuple(t.shape), t.dtype, t.stride()) for t in tensors))


class Warming(TorchDispatchMode):
    """Notes what eager work on a stream meets."""

    def __init__(self, stream: Stream):
        super().__init__()
        self.stream = stream

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if kind_of(operator) == "tuned":
            self.stream.met.add(signature(operator, args, kwargs or {}))
        return operator(*args, **(kwargs or {}))


class Stream:
    """A stream with what was run on it eagerly."""

    device_index = 0

    def __init__(self, *_: object):
        self.met: set[tuple[Any, ...]] = set()

    def wait_stream(self, _: object) -> None:
        pass


def watched() -> Warming:
    """Under a watch autograd adds up gradients in other layouts, which rounds differently: compare like with like."""
    return Warming(Stream())


class Place:
    """A tensor as a replay finds it: a view of memory from before the recording, or of what a replayed step made."""

    def __init__(self, tensor: Tensor, made: int | None):
        self.made = made
        self.storage = tensor.untyped_storage() if made is None else None
        self.view = (tensor.storage_offset(), tensor.size(), tensor.stride())
        self.dtype = tensor.dtype

    def tensor(self, made: dict[int, torch.UntypedStorage]) -> Tensor:
        storage = self.storage if self.made is None else made[self.made]
        return torch.empty(0, dtype=self.dtype).set_(storage, *self.view)  # type: ignore[call-overload]


class Graph(TorchDispatchMode):
    """One recording, and what it noted: each step an operator, its arguments and the numbers of what it makes."""

    def __init__(self, cuda: FakeCuda):
        super().__init__()
        self.cuda = cuda
        self.steps: list[tuple[Any, Any, Any, list[int | None]]] = []

    def begin(self, stream: Stream) -> None:
        self.stream = stream
        self.made: dict[int, tuple[int, StorageWeakRef, str]] = {}
        self.touched: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.draws = torch.get_rng_state()

    def undo(self) -> None:
        for storage, before in self.touched.values():
            storage.copy_(before)
        torch.set_rng_state(self.draws)

    def end(self) -> None:
        if self.left():
            gc.collect()
        if left := self.left():
            raise Forbidden(f"left in the graph's memory: {', '.join(left)}")
        del self.made, self.touched

    def left(self) -> list[str]:
        return [operator for _, weak, operator in self.made.values() if not weak.expired()]

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.cuda.count += 1
        if self.cuda.count == self.cuda.fail_at:
            raise self.cuda.failure
        kind = kind_of(operator)
        if kind == "forbidden" or (kind == "index" and reads_a_mask(args)):
            raise Forbidden(f"the host waits, or tells its own numbers: {operator}")
        if kind == "tuned" and signature(operator, args, kwargs) not in self.stream.met:
            raise Forbidden(f"met for the first time: {signature(operator, args, kwargs)}")
        noted = tree_map(self._place, (args, kwargs))
        result = operator(*args, **kwargs)
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if any(output.is_meta for output in outputs):  # autograd asks what shape something would have
            return result
        fresh = [self._number(output, operator) for output in outputs]
        if operator._schema.is_mutable or any(number is not None for number in fresh):
            self.steps.append((operator, *noted, fresh))
        return result

    def _place(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        storage = leaf.untyped_storage()
        key = storage._cdata
        if key in self.made:
            return Place(leaf, self.made[key][0])
        if key not in self.touched:
            self.touched[key] = (storage, storage.clone())
        return Place(leaf, None)

    def _number(self, output: Tensor, operator: Any) -> int | None:
        """The number of what was made anew; None for a view of what there was."""
        storage = output.untyped_storage()
        key = storage._cdata
        if key in self.made or key in self.touched:
            return None
        # The weak reference keeps the key from being used again.
        self.made[key] = (len(self.made), StorageWeakRef(storage), str(operator))
        return self.made[key][0]

    @torch.no_grad()
    def replay(self) -> None:
        self.cuda.replays += 1
        made: dict[int, torch.UntypedStorage] = {}

        def found(leaf: Any) -> Any:
            return leaf.tensor(made) if isinstance(leaf, Place) else leaf

        for operator, args, kwargs, fresh in self.steps:
            result = operator(*tree_map(found, args), **tree_map(found, kwargs))
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            made |= {
                number: output.untyped_storage()
                for number, output in zip(fresh, outputs, strict=True)
                if number is not None
            }

    def reset(self) -> None:
        self.steps.clear()


@functools.cache
def kind_of(operator: Any) -> str:
    """What a recording thinks of an operator."""
    name = str(operator)
    if any(part in name for part in (*READS, *TELLS)):
        return "forbidden"
    if any(part in name for part in TUNED):
        return "tuned"
    return "index" if name.startswith(("aten.index.", "aten.index_put")) else "other"


def reads_a_mask(args: Any) -> bool:
    """Whether a mask is turned into positions, whose number the host must know."""
    return any(isinstance(leaf, Tensor) and leaf.dtype in (torch.bool, torch.uint8) for leaf in tree_leaves(args[1]))


class Generator:
    """The device's generator, which a broken recording leaves unusable until its state is replaced."""

    state = "clean"

    def clone_state(self) -> str:
        return self.state

    def graphsafe_set_state(self, state: str) -> None:
        self.state = state


class FakeCuda:
    """What `engine.gans.cuda_graphs` uses of `torch.cuda`, on the CPU."""

    def __init__(self) -> None:
        self.outside = self.current = Stream()
        self.generator = Generator()
        self.default_generators = [self.generator]
        self.count = 0
        """Operators recorded so far."""
        self.graphs = self.replays = 0
        self.fail_at = 0
        """Number of the operator that fails; 0: none does."""
        self.failing_graph = -1
        self.failure: Exception = RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.failure_at_end: Exception | None = None
        """What the end of a failed recording raises beside it."""
        self.sound = True
        """Whether the device can be used after a failure."""

    Stream = Stream

    def current_stream(self, *_: object) -> Stream:
        return self.current

    def set_stream(self, stream: Stream) -> None:
        self.current = stream

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self.current = stream
        with Warming(stream):
            yield
        self.current = self.outside

    def CUDAGraph(self) -> Graph:
        self.graphs += 1
        return Graph(self)

    def fail_in(self, number: int) -> None:
        """Let the recording of that number fail, after some operators."""
        self.failing_graph = self.graphs + number

    def graph_pool_handle(self) -> tuple[int, int]:
        return (0, 1)

    @contextmanager
    def graph(self, graph: Graph, pool: tuple[int, int], stream: Stream, capture_error_mode: str) -> Iterator[None]:
        """A recording; one that fails leaves what torch 2.11 leaves: its stream, and a generator halfway."""
        assert (pool, capture_error_mode) == ((0, 1), "thread_local")
        self.current, self.generator.state = stream, "recorded"
        graph.begin(stream)
        if self.graphs - 1 == self.failing_graph:
            self.fail_at = self.count + 2
        try:
            with graph, pytest.MonkeyPatch.context() as patch:
                for name in HOST_METHODS:
                    patch.setattr(Tensor, name, forbidden(name))
                patch.setattr(torch, "from_numpy", forbidden("from_numpy"))
                yield
        except Exception:
            if self.failure_at_end:
                raise self.failure_at_end  # noqa: B904
            raise
        finally:
            graph.undo()
        graph.end()
        self.current, self.generator.state = self.outside, "clean"

    def synchronize(self, *_: object) -> None:
        if not self.sound:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with")

    def empty_cache(self) -> None:
        pass


def forbidden(name: str) -> Callable[..., Any]:
    def refused(*_: object, **__: object) -> np.ndarray:
        raise Forbidden(f"the host reads or writes a tensor: {name}")

    return refused


def installed(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """A stand-in; trainers made from now on record their work by it, on the CPU."""
    fake = FakeCuda()
    for name in ("Stream", "stream", "current_stream", "set_stream", "graph", "CUDAGraph", "graph_pool_handle"):
        monkeypatch.setattr(torch.cuda, name, getattr(fake, name))
    for name in ("default_generators", "synchronize", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, getattr(fake, name))
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(torch._C, name, lambda *_: None)
    # Here nothing that is dead holds memory of a GPU, and in the process of all tests a collection takes long.
    monkeypatch.setattr("engine.gans.cuda_graphs.gc", SimpleNamespace(collect=lambda: None))
    for trainer in ("stylegan2", "dcgan"):
        monkeypatch.setattr(f"engine.gans.{trainer}.trainer.Recorder", OnTheCpu)
    return fake


class OnTheCpu(Recorder):
    """Records what runs on the CPU."""

    def __init__(self, device: torch.device, wanted: bool = True):
        super().__init__(torch.device("cuda"), wanted)
        self.device = device
