"""The feature map: real and synthetic images as points in the plane, neighbours in feature space near each other."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MOST = 1500
"""Images of the reals, and of the pool, that the map shows."""
DIRECTIONS = 50


def tsne_projection(features: np.ndarray, seed: int) -> np.ndarray:
    """Places [N, 2] of features [N, D] by t-SNE on their 50 main directions (van der Maaten and Hinton 2008).

    Only who is near whom can be read from it: neither the distances between clusters nor their sizes mean anything.
    Fewer than 4 images are put on a line.
    """
    if len(features) < 4:
        return np.stack((np.arange(len(features), dtype=np.float64), np.zeros(len(features))), axis=1)
    main = main_directions(features, seed)
    perplexity = min(30.0, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(main).astype(np.float64)


def main_directions(features: np.ndarray, seed: int) -> np.ndarray:
    """Features [N, D] on their main directions, [N, `DIRECTIONS` at most]: distances between images are nearly kept."""
    directions = min(DIRECTIONS, *features.shape)
    return PCA(directions, random_state=seed).fit_transform(features.astype(np.float64))
