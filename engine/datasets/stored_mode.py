"""Grey or colour: the one mode in which all images of a data set are stored, and what is said about it.

Left to the program (`auto`), the pixels decide and never the form of the files, which may hold grey in three equal
channels, with an opaque alpha, or in a palette (`preprocess.colour_of`):

* stored in colour, if any image is in full colour, or if at least half of them are tinted;
* else in grey: channels that are equal or differ by no more than the noise of JPEG compression, coloured marks on a
  grey image, and a tint that only a few images have, which would tell where they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.datasets.dataset_info import Mode
from engine.datasets.parallel_map import each
from engine.datasets.preprocess import Colour, colour_of, to_stored
from engine.datasets.reading.items import Facts, Item
from engine.datasets.value_range import ValueRange, levels_of
from engine.store.progress import never, silent

NAMED = 3
"""Images named in a sentence."""
LOOKED_AT = 64
"""Images whose colours a preview decodes, at most."""
GREY_MODES = frozenset({"1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N", "LA", "La"})
"""Pillow modes of files that cannot show colour; DICOM's are called MONOCHROME1 and MONOCHROME2."""


def mode_of(
    colours: Sequence[Colour], sources: Sequence[str], wanted: Mode | Literal["auto"]
) -> tuple[Mode, list[str]]:
    """The mode of all images, and a sentence on the colour that some of them show."""
    found = _by_colour(colours, sources)
    full, tint = found.get("full", []), found.get("tint", [])
    mode = _auto(found, len(colours)) if wanted == "auto" else wanted
    shown, total = [*full, *tint], len(colours)
    if mode == "RGB":
        if not shown:
            return mode, [
                f"None of {total} images shows colour, and all are stored in colour as asked: three channels for one, "
                "in which a generator can make coloured speckle. With mode auto or L they are stored in grey."
            ]
        if len(shown) == total:
            return mode, []
        first = ", ".join(shown[:NAMED])
        return mode, [
            f"{len(shown)} of {total} images show colour (such as {first}); all are stored in colour. With mode L, or "
            "without these images, all are stored in grey."
        ]
    told = _told(found)
    return mode, [f"Of {total} images, {told}; all are stored in grey."] if told else []


@dataclass(frozen=True)
class Foretold:
    """The mode that an import would choose, as far as a preview can tell."""

    mode: Mode
    notes: list[str]


def foretold(
    items: Sequence[Item],
    facts: Sequence[Facts],
    wanted: Mode | Literal["auto"],
    depth: ValueRange | None,
    max_pixels: int,
    size: int,
) -> Foretold:
    """The mode by `LOOKED_AT` of the files that could show colour, evenly from all over the source."""
    able = [item for item, fact in zip(items, facts, strict=True) if could_show_colour(fact)]
    few = [able[place * len(able) // LOOKED_AT] for place in range(LOOKED_AT)] if len(able) > LOOKED_AT else able

    def colour(_: int, item: Item) -> tuple[str, Colour]:
        decoded = item.picture.decode(max_pixels)
        if decoded.pixels.ndim == 2:
            return item.source, "none"
        levels = levels_of(decoded, None, depth.levels if depth else None)
        return item.source, colour_of(to_stored(decoded.pixels, size, "auto", "pad", levels, decoded.inverted))

    looked, _ = each(colour, few, "look at colours", silent, never)
    found = _by_colour([kind for _, kind in looked], [source for source, _ in looked])
    # what was looked at stands for all that could show colour; the others are grey without a look
    auto = _auto(found, round(len(items) * len(looked) / len(able)) if able else 0)
    mode = auto if wanted == "auto" else wanted
    form = "in a form that can hold colour"
    told = f"{len(able):,} of {len(items):,} images come {form}" if able else f"No image comes {form}"
    if able:
        some = f"of {len(looked):,} that were looked at" if len(few) < len(able) else "of these"
        told += f"; {some}, {_told(found) or 'none does: their channels are equal'}"
    how = "colour" if mode == "RGB" else "grey"
    chosen = "as asked" if wanted != "auto" else "unless you choose otherwise"
    end = f"; all are stored in {how} {chosen}."
    if wanted == "auto" and len(few) < len(able) and mode == "L":
        end += " An import looks at all of them, and one in full colour is enough to store all in colour."
    return Foretold(mode, [told + end] if able or wanted == "RGB" else [])


def could_show_colour(facts: Facts) -> bool:
    """Whether a file of this form may hold colour."""
    return facts.mode not in GREY_MODES and not facts.mode.startswith("MONOCHROME")


def _auto(found: dict[Colour, list[str]], total: int) -> Mode:
    tint = found.get("tint", [])
    return "RGB" if found.get("full") or (tint and 2 * len(tint) >= total) else "L"


def _by_colour(colours: Sequence[Colour], sources: Sequence[str]) -> dict[Colour, list[str]]:
    found: dict[Colour, list[str]] = {}
    for colour, source in zip(colours, sources, strict=True):
        found.setdefault(colour, []).append(source)
    return found


def _told(found: dict[Colour, list[str]]) -> str:
    """`2 in one tint (such as a.png, b.png), 1 in colour (such as c.png)`; '' where none shows colour."""
    kinds: tuple[tuple[Colour, str], ...] = (
        ("full", "in colour"),
        ("tint", "in one tint"),
        ("marks", "grey with coloured marks"),
    )
    return ", ".join(
        f"{len(names)} {what} (such as {', '.join(names[:NAMED])})"
        for kind, what in kinds
        if (names := found.get(kind, []))
    )
