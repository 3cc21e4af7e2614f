"""What CUDA graphs ask of a DCGAN's iteration, held on the CPU: every variant can be recorded and replayed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.configs import DcganConfig
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.image_spec import ImageSpec
from tests.gans.capturing import installed, watched

SMALL = {"dataset": "none", "batch": 4, "g_channels": 8, "d_channels": 8, "z_dim": 8, "ema_kimg": 0.01}
FP32, BF16 = torch.float32, torch.bfloat16
VARIANTS: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "recipe": (FP32, {}),
    "recipe, penalty, dropout": (FP32, {"gradient_penalty": 10.0, "dropout": 0.4, "mirror": True}),
    "recipe bf16, conditional": (BF16, {"conditional": True, "soft_labels": 0.1, "flip_probability": 0.3}),
    # (Not da-dcgan in bf16, which a processor without instructions for it takes a minute for.)
    "da-dcgan": (FP32, {"architecture": "da-dcgan", "inverted_labels": True, "batch": 2}),
    "da-dcgan, all of it": (
        FP32,
        {
            "architecture": "da-dcgan",
            "batch": 2,
            "conditional": True,
            "dropout": 0.4,
            "flip_probability": 0.3,
            "gradient_penalty": 10.0,
            "mirror": True,
            "soft_labels": 0.1,
        },
    ),
}

NO_LABELS = torch.zeros(0, dtype=torch.int64)


def made(dtype: torch.dtype, changes: dict[str, Any]) -> DcganTrainer:
    config = DcganConfig.build({**SMALL, **changes})
    return DcganTrainer(
        config,
        ImageSpec(32, 1, 2 if config.conditional else 0),
        torch.zeros(0, dtype=torch.int64),
        torch.device("cpu"),
        dtype,
    )


def train_step(trainer: DcganTrainer, iterations: range) -> None:
    batch = trainer.config.batch
    for number in iterations:
        rng = torch.Generator().manual_seed(number)
        pixels = torch.randint(0, 256, (batch, 32, 32, 1), generator=rng, dtype=torch.uint8)
        labels = torch.randint(0, 2, (batch,), generator=rng)
        with watched():
            trainer.train_step([(pixels, labels)], batch * number)


def numbers(trainer: DcganTrainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.state().items()} | {"meters": trainer.meters.clone()}


def require_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_iteration_is_recorded_and_the_numbers_are_those_without(
    variant: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    eager = made(*VARIANTS[variant])
    train_step(eager, range(4))
    cuda = installed(monkeypatch)
    trainer = made(*VARIANTS[variant])
    train_step(trainer, range(4))
    assert caplog.messages == []
    assert [work.graph is not None for work in trainer.recorder.works] == [True]
    assert cuda.replays == 2
    require_equal(numbers(trainer), numbers(eager))


@pytest.mark.parametrize("done", [0.1, 0.5, 0.9])
def test_a_recording_that_fails_leaves_the_training_as_it_was(
    done: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it fails: in the discriminator's part, in the generator's, or behind both."""
    variant = VARIANTS["recipe, penalty, dropout"]
    eager = made(*variant)
    train_step(eager, range(4))
    cuda = installed(monkeypatch)
    whole = made(*variant)
    train_step(whole, range(3))
    operators = cuda.count

    trainer = made(*variant)
    train_step(trainer, range(2))
    cuda.fail_at = cuda.count + int(done * operators)
    train_step(trainer, range(2, 4))
    assert [work.graph for work in trainer.recorder.works] == [None]
    assert (cuda.current, cuda.generator.state) == (cuda.outside, "clean")
    assert "could not be recorded as CUDA graphs" in caplog.text
    require_equal(numbers(trainer), numbers(eager))
