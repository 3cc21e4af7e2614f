"""KID and FID of a generator while it trains: its averaged generator's images against the images that it is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from engine.configs import TrainConfig
from engine.configs.training import SnapshotScores
from engine.datasets.dataset import Dataset
from engine.features.backbones import Backbone
from engine.features.cache import STEP, FeatureCache, Interrupted
from engine.features.extractors import open_extractor
from engine.gans.data import chosen_rows
from engine.gans.training import Sample
from engine.quality.fid_kid import frechet_distance, kernel_distance
from engine.quality.results import ScoreFacts
from engine.store.progress import Progress, Report, ShouldStop, never, silent


@dataclass
class TrainingScores:
    """A `Score`: called with the generator at a snapshot, it returns that snapshot's numbers for the metrics.

    The reals are all training images of the run, unmirrored; the synthetic ones come from the seeds 0, 1, 2 and so on,
    the same at every snapshot, so that snapshots differ by the generator alone.
    """

    config: TrainConfig
    scores: SnapshotScores
    dataset: Dataset
    extractor: Backbone
    report: Report = silent
    should_stop: ShouldStop = never
    reals: np.ndarray | None = field(default=None, init=False)
    """Features [N, D] of the reals, once they are known."""

    @property
    def facts(self) -> ScoreFacts:
        """What the numbers depend on, the same at every snapshot."""
        every = self.dataset.rows("train")
        return ScoreFacts(
            metrics=self.scores.metrics,
            extractor=self.extractor.name,
            weights=self.extractor.weights_file,
            weights_sha256=self.extractor.weights_sha256,
            preprocessing=self.extractor.preprocessing,
            real_images=len(chosen_rows(every, self.config)),
            synthetic_images=self.scores.images,
        )

    def __call__(self, sample: Sample) -> dict[str, float]:
        """kid with kid_low and kid_high (95 %), fid, and metric_seconds; nothing when asked to stop meanwhile."""
        started = time.perf_counter()
        try:
            if self.reals is None:
                self.reals = self._features_of_reals()
            fakes = self._features_of_fakes(sample)
        except Interrupted:
            return {}
        scores: dict[str, float] = {}
        if "kid" in self.scores.metrics:
            kid = kernel_distance(self.reals, fakes)
            scores |= {"kid": kid.value, "kid_low": kid.low, "kid_high": kid.high}
        if "fid" in self.scores.metrics:
            scores["fid"] = frechet_distance(self.reals, fakes)
        return {**scores, "metric_seconds": time.perf_counter() - started}

    def _features_of_reals(self) -> np.ndarray:
        cache = FeatureCache(self.dataset.home, self.extractor)
        every = self.dataset.rows("train")
        rows = every.iloc[chosen_rows(every, self.config)]
        parts = []
        for start in range(0, len(rows), STEP):
            self._go_on("features of the real images", start, len(rows))
            part = rows.iloc[start : start + STEP]
            parts.append(cache.features(self.dataset.pixels(part), list(part["sha256"])))
        return np.concatenate(parts)

    def _features_of_fakes(self, sample: Sample) -> np.ndarray:
        features = np.empty((self.scores.images, self.extractor.dim), np.float32)
        for start in range(0, len(features), STEP):
            self._go_on("scores", start, len(features))
            seeds = range(start, min(start + STEP, len(features)))
            features[seeds.start : seeds.stop] = self.extractor.features(sample(seeds))
        return features

    def _go_on(self, stage: str, done: int, total: int) -> None:
        if self.should_stop():
            raise Interrupted
        self.report(Progress(stage, done, total, "images"))


def training_scores(
    config: TrainConfig,
    dataset: Dataset,
    device: torch.device,
    report: Report = silent,
    should_stop: ShouldStop = never,
) -> TrainingScores | None:
    """The scores that the config asks for at every snapshot; None if it asks for none.

    The extractor's weights are found, or downloaded, and loaded at once, so that their lack is one sentence
    (an `ErsatzError`) before the training and not after hours of it.
    """
    scores = config.scores
    if scores is None:
        return None
    extractor = open_extractor(scores.extractor, device, scores.weights)
    return TrainingScores(config, scores, dataset, extractor, report, should_stop)
