"""What CUDA graphs ask of the phases, held on the CPU: static shapes, and a host that never looks at a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.gans import cuda_graphs
from engine.gans.cuda_graphs import Recorder
from tests.gans.stylegan2.test_players import CPU, Game

HOST_WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal.default")
HOST_TELLS = ("lift_fresh",)  # a tensor made of Python numbers: a copy from the host, which no recording allows
EVERYTHING = {"aug": "fixed", "aug_p": 0.9, "conditional": True, "mbstd_group": 4}
EVERYTHING |= {"g_reg_interval": 1, "d_reg_interval": 1}  # all phases in every iteration
PHASES = 4


class Watch(TorchDispatchMode):
    """Every operation with the shapes that it meets."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        shapes = [tuple(leaf.shape) for leaf in tree_leaves((args, result)) if isinstance(leaf, torch.Tensor)]
        self.operations.append((str(operation), *shapes))
        return result


TOLIST = torch.Tensor.tolist


def seen_tolist(tensor: torch.Tensor) -> list[Any]:
    """`tolist` by an operation that a watch sees."""
    tensor.flatten()[0].item()
    return TOLIST(tensor)


def watched(game: Game) -> list[list[tuple[Any, ...]]]:
    """The operations of each phase and of its step, in the next two iterations."""
    watches: list[Watch] = []

    def watching(work: Callable[..., None]) -> Callable[..., None]:
        def watched_work(*tensors: torch.Tensor) -> None:
            watches.append(Watch())
            with watches[-1], pytest.MonkeyPatch.context() as patch:
                patch.setattr(torch.Tensor, "tolist", seen_tolist)
                work(*tensors)

        return watched_work

    for phase in game.players.phases:
        for name in ("add_gradients", "step"):
            object.__setattr__(phase, name, watching(getattr(phase, name)))
    game.play(2)
    return [watch.operations for watch in watches]


@pytest.mark.parametrize(
    "changes", [{"augpipe": "bgcfnc", "size": 32, "batch": 4}, {"augpipe": "medical", "precision": "bf16"}]
)
def test_static_phases_can_be_recorded(changes: dict[str, Any]) -> None:
    dtype = torch.bfloat16 if changes.get("precision") == "bf16" else torch.float32

    game = Game(dtype, aug_margins="static", **EVERYTHING, **changes)
    game.play()  # what is made once is made before a recording
    operations = watched(game)
    assert len(operations) == 2 * 2 * PHASES and min(map(len, operations)) > 3
    for first, second in zip(operations[: 2 * PHASES], operations[2 * PHASES :], strict=True):
        assert first == second  # whatever was drawn
        assert [op for op, *_ in first if any(name in op for name in (*HOST_WAITS, *HOST_TELLS))] == []


def test_the_watch_sees_what_exact_margins_do() -> None:
    game = Game(aug_margins="exact", augpipe="blit", **EVERYTHING)
    waits = {op for operations in watched(game) for op, *_ in operations if any(name in op for name in HOST_WAITS)}
    assert waits == {"aten._local_scalar_dense.default", "aten.nonzero.default"}


@pytest.mark.parametrize("seed", [1, 2])
def test_static_margins_give_the_same_gradients(seed: int) -> None:
    """Of draws that reduce no image to about a third: there the exact margins end, and show black."""
    flats = []
    for margins in ("exact", "static"):
        game = Game(aug_margins=margins, augpipe="bgc", seed=seed, **EVERYTHING)
        kept: list[torch.Tensor] = []
        for phase in game.players.phases:
            gradients = game.players.gradients[phase.network]
            object.__setattr__(
                phase, "step", lambda gradients=gradients, kept=kept: kept.append(gradients.flat.clone())
            )
        game.play()
        flats.append(kept)
    assert len(flats[0]) == PHASES
    for exact, static in zip(*flats, strict=True):
        assert (exact - static).norm() < 1e-5 * exact.norm()


class FakeGraph:
    """Stands in for `torch.cuda.CUDAGraph`: what is called while recording is called again at each replay."""

    def __init__(self) -> None:
        self.replays: list[Callable[[], None]] = []

    def replay(self) -> None:
        for replay in self.replays:
            replay()


class FakeGenerator:
    def clone_state(self) -> None:
        pass


def test_graphs_are_recorded_once_and_replayed_on_new_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of things, by a stand-in for the GPU: a recording runs nothing, a replay what was recorded."""
    done: list[tuple[str, float]] = []

    class Recording:
        def __init__(self, graph: FakeGraph, pool: object, stream: object, capture_error_mode: str):
            self.graph = graph
            assert capture_error_mode == "thread_local"

        def __enter__(self) -> None:
            FakeCuda.recording = self.graph

        def __exit__(self, *_: object) -> None:
            FakeCuda.recording = None

    class FakeCuda:
        recording: FakeGraph | None = None

    class Quiet:
        device_index = 0

        def __init__(self, *_: object):
            pass

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

        def wait_stream(self, _: object) -> None:
            pass

    def work(tensor: torch.Tensor) -> None:
        if FakeCuda.recording is not None:
            FakeCuda.recording.replays.append(lambda: done.append(("replayed", tensor.item())))
        else:
            done.append(("eager", tensor.item()))

    for name, stand_in in (("Stream", Quiet), ("stream", Quiet), ("current_stream", Quiet), ("graph", Recording)):
        monkeypatch.setattr(cuda_graphs.torch.cuda, name, stand_in)
    monkeypatch.setattr(cuda_graphs.torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(cuda_graphs.torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(cuda_graphs.torch.cuda, "default_generators", [FakeGenerator()])
    recorder = Recorder(torch.device("cuda"))
    graphed = recorder.graphed(work)
    for i in range(cuda_graphs.WARM_UP + 3):
        recorder.begin_iteration()
        graphed(torch.tensor(float(i)))
    assert done == [("eager", float(i)) for i in range(2)] + [("replayed", float(i)) for i in range(2, 5)]


def test_without_a_gpu_or_the_wish_nothing_is_recorded() -> None:
    def work() -> None:
        pass

    assert Recorder(CPU).graphed(work) is work
    assert Recorder(torch.device("cuda"), wanted=False).graphed(work) is work
