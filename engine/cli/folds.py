"""`dataset folds`: a cross-validation's data sets."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.output import Json, show, table
from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.folds import make_folds
from engine.store.home import Home


def folds(
    name: Annotated[str, typer.Argument(help="A frozen data set; `dataset list` shows them.")],
    folds: Annotated[int, typer.Option(help="How many; every image is a test image in one of them.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the division.")] = 0,
    as_json: Json = False,
) -> None:
    """Divide a data set for cross-validation: one frozen data set a fold, each for generators of its own."""
    made = make_folds(Dataset.open(Home.from_environment(), name), folds, seed)
    counts = [fold.rows()["split"].value_counts() for fold in made]
    values = [
        {"name": fold.name, "path": str(fold.path), "fingerprint": fold.fingerprint}
        | {split: int(count.get(split, 0)) for split in SPLITS}
        for fold, count in zip(made, counts, strict=True)
    ]
    rows = [[value["name"], *(value[split] for split in SPLITS)] for value in values]
    show(values, as_json, table("", ["data set", *SPLITS], rows))
