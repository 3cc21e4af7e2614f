"""Import: read -> look at headers -> store in one form -> audit, split, freeze. All of it or nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from engine import __version__
from engine.configs import ImportConfig
from engine.datasets.class_mapping import Naming, name_classes
from engine.datasets.copies import perceptual_hash
from engine.datasets.dataset import COLUMNS, Dataset
from engine.datasets.dataset_info import DatasetInfo, Mode, Provenance
from engine.datasets.finalize import MOVED, settle, write_settled
from engine.datasets.image_stats import MEASURED
from engine.datasets.metadata import keep_metadata
from engine.datasets.parallel_map import each
from engine.datasets.preprocess import depth_range, has_colour, in_mode, to_stored
from engine.datasets.reading.items import Facts, Item, NotAnImage, Reading, bad_pictures
from engine.datasets.reading.source import open_source
from engine.datasets.remedies import GIVEN_GROUP
from engine.store.errors import ErsatzError
from engine.store.files import new_folder
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.progress import Progress, Report, ShouldStop, never, silent

OWN_COLUMNS = (*COLUMNS, "given", GIVEN_GROUP, MOVED, *MEASURED, "colour", "stored_mode", "fold", "synthetic")
"""Names that no column of metadata may have."""
PNG_LEVEL = 2
"""Compression of the stored images: measured on photographs and CT, a tenth more bytes than Pillow's default of 6 in a
fifth to a half of the time, which was most of an import's (`benchmarks/importing.py`)."""


def import_dataset(
    home: Home, config: ImportConfig, report: Report = silent, should_stop: ShouldStop = never
) -> Dataset:
    """Make the data set `config.name`, frozen unless the config or a grave finding of the audit forbids it.

    Raises `ErsatzError` for any bad input, and `ImportStopped` when `should_stop` asked to stop; the home is then as
    it was before.
    """
    path = home.dataset(config.name)
    if path.exists():
        raise ErsatzError(
            f"There is a data set {config.name} already ({path}); a new name is expected. "
            "Choose another name, or delete that data set first."
        )
    began = time.time()
    with open_source(config, home.cache, report) as reading:
        unusable = Unusable(config.skip_unreadable)
        matched = named(reading, config)
        naming, facts, problems = look(matched, config, report, should_stop)
        unusable.add(problems, len(matched.items))
        depth = _depth(naming.items, facts, config, unusable, report, should_stop)
        with new_folder(path) as folder:
            manifest = _store(naming, facts, depth, config, folder, unusable, report, should_stop)
            mode = _one_mode(manifest, config.mode, folder, report, should_stop)
            report(Progress("audit and split", 0, 1, "steps"))
            provenance = _provenance(reading, naming, facts, config, mode, depth)
            colour_images = int(manifest["colour"].sum())
            manifest, audit = settle(manifest.drop(columns=["colour", "stored_mode"]), config, folder)
            known = {"colour_images": colour_images, "left_out": unusable.found}
            known |= {"notes": (*provenance.notes, *unusable.notes), "time": began, "seconds": time.time() - began}
            info = DatasetInfo(
                name=config.name,
                label=f"{config.name} (phantom, no real patients)" if reading.layout == "phantom" else config.name,
                phantom=reading.layout == "phantom",
                classes=sorted(manifest["class"].unique()),
                size=config.size,
                mode=mode,
                audit=audit,
                provenance=provenance.model_copy(update=known),
                config=config.plain(),
                frozen=None,
            )
            write_settled(folder, manifest, info, config, freeze=config.freeze)
    report(Progress("audit and split", 1, 1, "steps"))
    return Dataset.open(home, config.name)


def named(reading: Reading, config: ImportConfig) -> Naming:
    """The items with their classes, and with the metadata columns that are to be kept."""
    naming = name_classes(reading, config)
    return replace(naming, items=keep_metadata(naming.items, config.metadata_columns, OWN_COLUMNS))


def frequent(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(Counter(values).most_common())


@dataclass
class Unusable:
    """The files of an import that cannot be used: they stop it, or are left out where the config says so."""

    left_out: bool
    found: dict[str, str] = field(default_factory=dict)
    """File -> reason."""

    def add(self, problems: dict[str, str], total: int) -> None:
        """Record them; an `ErsatzError` unless they are to be left out and others remain."""
        if problems and (not self.left_out or len(problems) == total):
            raise bad_pictures(problems, total)
        self.found |= problems

    @property
    def notes(self) -> list[str]:
        """One sentence on what was left out."""
        if not self.found:
            return []
        first = "; ".join(f"{source} {reason}" for source, reason in list(self.found.items())[:3])
        more = f"; and {len(self.found) - 3} more" if len(self.found) > 3 else ""
        return [f"{len(self.found)} files cannot be used and were left out, as skip_unreadable asks: {first}{more}."]


def look(
    naming: Naming, config: ImportConfig, report: Report, should_stop: ShouldStop
) -> tuple[Naming, list[Facts], dict[str, str]]:
    """The items with a usable header, the facts in each, and the reason by file for those that cannot be used.

    Files that hold no image are none of either; a note counts them.
    """

    def facts_of(_: int, item: Item) -> tuple[Item, Facts | NotAnImage]:
        try:
            return item, item.picture.facts(config.max_pixels)
        except NotAnImage as error:
            return item, error

    looked, problems = each(facts_of, naming.items, "look at files", report, should_stop)
    others = [(item.source, str(found)) for item, found in looked if isinstance(found, NotAnImage)]
    found = [(item, facts) for item, facts in looked if isinstance(facts, Facts)]
    notes = [*naming.notes, *_counted(others, "files", " and were left out")]
    return replace(naming, items=[item for item, _ in found], notes=notes), [facts for _, facts in found], problems


def _counted(found: Iterable[tuple[str, str]], what: str, then: str = "") -> list[str]:
    """A sentence for each different remark on (file, remark), with the number of files and one of them."""
    by_remark: dict[str, list[str]] = {}
    for source, remark in found:
        by_remark.setdefault(remark, []).append(source)
    return [f"{len(files)} {what} {remark}{then} (such as {files[0]})." for remark, files in by_remark.items()]


def _depth(
    items: Sequence[Item],
    facts: Sequence[Facts],
    config: ImportConfig,
    unusable: Unusable,
    report: Report,
    should_stop: ShouldStop,
) -> tuple[float, float] | None:
    """Values that become black and white in all images of more than 8 bits; None if there is no such image."""
    deep = [item for item, fact in zip(items, facts, strict=True) if fact.deep]
    if not deep:
        return None

    def extremes(_: int, item: Item) -> tuple[float, float]:
        values = item.picture.decode(config.max_pixels).pixels
        values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)

    ranges, problems = each(extremes, deep, "measure the depth", report, should_stop)
    unusable.add(problems, len(items))
    return depth_range(min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


def _store(
    naming: Naming,
    facts: Sequence[Facts],
    depth: tuple[float, float] | None,
    config: ImportConfig,
    folder: Path,
    unusable: Unusable,
    report: Report,
    should_stop: ShouldStop,
) -> pd.DataFrame:
    """Write every image in its stored form; the manifest, with `colour` and `stored_mode` besides its columns."""
    for name in set(naming.classes.values()):
        (folder / "images" / name).mkdir(parents=True)

    def store(number: int, item: Item) -> dict[str, Any]:
        decoded = item.picture.decode(config.max_pixels)
        levels = decoded.window or depth or (0.0, 255.0)
        stored = to_stored(decoded.pixels, config.size, config.mode, config.resize, levels, decoded.inverted)
        class_name, fact = naming.classes[item.label], facts[number]
        path = f"images/{class_name}/{number:05d}.png"
        Image.fromarray(stored).save(folder / path, compress_level=PNG_LEVEL)
        return {
            "path": path,
            "class": class_name,
            "split": item.split,
            "group": item.group or fact.group,
            "sha256": sha256_pixels(stored),
            "phash": perceptual_hash(stored),
            "width": fact.width,
            "height": fact.height,
            "mode": fact.mode,
            "bits": fact.bits,
            "source": item.source,
            "excluded": "",
            "colour": has_colour(stored),
            "stored_mode": "L" if stored.ndim == 2 else "RGB",
            **item.meta,
        }

    rows, problems = each(store, naming.items, "import", report, should_stop)
    unusable.add(problems, len(naming.items))
    manifest = pd.DataFrame(rows)
    meta = [name for name in manifest if name not in (*COLUMNS, "colour", "stored_mode")]
    return manifest.fillna(dict.fromkeys(meta, ""))


def _one_mode(
    manifest: pd.DataFrame, wanted: Mode | Literal["auto"], folder: Path, report: Report, should_stop: ShouldStop
) -> Mode:
    """Bring all stored images to one mode: the wanted one, else RGB if any shows colour. Updates `sha256` in place."""
    mode = wanted if wanted != "auto" else "RGB" if manifest["colour"].any() else "L"
    others = manifest.index[manifest["stored_mode"] != mode]

    def convert(_: int, path: str) -> str:
        with Image.open(folder / path) as image:
            stored = in_mode(np.asarray(image), mode)
        Image.fromarray(stored).save(folder / path, compress_level=PNG_LEVEL)
        return sha256_pixels(stored)

    hashes, _ = each(convert, list(manifest.loc[others, "path"]), f"convert to {mode}", report, should_stop)
    manifest.loc[others, "sha256"] = hashes
    return mode


def _provenance(
    reading: Reading,
    naming: Naming,
    facts: Sequence[Facts],
    config: ImportConfig,
    mode: str,
    depth: tuple[float, float] | None,
) -> Provenance:
    """Where the images came from and what was done to all of them alike."""
    labels: dict[str, list[str]] = {}
    for label, name in naming.classes.items():
        labels.setdefault(name, []).append(label)
    return Provenance(
        source=config.source,
        layout=reading.layout,
        ersatz=__version__,
        images=len(naming.items),
        labels=labels,
        notes=tuple(notes_on(reading, naming, facts)),
        modes=frequent(fact.mode for fact in facts),
        bits=frequent(str(fact.bits) for fact in facts),
        preprocessing={
            "size": config.size,
            "mode": mode,
            "resize": config.resize,
            "filter": "lanczos, antialiased",
            "orientation": "EXIF applied",
            "alpha": "composited on black",
            "depth": None if depth is None else {"black": depth[0], "white": depth[1]},
            "window": config.window,
        },
    )


def notes_on(reading: Reading, naming: Naming, facts: Sequence[Facts]) -> list[str]:
    """Sentences on everything that was decided or left out on the way."""
    notes = [*reading.notes, *naming.notes]
    several = [item.source for item, fact in zip(naming.items, facts, strict=True) if fact.frames > 1]
    if several:
        notes.append(f"{len(several)} files hold several frames (such as {several[0]}); the first of each is used.")
    remarks = [(item.source, remark) for item, fact in zip(naming.items, facts, strict=True) for remark in fact.remarks]
    notes += _counted(remarks, "images")
    deep = sum(fact.deep for fact in facts)
    if deep:
        notes.append(
            f"{deep} of {len(facts)} images have more than 8 bits of grey; one range for all of them goes to 8 bits."
        )
    return notes
