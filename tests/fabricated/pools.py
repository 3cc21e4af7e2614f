"""A pool of synthetic images."""

from __future__ import annotations

import pandas as pd
from PIL import Image

from engine.configs import GeneratorReference, PoolConfig
from engine.datasets.dataset import Dataset
from engine.sampling.pool_info import PoolGenerator, PoolInfo
from engine.store.hashing import sha256_file, sha256_pixels
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated.datasets import CLASSES, SIZE, picture
from tests.fabricated.trainings import set_state


def make_pool_run(home: Home, trainings: list[Run], images: int = 20, dataset: str = "phantom") -> Run:
    """A finished pool of these trainings' generators."""
    references = tuple(
        GeneratorReference(run=run.id, sha256=sha256_file(run.path / "generator.onnx")) for run in trainings
    )
    config = PoolConfig(
        name="phantom-pool",
        dataset=dataset,
        dataset_fingerprint=Dataset.open(home, dataset).fingerprint,
        generators=references,
        images_per_class=images,
    )
    run = create_run(home, config.plain(), "pool phantom")
    rows = []
    for reference, class_name in zip(references, CLASSES, strict=True):
        (run.path / "images" / class_name).mkdir(parents=True)
        for seed in range(images):
            image = picture(5000 + seed, class_name)
            path = f"images/{class_name}/{seed:06d}.png"
            Image.fromarray(image).save(run.path / path)
            row = {"path": path, "class": class_name, "seed": seed, "generator": reference.run}
            row |= {"generator_sha256": reference.sha256, "sha256": sha256_pixels(image), "excluded": ""}
            rows.append(row)
    pd.DataFrame(rows).to_csv(run.path / "manifest.csv", index=False)
    (run.path / "training_images.txt").write_text("0" * 64 + "\n")
    info = PoolInfo(
        name=config.name,
        dataset=dataset,
        dataset_fingerprint=config.dataset_fingerprint,
        size=SIZE,
        channels=1,
        mode="L",
        classes=CLASSES,
        generators=tuple(
            PoolGenerator(run=reference.run, sha256=reference.sha256, classes=(class_name,))
            for reference, class_name in zip(references, CLASSES, strict=True)
        ),
    )
    info.write_to(run.path / "pool.json")
    return set_state(run, State.FINISHED, stage="Sampling", done=2 * images, total=2 * images, unit="images")
