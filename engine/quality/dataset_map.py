"""A map of a data set by features: where each image lies among the others, and who is like whom.

<run>/
    directions.npy   features on their main directions, float32 [N, 50 at most]; row by row as map.parquet
    map.parquet      path, class, sha256, x, y; written last

Places come from t-SNE, which keeps neighbours and nothing else; likeness is the distance on the main directions.
Sealed test images are left out: their features would tell of them.
"""

from __future__ import annotations

import io

import numpy as np

from engine.configs import FeatureMapConfig
from engine.datasets.dataset import Dataset
from engine.devices import choose_device, describe
from engine.features.cache import FeatureCache, Interrupted
from engine.features.extractors import open_extractor
from engine.quality.results import FeatureMapResult
from engine.quality.stored_map import DIRECTIONS_FILE, MAP_FILE, drawn_of, rows_to_draw
from engine.quality.tsne_projection import main_directions, tsne_projection
from engine.store.errors import ErsatzError
from engine.store.files import replacing, write_bytes
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run

FEWEST = 4
"""Fewer images have no map."""


def draw_map(run: Run, config: FeatureMapConfig, report: Report = silent, should_stop: ShouldStop = never) -> Outcome:
    """Compute what is missing of the features, and the places of the images.

    Features are cached, so that a run stopped or killed computes none twice. Raises `ErsatzError` when there are too
    few images, or others than when the map was set up.
    """
    dataset = Dataset.open(run.home, config.dataset)
    rows = rows_to_draw(dataset)
    if config.images_sha256 not in ("", drawn_of(rows)):
        raise ErsatzError(f"The images of {dataset.name} are others than when this map was set up. Draw a new one.")
    if len(rows) < FEWEST:
        raise ErsatzError(f"{dataset.name} has {len(rows)} images to draw; at least {FEWEST} are expected.")
    total = len(rows)
    drawn = np.sort(np.random.default_rng(config.seed).permutation(total)[: config.images])
    rows = rows.iloc[drawn].reset_index(drop=True)
    device = choose_device(config.device)
    extractor = open_extractor(config.extractor, device, config.weights)
    run.update(device=describe(device))
    try:
        features = FeatureCache(run.home, extractor).features(
            dataset.pixels(rows), list(rows["sha256"]), report=report, should_stop=should_stop
        )
    except Interrupted:
        return "stopped"
    report(Progress("map", 0, len(rows), "images"))
    content = io.BytesIO()
    np.save(content, main_directions(features, config.seed).astype(np.float32))
    write_bytes(run.path / DIRECTIONS_FILE, content.getvalue())
    x, y = tsne_projection(features, config.seed).T
    with replacing(run.path / MAP_FILE) as temporary:
        rows[["path", "class", "sha256"]].assign(x=x, y=y).to_parquet(temporary, index=False)
    report(Progress("map", len(rows), len(rows), "images"))
    run.update(result=FeatureMapResult(images=len(rows), of=total, extractor=extractor.name).plain())
    return "finished"
