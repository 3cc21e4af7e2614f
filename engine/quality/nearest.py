"""Exact nearest neighbours of many vectors among many, in memory that does not grow with their product.

Squared distances as |q|^2 + |b|^2 - 2 q.b are fast (one matrix product) but inexact where it matters most: two nearly
equal vectors leave the difference of large numbers. So the product only picks candidates, a few more than are asked
for; their distances are then taken from differences, and a bound on the rounding of the product says whether a vector
that was not picked could have been nearer. Queries for which that cannot be ruled out are searched again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.devices import exact_arithmetic
from engine.features.cache import Interrupted
from engine.store.errors import ErsatzError
from engine.store.progress import Progress, Report, ShouldStop, never, silent

QUERY_BLOCK, BASE_BLOCK = 1024, 8192
"""Rows multiplied at a time: 32 MiB of products in float32; of the base fewer where they are long (`BLOCK_NUMBERS`)."""

BLOCK_NUMBERS = 2**22
"""Numbers of the base's rows held at a time, or 1024 rows of them."""

SPARE = 8
"""Candidates kept beyond the neighbours asked for."""

DIFFERENCES = 2**22
"""Numbers of candidates' vectors held at a time."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of a base for each query, the nearest first."""

    distances: np.ndarray
    """Euclidean, float32 [N, k]"""
    rows: np.ndarray
    """int64 [N, k]"""


def nearest(
    queries: np.ndarray,
    base: np.ndarray,
    k: int = 1,
    not_itself: bool = False,
    device: torch.device | None = None,
    report: Report = silent,
    should_stop: ShouldStop = never,
    stage: str = "nearest neighbours",
) -> Neighbours:
    """The k nearest rows of `base` float32 [M, D] for each row of `queries` float32 [N, D], by Euclidean distance.

    `not_itself`: the queries are the base, and no row is its own neighbour. Rows at equal distance come in their order
    in the base (of more than `SPARE` equal ones, any are taken). Beside its arguments and result it takes some 250 MiB
    and 40 (k + SPARE) bytes a query (more only where it must search again), at any N and M. `device`: where the
    products are computed, default the CPU. `report` counts queries. Raises `Interrupted` when asked to stop, and
    `ErsatzError` for arrays that do not match or hold values that are not finite.
    """
    _require(queries, base, k, not_itself)
    device = device or torch.device("cpu")
    centre = base.mean(0, dtype=np.float64).astype(np.float32)  # far from 0 the products would round more
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    remaining = np.arange(len(queries))
    for precision in (torch.float32, torch.float64):
        search = _Search(queries, base, centre, k, not_itself, precision, device)
        candidates, worst, lengths = search.candidates(remaining, report, should_stop, stage)
        squared, found = search.exact(remaining, candidates, should_stop)
        distances[remaining], rows[remaining] = np.sqrt(squared[:, :k]), found[:, :k]
        remaining = remaining[~search.certain(squared[:, k - 1], worst, lengths)]
        if not len(remaining):
            break
    return Neighbours(distances, rows)


@dataclass
class _Search:
    """One pass over the base in one precision."""

    queries: np.ndarray
    base: np.ndarray
    centre: np.ndarray
    k: int
    not_itself: bool
    precision: torch.dtype
    device: torch.device
    longest: float = 0.0
    """Length of the longest centred row of the base, known after `candidates`."""

    @property
    def keep(self) -> int:
        return min(self.k + SPARE, len(self.base) - self.not_itself)

    def candidates(
        self, rows: np.ndarray, report: Report, should_stop: ShouldStop, stage: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Base rows int64 [n, keep] with the largest q.b - |b|^2 / 2, the smallest of these kept [n], and |q| [n]."""
        best = torch.full((len(rows), self.keep), -torch.inf, dtype=self.precision, device=self.device)
        at = torch.zeros((len(rows), self.keep), dtype=torch.int64, device=self.device)
        lengths = np.empty(len(rows))
        parts = range(0, len(rows), QUERY_BLOCK)
        block_rows = min(BASE_BLOCK, max(1024, BLOCK_NUMBERS // self.base.shape[1]))
        blocks = range(0, len(self.base), block_rows)
        with exact_arithmetic():
            for number, first in enumerate(blocks):
                block = self._centred(self.base[first : first + block_rows])
                halves = block.double().square().sum(1) / 2
                self.longest = max(self.longest, float((2 * halves.max()).sqrt()))
                halves = halves.to(self.precision)
                for start in parts:
                    if should_stop():
                        raise Interrupted
                    done = (number * len(parts) + start / QUERY_BLOCK) / (len(blocks) * len(parts))
                    report(Progress(stage, int(done * len(rows)), len(rows), "images"))
                    part = rows[start : start + QUERY_BLOCK]
                    query = self._centred(self.queries[part])
                    lengths[start : start + len(part)] = query.double().square().sum(1).sqrt().cpu()
                    scores = torch.addmm(halves, query, block.T, beta=-1)
                    if self.not_itself:
                        own = np.flatnonzero((part >= first) & (part < first + len(block)))
                        scores[torch.from_numpy(own), torch.from_numpy(part[own] - first)] = -torch.inf
                    stop = start + len(part)
                    best[start:stop], at[start:stop] = _merge(best[start:stop], at[start:stop], scores, first)
        worst = best[:, -1].double().cpu().numpy()
        if self.keep == len(self.base) - self.not_itself:
            worst[:] = -np.inf  # nothing was left out
        return at.cpu().numpy(), worst, lengths

    def exact(self, rows: np.ndarray, candidates: np.ndarray, should_stop: ShouldStop) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances float64 [n, keep] from differences, ascending, and the candidates in that order."""
        squared = np.empty(candidates.shape)
        step = max(1, DIFFERENCES // (self.keep * self.base.shape[1]))
        for start in range(0, len(rows), step):
            if should_stop():
                raise Interrupted
            part = slice(start, start + step)
            differences = torch.from_numpy(self.base[candidates[part]])
            differences -= torch.from_numpy(self.queries[rows[part], None])
            squared[part] = differences.double().square_().sum(2).numpy()
        order = np.lexsort((candidates, squared))
        return np.take_along_axis(squared, order, 1), np.take_along_axis(candidates, order, 1)

    def certain(self, squared: np.ndarray, worst: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Whether no row that was left out can be as near as the k-th found, at `squared` [n]: bool [n].

        A product of D numbers rounds by at most D u |q| |b| (u: unit roundoff), and a row nearer than the k-th is no
        longer than |q| + its distance. The few rounding errors of centring and adding are counted in.
        """
        reach = np.minimum(lengths + np.sqrt(squared), self.longest)
        rounding = (self.base.shape[1] + 32) * torch.finfo(self.precision).eps / 2
        bound = rounding * (lengths * reach + reach**2)
        return lengths**2 - 2 * (worst + bound) > squared

    def _centred(self, vectors: np.ndarray) -> Tensor:
        x = torch.from_numpy(vectors).to(self.device, self.precision)
        return x - torch.from_numpy(self.centre).to(x)


def _merge(best: Tensor, at: Tensor, scores: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """The best scores [n, keep] and their base rows after those [n, m] of the rows from `first` on."""
    keep = best.shape[1]
    if first == 0:
        new, columns = scores.topk(min(keep, scores.shape[1]), 1)
    else:  # few pass the worst so far, and sorting only those is much quicker
        row, column = (scores > best[:, -1:]).nonzero(as_tuple=True)
        counts = torch.bincount(row, minlength=len(best))
        place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
        new = torch.full((len(best), int(counts.max())), -torch.inf, dtype=best.dtype, device=best.device)
        columns = torch.zeros(new.shape, dtype=torch.int64, device=best.device)
        new[row, place], columns[row, place] = scores[row, column], column
    best, order = torch.cat((best, new), 1).topk(keep, 1)
    return best, torch.cat((at, columns + first), 1).gather(1, order)


def _require(queries: np.ndarray, base: np.ndarray, k: int, not_itself: bool) -> None:
    if queries.ndim != 2 or base.ndim != 2 or queries.shape[1] != base.shape[1]:
        raise ErsatzError(
            f"Features of shapes {list(queries.shape)} and {list(base.shape)} cannot be compared; vectors of one "
            "extractor were expected. Compute both with the same."
        )
    if k < 1 or k > len(base) - not_itself:
        raise ErsatzError(
            f"{k} neighbours were asked for among {len(base) - not_itself}; at least as many images are expected. "
            "Give more images, or ask for fewer neighbours."
        )
    for x in (queries, base):
        if x.dtype != np.float32:
            raise ErsatzError(f"Features of type {x.dtype} were given; float32 is expected. Convert them first.")
        if not np.isfinite((x.min(initial=0), x.max(initial=0))).all():
            raise ErsatzError(
                "The features hold values that are not finite numbers, and no neighbours can be found by them. "
                "Check the extractor's weights."
            )
