"""When work is recorded as CUDA graphs, what becomes of it where that fails, and that the stand-in would notice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.gans.cuda_graphs import WARM_UP, Recorder
from engine.store.errors import ErsatzError
from tests.gans.capturing import FakeCuda, OnTheCpu

CPU = torch.device("cpu")


class Sum:
    """Adds up what it is given, and counts how often Python did so."""

    def __init__(self) -> None:
        self.total = torch.zeros(3)
        self.calls = 0

    def __call__(self, tensor: Tensor) -> None:
        self.calls += 1
        self.total += 2 * tensor


def test_work_runs_eagerly_then_is_recorded_and_replayed_on_new_inputs(cuda: FakeCuda) -> None:
    recorder, sums = OnTheCpu(CPU), (Sum(), Sum())
    works = [recorder.graphed(work) for work in sums]
    for i in range(WARM_UP + 3):
        recorder.begin_iteration()
        assert (i >= WARM_UP) == all(work.graph is not None for work in recorder.works)
        for work in works:
            work(torch.full((3,), float(i)))
            assert cuda.current is cuda.outside
    assert [work.calls for work in sums] == [WARM_UP + 1] * 2  # the last of them recorded
    assert [work.total.tolist() for work in sums] == [[20.0] * 3] * 2
    assert cuda.replays == 2 * 3


def test_nothing_is_recorded_before_everything_was_due(cuda: FakeCuda) -> None:
    recorder, often, rarely = OnTheCpu(CPU), Sum(), Sum()
    works = [recorder.graphed(often), recorder.graphed(rarely)]
    for i in range(8):
        recorder.begin_iteration()
        works[0](torch.ones(3))
        if i in (5, 7):
            works[1](torch.ones(3))
    assert (often.calls, rarely.calls) == (6 + 1, 1 + 1)
    assert cuda.replays == 2 + 1
    assert (often.total[0], rarely.total[0]) == (16, 4)


def test_without_a_gpu_or_the_wish_nothing_is_recorded() -> None:
    def work() -> None:
        pass

    assert Recorder(CPU).graphed(work) is work
    assert Recorder(torch.device("cuda"), wanted=False).graphed(work) is work


class Broken(Sum):
    """Does what no recording allows, and goes well while it runs eagerly."""

    def __init__(self, breach: Callable[[Broken, Tensor], None]):
        super().__init__()
        self.breach = breach
        self.kept: list[Tensor] = []

    def __call__(self, tensor: Tensor) -> None:
        super().__call__(tensor)
        self.breach(self, tensor)


def meet_new_shapes(work: Broken, tensor: Tensor) -> None:
    torch.ones(work.calls, 3) @ tensor[:, None]


BREACHES: dict[str, Callable[[Broken, Tensor], object]] = {
    "_local_scalar_dense": lambda work, tensor: tensor[0].item(),
    "nonzero": lambda work, tensor: tensor.nonzero(),
    "index.Tensor": lambda work, tensor: tensor[tensor > 0],
    "tolist": lambda work, tensor: tensor.tolist(),
    "numpy": lambda work, tensor: tensor.numpy(),
    "from_numpy": lambda work, tensor: torch.from_numpy(np.ones(3)),
    "lift_fresh": lambda work, tensor: torch.tensor([1.0, 2.0]),
    "met for the first time": meet_new_shapes,
    "left in the graph's memory: aten.add": lambda work, tensor: work.kept.append(tensor + 1),
}


@pytest.mark.parametrize("reason", BREACHES)
def test_what_no_recording_allows_runs_on_eagerly(
    reason: str, cuda: FakeCuda, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, before, broken = OnTheCpu(CPU), Sum(), Broken(BREACHES[reason])
    works = [recorder.graphed(broken), recorder.graphed(before)]  # recorded from the last to the first
    for i in range(WARM_UP + 2):
        recorder.begin_iteration()
        for work in works:
            work(torch.full((3,), float(i)))
    (line,) = caplog.messages
    assert reason in line
    assert line.startswith("This training could not be recorded as CUDA graphs")
    assert line.endswith("it goes on without them, with the same numbers, only slower.")
    assert [work.graph for work in recorder.works] == [None, None]
    assert [work.inputs for work in recorder.works] == [None, None]
    assert (cuda.current, cuda.generator.state) == (cuda.outside, "clean")
    assert [work.total.tolist() for work in (before, broken)] == [[12.0] * 3] * 2
    assert (before.calls, broken.calls) == (WARM_UP + 3, WARM_UP + 3)


def test_full_memory_is_named_wherever_it_shows(cuda: FakeCuda, caplog: pytest.LogCaptureFixture) -> None:
    """A recording broken off by it may end in an error that says nothing."""
    cuda.failure = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of")
    cuda.failure_at_end = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    recorder = OnTheCpu(CPU)
    work = recorder.graphed(Sum())
    cuda.fail_in(0)
    for _ in range(WARM_UP + 1):
        recorder.begin_iteration()
        work(torch.ones(3))
    assert "(the GPU's memory is full)" in caplog.text


def test_a_gpu_that_is_unusable_afterwards_ends_the_training_with_advice(cuda: FakeCuda) -> None:
    recorder = OnTheCpu(CPU)
    work = recorder.graphed(Sum())
    for _ in range(WARM_UP):
        recorder.begin_iteration()
        work(torch.ones(3))
    cuda.fail_in(0)
    cuda.sound = False
    expected = (
        r"failed \(CUDA error: operation not permitted .*\(CUDA error: an illegal memory access.*--no-cuda-graphs"
    )
    with pytest.raises(ErsatzError, match=expected):
        recorder.begin_iteration()


@pytest.mark.parametrize(("device", "expected"), [("cuda", [2, 2, 0, 0]), ("cpu", [0, 0, 0, 0])])
def test_free_memory_is_given_back_between_the_phases_of_the_first_iterations_alone(
    device: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time costs a wait for the GPU, which later iterations must not have."""
    given_back: list[int] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(recorder.iterations))
    recorder = Recorder(torch.device(device), wanted=False)
    for _ in range(4):
        recorder.begin_iteration()
        for _ in range(2):  # phases
            recorder.begin_phase()
    assert [given_back.count(iteration) for iteration in (1, 2, 3, 4)] == expected
