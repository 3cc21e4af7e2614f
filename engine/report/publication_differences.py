"""What runs did otherwise than a publication, derived from their own settings and numbers, never written beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.configs import Config, ImportConfig, PoolConfig, QualityConfig, SweepConfig, parse_training
from engine.configs.gans import gan_title
from engine.datasets.positive_class import positive_of
from engine.publications.publication import Preset, Topic
from engine.report.data_facts import known_patients
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.sweep_words import (
    OPTIMISERS,
    classifier_in_words,
    head_in_words,
    is_probe,
    listed,
    shares_in_words,
    trained_for,
)
from engine.report.tables import measure_of
from engine.store.errors import ErsatzError
from engine.sweep.arms import is_synthetic

PARENTS = {"kind", "name", "dataset", "dataset_fingerprint", "pool", "pool_sha256", "generators", "folds", "quality"}
MACHINE = {"device", "gpus", "weights", "metric_weights", "start_sha256", "grid", "cuda_graphs", "batch_gpu"}
MACHINE |= {"tick_kimg", "snapshot_ticks", "metrics", "metric_images"}
FILES = {"source", "csv", "layout", "folders", "csv_encoding", "csv_header", "image_column", "label_column", "freeze"}
UNTOLD = PARENTS | MACHINE | FILES | {"beside", "repeats", "class_name", "only_classes", "images_per_class"}
"""Settings that name parents, files or machines, or that a journey works out; they change no protocol by themselves."""


@dataclass(frozen=True)
class Done:
    """What a run did about a topic, and whether that is otherwise than published."""

    words: str
    differs: bool = True


@dataclass(frozen=True)
class Differing:
    """One point at which at least one of the sweeps is not as published."""

    what: str
    theirs: str
    ours: tuple[str, ...]
    """Of each sweep in words; of one that does it their way, that it does."""
    why: str


AS_PUBLISHED = "as published"
NOT_KNOWN = "not known any more"


def differences(sides: Iterable[Sources]) -> list[Differing]:
    """The points at which these sweeps, of one publication, are not as it was published; empty without one."""
    sides = list(sides)
    publication = sides[0].publication
    if publication is None:
        return []
    found = []
    for difference in publication.differences:
        done = [TOPICS[difference.ours](side) for side in sides]
        if any(one is not None and one.differs for one in done):
            words = tuple(NOT_KNOWN if one is None else one.words if one.differs else AS_PUBLISHED for one in done)
            found.append(Differing(difference.what, difference.theirs, words, difference.why))
    return found


def changed_settings(sources: Sources) -> pd.DataFrame:
    """The settings in which the runs behind a sweep are not those of the preset: `Setting, Preset, Here`.

    A setting of several generators that differ among themselves is shown with all its values.
    """
    rows: dict[str, tuple[str, str]] = {}
    if sources.publication is not None:
        preset = sources.publication.preset
        if sources.dataset is not None:
            given = {**preset.importing, "name": "a", "source": "a"}
            positive = positive_of(sources.dataset)
            found = {**sources.dataset.info.config, "positive": positive.name if positive else ""}
            if "positive" not in given:
                found["positive"] = ""
            _compare(rows, "Import", ImportConfig, given, [found])
        _compare_trainings(rows, preset, [generator.config for generator in sources.generators])
        parents = {"name": "a", "dataset": "a", "pool": "a"}
        pools = [source.config for source in sources.pools if source.config]
        given = {"name": "a", "dataset": "a", "generators": ({"run": "a"},), **preset.pool}
        _compare(rows, "Pool", PoolConfig, given, pools)
        checks = [quality.config for quality in sources.qualities]
        _compare(rows, "Quality check", QualityConfig, {**parents, **preset.quality}, checks)
        wanted = preset.sweep if sources.config.claims or not preset.published else preset.published
        positive_class = preset.importing.get("positive", sources.config.positive_class)
        given = {**parents, **wanted, "positive_class": positive_class}
        found = {**sources.config.plain(), "positive_class": sources.summary.positive_class or positive_class}
        _compare(rows, "Sweep", SweepConfig, given, [found])
    return pd.DataFrame([(name, *values) for name, values in rows.items()], columns=["Setting", "Preset", "Here"])


def _compare_trainings(rows: dict[str, tuple[str, str]], preset: Preset, found: list[dict[str, Any]]) -> None:
    found = [config for config in found if "gan" in config]
    names = list(dict.fromkeys(config["gan"] for config in found))
    published = next(iter(preset.train))
    if names and names != [published]:
        rows["Training: GAN"] = gan_title(published), ", ".join(map(gan_title, names))
    for name in names:
        try:
            wanted = parse_training({**preset.train_settings(name), "dataset": "a"})
        except ErsatzError:  # a GAN of a package that is not here
            continue
        _compare(rows, "Training", type(wanted), wanted.plain(), [each for each in found if each["gan"] == name])


def _compare(
    rows: dict[str, tuple[str, str]],
    step: str,
    kind: type[Config],
    preset: Mapping[str, Any],
    found: list[dict[str, Any]],
) -> None:
    wanted = kind.build(dict(preset))
    for name in type(wanted).model_fields:
        if name in UNTOLD - ({"only_classes"} if kind is ImportConfig else set()):
            continue
        there = _completed(wanted).plain()[name]
        values = [
            _completed(kind.build({**preset, **_known(kind, values)})).plain()[name]
            for values in found
            if name in values
        ]
        told = list(dict.fromkeys(_plain(value) for value in values))
        if told and told != [_plain(there)]:
            rows[f"{step}: {name.replace('_', ' ')}"] = _plain(there), "; ".join(told)


def _known(kind: type[Config], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in kind.model_fields}


def _completed(config: Config) -> Config:
    return config.completed() if isinstance(config, SweepConfig) else config


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_plain(each)}" for name, each in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else "none" if value in ("", None) else str(value)


def _repetitions(sources: Sources) -> Done:
    seeds = sources.config.seeds
    words = "one training of each arm and share" if seeds == 1 else f"{seeds} seeds, paired between the arms"
    folds = len(sources.config.folds)
    return Done(words + (f", in each of {folds} folds" if folds else ""), seeds > 1 or folds > 0)


def _dropped_runs(sources: Sources) -> Done:
    shown = "dropped-runs" in sources.config.flaws
    return Done("every training counts" + ("; what their rule would leave out is shown beside" if shown else ""))


def _controls(sources: Sources) -> Done:
    controls = [ARMS[arm].title for arm in sources.config.arms if arm != "real" and not is_synthetic(arm)]
    return Done(f"also {listed(controls)}" if controls else "the real images alone", bool(controls))


def _length(sources: Sources) -> Done:
    words = trained_for(sources.config)
    return Done(words, is_probe(sources.config) or not sources.config.epochs or _of_unknown_length(sources))


def _of_unknown_length(sources: Sources) -> bool:
    """Whether the publication does not say how long it trained: whatever was done here is a choice of ours."""
    assert sources.publication is not None
    theirs = [each.theirs for each in sources.publication.differences if each.ours == "length"]
    return theirs == ["not given"]


def _head(sources: Sources) -> Done:
    config = sources.config
    assert sources.publication is not None
    if config.classifier == "small-cnn":
        return Done("its own last layers, as the whole small network is trained")
    return Done(head_in_words(config.head), config.head != sources.publication.name)


def _classifier(sources: Sources) -> Done:
    config = sources.config
    assert sources.publication is not None
    wanted = sources.publication.preset.published
    same = (config.classifier, config.training, config.head) == (
        wanted.get("classifier"),
        wanted.get("training", "frozen"),
        wanted.get("head", "linear"),
    )
    return Done(classifier_in_words(config), not wanted or not same)


def _optimiser(sources: Sources) -> Done:
    config = sources.config
    assert sources.publication is not None
    if is_probe(config):
        return Done(head_in_words("probe"))
    wanted = {**sources.publication.preset.published}
    head = "its own head" if config.classifier == "small-cnn" else head_in_words(config.head)
    same = all(getattr(config.completed(), name) == wanted.get(name) for name in ("optimizer", "lr", "head"))
    return Done(f"{OPTIMISERS[config.optimizer]} at {config.completed().lr:g}, {head}", not same)


def _shares(sources: Sources) -> Done:
    config = sources.config
    assert sources.publication is not None
    wanted = sources.publication.preset.published
    arms = listed([ARMS[arm].title for arm in config.arms])
    same = tuple(wanted.get("arms", ())) == config.arms and tuple(wanted.get("ratios", ())) == config.ratios
    return Done(f"{arms}; shares of {shares_in_words(config)}", not same)


def _number_added(sources: Sources) -> Done:
    return Done(shares_in_words(sources.config))


def _metric(sources: Sources) -> Done:
    config, measure = sources.config, measure_of(sources.config.metric, sources.summary.positive_class)
    return Done(f"{measure.title}, by {config.level}", config.metric != "accuracy")


def _test_set(sources: Sources) -> Done:
    mixed = "synthetic-in-test" in sources.config.flaws
    return Done("real and synthetic images" if mixed else "real images only", not mixed)


def _test_is_validation(sources: Sources) -> Done:
    same = "test-is-validation" in sources.config.flaws
    return Done("three parts; the test images take no part in any choice", not same)


def _augmented_test(sources: Sources) -> Done:
    same = "augmented-test" in sources.config.flaws
    return Done("test images are prepared the same way every time", not same)


def _copies(sources: Sources) -> Done | None:
    if sources.dataset is None:
        return None
    excluded = sources.dataset.manifest["excluded"]
    dropped = int((excluded == "drop-copies").sum())
    rows = sources.dataset.rows()
    left = int(rows["sha256"].duplicated().sum())
    if "drop-copies" in (sources.dataset.info.config.get("remedies") or ()):
        words = f"one of each is kept, in the test set first: {dropped} exact {_copies_word(dropped)} left out"
        return Done(words + (f", {left} with another label stay" if left else ""), dropped > 0 or not left)
    if left:
        return Done(f"{left} exact {_copies_word(left)} kept", False)
    return Done("no exact copies are among the images")


def _copies_word(count: int) -> str:
    return "copy was" if count == 1 else "copies were"


def _class_names(sources: Sources) -> Done | None:
    if sources.dataset is None:
        return None
    labels = sources.dataset.info.provenance.labels
    joined = [f"{listed([repr(label) for label in of])} are {name}" for name, of in labels.items() if len(of) > 1]
    return Done("; ".join(joined) or "every class has one name", bool(joined))


def _preparation(sources: Sources) -> Done | None:
    if sources.dataset is None:
        return None
    size = sources.dataset.size
    return Done(f"real and synthetic images are stored alike at {size} pixels, from which the classifier reads both")


def _file_format(sources: Sources) -> Done:
    return Done("PNG for both")


def _choice(sources: Sources) -> Done | None:
    summary = sources.summary
    gone = sum((summary.pool_excluded or {}).values())
    if gone:
        return Done(f"{gone} of {summary.pool_images + gone} images left the pool first")
    if not sources.qualities:
        return Done("all images; no search for copies was made", False)
    search = "copies would have left it, and there were none"
    leave = all(quality.config.get("exclude") == "copies" for quality in sources.qualities)
    return Done(f"all images of the pool; {search}" if leave else "all images, copies among them too", leave)


def _patients(sources: Sources) -> Done | None:
    known = known_patients(sources)
    if known is None:
        return None
    if not known.any:
        return Done("split by image, as no patient is known", False)
    words = f"{known.words} known" + (f", of {known.images_without} images none" if known.images_without else "")
    return Done(f"{words}; {'each in one split' if not known.torn else f'{known.torn} of them in several splits'}")


def _label_flips(sources: Sources) -> Done | None:
    trainings = [generator.config for generator in sources.generators]
    if not trainings:
        return None
    chances = list(dict.fromkeys(config.get("flip_probability", 0.0) for config in trainings))
    if chances == [0.0]:
        return Done(f"no label is flipped ({listed(_gans(sources))})", False)
    return Done(f"each label is flipped with a chance of {listed([f'{100 * chance:g} %' for chance in chances])}")


def _gan_batch(sources: Sources) -> Done | None:
    if not sources.generators:
        return None
    told = [f"{g.config.get('batch')} images, {g.info.kimg:g} thousand of them in all" for g in sources.generators]
    return Done(f"{listed(_gans(sources))}: " + "; ".join(dict.fromkeys(told)))


def _gans(sources: Sources) -> list[str]:
    return list(dict.fromkeys(gan_title(generator.info.gan) for generator in sources.generators))


TOPICS: dict[Topic, Callable[[Sources], Done | None]] = {
    "repetitions": _repetitions,
    "dropped-runs": _dropped_runs,
    "controls": _controls,
    "length": _length,
    "head": _head,
    "classifier": _classifier,
    "optimiser": _optimiser,
    "shares": _shares,
    "number-added": _number_added,
    "metric": _metric,
    "test-set": _test_set,
    "test-is-validation": _test_is_validation,
    "augmented-test": _augmented_test,
    "copies": _copies,
    "class-names": _class_names,
    "preparation": _preparation,
    "file-format": _file_format,
    "choice": _choice,
    "patients": _patients,
    "label-flips": _label_flips,
    "gan-batch": _gan_batch,
}
"""What a run did about each topic; None where what would tell it was deleted."""
