"""Nearest neighbours against scikit-learn and against direct differences, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from engine.features.cache import Interrupted
from engine.quality import nearest as module
from engine.quality.nearest import nearest
from engine.store.errors import ErsatzError
from engine.store.progress import Progress
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)


def features(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Non-negative features with an offset and far fewer degrees of freedom than numbers, as pooled activations."""
    mix = np.random.default_rng(dim).standard_normal((8, dim))
    return np.maximum(np.random.default_rng(seed).standard_normal((n, 8)) @ mix + 2, 0).astype(np.float32)


def direct(queries: np.ndarray, base: np.ndarray) -> np.ndarray:
    """All distances [N, M], from differences in float64."""
    differences = queries[:, None].astype(np.float64) - base[None].astype(np.float64)
    return np.sqrt(np.square(differences).sum(2))


@pytest.fixture(params=[(1024, 8192), (7, 11), (1, 1000)])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of several sizes, and differences taken of few candidates at a time."""
    monkeypatch.setattr(module, "QUERY_BLOCK", request.param[0])
    monkeypatch.setattr(module, "BASE_BLOCK", request.param[1])
    monkeypatch.setattr(module, "DIFFERENCES", 64 * request.param[0])


@pytest.mark.parametrize(("dim", "k"), [(48, 1), (48, 5), (3, 9)])
def test_neighbours_are_those_of_scikit_learn(blocks: None, dim: int, k: int) -> None:
    queries, base = features(60, dim, 1), features(150, dim, 2)
    found = nearest(queries, base, k)
    reference = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(base.astype(np.float64))
    distances, rows = reference.kneighbors(queries.astype(np.float64))
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)
    assert (found.distances.dtype, found.rows.dtype) == (np.float32, np.int64)


def test_blocks_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, base = features(60, 48, 1), np.concatenate((features(150, 48, 2), features(30, 48, 2)))  # with ties
    whole = nearest(queries, base, 6)
    for query_block, base_block in ((7, 11), (60, 1), (1, 180)):
        monkeypatch.setattr(module, "QUERY_BLOCK", query_block)
        monkeypatch.setattr(module, "BASE_BLOCK", base_block)
        parts = nearest(queries, base, 6)
        np.testing.assert_array_equal(parts.rows, whole.rows)
        np.testing.assert_array_equal(parts.distances, whole.distances)


def test_no_image_is_its_own_neighbour(blocks: None) -> None:
    x = features(90, 20)
    found = nearest(x, x, 4, not_itself=True)
    distances = direct(x, x)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.rows, distances.argsort(1)[:, :4])
    twice = np.concatenate((x, x[:10]))  # but of two equal images each is the other's
    found = nearest(twice, twice, 1, not_itself=True)
    assert (found.distances[:10] == 0).all()
    assert list(found.rows[:10, 0]) == list(range(90, 100))
    assert list(found.rows[90:, 0]) == list(range(10))


def test_distances_far_below_the_rounding_of_a_product_are_exact(blocks: None) -> None:
    """Near copies of long vectors: |q|^2 + |b|^2 - 2 q.b is noise in float32, of either sign."""
    random = np.random.default_rng(0)
    far = 1000 * random.standard_normal((40, 64)).astype(np.float32)
    base = np.concatenate([far + 1e-3 * random.standard_normal(far.shape) for _ in range(12)]).astype(np.float32)
    base = base[random.permutation(len(base))]
    queries = far + np.float32(1e-3) * random.standard_normal(far.shape).astype(np.float32)
    expected = direct(queries, base)
    product = (queries**2).sum(1)[:, None] + (base**2).sum(1) - 2 * queries @ base.T
    assert (product.argmin(1) != expected.argmin(1)).any()  # the naive way does fail here
    found = nearest(queries, base, 3)
    np.testing.assert_array_equal(found.rows, expected.argsort(1)[:, :3])
    np.testing.assert_allclose(found.distances, np.sort(expected, 1)[:, :3], rtol=1e-4)


def test_an_offset_common_to_all_costs_no_exactness() -> None:
    queries, base = features(60, 48, 1), features(150, 48, 2)
    offset = np.full(48, 4096, np.float32)
    found = nearest(queries + offset, base + offset, 3)
    expected = direct(queries + offset, base + offset)
    np.testing.assert_array_equal(found.rows, expected.argsort(1)[:, :3])


def test_a_collapsed_set_is_searched_twice_and_not_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    same = np.repeat(features(1, 16), 300, axis=0)
    searched: list[torch.dtype] = []
    candidates = module._Search.candidates

    def counted(self: module._Search, *arguments: object) -> object:
        searched.append(self.precision)
        return candidates(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module._Search, "candidates", counted)
    found = nearest(same, same, 2, not_itself=True)
    assert (found.distances == 0).all()
    assert (found.rows != np.arange(300)[:, None]).all()
    assert searched == [torch.float32, torch.float64]
    nearest(features(60, 16, 1), features(150, 16, 2), 3)
    assert searched[2:] == [torch.float32]


def test_all_of_the_base_may_be_asked_for() -> None:
    queries, base = features(5, 8, 1), features(9, 8, 2)
    np.testing.assert_array_equal(nearest(queries, base, 9).rows, direct(queries, base).argsort(1))
    np.testing.assert_array_equal(
        np.sort(nearest(base, base, 8, not_itself=True).rows), [[j for j in range(9) if j != i] for i in range(9)]
    )


def test_progress_ends_below_its_total_and_a_stop_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUERY_BLOCK", 10)
    monkeypatch.setattr(module, "BASE_BLOCK", 50)
    seen: list[Progress] = []
    queries, base = features(60, 8, 1), features(150, 8, 2)
    nearest(queries, base, 1, report=seen.append, stage="here")
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert {(progress.stage, progress.total, progress.unit) for progress in seen} == {("here", 60, "images")}
    assert len(seen) == 18
    with pytest.raises(Interrupted):
        nearest(queries, base, 1, report=seen.append, should_stop=lambda: len(seen) >= 20)
    assert len(seen) == 20


def test_what_cannot_be_searched_is_refused() -> None:
    x = features(20, 4)
    broken = x.copy()
    broken[3, 2] = np.inf
    for queries, base, k, sentence in (
        (x, x[:, :3], 1, r"shapes \[20, 4\] and \[20, 3\]"),
        (x, x[:3], 4, "4 neighbours were asked for among 3"),
        (x.astype(np.float64), x, 1, "float64"),
        (broken, x, 1, "not finite"),
        (x, broken, 1, "not finite"),
    ):
        with pytest.raises(ErsatzError, match=sentence):
            nearest(queries, base, k)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_finds_the_same_even_if_training_allowed_rough_products(fast: Arithmetic) -> None:  # noqa: F811
    queries, base = features(3000, 256, 1), features(9000, 256, 2)
    here, there = nearest(queries, base, 5), nearest(queries, base, 5, device=torch.device("cuda"))
    np.testing.assert_array_equal(here.rows, there.rows)
    np.testing.assert_array_equal(here.distances, there.distances)


def test_products_are_exact_float32_whatever_training_was_allowed(
    fast: Arithmetic,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound on their rounding holds for nothing less."""
    seen: list[Arithmetic] = []
    multiply = torch.addmm

    def look(*arguments: torch.Tensor, beta: float) -> torch.Tensor:
        seen.append(arithmetic())
        return multiply(*arguments, beta=beta)

    monkeypatch.setattr(torch, "addmm", look)
    nearest(features(6, 8, 1), features(20, 8, 2))
    assert seen == [EXACT]
