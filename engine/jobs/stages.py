"""The stages of each kind of run in their order, by the words in which it reports them.

Counted as steps they make the progress that of the whole run: a bar that begins anew with every stage says nothing of
how long it still takes. A test runs each kind and finds every stage here that takes long.
"""

from __future__ import annotations

IMPORT = ("look at files", "import", "look for near copies", "audit and split")

TRAINING = ("training",)
"""Scores and snapshots in between are named, and the budget goes on being counted."""

RANKING = ("ranking",)

SWEEP = ("trials",)


def _searched(what: str) -> tuple[str, ...]:
    """By features, then by pixels."""
    return what, f"pixels of the {what}, thumbnails", f"pixels of the {what}"


CHECK = (
    *(f"features of the {part} images" for part in ("training", "validation", "synthetic")),
    *_searched("held-out images among the training images"),
    *_searched("pool among the training images"),
    *_searched("pool among the held-out images"),
    *_searched("pool against itself"),
    "training images among themselves",
    "pool among all real images",
    "real images among themselves",
    "real images among the pool",
    "scores",
    "map",
)
"""Too few held-out patients leave some of them out."""
