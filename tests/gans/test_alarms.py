"""Each alarm fires on a history that calls for it, and stays silent on those that do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from engine.configs import DcganConfig, StyleganConfig
from engine.gans.alarms import Rows, diversity, held_out_gap, look

ADA = StyleganConfig(dataset="d", aug="ada")
NOAUG = StyleganConfig(dataset="d", aug="noaug")
TOTAL = 200.0


def history(kimg: int = 150, snapshot: int = 10, **changes: Any) -> list[dict[str, float]]:
    """Ticks of 1 kimg of a healthy training; `changes` are values, or functions of kimg, and None leaves a field out.

    Its beginning is wild, as beginnings are: a D that is sure of everything, grey images, huge gradients.
    """
    random = np.random.default_rng(0)
    rows = []
    for tick in range(1, kimg + 1):
        wild = tick <= 15
        row: dict[str, Any] = {
            "g_loss": 9.0 if wild else 1.2,
            "d_loss": 0.1 if wild else 1.1,
            "g_grad_norm": 5000.0 if wild else 2.0,
            "d_grad_norm": 4000.0 if wild else 1.5,
            "real_logits": 300.0 if wild else 0.9,
            "fake_logits": -300.0 if wild else -1.0,
            "r_t": 1.0 if wild else 0.6,
            "augment_p": min(0.3, tick / 200),
        }
        row = {name: value * random.lognormal(0, 0.3) if "grad" in name else value for name, value in row.items()}
        if tick % snapshot == 0:
            row |= {"train_logits": 1.0, "valid_logits": 0.8, "diversity": 0.05 if wild else 0.9}
        for name, value in changes.items():
            if name in row or (tick % snapshot == 0):
                row[name] = value(tick) if callable(value) else value
        rows.append({"kimg": float(tick), **{name: value for name, value in row.items() if value is not None}})
    return rows


def names(rows: Rows, config: StyleganConfig | DcganConfig = ADA, leak: str = "") -> list[str]:
    return [alarm.name for alarm in look(rows, config, TOTAL, leak)]


@pytest.mark.parametrize("config", [ADA, NOAUG, DcganConfig(dataset="d")])
def test_a_healthy_training_is_never_called_otherwise(config: StyleganConfig | DcganConfig) -> None:
    rows = history()
    assert all(names(rows[:count], config) == [] for count in range(len(rows) + 1))


def test_numbers_that_are_missing_or_broken_are_passed_over() -> None:
    bare = [{"kimg": row["kimg"], "g_loss": 1.0} for row in history()]
    assert names(bare) == []
    assert names(history(r_t=math.nan, valid_logits=math.inf, diversity=math.nan, g_grad_norm=math.nan)) == []


# Overfitting.


def test_r_t_at_its_ceiling_is_overfitting_once_nothing_is_left_to_raise() -> None:
    certain = history(r_t=0.97)
    assert names(certain, NOAUG) == ["overfitting"]
    assert names(certain, ADA) == []  # p can still rise
    assert names(history(r_t=0.97, augment_p=1.1)) == ["overfitting", "ada-saturated"]
    assert names(history(r_t=0.8), NOAUG) == []
    assert names(history(r_t=lambda kimg: 1.0 if kimg % 3 == 0 else 0.6), NOAUG) == []  # single ticks are noise
    assert names(history(kimg=60, r_t=0.97), NOAUG) == []  # not for long yet


@pytest.mark.parametrize(("aug", "remedy"), [("noaug", "aug ada"), ("ada", "Add images"), ("fixed", "larger aug_p")])
def test_held_out_images_that_look_generated_are_overfitting(aug: str, remedy: str) -> None:
    config = StyleganConfig.build({"dataset": "d", "aug": aug, **({"aug_p": 0.2} if aug == "fixed" else {})})
    growing = history(valid_logits=lambda kimg: 1.0 - kimg / 75)  # r_v reaches 1 at 150 kimg
    (alarm,) = look(growing, config, TOTAL)
    assert alarm.name == "overfitting"
    assert "100% of the way" in alarm.sentence
    assert remedy in alarm.sentence
    assert alarm.kimg == 150


def test_held_out_images_that_are_merely_harder_are_not_overfitting() -> None:
    assert names(history(valid_logits=-0.3)) == []  # beyond half way, but not growing
    assert names(history(valid_logits=lambda kimg: -0.9 if kimg % 20 == 0 else 0.9)) == []  # noise
    assert names(history(train_logits=-2.0)) == []  # D is on the wrong side: there is no scale


def test_the_gap_is_the_papers() -> None:
    assert held_out_gap({"train_logits": 2.0, "valid_logits": 0.5, "fake_logits": -1.0}) == pytest.approx(0.5)
    assert held_out_gap({"train_logits": -1.0, "valid_logits": 0.5, "fake_logits": -1.0}) is None
    assert held_out_gap({"valid_logits": 0.5, "fake_logits": -1.0}) is None


def test_the_best_snapshot_is_named() -> None:
    rows = history(r_t=0.97, kid=lambda kimg: abs(kimg - 90) / 1000 + 0.01)
    (alarm,) = look(rows, NOAUG, TOTAL)
    assert "KID was best at 90 kimg" in alarm.sentence


# Collapse.


def test_images_that_stay_alike_are_a_collapse() -> None:
    assert names(history(diversity=lambda kimg: 0.9 if kimg < 100 else 0.2)) == ["collapse"]
    assert names(history(diversity=lambda kimg: 0.9 if kimg < 140 else 0.2)) == []  # two looks are not enough
    assert names(history(diversity=lambda kimg: 0.05 * 1.15 ** (kimg / 10))) == []  # on its way
    assert names(history(diversity=0.7)) == []


def test_diversity_sees_modes_not_noise() -> None:
    random = np.random.default_rng(0)
    varied = np.stack([gaussian_filter(random.normal(0, 1, (32, 32)), 4) for _ in range(40)])
    varied = (128 + 400 * varied).clip(0, 255).astype(np.uint8)[..., None]

    def with_noise(images: np.ndarray) -> np.ndarray:
        return (images + random.normal(0, 6, images.shape)).clip(0, 255).astype(np.uint8)

    whole = diversity(varied)
    assert diversity(with_noise(varied)) == pytest.approx(whole, rel=0.1)
    assert diversity(with_noise(np.repeat(varied[:1], 40, 0))) < 0.1 * whole
    assert diversity(with_noise(np.repeat(varied[:2], 20, 0))) < 0.7 * whole
    assert diversity(np.repeat(varied, 3, axis=3)) == pytest.approx(whole)
    assert diversity(varied[:1]) == 0


def test_diversity_is_a_distance_in_grey_levels() -> None:
    flat = np.stack([np.full((20, 20, 1), level, np.uint8) for level in (10, 20, 60)])
    assert diversity(flat) == pytest.approx((10 + 50 + 40) / 3)


# Explosion.


@pytest.mark.parametrize(("field", "size"), [("g_grad_norm", 900.0), ("d_grad_norm", 900.0), ("fake_logits", -400.0)])
def test_numbers_that_grow_by_orders_of_magnitude_explode(field: str, size: float) -> None:
    def grows(kimg: float) -> float:
        return size if kimg >= 147 else 2.0

    assert names(history(**{field: grows})) == ["explosion"]
    assert names(history(kimg=148, **{field: grows})) == []  # a short peak
    (alarm,) = look(history(**{field: grows}), ADA, TOTAL)
    assert field in alarm.sentence


def test_slow_exponential_growth_explodes_too() -> None:
    rows = history(g_grad_norm=lambda kimg: 2 * 1.3 ** max(0, kimg - 120))
    first = next(count for count in range(len(rows)) if names(rows[:count]))
    assert 135 < first < 150


def test_what_jumps_without_being_large_does_not_explode() -> None:
    assert names(history(d_grad_norm=lambda kimg: 0.001 if kimg < 140 else 5.0)) == []
    assert names(history(g_grad_norm=150.0)) == []  # large, but ever so


# Leaks and ADA.


def test_leaks_are_told_when_two_looks_in_a_row_find_them() -> None:
    assert names(history(leaking=lambda kimg: float(kimg >= 140)), leak="They leak.") == ["leaking"]
    assert names(history(leaking=lambda kimg: float(kimg == 150)), leak="They leak.") == []
    assert names(history(leaking=lambda kimg: float(kimg == 100)), leak="They leak.") == []
    (alarm,) = look(history(leaking=2.0), ADA, TOTAL, "They leak.")
    assert alarm.sentence == "They leak."


def test_ada_off_and_saturated_are_told_of_ada_alone() -> None:
    assert names(history(augment_p=0.002)) == ["ada-off"]
    assert names(history(augment_p=0.9)) == ["ada-saturated"]
    assert names(history(augment_p=0.002), NOAUG) == []


def test_short_trainings_have_a_short_warm_up() -> None:
    """5 kimg in all: alarms need no 20 kimg then."""
    rows = [
        {"kimg": 0.1 * tick, "d_grad_norm": 1e5 if tick <= 9 else 1.0, "diversity": 0.1 if tick > 30 else 0.8}
        for tick in range(1, 51)
    ]
    assert [alarm.name for alarm in look(rows, DcganConfig(dataset="d"), 5.0)] == ["collapse"]
