"""Import: read -> look at headers -> store in one form -> audit, split, freeze. All of it or nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.class_mapping import Naming, all_classes_left
from engine.datasets.copies import perceptual_hash
from engine.datasets.dataset import COLUMNS, Dataset
from engine.datasets.dataset_info import DatasetInfo, Mode, Provenance
from engine.datasets.finalize import settle, write_settled
from engine.datasets.header_groups import groups_of
from engine.datasets.looking import deep_items, depth_notes, frequent, look, measured_values, named, notes_on
from engine.datasets.making import making
from engine.datasets.parallel_map import each
from engine.datasets.positive_class import positive_at_import
from engine.datasets.preprocess import colour_of, in_mode, to_stored
from engine.datasets.reading.items import Decoded, Facts, Item, Reading
from engine.datasets.reading.source import open_source
from engine.datasets.stored_mode import mode_of
from engine.datasets.unusable import Unusable
from engine.datasets.value_range import (
    ValueRange,
    levels_of,
    value_range,
)
from engine.datasets.watched import Watched
from engine.store import disk
from engine.store.files import new_folder
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.progress import Progress, Report, ShouldStop, never, silent
from engine.store.salt import salt_of
from engine.version import __version__

PNG_LEVEL = 2
"""Compression of the stored images: measured on photographs and CT, a tenth more bytes than Pillow's default of 6 in a
fifth to a half of the time, which was most of an import's (`benchmarks/importing.py`)."""

PASSING = ("colour", "stored_mode", "grey_levels")
"""Columns that the manifest has on the way only."""
FEW_LEVELS = 16
"""A windowed image that keeps no more levels of grey than this is told."""
TELLING = 0.5
"""Difference between classes in the share of images that show colour, above which it is said."""


def import_dataset(
    home: Home, config: ImportConfig, report: Report = silent, should_stop: ShouldStop = never
) -> Dataset:
    """Make the data set `config.name`, frozen unless the config or a grave finding of the audit forbids it.

    Raises `ErsatzError` for any bad input, and `ImportStopped` when `should_stop` asked to stop; the home is then as
    it was before.
    """
    began, watched = time.time(), Watched(report, should_stop)
    with making(home, config.name), open_source(config, home.cache, report) as reading:
        unusable = Unusable(config.skip_unreadable)
        matched = named(reading, config)
        naming, facts, problems = look(matched, config, report, should_stop)
        unusable.add(problems, len(matched.items))
        all_classes_left(matched, naming.items)
        positive, _ = positive_at_import(Counter(naming.classes[i.label] for i in naming.items), naming.classes, config)
        groups = groups_of(naming.items, facts, config)
        names = groups.names(None if config.keep_ids or not groups.hashes else salt_of(home))
        naming = replace(naming, notes=[*naming.notes, *groups.notes])
        depth = _depth(naming.items, facts, config, unusable, report, should_stop)
        with new_folder(home.dataset(config.name)) as folder:
            manifest = _store(naming, facts, names, depth, config, folder, unusable, report, should_stop)
            window_notes = _on_levels(manifest)
            mode, colour_notes = _one_mode(manifest, config.mode, folder, report, should_stop)
            provenance = _provenance(reading, naming, facts, config, mode, depth)
            colour_images = int(manifest["colour"].isin(["tint", "full"]).sum())
            manifest, audit = settle(manifest.drop(columns=list(PASSING)), config, folder, watched)
            known = {"colour_images": colour_images, "left_out": unusable.found}
            notes = (
                *provenance.notes,
                *depth_notes(facts, depth, config.window),
                *window_notes,
                *colour_notes,
                *unusable.notes,
            )
            known |= {"notes": notes, "time": began, "seconds": time.time() - began}
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
                positive=positive,
                frozen=None,
            )
            write_settled(folder, manifest, info, config, freeze=config.freeze)
    report(Progress("audit and split", 1, 1, "steps"))
    return Dataset.open(home, config.name)


def _depth(
    items: Sequence[Item],
    facts: Sequence[Facts],
    config: ImportConfig,
    unusable: Unusable,
    report: Report,
    should_stop: ShouldStop,
) -> ValueRange | None:
    """Values that become black and white in all deep images without a window; None if there is no such image."""
    measured, problems = measured_values(deep_items(items, facts, config.window), config, report, should_stop)
    unusable.add(problems, len(items))
    return value_range(measured)


def _store(
    naming: Naming,
    facts: Sequence[Facts],
    groups: Sequence[str],
    depth: ValueRange | None,
    config: ImportConfig,
    folder: Path,
    unusable: Unusable,
    report: Report,
    should_stop: ShouldStop,
) -> pd.DataFrame:
    """Write every image in its stored form; the manifest, with `colour` and `stored_mode` besides its columns."""
    for name in set(naming.classes.values()):
        disk.make_folder(folder / "images" / name)

    def store(number: int, item: Item) -> dict[str, Any]:
        decoded = item.picture.decode(config.max_pixels)
        levels = levels_of(decoded, config.window, depth.levels if depth else None)
        stored = to_stored(decoded.pixels, config.size, config.mode, config.resize, levels, decoded.inverted)
        class_name, fact = naming.classes[item.label], facts[number]
        path = f"images/{class_name}/{number:05d}.png"
        with disk.passing("write", folder / path):
            Image.fromarray(stored).save(folder / path, compress_level=PNG_LEVEL)
        return {
            "path": path,
            "class": class_name,
            "split": item.split,
            "group": groups[number],
            "sha256": sha256_pixels(stored),
            "phash": perceptual_hash(stored),
            "width": fact.width,
            "height": fact.height,
            "mode": fact.mode,
            "bits": fact.bits,
            "source": item.source,
            "excluded": "",
            "colour": colour_of(stored),
            "stored_mode": "L" if stored.ndim == 2 else "RGB",
            "grey_levels": _windowed_levels(decoded, config, stored) if fact.bits > 8 else 0,
            **item.meta,
        }

    rows, problems = each(store, naming.items, "import", report, should_stop)
    unusable.add(problems, len(naming.items))
    all_classes_left(naming, [item for item in naming.items if item.source not in problems])
    manifest = pd.DataFrame(rows)
    meta = [name for name in manifest if name not in (*COLUMNS, *PASSING)]
    return manifest.fillna(dict.fromkeys(meta, ""))


def _windowed_levels(decoded: Decoded, config: ImportConfig, stored: np.ndarray) -> int:
    """Levels of grey that a window left of an image of more than 8 bits; 0 for all other images."""
    if decoded.pixels.dtype == np.uint8 or decoded.pixels.ndim == 3 or not (decoded.window or config.window):
        return 0
    return int(np.count_nonzero(np.bincount(stored.ravel(), minlength=256)))


def _on_levels(manifest: pd.DataFrame) -> list[str]:
    """A sentence on images of which their window leaves hardly anything; the audit finds those that are blank."""
    few = list(manifest.loc[manifest["grey_levels"].between(2, FEW_LEVELS), "source"])
    if not few:
        return []
    who = f"{len(few)} images (such as {few[0]})" if len(few) > 1 else few[0]
    return [
        f"The window leaves {FEW_LEVELS} levels of grey or fewer of {who}: is it in the unit of the values, and are "
        "these pictures and no masks?"
    ]


def _one_mode(
    manifest: pd.DataFrame, wanted: Mode | Literal["auto"], folder: Path, report: Report, should_stop: ShouldStop
) -> tuple[Mode, list[str]]:
    """Bring all stored images to one mode, and say why to that one. Updates `sha256` in place."""
    mode, notes = mode_of(list(manifest["colour"]), list(manifest["source"]), wanted)
    shares = manifest["colour"].isin(["tint", "full"]).groupby(manifest["class"]).mean()
    if mode == "RGB" and shares.max() - shares.min() > TELLING:
        notes.append(
            f"Colour goes with the classes: {100 * shares.max():.0f} % of the images of {shares.idxmax()} show some, "
            f"and {100 * shares.min():.0f} % of those of {shares.idxmin()}, so a classifier may learn it instead of "
            "the picture; mode L stores all in grey."
        )
    others = manifest.index[manifest["stored_mode"] != mode]

    def convert(_: int, path: str) -> str:
        with Image.open(folder / path) as image:
            stored = in_mode(np.asarray(image), mode)
        with disk.passing("write", folder / path):
            Image.fromarray(stored).save(folder / path, compress_level=PNG_LEVEL)
        return sha256_pixels(stored)

    hashes, _ = each(convert, list(manifest.loc[others, "path"]), f"convert to {mode}", report, should_stop)
    manifest.loc[others, "sha256"] = hashes
    return mode, notes


def _provenance(
    reading: Reading,
    naming: Naming,
    facts: Sequence[Facts],
    config: ImportConfig,
    mode: str,
    depth: ValueRange | None,
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
        offers=tuple(f"If that is meant, import again with {offer.flags}: {offer.text}." for offer in reading.offers),
        modes=frequent(fact.mode for fact in facts),
        bits=frequent(str(fact.bits) for fact in facts),
        preprocessing={
            "size": config.size,
            "mode": mode,
            "resize": config.resize,
            "filter": "lanczos, antialiased",
            "orientation": "EXIF applied",
            "alpha": "composited on black",
            "depth": None if depth is None else {"black": depth.black, "white": depth.white},
            "window": config.window,
        },
    )
