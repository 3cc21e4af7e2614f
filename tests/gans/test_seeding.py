"""Seeding the default generators directly gives the draws of `torch.manual_seed`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.gans.data import draws_seed, seed_draws

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", [0, 5, draws_seed(1, 2, 3), 2**64 - 1])
def test_draws_on_the_cpu_are_those_after_manual_seed(seed: int) -> None:
    torch.manual_seed(seed)
    expected = torch.randn(100)
    seed_draws(seed, CPU)
    assert torch.equal(torch.randn(100), expected)
    assert torch.initial_seed() == seed


def test_of_several_gpus_the_one_that_draws_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: dict[int, int] = {}

    class Generator:
        def __init__(self, number: int):
            self.number = number

        def manual_seed(self, seed: int) -> Any:
            seeded[self.number] = seed

    def start() -> None:  # there are generators only after it
        monkeypatch.setattr(torch.cuda, "default_generators", [Generator(0), Generator(1), Generator(2)])

    monkeypatch.setattr(torch.cuda, "init", start)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    seed_draws(7, torch.device("cuda"))
    seed_draws(8, torch.device("cuda", 1))
    assert seeded == {2: 7, 1: 8}
    assert torch.initial_seed() == 8
