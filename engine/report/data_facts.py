"""What was done to the images of a sweep before it began: each sentence is read off the manifest and the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from engine.datasets.dataset import Dataset
from engine.datasets.finalize import MOVED
from engine.datasets.folds import CUT, fold_of
from engine.datasets.leaking_parts import leak_between_parts
from engine.datasets.manifest import left_out
from engine.datasets.patients import Known, known_of
from engine.report.sources import Sources
from engine.report.sweep_words import listed

SOURCE = "source"
"""What gave a split, see `origin_of_split`."""
DRAWN = "drawn"
SOURCE_BUT_VALID = "source, validation drawn"


def datasets_of(sources: Sources) -> list[Dataset]:
    """The data sets that the sweep tested on: the one, or that of every fold that is still there."""
    if not sources.config.folds:
        return [sources.dataset] if sources.dataset is not None else []
    return [source.dataset for source in sources.pools if source.dataset is not None]


def known_patients(sources: Sources) -> Known | None:
    """What is known of the patients of all images, in the split that was tested; None where no data set is left."""
    datasets = datasets_of(sources) or ([sources.dataset] if sources.dataset is not None else [])
    if not datasets:
        return None
    known = known_of(datasets[:1])
    if not sources.config.folds:
        return known
    # A fold alone lacks the images that were cut from its training part; another fold tests them.
    return replace(known_of(datasets, "test"), torn=known.torn)


def shared_by_parts(sources: Sources) -> str:
    """Pictures, and patients or groups, that are in more than one part of a split, in words; '' where none is."""
    found = dict.fromkeys(leak_between_parts(dataset.rows()) for dataset in datasets_of(sources))
    return next(filter(None, found), "")


def origin_of_split(dataset: Dataset) -> str:
    """`SOURCE`, `SOURCE_BUT_VALID` or `DRAWN`; empty for data sets of before, whose manifest does not say."""
    asked = dataset.info.config.get("split", "auto")
    rows = dataset.rows()
    if "given" not in rows:
        return {"given": SOURCE, "random": DRAWN}.get(asked, "")
    given = set(rows["given"]) - {""}
    if asked == "random" or not given:
        return DRAWN
    return SOURCE if "valid" in given else SOURCE_BUT_VALID


def split_words(dataset: Dataset) -> str:
    """How the split came about, as the middle of `It was ... into`: `split at random (seed 3)`."""
    seed = f"seed {dataset.info.config.get('seed', 0)}"
    return {
        SOURCE: "split as its source has it",
        SOURCE_BUT_VALID: f"split as its source has it, validation images drawn from the training ones ({seed}),",
        DRAWN: f"split at random ({seed})",
    }.get(origin_of_split(dataset), "split")


def kept_together(known: Known, drawn: bool) -> str:
    """What of the images stayed in one split, beginning with a comma; empty where nothing is known to."""
    if known.torn:
        groups = "group has" if known.torn == 1 else "groups have"
        return f"; {known.torn} {groups} images in several splits"
    what = []
    if known.patients:
        some = "" if known.all else ", where it is known,"
        what.append(f"images of one patient or group of the source's own{some}")
    if known.named:
        what.append("images of one group read from file names")
    if known.sets or drawn:
        what.append("copies of one picture")
    return f", {listed(what)} kept together" if what else ""


def unknown_patients(known: Known) -> str:
    """A sentence on the images whose patient is unknown or guessed; empty where the source names all of them."""
    if known.all:
        return ""
    if not known.any:
        return "No image's patient is known, so images of one patient may stand in different splits."
    parts = [f"{known.images_without} of {known.images} images the patient is unknown"] if known.images_without else []
    parts += [f"{known.images_named} the patient was guessed from the file name"] if known.images_named else []
    return f"Of {' and of '.join(parts)}: such a patient may stand in several splits."


def found_before(dataset: Dataset) -> list[str]:
    """What the audit had found in the images as imported and no longer finds, in sentences, the gravest first."""
    audit = dataset.info.audit
    now = {finding["sentence"] for finding in audit.findings}
    return [
        finding["sentence"]
        for finding in audit.found
        if finding["sentence"] not in now and finding["severity"] in ("conflict", "leak", "warning")
    ]


def changes(dataset: Dataset, folds: bool = False) -> list[str]:
    """What remedies, cuts and hands did to the images, with their numbers, in sentences.

    With `folds` the split of `dataset` is not the one that was used, and nothing is said of it.
    """
    manifest, info = dataset.manifest, dataset.info
    rows = dataset.rows()
    remedies = list(info.config.get("remedies") or ())
    sentences = []
    if remedies:
        sentences.append(f"The audit's remedies {listed(remedies)} were applied first.")
    if unusable := len(info.provenance.left_out):
        verb = "file that cannot be used was" if unusable == 1 else "files that cannot be used were"
        sentences.append(f"{unusable} {verb} not imported.")
    counts = left_out(manifest)["excluded"].value_counts().sort_index()
    dropped = {str(name): int(count) for name, count in counts.items() if name != CUT}
    if dropped:
        reasons = ", ".join(f"{name}: {count}" for name, count in dropped.items())
        verb = "image was" if sum(dropped.values()) == 1 else "images were"
        sentences.append(f"{sum(dropped.values())} of {len(manifest)} imported {verb} left out ({reasons}).")
    per_class = int(info.config.get("train_per_class") or 0)
    if per_class and folds:
        sentences.append(f"At most {per_class} training images of each class were kept in each fold.")
    elif per_class:
        cut = int(counts.get(CUT, 0))
        sentences.append(
            f"At most {per_class} training images of each class were kept, drawn by the seed "
            f"{info.config.get('seed', 0)}; {cut} others were left out."
            if cut
            else f"No class has more than the {per_class} training images that were allowed."
        )
    if not folds:
        sentences += _moves(dataset, rows)
    accepted = info.frozen.accepted if info.frozen else ()
    if accepted:
        sentences.append(f"The split was frozen in spite of these findings: {listed(list(accepted))}.")
    return sentences


def _moves(dataset: Dataset, rows: pd.DataFrame) -> list[str]:
    """How many images are in another split than their source or the draw put them in."""
    by_hand = rows[MOVED] != "" if MOVED in rows else pd.Series(False, rows.index)
    origin, sentences = origin_of_split(dataset), []
    if origin in (SOURCE, SOURCE_BUT_VALID) and "given" in rows and not fold_of(dataset):
        as_drawn = {"valid": "train"} if origin == SOURCE_BUT_VALID else {}
        given, now = (rows[column].replace(to_replace=as_drawn) for column in ("given", "split"))
        if joined := int(((given != now) & ~by_hand).sum()):
            verb = "image was" if joined == 1 else "images were"
            sentences.append(f"To join what belongs together, {joined} {verb} moved out of the source's own split.")
    if moved := int(by_hand.sum()):
        verb = "image was" if moved == 1 else "images were"
        sentences.append(f"{moved} {verb} put into their split by hand.")
    return sentences


def class_names(dataset: Dataset) -> list[str]:
    """What the source calls the classes, where that is not their name, and which classes were chosen."""
    labels = dataset.info.provenance.labels
    sentences = [
        f"The class {name} is what the source calls {listed([repr(label) for label in found])}."
        for name, found in labels.items()
        if list(found) != [name]
    ]
    if only := dataset.info.config.get("only_classes"):
        sentences.append(f"Of the source's classes, {listed(list(only))} alone were imported.")
    return sentences


def without_value(test_images: pd.DataFrame | None, columns: Sequence[str]) -> list[str]:
    """How many test images have no value in each column of subgroups, in sentences; none is said of complete ones."""
    if test_images is None:
        return []
    total = len(test_images)
    counts = {name: int((test_images[name].astype(str) == "").sum()) for name in columns if name in test_images}
    return [
        f"{count} of {total} test images have no value of {name} and are in none of its subgroups."
        for name, count in counts.items()
        if count
    ]


def real_tested(sources: Sources) -> int:
    """Real images that were tested; a published protocol may have set synthetic ones among them."""
    images = sources.test_images
    if images is None or "synthetic" not in images:
        return sources.summary.n_test
    return int((images["synthetic"].astype(int) == 0).sum())


def methods_sentences(sources: Sources, counts: Mapping[str, int]) -> str:
    """The part of the methods about the data set: names, split, what was left out and moved, the freeze.

    `counts`: real images of train, valid and test as the sweep counted them.
    """
    dataset, config = sources.dataset, sources.config
    assert dataset is not None
    known = known_of([dataset])
    sentences = class_names(dataset)
    if config.folds:
        known = known_patients(sources) or known
        divided = int(dataset.manifest["excluded"].isin(["", CUT]).sum())
        sentences += changes(dataset, folds=True)
        sentences.append(
            f"Its {divided} images were divided into {len(config.folds)} folds at random"
            f"{kept_together(known, drawn=True)}; each image was tested in one fold at most, and each fold has "
            "generators, pool and validation images of its own."
        )
    else:
        drawn_alone = origin_of_split(dataset) == DRAWN
        sentences.append(
            f"It was {split_words(dataset)} into {counts['train']} training, {counts['valid']} validation and "
            f"{counts['test']} test images{kept_together(known, drawn_alone)}."
        )
        sentences += changes(dataset)
        sentences.append(f"The split was frozen before any training (SHA-256 {config.dataset_fingerprint[:12]}).")
    sentences.append(unknown_patients(known))
    return " ".join(filter(None, sentences))
