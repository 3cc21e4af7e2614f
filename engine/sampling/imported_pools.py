"""Pools from elsewhere: images of any generator, tool or hospital, brought to the form of a data set's real images.

They are read as an import reads (folders of classes, ZIP, CSV) and go through the same steps: range of values or
window, size, colour. What their makers declare is kept as a declaration.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from engine.configs.importing import ImportConfig
from engine.configs.pools import LEFT_OUT, ImportedPoolConfig
from engine.datasets.class_mapping import Naming, safe_name
from engine.datasets.dataset import Dataset
from engine.datasets.looking import deep_items, look, measured_values
from engine.datasets.parallel_map import each
from engine.datasets.preprocess import colour_of, in_mode, to_stored
from engine.datasets.reading.items import Facts, Item, Reading
from engine.datasets.reading.source import open_pictures, open_source
from engine.datasets.unusable import Unusable
from engine.datasets.value_range import levels_of, value_range
from engine.datasets.watched import ImportStopped
from engine.sampling.pool_copies import find_copies_of_reals
from engine.sampling.pool_info import PoolInfo, PoolOrigin
from engine.sampling.pools import already_made, write_pool
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import clear_leftovers, new_folder
from engine.store.hashing import sha256_file, sha256_pixels
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop, silent
from engine.store.runs import Run

DIGEST = re.compile(r"[0-9a-f]{64}")
NAMED = 4
"""Labels named in a sentence."""
MAKER = "made elsewhere"
"""The generator of these images in the manifest."""


def import_pool(run: Run, config: ImportedPoolConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Read, store and search the images; all of it or nothing, and a stopped run begins again.

    Raises `ErsatzError` for what cannot be read, for labels that are no classes, and for declared training images that
    are test or validation images.
    """
    if already_made(run):  # reviewers may have excluded images since
        return "finished"
    dataset = Dataset.open(run.home, config.dataset)
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This pool")
    training = declared_images(config, dataset)
    clear_leftovers(run.path.glob(".images.*"))
    disk.remove_tree(run.path / "images")  # of a worker that was killed before its last step
    try:
        with new_folder(run.path / "images") as folder:
            rows, notes = _store(config, dataset, run.home, folder, report, should_stop)
            report(Progress("search for copies of real images", 0, 1, "steps"))
            inside = rows.assign(path=rows["path"].str.removeprefix("images/"))
            found = find_copies_of_reals(dataset, inside, folder)
            rows["excluded"] = found.excluded
            _some_left(rows, found.sentences)
    except ImportStopped:
        return "stopped"
    origin = PoolOrigin(
        kind="imported",
        trained_on=_known(config, training, dataset),
        made_by=config.made_by,
        source=config.source,
        found=(*_on_hashes(config, training, dataset), *found.sentences, *notes),
    )
    info = PoolInfo.made_for(
        dataset,
        name=config.name,
        classes=tuple(name for name in dataset.classes if (rows["class"] == name).any()),
        generators=(),
        origin=origin,
    )
    write_pool(run, info, training, rows.to_dict("records"))  # type: ignore[arg-type]
    report(Progress("import", len(rows), len(rows), "images"))
    return "finished"


def require_readable(config: ImportedPoolConfig, dataset: Dataset) -> None:
    """Raise `ErsatzError` for what is known to be wrong before any image is decoded."""
    declared_images(config, dataset)
    with _reading(config, dataset, dataset.home) as (reading, _):
        classes_of(reading, config, dataset)


def declared_images(config: ImportedPoolConfig, dataset: Dataset) -> set[str]:
    """SHA-256 of the real images that the generator is declared to have seen; empty where that is unknown.

    Raises `ErsatzError` for a file of something else, and for test or validation images among them.
    """
    if config.trained_on == "unknown":
        return set()
    if config.trained_on == "training":
        return set(dataset.rows("train")["sha256"])
    path = Path(config.trained_on).expanduser()
    if not path.is_file():
        raise ErsatzError(
            f"trained_on is {config.trained_on}, and there is no such file; a file of SHA-256 hashes, `training` or "
            "`unknown` is expected. Correct it."
        )
    if config.trained_on_sha256 not in ("", sha256_file(path)):
        raise ErsatzError(f"{path} was changed since the import was set up; the same file is expected. Start anew.")
    try:
        words = path.read_text().lower().split()
    except (OSError, UnicodeDecodeError) as error:
        raise ErsatzError(
            f"{path} cannot be read ({error}); a text file with one SHA-256 a line is expected."
        ) from error
    if wrong := [word for word in words if not DIGEST.fullmatch(word)]:
        raise ErsatzError(
            f"{path} holds {wrong[0][:80]!r}, which is no SHA-256; one of 64 hex digits a line is expected, as in the "
            "training_images.txt of a training. Correct the file."
        )
    if not words:
        raise ErsatzError(
            f"{path} is empty; one SHA-256 a line is expected. Where the images are not known, say `unknown`."
        )
    seen = set(words)
    for part, name in (("test", "test"), ("valid", "validation")):
        held_out = set(dataset.rows(part)["sha256"])
        if leaked := len(held_out & seen):
            raise ErsatzError(
                f"Leak: {path} names {leaked} of the {len(held_out)} different {name} images of {dataset.name} as "
                "training images of the generator; none is allowed. Import images of a generator that saw none of them."
            )
    return seen


def classes_of(reading: Reading, config: ImportedPoolConfig, dataset: Dataset) -> dict[str, str]:
    """The data set's class of each label; labels that are left out have none.

    A label is the class whose name it is, in whatever capitals, or of which the data set's own source says that it is
    called so. Raises `ErsatzError` for all others, and names the choices.
    """
    counts = Counter(item.label for item in reading.items)
    given = {label.strip(): name.strip() for label, name in config.classes.items()}
    choices = ", ".join(dataset.classes)
    if wrong := [name for name in given.values() if name not in (*dataset.classes, LEFT_OUT)]:
        raise ErsatzError(
            f"classes names {wrong[0]!r}, which is no class of {dataset.name}; one of {choices} is expected, or - to "
            "leave the images out. Correct it."
        )
    for what, labels in (("classes", list(given)), ("only_classes", list(config.only_classes))):
        if unused := [label for label in labels if label not in counts]:
            raise ErsatzError(
                f"{what} names the label {unused[0]!r}, but {config.source} has {_named(list(counts))}. Correct it."
            )
    if config.class_name:
        if config.class_name not in dataset.classes:
            raise ErsatzError(
                f"class_name is {config.class_name!r}, which is no class of {dataset.name}; one of {choices} is "
                "expected. Correct it."
            )
        return dict.fromkeys(counts, config.class_name)
    known = {_key(name): name for name in dataset.classes}
    for name, names in dataset.info.provenance.labels.items():
        for called in names:
            known.setdefault(_key(called), name)
    wanted = config.only_classes or tuple(counts)
    found = {}
    for label in wanted:
        called = reading.label_names.get(label, label)
        found[label] = given.get(label) or known.get(_key(called), "")
    if unclear := [label for label, name in found.items() if not name]:
        which = "label" if len(unclear) == 1 else "labels"
        raise ErsatzError(
            f"{config.source} has the {which} {_named(unclear)}, and it is not clear which class of {dataset.name} "
            f"({choices}) that is; a class for each label is expected. Say it as in --classes "
            f"{unclear[0]}={dataset.classes[0]}, or leave its images out with --classes {unclear[0]}=-."
        )
    kept = {label: name for label, name in found.items() if name != LEFT_OUT}
    if not kept:
        raise ErsatzError(f"classes leaves out every label of {config.source}; images of a class are expected.")
    return kept


def _key(name: str) -> str:
    try:
        return safe_name(name).casefold()
    except ErsatzError:  # a name of signs alone
        return name


def _named(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels[:NAMED])) + (", ..." if len(labels) > NAMED else "")


@contextmanager
def _reading(
    config: ImportedPoolConfig, dataset: Dataset, home: Home, report: Report = silent
) -> Iterator[tuple[Reading, ImportConfig]]:
    how = config.reading(dataset.info.config, dataset.size, dataset.mode)
    if config.class_name:
        with open_pictures(how, config.class_name) as reading:
            yield reading, how
    else:
        with open_source(how, home.cache, report) as reading:
            yield reading, how


def _store(
    config: ImportedPoolConfig, dataset: Dataset, home: Home, folder: Path, report: Report, should_stop: ShouldStop
) -> tuple[pd.DataFrame, list[str]]:
    """Write every image in its stored form below `folder`; rows of the manifest, and what is to be said of them."""
    unusable = Unusable(config.skip_unreadable)
    with _reading(config, dataset, home, report) as (reading, how):
        classes = classes_of(reading, config, dataset)
        items = [item for item in reading.items if item.label in classes]
        naming, facts, problems = look(Naming(items, classes, []), how, report, should_stop)
        unusable.add(problems, len(items))
        depth, notes = _depth(naming.items, facts, how, dataset, unusable, report, should_stop)
        numbers: Counter[str] = Counter()
        places = []
        for item in naming.items:
            name = classes[item.label]
            places.append((name, numbers[name]))
            numbers[name] += 1
        for name in numbers:
            disk.make_folder(folder / name)

        def store(place: int, item: Item) -> dict[str, Any]:
            decoded = item.picture.decode(how.max_pixels)
            levels = levels_of(decoded, how.window, depth)
            stored = to_stored(decoded.pixels, dataset.size, "auto", how.resize, levels, decoded.inverted)
            colour = colour_of(stored)
            stored = in_mode(stored, dataset.mode)
            name, number = places[place]
            with disk.passing("write", folder / name):
                Image.fromarray(stored).save(folder / name / f"{number:06d}.png")
            return {
                "path": f"images/{name}/{number:06d}.png",
                "class": name,
                "seed": number,
                "generator": MAKER,
                "generator_sha256": "",
                "sha256": sha256_pixels(stored),
                "excluded": "",
                "source": item.source,
                "colour": colour,
            }

        rows, problems = each(store, naming.items, "import", report, should_stop)
        unusable.add(problems, len(naming.items))
    if not rows:
        raise ErsatzError(
            f"{config.source} holds no image of {', '.join(dataset.classes)}; at least one is expected. Choose another "
            "folder, or correct classes."
        )
    dropped = sum(item.label not in classes for item in reading.items)
    notes += [f"{dropped} images of other labels were left out, as asked."] * bool(dropped)
    table = pd.DataFrame(rows)
    told = [*unusable.notes, *notes, *_on_form(table, facts, dataset), *reading.notes, *naming.notes]
    return table.drop(columns="colour"), told


def _depth(
    items: Sequence[Item],
    facts: Sequence[Facts],
    how: ImportConfig,
    dataset: Dataset,
    unusable: Unusable,
    report: Report,
    should_stop: ShouldStop,
) -> tuple[tuple[float, float] | None, list[str]]:
    """Values that become black and white in images of more than 8 bits: those of the real images, where they have some;
    else by the rule of imports, from these images alone. None without such images."""
    deep = deep_items(items, facts, how.window)
    if not deep:
        return None, []
    known = dataset.info.provenance.preprocessing.get("depth")
    if known:
        return (known["black"], known["white"]), []
    measured, problems = measured_values(deep, how, report, should_stop)
    unusable.add(problems, len(items))
    found = value_range(measured)
    note = (
        f"{len(deep)} images have more than 8 bits, and the real images of {dataset.name} had not: their range of "
        "values was taken from themselves, so that brightness and contrast may differ for that reason."
    )
    return (found.levels if found else None), [note]


def _on_form(table: pd.DataFrame, facts: Sequence[Facts], dataset: Dataset) -> list[str]:
    """What the change to the real images' form took from these, or could not give them."""
    notes = []
    small = sum(max(fact.width, fact.height) < dataset.size for fact in facts)
    if small:
        notes.append(f"{small} images are smaller than {dataset.size} pixels and were enlarged.")
    coloured = int(table["colour"].isin(["tint", "full"]).sum())
    if dataset.mode == "L" and coloured:
        notes.append(f"{coloured} images show colour and were stored in grey, as the real ones.")
    if dataset.mode == "RGB" and not coloured:
        notes.append("None of these images shows colour, and the real ones are stored in colour.")
    return notes


def _some_left(rows: pd.DataFrame, sentences: Sequence[str]) -> None:
    for name, of_class in rows.groupby("class"):
        if (of_class["excluded"] != "").all():
            raise ErsatzError(
                f"All {len(of_class)} images of the class {name} are copies of test or validation images; synthetic "
                f"images are expected. {sentences[0]} Import other images."
            )


def _known(config: ImportedPoolConfig, training: set[str], dataset: Dataset) -> Any:
    if config.trained_on in ("training", "unknown"):
        return config.trained_on
    return "hashes" if training & set(dataset.manifest["sha256"]) else "unknown"


def _on_hashes(config: ImportedPoolConfig, training: set[str], dataset: Dataset) -> list[str]:
    """What a list of hashes tells of this data set."""
    if config.trained_on in ("training", "unknown"):
        return []
    images = dataset.rows("train")
    shared = int(images["sha256"].isin(training).sum())
    if not training & set(dataset.manifest["sha256"]):
        return [
            f"None of the {len(training)} hashes is that of an image of {dataset.name} as it is stored here: they may "
            "be of other images, or of the same in another form, so that nothing is known about test images."
        ]
    return [f"Of {len(images)} training images of {dataset.name}, {shared} are among the {len(training)} hashes."]
