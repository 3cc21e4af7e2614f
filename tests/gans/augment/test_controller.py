"""ADA: how p moves, what is saved, and when it is said to be off or saturated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.configs import StyleganConfig
from engine.gans.augment.controller import AdaController, ada_sentence
from engine.gans.augment.pipe import AugmentPipe


def controller(p: float = 0.0, **changes: Any) -> AdaController:
    config = StyleganConfig(dataset="none", **changes)
    pipe = AugmentPipe("bgc", 3)
    pipe.p.fill_(p)
    return AdaController(pipe, config)


def logits(positive: int, negative: int, zero: int = 0) -> torch.Tensor:
    return torch.cat([torch.full((positive,), 0.1), torch.full((negative,), -7.0), torch.zeros(zero)])[:, None]


def test_p_rises_by_the_images_seen_while_r_t_is_above_its_target() -> None:
    ada = controller(ada_kimg=500)
    for _ in range(3):
        ada.observe(logits(9, 1))
    ada.update(128)
    assert ada.r_t.item() == pytest.approx(0.8)
    assert ada.pipe.p.item() == pytest.approx(128 / 500_000)


def test_p_falls_below_the_target_and_stops_at_0() -> None:
    ada = controller(p=1.5 * 128 / 500_000)
    for expected in (0.5 * 128 / 500_000, 0.0, 0.0):
        ada.observe(logits(7, 3))  # r_t 0.4
        ada.update(128)
        assert ada.pipe.p.item() == pytest.approx(expected)


def test_p_has_no_upper_limit() -> None:
    ada = controller(p=0.999, ada_kimg=1)
    ada.observe(logits(10, 0))
    ada.update(128)
    assert ada.pipe.p.item() == pytest.approx(1.127)


def test_on_target_p_stays() -> None:
    ada = controller(p=0.3, ada_target=0.5)
    ada.observe(logits(5, 0, 5))  # a logit of 0 has no sign, and counts
    ada.update(128)
    assert ada.r_t.item() == 0.5 and ada.pipe.p.item() == pytest.approx(0.3)


def test_every_update_counts_anew_and_nothing_seen_changes_nothing() -> None:
    ada = controller()
    ada.observe(logits(10, 0))
    ada.update(1000)
    p = ada.pipe.p.item()
    ada.update(1000)
    assert ada.pipe.p.item() == p and ada.r_t.item() == 1
    ada.observe(logits(0, 10))
    ada.update(1000)
    assert ada.r_t.item() == -1 and ada.pipe.p.item() == 0


@pytest.mark.parametrize(("aug", "p"), [("fixed", 0.4), ("noaug", 0.0)])
def test_without_ada_r_t_is_measured_and_p_stays(aug: str, p: float) -> None:
    ada = controller(p=p, aug=aug, **({"aug_p": p} if p else {}))
    ada.observe(logits(10, 0))
    ada.update(128)
    assert ada.r_t.item() == 1 and ada.pipe.p.item() == pytest.approx(p)


def test_two_ranks_agree_with_one() -> None:
    """The accumulators may be summed or averaged over the ranks: the ratio is the same."""
    whole, first, second = controller(), controller(), controller()
    for part, rank in ((logits(6, 2), first), (logits(8, 0), second)):
        whole.observe(part)
        rank.observe(part)
    mean = (first.observed + second.observed) / 2
    first.observed.copy_(mean)
    whole.update(64)
    first.update(64)
    assert torch.equal(whole.r_t, first.r_t) and torch.equal(whole.pipe.p, first.pipe.p)


def test_resumed_is_never_stopped() -> None:
    straight, before, after = controller(), controller(), controller()
    for ada in (straight, before):
        ada.observe(logits(9, 1))
        ada.update(128)
        ada.observe(logits(3, 5))  # a snapshot between updates
    for name, tensor in after.state().items():
        tensor.copy_(before.state()[name])
    after.pipe.p.copy_(before.pipe.p)
    for ada in (straight, after):
        assert ada.r_t.item() == pytest.approx(0.8)
        ada.observe(logits(1, 0))
        ada.update(128)
    assert torch.equal(straight.r_t, after.r_t) and torch.equal(straight.pipe.p, after.pipe.p)


def history(p_at: Any, kimg: int = 100, r_t: float | None = 0.4) -> list[dict[str, Any]]:
    return [{"kimg": float(k), "augment_p": p_at(k), "r_t": r_t} for k in range(0, kimg + 1, 4)]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (history(lambda k: 0.0), "ada-off"),
        (history(lambda k: 0.5 if k < 40 else 0.001), "ada-off"),
        (history(lambda k: 0.5 if k < 60 else 0.001), None),  # only since 40 kimg
        (history(lambda k: 0.0, kimg=40), None),  # too early to say
        (history(lambda k: k / 500), None),
        (history(lambda k: 0.3), None),
        (history(lambda k: 0.0 if k < 90 else 0.02), None),
        (history(lambda k: 0.85), "ada-saturated"),
        (history(lambda k: k / 100), "ada-saturated"),
        (history(lambda k: 0.9 if k < 50 else 0.5), None),
        ([], None),
        ([{"kimg": 1.0, "g_loss": 0.1}, {"kimg": 2.0, "augment_p": None}], None),
        ([*history(lambda k: 0.0), {"kimg": 101.0, "augment_p": float("nan")}], "ada-off"),
    ],
)
def test_when_ada_is_off_or_saturated(rows: list[dict[str, Any]], name: str | None) -> None:
    found = ada_sentence(rows)
    assert (found and found[0]) == name


def test_the_sentences_tell_the_figures_and_what_to_do() -> None:
    _, sentence = ada_sentence(history(lambda k: 1.23, r_t=0.71)) or ("", "")
    assert "1.23" in sentence and "0.71" in sentence and "gamma" in sentence
    _, sentence = ada_sentence(history(lambda k: 0.0, r_t=None)) or ("", "")
    assert "ada_target" in sentence and "r_t is" not in sentence
