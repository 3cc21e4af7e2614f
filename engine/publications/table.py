"""ONE table of the publications, and what the configs name by them: their presets, heads and augmentations."""

from __future__ import annotations

from engine.publications import brain_mri, chest_ct, head_ct, skin_lesions
from engine.publications.publication import AugmentationPolicy, HeadLayers, Publication

PUBLICATIONS: dict[str, Publication] = {
    module.PUBLICATION.name: module.PUBLICATION for module in (head_ct, brain_mri, chest_ct, skin_lesions)
}
"""By the name of their preset."""

HEADS: dict[str, HeadLayers] = {name: paper.head for name, paper in PUBLICATIONS.items() if paper.head}
"""The published heads by `SweepConfig.head`."""

AUGMENTATIONS: dict[str, AugmentationPolicy] = {
    **{name: paper.augmentation for name, paper in PUBLICATIONS.items() if paper.augmentation},
    "mild": AugmentationPolicy(rotation=10, shift=0.05, zoom=0.1),  # ours, for anatomy that has sides
}
"""The policies by `SweepConfig.augmentation`."""
