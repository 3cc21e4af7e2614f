"""Whole chains, from the data set to the sweep."""

from __future__ import annotations

from engine.configs import PipelineConfig
from engine.datasets.folds import make_folds
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated.checks import make_quality, make_ranking
from tests.fabricated.datasets import CLASSES, make_dataset
from tests.fabricated.pools import make_pool_run
from tests.fabricated.sweeps import make_sweep
from tests.fabricated.trainings import make_training, set_state


def make_everything(home: Home, quality: bool = False) -> Run:
    """A home with the whole chain of a finished journey; returns its sweep."""
    make_dataset(home)
    trainings = [make_training(home, class_name) for class_name in CLASSES]
    pool = make_pool_run(home, trainings)
    if quality:
        make_quality(home, pool)
        make_ranking(home, trainings[0])
    return make_sweep(home, pool)


def make_pair(home: Home) -> Run:
    """A journey that swept as published (head-ct) and soundly beside it, with subgroups; returns the sound sweep."""
    make_dataset(home, sexes=True)
    pool = make_pool_run(home, [make_training(home, class_name) for class_name in CLASSES], images=40)
    make_quality(home, pool)
    published = {
        "name": "phantom-published",
        "repeats": "head-ct",
        "classifier": "resnet50",
        "head": "head-ct",
        "optimizer": "rmsprop",
        "epochs": 20,
        "arms": ("real", "real+classical", "real+synthetic+classical", "synthetic+classical"),
        "ratios": (1.0,),
        "flaws": ("synthetic-in-test", "dropped-runs"),
    }
    theirs = make_sweep(home, pool, seeds=1, settings=published)
    sound = {"classifier": "resnet50", "repeats": "head-ct", "beside": theirs.id}
    ours = make_sweep(home, pool, settings={**sound, "subgroups": ("sex",), "ratios": (0.5, 1.0)})
    journey = create_run(home, PipelineConfig(preset="head-ct", source="head_ct").plain(), "journey head-ct")
    set_state(journey, State.FINISHED, result={"published": theirs.id, "sweep": ours.id})
    return ours


def make_folded(home: Home, seeds: int = 6) -> Run:
    """A cross-validation with two folds, a pool each and a check of the first one; returns its sweep."""
    folds = []
    for fold in make_folds(make_dataset(home), 2):
        trainings = [make_training(home, class_name) for class_name in CLASSES]
        folds.append({"dataset": fold.name, "pool": make_pool_run(home, trainings, 40, fold.name).id})
    make_quality(home, Run(home, folds[0]["pool"]))
    settings = {"pool": "", "pool_sha256": "", "folds": folds, "ratios": (1.0,)}
    return make_sweep(home, seeds=seeds, settings=settings)
