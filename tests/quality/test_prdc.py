"""Precision, recall, density, coverage and diversity against brute force, an independent library, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.quality import diversity
from engine.quality import prdc as prdc_module
from engine.quality.diversity import diversity_ratio
from engine.quality.prdc import prdc, squared_distances
from engine.store.errors import ErsatzError


def cloud(n: int, seed: int, shift: float = 0.0, scale: float = 1.0, dim: int = 6) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, dim)) * scale + shift).astype(np.float32)


def brute_force(real: np.ndarray, synthetic: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The definitions, image by image."""

    def reach(x: np.ndarray, i: int) -> float:
        return sorted(float(np.linalg.norm(x[i] - x[j])) for j in range(len(x)) if j != i)[k - 1]

    of_real, of_synthetic = ([reach(x, i) for i in range(len(x))] for x in (real, synthetic))
    between = [[float(np.linalg.norm(s - r)) for r in real] for s in synthetic]
    balls = [sum(distance <= radius for distance, radius in zip(row, of_real, strict=True)) for row in between]
    recalled = [any(between[j][i] <= of_synthetic[j] for j in range(len(synthetic))) for i in range(len(real))]
    covered = [min(between[j][i] for j in range(len(synthetic))) <= of_real[i] for i in range(len(real))]
    precision = sum(count > 0 for count in balls) / len(synthetic)
    return precision, sum(recalled) / len(real), sum(balls) / k / len(synthetic), sum(covered) / len(real)


@pytest.mark.parametrize(("n", "m", "k", "shift"), [(40, 31, 3, 0.4), (25, 60, 5, 1.0), (30, 30, 1, 0.0)])
def test_scores_are_their_definitions(n: int, m: int, k: int, shift: float) -> None:
    real, synthetic = cloud(n, 1), cloud(m, 2, shift, 0.8)
    found = prdc(real, synthetic, k)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(
        brute_force(real, synthetic, k), abs=1e-12
    )


def test_precision_and_recall_are_torch_fidelitys() -> None:
    library = pytest.importorskip("torch_fidelity.metric_prc", reason="torch-fidelity is not installed")
    real, synthetic = cloud(80, 1, dim=20), cloud(70, 2, 0.3, 0.9, dim=20)
    expected = library.calc_precision_recall_full if hasattr(library, "calc_precision_recall_full") else None
    expected = expected or library.calculate_precision_recall_full
    precision, recall = expected(torch.from_numpy(synthetic), torch.from_numpy(real), 3, 10_000)
    found = prdc(real, synthetic, 3)
    assert (found.precision, found.recall) == pytest.approx((float(precision), float(recall)), abs=1e-6)


def test_samples_of_one_kind_cover_each_other_and_far_ones_do_not() -> None:
    real = cloud(300, 1)
    alike = prdc(real, cloud(300, 2), 5)
    assert alike.density == pytest.approx(1, abs=0.1)  # its expectation (2002.09797, section 3.2)
    assert alike.coverage == pytest.approx(1 - 0.5**5, abs=0.04)  # that of equal counts: 1 - (1/2)^k
    far = prdc(real, cloud(300, 3, shift=50), 5)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    few_kinds = prdc(real, cloud(300, 4, scale=0.1), 5)
    assert few_kinds.precision > 0.99
    assert few_kinds.recall < 0.1
    assert few_kinds.coverage < 0.3


@pytest.mark.parametrize("rows", [7, 4096])
def test_blocks_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    real, synthetic = cloud(45, 1), cloud(38, 2, 0.2)
    whole = prdc(real, synthetic, 4), diversity_ratio(real, synthetic)
    for module in (prdc_module, diversity):
        monkeypatch.setattr(module, "ROWS", rows)
    assert prdc(real, synthetic, 4) == whole[0]
    assert diversity_ratio(real, synthetic) == pytest.approx(whole[1], rel=1e-12)


def test_too_few_neighbours_are_a_sentence() -> None:
    with pytest.raises(ErsatzError, match="5 images cannot have 5 neighbours each"):
        prdc(cloud(5, 1), cloud(40, 2), 5)


def test_diversity_is_the_ratio_of_mean_distances() -> None:
    real, synthetic = cloud(20, 1), cloud(15, 2, scale=0.5)

    def mean(x: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(a - b) for i, a in enumerate(x) for b in x[:i]]))

    assert diversity_ratio(real, synthetic) == pytest.approx(mean(synthetic) / mean(real), rel=1e-6)
    assert diversity_ratio(real, real + 3) == pytest.approx(1, rel=1e-5)
    collapsed = np.repeat(synthetic[:1], 30, axis=0)
    assert diversity_ratio(real, collapsed) == pytest.approx(0, abs=1e-6)


def test_distances_of_large_near_features_are_not_lost_to_rounding() -> None:
    x = (1000 + cloud(10, 1)).astype(np.float32)
    expected = np.square(x[:, None].astype(np.float64) - x[None]).sum(-1)
    assert np.allclose(squared_distances(x, x), expected, atol=1e-6)
