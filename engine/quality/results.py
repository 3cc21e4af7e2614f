"""What the runs of this part have found, in a few words, for everybody who reads it without torch."""

from __future__ import annotations

from engine.store.versioned import Result


class QualityResult(Result):
    """What the check of a pool found; all of it is in its `scores.json`."""

    sentence: str
    flags: dict[str, int]
    """Images of the pool by flag: copy, near-copy, repeat."""
    excluded: int = 0
    """Images that the check took out of the pool."""
    extractor: str = ""


class RankingResult(Result):
    """Which snapshot of a training is best; the scores of all are in `ranking.json`."""

    best: str
    """The snapshot with the lowest KID, by its file name."""
    last: str
    clear: bool
    """Whether the best is shown to beat the last, by a paired test that is corrected for all pairs of snapshots."""
    sentence: str
    extractor: str = ""
    n_real: int = 0
    """Validation images."""
    n_synthetic: int = 0


class FeatureMapResult(Result):
    """What a map of a data set shows; its places and directions are in files beside it."""

    images: int
    """Images on it,"""
    of: int
    """of so many that there were."""
    extractor: str = ""


class ScoreFacts(Result):
    """What the scores of a training depend on, the same at every snapshot."""

    metrics: tuple[str, ...]
    """kid, fid."""
    extractor: str
    weights: str
    """Name of their file."""
    weights_sha256: str
    preprocessing: str
    real_images: int
    synthetic_images: int


class TrainingResult(Result):
    """What is known of a training besides its files and its metrics."""

    scores: ScoreFacts | None = None
    """None for a training that is not scored."""
