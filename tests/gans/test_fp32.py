"""Where fp32 was promised, no operator of a training meets a number of fewer digits; TF32 is the device's business."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.configs import DcganConfig, DryRunConfig
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.dry_run import dry_run
from engine.gans.image_spec import ImageSpec
from engine.gans.training import train
from engine.store.progress import never, silent
from tests.gans.conftest import MakeRun
from tests.gans.stylegan2.test_trainer import CPU, Game

FEWER = {torch.bfloat16: "bf16", torch.float16: "fp16"}


class Types(TorchDispatchMode):
    """The types of all tensors that any operator takes or makes, with one that does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[torch.dtype, str] = {}

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operator(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor | torch.dtype):
                self.seen.setdefault(leaf.dtype if isinstance(leaf, torch.Tensor) else leaf, str(operator))
        return result


def stylegan_types(dtype: torch.dtype, **changes: Any) -> dict[torch.dtype, str]:
    changes |= {"aug": "fixed", "aug_p": 0.9, "augpipe": "bgcfnc", "precision": FEWER.get(dtype, "fp32")}
    game = Game(dtype, size=32, batch=4, **changes)
    with Types() as types:
        game.train_step()  # the first iteration has every phase
        game.trainer.sample(torch.randn(4, 8), torch.zeros(4, dtype=torch.int64), noise="random")
        game.trainer.discriminator_logits(torch.randn(4, 1, 32, 32), torch.zeros(4, dtype=torch.int64))
    return types.seen


def dcgan_types(dtype: torch.dtype, **changes: Any) -> dict[torch.dtype, str]:
    config = DcganConfig(dataset="none", batch=4, g_channels=8, d_channels=8, z_dim=8, **changes)
    trainer = DcganTrainer(config, ImageSpec(32, 1, 2 * config.conditional), torch.zeros(4), CPU, dtype)
    pixels = torch.randint(0, 256, (4, 32, 32, 1), dtype=torch.uint8)
    with Types() as types:
        trainer.train_step([(pixels, torch.tensor([0, 1, 0, 1]))], 0)
        trainer.sample(torch.randn(4, 8), torch.zeros(4, dtype=torch.int64))
    return types.seen


@pytest.mark.parametrize("changes", [{"conditional": True}, {"d_architecture": "skip"}])
def test_a_stylegan_in_fp32(changes: dict[str, Any]) -> None:
    assert FEWER.keys().isdisjoint(stylegan_types(torch.float32, **changes))


@pytest.mark.parametrize("changes", [{"gradient_penalty": 10.0, "soft_labels": 0.1, "flip_probability": 0.1}])
def test_a_dcgan_in_fp32(changes: dict[str, Any]) -> None:
    assert FEWER.keys().isdisjoint(dcgan_types(torch.float32, dropout=0.4, conditional=True, **changes))


def test_the_device_is_told_what_was_promised(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[torch.device, str]] = []
    for module in ("training", "dry_run"):
        monkeypatch.setattr(f"engine.gans.{module}.set_arithmetic", lambda *asked: told.append(asked))
    run, config = make_run(kimg=0.008, precision="fp32")
    train(run, config)
    dry_run(run, DryRunConfig(training=config.plain(), iterations=1), silent, never)
    assert told == [(CPU, "fp32")] * 2


@pytest.mark.parametrize("dtype", FEWER)
def test_what_is_asked_for_is_seen(dtype: torch.dtype) -> None:
    assert FEWER.keys() & stylegan_types(dtype) == {dtype}
    if dtype == torch.bfloat16:
        assert FEWER.keys() & dcgan_types(dtype) == {dtype}
