"""What CUDA graphs ask of the phases, held on the CPU: every one of every variant can be recorded and replayed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.gans.capturing import FakeCuda, OnTheCpu, installed, watched
from tests.gans.stylegan2.test_trainer import CPU, Game

EVERYTHING = {"aug": "fixed", "aug_p": 0.9, "conditional": True, "mbstd_group": 4}
EVERYTHING |= {"g_reg_interval": 1, "d_reg_interval": 1}  # all phases in every iteration
PHASES = 4
STATIC = {"aug_margins": "static", "mapping_layers": 2}
PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
VARIANTS: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "noaug": (torch.float32, {"aug": "noaug"}),
    "noaug bf16, no penalties, no mixing": (
        torch.bfloat16,
        {"aug": "noaug", "pl_weight": 0.0, "gamma": 0.0, "style_mixing": 0.0},
    ),
    "fixed bgcfnc, conditional": (
        torch.float32,
        {"aug": "fixed", "aug_p": 0.9, "augpipe": "bgcfnc", "size": 32, "conditional": True, "batch": 4},
    ),
    "ada blit bf16, in pieces": (torch.bfloat16, {"aug": "ada", "augpipe": "blit", "batch_gpu": 4}),
    "fixed medical fp16": (torch.float16, {"aug": "fixed", "aug_p": 0.5, "augpipe": "medical"}),
    "ada skip, mirrored": (
        torch.float32,
        {"aug": "ada", "d_architecture": "skip", "mirror": True, "mirror_vertical": True, "conditional": True},
    ),
    "noaug orig, frozen": (torch.float32, {"aug": "noaug", "d_architecture": "orig", "freeze_d": 2, "mbstd_group": 8}),
}


def numbers(game: Game) -> dict[str, Tensor | float]:
    """Everything that a training is made of, and what it says of itself."""
    return {**{name: tensor.clone() for name, tensor in game.trainer.state().items()}, **game.trainer.read_meters()}


def require_equal(found: dict[str, Tensor | float], expected: dict[str, Tensor | float]) -> None:
    assert found.keys() == expected.keys()
    assert [
        name for name, value in expected.items() if not torch.equal(*map(torch.as_tensor, (found[name], value)))
    ] == []


def played(iterations: int, dtype: torch.dtype = torch.float32, **changes: Any) -> Game:
    with watched():
        return Game(dtype, precision=PRECISIONS[dtype], **STATIC, **changes).train_step(iterations)


def recorded(game: Game) -> list[bool]:
    return [work.graph is not None for work in game.trainer.recorder.works]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_phase_is_recorded_and_the_numbers_are_those_without(
    variant: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dtype, changes = VARIANTS[variant]
    eager = played(4, dtype, **changes)
    cuda = installed(monkeypatch)
    game = played(4, dtype, **changes)  # of which 2 are replayed, with every phase in them
    assert caplog.messages == []
    assert recorded(game) == [True] * 2 * len(game.trainer.phases)
    microbatches = len(game.trainer.microbatch_starts)
    lazy = 2 if "no penalties" not in variant else 0
    assert cuda.replays == (2 * 2 + lazy) * (microbatches + 1)
    require_equal(numbers(game), numbers(eager))


def test_a_training_that_goes_on_between_two_penalties_records_after_the_next_of_each(cuda: FakeCuda) -> None:
    game = Game(aug="noaug", mapping_layers=2)
    game.seen = game.config.batch  # the second iteration: the next path lengths come in the third, R1 in the fourth
    game.train_step(3)
    assert not any(recorded(game))
    game.train_step()
    assert all(recorded(game))


@pytest.fixture(scope="module")
def eager_numbers() -> dict[str, Tensor | float]:
    return numbers(played(4, aug="noaug", batch=4))


@pytest.mark.parametrize("work", [0, 1, 2, 4, 6])  # the last step, and every phase's gradients; the last is the first
def test_a_recording_that_fails_leaves_the_training_as_it_was(
    work: int, eager_numbers: dict[str, Tensor | float], cuda: FakeCuda, caplog: pytest.LogCaptureFixture
) -> None:
    if full := work in (2, 4):
        cuda.failure = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    game = played(2, aug="noaug", batch=4)
    cuda.fail_in(work)
    with watched():
        game.train_step(2)
    assert not any(recorded(game)) and cuda.replays == 0
    assert (cuda.current, cuda.generator.state) == (cuda.outside, "clean")
    (line,) = caplog.messages
    assert ("memory is full" if full else "operation not permitted") in line
    require_equal(numbers(game), eager_numbers)


def test_exact_margins_are_not_recorded(cuda: FakeCuda, caplog: pytest.LogCaptureFixture) -> None:
    game = Game(aug_margins="exact", augpipe="blit", mapping_layers=2, **EVERYTHING)
    assert recorded(game) == []
    game.trainer.recorder = OnTheCpu(CPU)  # what would become of it
    game.trainer.phases = game.trainer.all_phases()
    game.train_step(3)
    assert recorded(game) == [False] * 2 * PHASES
    assert "could not be recorded as CUDA graphs (the host waits" in caplog.text


@pytest.mark.parametrize("seed", [1, 2])
def test_static_margins_give_the_same_gradients(seed: int) -> None:
    """Of draws that reduce no image to about a third: there the exact margins end, and show black."""
    flats = []
    for margins in ("exact", "static"):
        game = Game(aug_margins=margins, augpipe="bgc", seed=seed, **EVERYTHING)
        kept: list[torch.Tensor] = []
        for phase in game.trainer.phases:
            gradients = game.trainer.gradients[phase.network]
            object.__setattr__(
                phase, "step", lambda gradients=gradients, kept=kept: kept.append(gradients.flat.clone())
            )
        game.train_step()
        flats.append(kept)
    assert len(flats[0]) == PHASES
    for exact, static in zip(*flats, strict=True):
        assert (exact - static).norm() < 1e-5 * exact.norm()
