"""The single moves and swaps of units that bring a dealt split to its targets.

Moving a unit changes the counts of its own classes and the totals alone, so the gain of a swap is the sum of what each
side changes, and a correction where both hold images of one class. All swaps of two splits are weighed as one matrix.
"""

from __future__ import annotations

import numpy as np

LEAST = (2, 1, 1)
"""Fewest images of a class that make a split of any use."""
MOST_KINDS = 1500
"""Kinds of units (of equal content) of which all swaps are weighed; of more, those whose own move gains the most."""


def improve(counts: np.ndarray, chosen: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Split `[units]` after moves and swaps for as long as one brings the counts `[classes, 3]` nearer to `targets`.

    `counts` are the images `[units, classes]`, `chosen` the splits to begin with. The first of the best steps is taken,
    in the order of splits and of kinds.
    """
    chosen = chosen.copy()
    kinds, kind = _kinds(counts)
    parcels = np.vstack([kinds, np.zeros((1, kinds.shape[1]), np.int64)])  # the last: swap with nothing, that is move
    splits = np.flatnonzero(targets.any(axis=0)).tolist()
    reached = np.stack([counts[chosen == split].sum(axis=0) for split in range(3)], axis=1)
    held = np.stack([np.bincount(kind[chosen == split], minlength=len(kinds)) for split in range(3)])
    while True:
        best, step = 0, None
        for a, b in ((a, b) for a in splits for b in splits if a < b):
            mine, theirs = (np.append(held[split], 1).nonzero()[0] for split in (a, b))
            mine, theirs = _promising(parcels, mine, theirs, reached, targets, a, b)
            changes = _changes(parcels[mine], parcels[theirs], reached, targets, a, b)
            place = int(changes.argmin())
            if changes.flat[place] < best:
                best = int(changes.flat[place])
                step = (a, b, mine[place // len(theirs)], theirs[place % len(theirs)])
        if step is None:
            return chosen
        a, b, leaves, comes = step
        leaving = np.flatnonzero((chosen == a) & (kind == leaves))[:1]
        coming = np.flatnonzero((chosen == b) & (kind == comes))[:1]
        chosen[leaving], chosen[coming] = b, a
        gain = parcels[comes] - parcels[leaves]
        reached[:, a] += gain
        reached[:, b] -= gain
        for split, sign in ((a, -1), (b, 1)):
            if leaves < len(kinds):
                held[split, leaves] += sign
            if comes < len(kinds):
                held[split, comes] -= sign


def _kinds(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows of `counts` in order, and the number of each unit's."""
    # Sorted by a sum of random weights first, since rows of hundreds of classes are slow to compare.
    weights = np.random.default_rng(0).integers(1, 2**40, counts.shape[1])
    _, first, of = np.unique(counts @ weights, return_index=True, return_inverse=True)
    if (counts[first][of] != counts).any():  # two rows of one sum
        kinds, kind = np.unique(counts, axis=0, return_inverse=True)
        return kinds, kind.reshape(-1)
    kinds, place = np.unique(counts[first], axis=0, return_inverse=True)
    return kinds, place.reshape(-1)[of]


def _column(values: np.ndarray, targets: np.ndarray, split: int) -> np.ndarray:
    """What counts `values` `[..., classes]` of one split cost, class by class, without the total."""
    least = np.minimum(targets[:, split], LEAST[split])
    return np.abs(values - targets[:, split]) + 1000 * (least - values).clip(0)


def _changes(
    mine: np.ndarray, theirs: np.ndarray, reached: np.ndarray, targets: np.ndarray, a: int, b: int
) -> np.ndarray:
    """Change of the cost `[M, T]` when split `a` gives each parcel `mine` `[M, classes]` for each of `theirs`."""
    now_a, now_b = reached[:, a], reached[:, b]
    before = _column(now_a, targets, a) + _column(now_b, targets, b)
    given = (_column(now_a - mine, targets, a) + _column(now_b + mine, targets, b) - before).sum(axis=1)
    taken = (_column(now_a + theirs, targets, a) + _column(now_b - theirs, targets, b) - before).sum(axis=1)
    change: np.ndarray = given[:, None] + taken[None, :]
    for number in np.flatnonzero((mine > 0).any(axis=0) & (theirs > 0).any(axis=0)):
        rows, columns = np.flatnonzero(mine[:, number]), np.flatnonzero(theirs[:, number])
        gone, come = mine[rows, number][:, None], theirs[columns, number][None, :]

        def cost(gain: np.ndarray, number: np.intp = number) -> np.ndarray:
            least = np.minimum(targets[number], LEAST)
            parts = []
            for split, value in ((a, now_a[number] + gain), (b, now_b[number] - gain)):
                parts.append(np.abs(value - targets[number, split]) + 1000 * (least[split] - value).clip(0))
            return parts[0] + parts[1] - before[number]

        change[np.ix_(rows, columns)] += cost(come - gone) - cost(come) - cost(-gone)
    off_a, off_b = (reached[:, split].sum() - targets[:, split].sum() for split in (a, b))
    gain = theirs.sum(axis=1)[None, :] - mine.sum(axis=1)[:, None]
    change += 3 * (np.abs(off_a + gain) + np.abs(off_b - gain) - abs(off_a) - abs(off_b))
    return change


def _promising(
    parcels: np.ndarray, mine: np.ndarray, theirs: np.ndarray, reached: np.ndarray, targets: np.ndarray, a: int, b: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of very many kinds those whose move alone costs the least, so that a step never weighs all with all."""
    nothing = parcels[-1:]
    if len(mine) > MOST_KINDS:
        alone = _changes(parcels[mine], nothing, reached, targets, a, b)[:, 0]
        mine = np.sort(mine[np.argsort(alone, kind="stable")[:MOST_KINDS]])
    if len(theirs) > MOST_KINDS:
        alone = _changes(nothing, parcels[theirs], reached, targets, a, b)[0]
        theirs = np.sort(theirs[np.argsort(alone, kind="stable")[:MOST_KINDS]])
    return mine, theirs
