"""What an import would read: pictures behind a source's files, values of deep ones, and what must be said of them.

Import and preview share it, so that what is shown is what is done. Nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.configs import ImportConfig
from engine.datasets.class_mapping import Naming, name_classes
from engine.datasets.copies import GIVEN_GROUP
from engine.datasets.dataset import COLUMNS
from engine.datasets.finalize import MOVED, OUT_BY_HAND
from engine.datasets.frames import cut, expand
from engine.datasets.image_stats import MEASURED
from engine.datasets.metadata import keep_metadata
from engine.datasets.parallel_map import each
from engine.datasets.patients import PATIENT
from engine.datasets.preprocess import black_and_white
from engine.datasets.reading.dicom.frames import COLOUR
from engine.datasets.reading.items import Facts, Item, NotAnImage, Reading
from engine.datasets.value_range import ValueRange, Values, measure, number, sample_size
from engine.store.progress import Report, ShouldStop

OWN_COLUMNS = (
    *COLUMNS,
    "given",
    GIVEN_GROUP,
    MOVED,
    OUT_BY_HAND,
    *MEASURED,
    "colour",
    "stored_mode",
    "grey_levels",
    "fold",
    "synthetic",
    PATIENT,
)
"""Names that no column of metadata may have."""
COLOUR_MODES = ("RGB", "RGBA", "CMYK", *COLOUR)
"""Modes of deep images that no window applies to."""


def named(reading: Reading, config: ImportConfig) -> Naming:
    """The items with their classes, and with the metadata columns that are to be kept."""
    naming = name_classes(reading, config)
    return replace(naming, items=keep_metadata(naming.items, config.metadata_columns, OWN_COLUMNS))


def frequent(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(Counter(values).most_common())


def look(
    naming: Naming, config: ImportConfig, report: Report, should_stop: ShouldStop
) -> tuple[Naming, list[Facts], dict[str, str]]:
    """The pictures of usable files (one for each frame that is taken), the facts of each, and the reason by file for
    those that cannot be used.

    Files that hold no image are none of either; a note counts them. Raises `Question` where files hold several frames
    and the config leaves open which to take.
    """

    def facts_of(_: int, item: Item) -> tuple[Item, Facts | NotAnImage]:
        try:
            return item, item.picture.facts(config.max_pixels)
        except NotAnImage as error:
            return item, error

    images, notes = cut(naming.items, config)
    looked, problems = each(facts_of, images, "look at files", report, should_stop)
    others = [(item.source, str(found)) for item, found in looked if isinstance(found, NotAnImage)]
    found = [(item, facts) for item, facts in looked if isinstance(facts, Facts)]
    items, facts = [item for item, _ in found], [facts for _, facts in found]
    expanded = expand(items, facts, naming.classes, config, report, should_stop)
    notes = [*naming.notes, *notes, *_counted(others, "files", " and were left out"), *expanded.notes]
    return replace(naming, items=expanded.items, notes=notes), expanded.facts, problems | expanded.problems


def _counted(found: Iterable[tuple[str, str]], what: str, then: str = "") -> list[str]:
    """A sentence for each different remark on (file, remark), with the number of files and one of them."""
    by_remark: dict[str, list[str]] = {}
    for source, remark in found:
        by_remark.setdefault(remark, []).append(source)
    return [
        f"{len(files)} {what} {remark}{then} (such as {files[0]})."
        if len(files) > 1
        else f"{files[0]} {singular(remark)}{then.replace('were', 'was')}."
        for remark, files in by_remark.items()
    ]


def singular(remark: str) -> str:
    """A remark on many as one on a single file: `hold no image and are old` -> `holds no image and is old`."""
    irregular = {"are": "is", "have": "has", "were": "was"}
    verb, _, rest = remark.partition(" ")
    told = f"{irregular.get(verb, verb + 's')} {rest}"
    return told.replace(", and are ", ", and is ").replace(" and are ", " and is ")


def deep_items(items: Sequence[Item], facts: Sequence[Facts], window: tuple[float, float] | None) -> list[Item]:
    """Those whose values set the range: deep ones without a window; the config's is for grey."""
    return [
        item
        for item, fact in zip(items, facts, strict=True)
        if fact.deep and (window is None or fact.mode in COLOUR_MODES)
    ]


def depth_notes(facts: Sequence[Facts], depth: ValueRange | None, window: tuple[float, float] | None) -> list[str]:
    """Sentences on how images of more than 8 bits became such of 8."""
    by_window = sum(fact.deep and fact.mode not in COLOUR_MODES for fact in facts) if window else 0
    by_range = sum(fact.deep for fact in facts) - by_window
    notes = depth.notes(by_range, len(facts)) if depth and by_range else []
    if window and by_window:
        black, white = black_and_white(window)
        notes.append(
            f"{by_window} of {len(facts)} images have more than 8 bits of grey; by the window, {number(black)} becomes "
            f"black and {number(white)} white."
        )
    notes += _on_own_windows([fact.window for fact in facts if fact.window], by_range)
    if window and all(fact.bits <= 8 and not fact.mode.startswith("MONOCHROME") for fact in facts):
        notes.append("The window has no effect: no image has more than 8 bits.")
    return notes


def _on_own_windows(windows: Sequence[tuple[float, float]], others: int) -> list[str]:
    """A sentence where brightness cannot be compared, as files are shown by different windows or only some by one."""
    counts = Counter(windows)
    if not counts or (len(counts) == 1 and not others):
        return []
    ranges = [f"{number(low)} to {number(high)} in {many}" for (low, high), many in counts.most_common(3)]
    shown = f"{len(windows)} images are shown by the windows of their own files"
    if len(counts) > 1:
        shown += f", which differ ({', '.join(ranges)}{', ...' if len(counts) > 3 else ''})"
    rest = f", {others} by the range of all" if others else ""
    return [f"{shown}{rest}, so their brightness cannot be compared; --window centre,width sets one window for all."]


def measured_values(
    deep: Sequence[Item], config: ImportConfig, report: Report, should_stop: ShouldStop
) -> tuple[list[tuple[str, Values]], dict[str, str]]:
    """The name and values of each, and the reason by file for those that cannot be decoded."""
    if not deep:
        return [], {}
    size = sample_size(len(deep))

    def values_of(_: int, item: Item) -> tuple[str, Values]:
        return item.source, measure(item.picture.decode(config.max_pixels).pixels, size)

    return each(values_of, deep, "measure the depth", report, should_stop)


def notes_on(reading: Reading, naming: Naming, facts: Sequence[Facts]) -> list[str]:
    """Sentences on everything that was decided or left out on the way."""
    notes = [*reading.notes, *naming.notes]
    remarks = [(item.source, remark) for item, fact in zip(naming.items, facts, strict=True) for remark in fact.remarks]
    notes += _counted(remarks, "images")
    return notes
