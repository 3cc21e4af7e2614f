"""From the cells of a label column, or the values of an array, to one label for each image."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from engine.configs import ImportConfig
from engine.datasets.reading.questions import Option, Question
from engine.datasets.reading.whole_numbers import without_zeros
from engine.store.errors import ErsatzError

_MISSING = (
    "nan na n/a n.a. #n/a #na #n/a! #null! #value! #div/0! #ref! <na> nat nil null none (null) (none) missing "
    "? ?? - -- --- . .. \u2013 \u2014 \u2026"
)
MISSING = frozenset(_MISSING.split()) | {"", "-nan", "not available", "keine angabe", "k.a."}
"""What programs and people write where there is no value, in small letters."""

_DOUBTFUL = (
    "unknown unk unbekannt uncertain unclear undefined undetermined indeterminate inconclusive unsure unlabeled "
    "unlabelled ungradable tbd todo -1 99 999 -9 -99 -999 9999"
)
DOUBTFUL = frozenset(_DOUBTFUL.split()) | {"not known", "not sure", "not specified", "not applicable", "no label"}
"""Labels that may mean that nothing is known: kept, and mentioned."""

_LIST = " []{}()'\""
"""Signs around labels that a program wrote as a list: `['mass', 'nodule']`."""

_TRUTH = {"false": "0", "true": "1"}


def is_missing(cell: str) -> bool:
    return cell.casefold().strip() in MISSING


def read_labels(
    cells: Sequence[str], places: Sequence[str], what: str, column: str, config: ImportConfig
) -> tuple[list[str], list[str]]:
    """The label of each row, '' for those that are left out, and notes.

    `column` is where the cells stand, for messages, such as `column 'dx'`; `places` are the rows, such as `line 5`.
    Spellings of one number (1, 1.0, 01) or one word (Benign, benign) are one label. Labels named in `class_names` or
    `only_classes` are taken as they are. Rows without a label are an `ErsatzError`, unless the config leaves them out;
    so are values that are no classes.
    """
    named = {label.strip() for label in (*config.class_names, *config.only_classes)}
    signs = {"+", "-"} <= set(cells)  # of a receptor, such as HER2
    known = [cell in named or not is_missing(cell) or (cell == "-" and signs) for cell in cells]
    notes = _without_missing(cells, known, places, what, column, config)
    names, joined = one_spelling([cell for cell, is_known in zip(cells, known, strict=True) if is_known], named)
    labels = [names[cell] if is_known else "" for cell, is_known in zip(cells, known, strict=True)]
    counts = Counter(label for label in labels if label)
    labels, dropped = _one_each(labels, counts, what, column, config)
    if not named:
        _no_measurement(counts, what, column)
    return labels, [*notes, *joined, *dropped, *doubtful_labels(counts, named)]


def doubtful_labels(counts: Counter[str], named: Collection[str] = ()) -> list[str]:
    """Notes on labels that may mean that nothing is known, unless all do or the config names them."""
    doubtful = [label for label in counts if label.casefold() in DOUBTFUL and label not in named]
    if len(doubtful) == len(counts):
        return []
    return [
        f"The label {label!r} may mean that nothing is known; its {counts[label]} images are a class of their own "
        "unless only_classes leaves it out."
        for label in doubtful
    ]


def one_spelling(
    cells: Sequence[str], named: set[str] | frozenset[str] = frozenset()
) -> tuple[dict[str, str], list[str]]:
    """`{cell: label}` with one label for all spellings of a number or of a word, and a note on words joined.

    Leading zeros are part of a code when all whole numbers are of one width. A spelling in `named` stays as it is, and
    the others of its kind follow it.
    """
    counts = Counter(cells)
    digits = {cell for cell in counts if re.fullmatch(r"[0-9]+", cell)}
    codes = any(cell.startswith("0") and len(cell) > 1 for cell in digits) and len({len(cell) for cell in digits}) == 1
    codes = codes and all(cell in digits or _number(cell) is None for cell in counts)
    numbers = {cell: number for cell in counts if not codes and (number := _number(cell)) is not None}
    if set(numbers.values()) <= {"0", "1"}:
        numbers |= {cell: _TRUTH[cell.casefold()] for cell in counts if numbers and cell.casefold() in _TRUTH}
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for cell in counts:
        kinds[numbers.get(cell) or " ".join(unicodedata.normalize("NFC", cell).casefold().split())].append(cell)
    names: dict[str, str] = {}
    notes = []
    for kind, spellings in kinds.items():
        own = [cell for cell in spellings if cell in named]
        others = [cell for cell in spellings if cell not in own]
        if len(own) == 1:
            chosen = own[0]
        elif all(cell in numbers for cell in others):
            chosen = kind
        else:
            chosen = " ".join(max(others, key=lambda cell: counts[cell]).split())
        names |= dict.fromkeys(others, chosen) | {cell: cell for cell in own}
        if len(others) + bool(own) > 1 and len({" ".join(cell.split()) for cell in spellings}) > 1:
            told = ", ".join(f"{cell!r} ({counts[cell]})" for cell in spellings[:5])
            notes.append(f"The labels {told} are taken for one class, {chosen!r}.")
    return names, notes


def _number(cell: str) -> str | None:
    """`1.0`, `1.`, `1,0`, `01` and `+1` -> `1`; `0,50` -> `0.5`; None if it is no number."""
    if not re.fullmatch(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,2})?", cell):
        return None
    if re.fullmatch(r"[+-]?[0-9]+", cell):  # keeps all its digits, which a float has not
        digits = without_zeros(cell.lstrip("+-"))
        return f"-{digits}" if cell.startswith("-") and digits != "0" else digits
    value = float(cell.replace(",", "."))
    if not math.isfinite(value):  # more than a float can hold
        return None
    return str(int(value)) if value == int(value) else repr(value)


def _without_missing(
    cells: Sequence[str], known: Sequence[bool], places: Sequence[str], what: str, column: str, config: ImportConfig
) -> list[str]:
    """A note on rows without a label; an `ErsatzError` unless they are to be left out and others remain."""
    if all(known):
        return []
    first = known.index(False)
    count = len(known) - sum(known)
    written = "; written " if any(cell for cell, is_known in zip(cells, known, strict=True) if not is_known) else ""
    written += ", ".join(
        repr(cell) for cell in dict.fromkeys(c for c, k in zip(cells, known, strict=True) if not k) if cell
    )
    told = f"{count} rows without a value in {column} (first: {places[first]}{written})"
    asked = "as skip_unreadable asks" if config.skip_unreadable else "as only_classes names others"
    if any(known) and (config.skip_unreadable or config.only_classes):
        return [f"{told} were left out, {asked}."]
    named = f", or, if {cells[first]!r} is a class here, give it a name in class_names" if cells[first] else ""
    raise ErsatzError(
        f"{what} has {told}; a label is expected in each. Fill or remove these rows, or leave them out with "
        f"skip_unreadable{named}."
    )


def _one_each(
    labels: list[str], counts: Counter[str], what: str, column: str, config: ImportConfig
) -> tuple[list[str], list[str]]:
    """The labels, where several may stand in one cell (`Effusion|Mass`) those alone that were chosen, and a note.

    The labels of such a cell are never classes of their own unless the config names them.
    """
    unnamed = Counter({label: count for label, count in counts.items() if label not in config.class_names})
    separator = next((sign for sign in "|;," if _joins_labels(sign, unnamed)), "")
    if not separator:
        return labels, []
    several = sum(count for label, count in counts.items() if separator in label)
    if config.only_classes:
        wanted = {_signless(name) for name in config.only_classes}
        kept = [label if _signless(config.class_names.get(label, label)) in wanted else "" for label in labels]
        left_out = sum(map(bool, labels)) - sum(map(bool, kept))
        note = f"{several} images have several labels in {column}; {left_out} images whose labels are not among "
        return kept, [note + "only_classes were left out."] if left_out else []
    single = [(label, count) for label, count in counts.most_common() if separator not in label and count > 1]
    told = ", ".join(f"{label!r} ({count})" for label, count in counts.most_common(5))
    options = [
        Option(
            {"only_classes": [label for label, _ in some]},
            f"the images with one label alone of {', '.join(f'{label} {count}' for label, count in some[:4])}"
            f"{', ...' if len(some) > 4 else ''}",
        )
        for some in ([single, single[:2]] if len(single) > 2 else [single])
        if len(some) > 1
    ]
    found = (
        f"{what} has several labels in one cell of {column} in {several} of {sum(counts.values())} rows "
        f"(the most frequent are {told}), where a class is one label."
    )
    if options:
        raise Question(found, options)
    raise ErsatzError(f"{found} Name the classes to import in only_classes, or write one label per image.")


def _signless(name: str) -> str:
    """What is the same in a name and in its form for file names."""
    return re.sub(r"[\W_]+", "", name)


def _joins_labels(separator: str, counts: Counter[str]) -> bool:
    """Whether cells hold several labels: parts that also stand alone, or that come together in several ways."""
    parts = {label: [part.strip(_LIST) for part in label.split(separator)] for label in counts if separator in label}
    if not parts:
        return False
    single = {label.strip(_LIST) for label in counts}
    alone = {part for found in parts.values() for part in found if part in single}
    if separator == ",":  # a comma is also part of plain names, such as `adenocarcinoma, left hilum`
        return all(part in alone for found in parts.values() for part in found)
    often = Counter(part for found in parts.values() for part in found)
    return bool(alone) or any(count > 1 for count in often.values())


def _no_measurement(counts: Counter[str], what: str, column: str) -> None:
    """Refuse a column of measurements or names, which would make a class of nearly every image."""
    rows, kinds = sum(counts.values()), len(counts)
    numbers = [number for label in counts if (number := _number(label)) is not None]
    whole = all("." not in number for number in numbers)
    measured = len(numbers) == kinds and (
        (kinds > 10 and not whole) or (kinds > 20 and rows < 20 * kinds) or kinds > 200
    )
    if measured or (kinds > 10 and kinds > rows / 2):
        kind = "numbers, as a measurement has" if measured else "values for hardly more rows, as names have"
        raise ErsatzError(
            f"{what} has {kinds} different {kind}, in {column} ({rows} rows; such as "
            f"{', '.join(map(repr, list(counts)[:4]))}); a class for many images each is expected. Choose another "
            "label_column, or name the classes in class_names or only_classes."
        )
