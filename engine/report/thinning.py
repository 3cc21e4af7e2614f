"""Which points of a long curve are drawn: few enough for a browser, and every summit and every valley among them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

MAX_POINTS = 1000


def kept_places(heights: np.ndarray, limit: int = MAX_POINTS) -> np.ndarray:
    """Places of at most `limit` (even, at least 4) of the `heights` `[N]`, in order: the lowest and the highest of each
    of as many equal parts, and both ends.

    Evenly spaced points would miss the one tick at which a training explodes. Of a part in which a number is missing
    (nan) the highest stays and one that is missing, so that the line has its gap.
    """
    count = len(heights)
    if count <= limit:
        return np.arange(count)
    edges = np.linspace(1, count - 1, limit // 2, dtype=np.int64)  # limit / 2 - 1 parts of two places or more
    kept = [0, count - 1]
    for begin, end in pairwise(edges.tolist()):
        part = heights[begin:end]
        gaps = np.isnan(part)
        low = int(np.argmax(gaps)) if gaps.any() else int(np.argmin(part))
        high = int(np.argmax(np.where(gaps, -np.inf, part)))
        if low == high:  # all alike: any other one
            high = len(part) - 1 if low == 0 else 0
        kept += [begin + low, begin + high]
    return np.sort(np.array(kept))
