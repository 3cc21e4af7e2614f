"""Preview: what an import would read, from names and headers, with some images as they would be stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from engine.configs import ImportConfig
from engine.datasets.audit import on_tiny_classes
from engine.datasets.class_mapping import Naming, names_of_labels, safe_name
from engine.datasets.dataset import SPLITS
from engine.datasets.dataset_info import Mode
from engine.datasets.header_groups import groups_of
from engine.datasets.looking import deep_items, depth_notes, frequent, look, measured_values, named, notes_on
from engine.datasets.metadata import metadata_counts
from engine.datasets.parallel_map import each
from engine.datasets.positive_class import positive_at_import
from engine.datasets.preprocess import in_mode, to_stored
from engine.datasets.reading.items import Facts, Item
from engine.datasets.reading.questions import Option
from engine.datasets.reading.source import open_source
from engine.datasets.stored_mode import foretold
from engine.datasets.value_histogram import Histogram, histogram
from engine.datasets.value_range import ValueRange, levels_of, value_range
from engine.store.home import Home
from engine.store.progress import never, silent

LOOKED_AT = 200
"""Deep images whose values a preview decodes, at most."""


@dataclass(frozen=True)
class Preview:
    """Preview of an import, from names and headers alone; nothing is written."""

    layout: str
    counts: dict[str, dict[str, int]]
    """Images by class and split ('' where the source has no splits)."""
    labels: dict[str, str]
    """Label as found -> class."""
    sizes: dict[str, int]
    """Images by width x height, the most frequent first."""
    modes: dict[str, int]
    bits: dict[str, int]
    groups: int
    """Patients or other groups; 0 if unknown."""
    metadata: dict[str, dict[str, int]]
    """Images by value of each metadata column that is kept for subgroups."""
    notes: list[str]
    offers: tuple[Option, ...]
    """Other settings that the source suggests."""
    problems: dict[str, str]
    """Images that cannot be used: name -> reason. An import stops at them."""
    values: Histogram | None = None
    """Values of the images of more than 8 bits that have no window of their own; None if there are none."""
    examples: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """Some images of each class in their stored form, uint8 `[S, S]` or `[S, S, 3]`, as far as they were asked for."""
    positive: str = ""
    """The positive one of two classes, named or proposed by the names; empty with more classes."""
    every_class: tuple[str, ...] = ()
    """All classes of the source, those too that `only_classes` leaves out."""
    mode: Mode = "L"
    """Grey (L) or colour (RGB), in which all would be stored, as far as the images that were looked at tell."""

    def as_values(self) -> dict[str, Any]:
        """Everything but the pictures."""
        return asdict(replace(self, examples={})) | {"suggested_size": self.suggested_size}

    @property
    def suggested_size(self) -> int:
        """The stored size nearest to what the images have to show: the median of their shorter sides, 256 at most."""
        shorter = [min(map(int, size.split("x"))) for size, count in self.sizes.items() for _ in range(count)]
        return min((32, 64, 128, 256), key=lambda size: abs(np.log2(size / max(np.median(shorter or [64]), 1))))

    @property
    def tiny_classes(self) -> str:
        """A sentence on classes of few images; empty where there is none."""
        return on_tiny_classes({name: sum(splits.values()) for name, splits in self.counts.items()})

    def text(self) -> str:
        """A few lines for a terminal."""
        lines = [f"Layout: {self.layout}."]
        for name, splits in self.counts.items():
            lines.append(f"{name}: " + ", ".join(f"{count} {split}".rstrip() for split, count in splits.items()))
        for what, counts in (("Sizes", self.sizes), ("Modes", self.modes), ("Bits", self.bits)):
            told = ", ".join(f"{kind} ({count})" for kind, count in list(counts.items())[:5])
            lines.append(f"{what}: {told}{', ...' if len(counts) > 5 else ''}.")
        lines.append(f"Patients or groups: {self.groups or 'unknown'}.")
        if self.positive:
            lines.append(f"Positive class: {self.positive}.")
        for name, counts in self.metadata.items():
            told = ", ".join(f"{value or 'unknown'} ({count})" for value, count in list(counts.items())[:8])
            lines.append(f"{name}: {told}{', ...' if len(counts) > 8 else ''}.")
        if self.values:
            lines.append(self.values.text())
        lines += [*self.notes, *filter(None, [self.tiny_classes])]
        lines += [f"If that is meant, add {offer.flags}: {offer.text}." for offer in self.offers]
        lines += [f"Cannot be used: {name} {reason}." for name, reason in list(self.problems.items())[:10]]
        if len(self.problems) > 10:
            lines.append(f"... and {len(self.problems) - 10} more.")
        return "\n".join(lines)


def preview(config: ImportConfig, home: Home | None = None, examples: int = 0) -> Preview:
    """What would be imported, with so many `examples` of each class; an `ErsatzError` for an unknown layout."""
    with open_source(config, (home or Home.from_environment()).cache) as reading:
        matched = named(reading, config)
        naming, facts, problems = look(matched, config, silent, never)
        groups = groups_of(naming.items, facts, config)
        naming = replace(naming, notes=[*naming.notes, *groups.notes])
        found = list(zip(naming.items, facts, strict=True))
        classes = Counter(naming.classes[item.label] for item in matched.items)
        positive, on_positive = positive_at_import(classes, naming.classes, config)
        values, depth = _values(naming, facts, config)
        mode = foretold(naming.items, facts, config.mode, depth, config.max_pixels, config.size)
        pictures = _examples(naming, found, config, examples, depth, mode.mode)
    counts: dict[str, Counter[str]] = {name: Counter() for name in sorted(set(naming.classes.values()))}
    for item in [*naming.items, *(item for item in matched.items if item.source in problems)]:
        counts[naming.classes[item.label]][item.split] += 1
    return Preview(
        layout=reading.layout,
        counts={
            name: {split: count[split] for split in (*SPLITS, "") if count[split]} for name, count in counts.items()
        },
        labels=naming.classes,
        sizes=frequent(f"{fact.width}x{fact.height}" for fact in facts),
        modes=frequent(fact.mode for fact in facts),
        bits=frequent(str(fact.bits) for fact in facts),
        groups=groups.count,
        metadata=metadata_counts(naming.items, config.metadata_columns),
        notes=[
            *notes_on(reading, naming, facts),
            *on_positive,
            *depth_notes(facts, depth, config.window),
            *_on_sample(values),
            *mode.notes,
        ],
        offers=reading.offers,
        problems=problems,
        values=values,
        examples=pictures,
        positive=positive.name if positive else "",
        every_class=tuple(sorted({safe_name(name) for name in names_of_labels(reading, config).values()})),
        mode=mode.mode,
    )


def _values(naming: Naming, facts: Sequence[Facts], config: ImportConfig) -> tuple[Histogram | None, ValueRange | None]:
    """The values of the deep images and the range that an import would take, from `LOOKED_AT` of them at most."""
    deep = deep_items(naming.items, facts, None)
    if not deep:
        return None, None
    chosen = [deep[number * len(deep) // LOOKED_AT] for number in range(LOOKED_AT)] if len(deep) > LOOKED_AT else deep
    measured, _ = measured_values(chosen, config, silent, never)
    depth = value_range(measured)
    if depth is None:
        return None, None
    return histogram(measured, depth, config.window, len(deep)), depth


def _on_sample(values: Histogram | None) -> list[str]:
    """A sentence where the import may find another range than the preview."""
    if values is None or values.window or values.images >= values.of:
        return []
    return [
        f"That range is of {values.images} of {values.of} such images; an import looks at all of them, and takes a "
        "wider one if others have values beyond it."
    ]


def _examples(
    naming: Naming,
    found: Sequence[tuple[Item, Facts]],
    config: ImportConfig,
    each_class: int,
    depth: ValueRange | None,
    mode: Mode,
) -> dict[str, list[np.ndarray]]:
    """Images of each class in their stored form, evenly from all over it; what cannot be decoded is left out."""
    by_class: dict[str, list[tuple[Item, Facts]]] = {}
    for item, facts in found:
        by_class.setdefault(naming.classes[item.label], []).append((item, facts))
    chosen = [
        (name, *members[number * len(members) // count])
        for name, members in sorted(by_class.items())
        for count in [min(each_class, len(members))]
        for number in range(count)
    ]
    decoded, _ = each(
        lambda _, choice: (*choice, choice[1].picture.decode(config.max_pixels)), chosen, "examples", silent, never
    )
    pictures: dict[str, list[np.ndarray]] = {}
    for name, _, _, shown in decoded:
        levels = levels_of(shown, config.window, depth.levels if depth else None)
        stored = to_stored(shown.pixels, config.size, config.mode, config.resize, levels, shown.inverted)
        pictures.setdefault(name, []).append(in_mode(stored, mode))
    return pictures
