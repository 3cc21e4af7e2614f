"""What a new sweep starts from: its images, how thorough it shall be, and whose settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.configs import SweepConfig
from engine.configs.evaluation import BACKBONES, LEARNING_CURVE
from engine.datasets.dataset import Dataset
from engine.datasets.folds import fold_of, folds_of
from engine.datasets.patients import known_of
from engine.features.sources import available
from engine.publications.presets import PRESETS
from engine.store.runs import Run
from pages.components.format import plain
from pages.components.home import home
from pages.components.labels import labels_of
from pages.components.run_summary import config_of, run_named, title
from pages.components.runs import run_in_url
from pages.evaluate.views import AGAIN, POOL

DEFAULTS = "Ersatz's defaults"
STANDARD, QUICK = "Standard (recommended)", "Quick look"
THOROUGH = {
    STANDARD: "8 or more repetitions with every control: enough for a verdict that may claim something.",
    QUICK: "3 repetitions of two shares: a first impression in a fraction of the time. It can claim nothing.",
}
SMALL = "small-cnn"
PLAIN = SweepConfig(name="a", dataset="a", pool="a")
"""What is set where nobody sets anything."""
EXPECTED = (0.51, 0.99)
"""Least and most share of a class that may be expected to be named right."""
QUICKLY = {"seeds": 3, "ratios": (0.5, 1.0), "arms": ("real", "real+duplicates", "real+synthetic"), "flaws": ()}
STRONG = ("dinov2", "resnet50", "resnet18")
"""Pretrained networks to start from, in this order, as far as their weights are on this machine."""
NOT_AGAIN = {
    "dataset",
    "dataset_fingerprint",
    "pool",
    "pool_sha256",
    "folds",
    "kind",
    "device",
    "gpus",
    "positive_class",
    "extends",
}


def sweep_again() -> Run | None:
    """The sweep that `?again=` names."""
    run = run_named(home(), st.query_params.get(AGAIN, ""))
    return run if run is not None and config_of(run)["kind"] == "sweep" else None


def choose_images(datasets: dict[str, Dataset], pools: list[Run], earlier: Run | None) -> dict[str, Any] | None:
    """The data set, and its pool or those of its folds; those of an `earlier` sweep at first."""
    before = config_of(earlier) if earlier is not None else {}
    by_dataset: dict[str, list[Run]] = {}
    for run in pools:
        by_dataset.setdefault(config_of(run)["dataset"], []).append(run)
    parents = {fact["parent"] for dataset in datasets.values() if (fact := fold_of(dataset))}
    crossed = {name: folds_of(datasets[name]) for name in parents & set(datasets)}
    crossed = {name: folds for name, folds in crossed.items() if folds and all(f.name in by_dataset for f in folds)}
    names = sorted({*by_dataset, *crossed} & set(datasets), key=lambda name: (bool(fold_of(datasets[name])), name))
    left, right = st.columns(2)
    linked = pool_in_url()
    newest = config_of(pools[0])["dataset"]
    newest = fold_of(datasets[newest]).get("parent", newest)
    wanted = config_of(linked)["dataset"] if linked is not None else before.get("dataset", newest)
    name = left.selectbox(
        "Data set",
        names,
        index=names.index(wanted) if wanted in names else 0,
        key=f"sweep-dataset-{wanted}",
        help="Frozen data sets that a pool was made for.",
    )
    of_pools = {run.id: run for run in by_dataset.get(name, [])}
    options = [*([""] if name in crossed else []), *of_pools]

    words = labels_of(of_pools.values())

    def shown(run_id: str) -> str:
        if not run_id:
            return f"Cross-validation: {len(crossed[name])} folds with a pool each"
        return words[run_id]

    first = linked.id if linked is not None else before.get("pool", "")
    pool = right.selectbox(
        "Pool of synthetic images",
        options,
        index=options.index(first) if first in options else 0,
        format_func=shown,
        key=f"pool-{name}-{first}",
    )
    if pool:
        return {"dataset": name, "pool": pool}
    folds = [{"dataset": fold.name, "pool": by_dataset[fold.name][0].id} for fold in crossed[name]]
    st.caption("Every image is tested once, by generators and classifiers that never saw it.")
    return {"dataset": name, "folds": folds}


def pool_in_url() -> Run | None:
    """The pool to plan with, which `?pool=` names, or `?run=`: the page of a pool leads here."""
    run = run_named(home(), st.query_params.get(POOL, "")) or run_in_url()
    return run if run is not None and config_of(run)["kind"] == "pool" else None


def choose_thoroughness(dataset: Dataset, earlier: Run | None) -> str:
    """Standard, or a quick look that claims nothing."""
    if earlier is not None:
        st.caption(f"Starts from the settings of {plain(title(earlier))}; change what you want to be different.")
        return STANDARD
    chosen = st.segmented_control(
        "How thorough?", list(THOROUGH), required=True, default=STANDARD, key=f"thorough-{dataset.name}"
    )
    st.caption(THOROUGH[chosen])
    return chosen


def offered_settings(dataset: Dataset, earlier: Run | None) -> tuple[dict[str, dict[str, Any]], str]:
    """Whose settings a sweep can start from, by name: an earlier sweep's, a preset's protocol, sound or published, or
    the defaults; and the name of those from which it starts where nobody chooses."""
    source = fold_of(dataset).get("parent", dataset.name)
    options: dict[str, dict[str, Any]] = {DEFAULTS: recommended()}
    first = DEFAULTS
    for preset in PRESETS.values():
        options[f"{preset.title}: sound"] = preset.sweep
        if preset.published:
            options[f"{preset.title}: as published"] = preset.published
        if preset.importing.get("name") == source:
            first = f"{preset.title}: sound"
    if earlier is None:
        return options, first
    own = {name: value for name, value in config_of(earlier).items() if name not in NOT_AGAIN}
    return {title(earlier): own, **options}, title(earlier)


def choose_settings(dataset: Dataset, options: dict[str, dict[str, Any]], first: str) -> str:
    """The name of the settings to start from."""
    return st.selectbox(
        "Start from the settings of",
        list(options),
        index=list(options).index(first),
        key=f"settings-{dataset.name}",
        help="Sound: equal steps, controls and at least 8 seeds. As published: for comparison, and never a verdict.",
    )


def unchanged(dataset: Dataset, settings: dict[str, Any], images: dict[str, Any]) -> dict[str, Any]:
    """All values of a sweep with these settings, as far as they fit the data set: those of the form before anybody
    changes one."""
    named = {"name": dataset.name, **settings}
    values: dict[str, Any] = {**PLAIN.plain(), **named, "pool": "", "folds": (), **images}
    if values["classifier"] == SMALL:
        values |= {"training": "frozen", "head": "linear"}
    values["arms"] = usual_arms(settings, values["training"])
    if before := [look for look in values["looks"] if look < values["seeds"]]:
        values["looks"] = [*before, values["seeds"]]
    else:
        values["looks"] = ()
    if not known_of([dataset], "test").any:
        values["level"] = "image"
    for name, known in (("subgroups", dataset.metadata), ("extra_classes", dataset.classes)):
        values[name] = [each for each in values[name] if each in known]
    least, most = EXPECTED
    values["expected_accuracy"] = min(max(values["expected_accuracy"], least), most)
    return values


def usual_arms(settings: dict[str, Any], training: str) -> tuple[str, ...]:
    """The arms that are ticked at first: without the learning curve where it costs much and nobody asked for it."""
    if "arms" in settings or training != "fine-tuned":
        return tuple(settings.get("arms", PLAIN.arms))
    return tuple(arm for arm in PLAIN.arms if arm != LEARNING_CURVE)


def recommended() -> dict[str, Any]:
    """Ersatz's defaults for this machine: a head on pretrained features where there are some, which suits few images
    better than a network from scratch and takes less time."""
    here = weights_here()
    return next(({"classifier": name} for name in STRONG if name in here), {})


@st.cache_data(max_entries=1, show_spinner=False, ttl=30)
def weights_here() -> set[str]:
    """The pretrained networks whose weights are on this machine."""
    return {name for name in BACKBONES if available(name)}
