"""From labels as found (folder names, CSV cells, numbers) to the names of the classes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.configs import ImportConfig
from engine.datasets.reading.items import Item, Reading
from engine.store.errors import ErsatzError

SIGNS = {"\u00b1": "plusminus", "+": "plus", "\u2264": "le", "\u2265": "ge", "<=": "le", ">=": "ge"}
SIGNS |= {"<": "lt", ">": "gt", "=": "eq", "%": "pct"}
"""Signs that tell one class from another; a minus is one only at the end of a word or before the first."""
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Naming:
    """The items that are imported with the class of each label, and how the names came about."""

    items: list[Item]
    classes: dict[str, str]
    """Label as found -> class."""
    notes: list[str]


def name_classes(reading: Reading, config: ImportConfig) -> Naming:
    """Rename by `config.class_names`, join names that differ between splits, make them safe, keep the chosen ones.

    Raises `ErsatzError` for unexpected labels, names that differ between splits in a way that is not plain, fewer
    than two classes, and classes with a single image.
    """
    renames = {label.strip(): name.strip() for label, name in config.class_names.items()}
    labels = list(dict.fromkeys(item.label for item in reading.items))
    known = {*renames, *renames.values()}
    unknown = [label for label in labels if label not in known]
    if renames and reading.closed_labels and unknown and not config.only_classes:
        raise ErsatzError(
            f"{config.source} has the label {unknown[0]!r}, which is not in class_names "
            f"({', '.join(map(repr, renames))}); a name for every label is expected. Add it, or name the classes to "
            "import in only_classes."
        )
    if unused := [label for label in renames if label not in labels]:
        raise ErsatzError(
            f"class_names renames {unused[0]!r}, but {config.source or 'the phantom'} has only "
            f"{_listed(labels)}. Correct the name."
        )
    names = names_of_labels(reading, config)
    safe = {label: safe_name(name) for label, name in names.items()}
    wanted = {safe_name(name) for name in config.only_classes}
    splits = _labels_by_split(reading.items) if config.split != "random" else {}
    aliases = _aliases({split: {safe[label] for label in found} for split, found in splits.items()})
    classes = {label: aliases.get(name, name) for label, name in safe.items()}
    _no_merging(names, classes, list(splits.values()) or [set(labels)])
    if missing := wanted - set(classes.values()):
        raise ErsatzError(
            f"only_classes names {sorted(missing)[0]!r}, but the classes are {_listed(sorted(set(classes.values())))}. "
            "Correct the name."
        )
    if wanted:
        classes = {label: name for label, name in classes.items() if name in wanted}
    items = [item for item in reading.items if item.label in classes]
    _same_in_all_splits(items, classes, bool(splits))
    _enough(items, classes, config)
    notes = [*_respelled(names, classes)]
    notes += [
        f"The class {long!r} of one split is taken for {short!r} of another." for long, short in sorted(aliases.items())
    ]
    if dropped := len(reading.items) - len(items):
        notes.append(f"{dropped} images of other classes were left out, as only_classes asks.")
    return Naming(items, classes, notes)


def names_of_labels(reading: Reading, config: ImportConfig) -> dict[str, str]:
    """The name that the config or the source gives to each label, else the label itself; of all labels there are."""
    renames = {label.strip(): name.strip() for label, name in config.class_names.items()}
    labels = dict.fromkeys(item.label for item in reading.items)
    return {label: renames.get(label) or reading.label_names.get(label, label) for label in labels}


def safe_name(name: str) -> str:
    """`name` as it can stand in file names and URLs of every system: letters, digits, '.', '_' and '-' only.

    Signs with a meaning become words, so that HER2+ and HER2- stay two names, and `con`, which Windows keeps for
    itself (Naming Files, Paths, and Namespaces), becomes `con_`.
    """
    safe = re.sub(r"[^\w.-]+", "-", _spelled(unicodedata.normalize("NFC", name))).strip("-.")[:80]
    if RESERVED.fullmatch(safe):
        stem, dot, rest = safe.partition(".")
        safe = f"{stem}_{dot}{rest}"
    if not safe:
        raise ErsatzError(f"{name!r} cannot be the name of a class; letters or digits are expected. Use class_names.")
    return safe


def _spelled(name: str) -> str:
    """`HER2+` -> `HER2plus`, `ER+/PR-` -> `ERplus/PRminus`, `a + b` -> `a plus b`; a hyphen between words stays."""
    name = re.sub(r"(?<=\w)[-\u2212](?=$|[\s/,;:)\]_+])|^[-\u2212](?=\w)", "minus", name.strip())
    for sign, word in SIGNS.items():
        name = re.sub(rf"(?<=\w){re.escape(sign)}(?=[^\W_])", f"-{word}-", name).replace(sign, word)
    return name


def _respelled(names: dict[str, str], classes: dict[str, str]) -> list[str]:
    """A note on the classes whose names had to become others than spaces and dots ask for."""
    changed = {}
    for label, name in names.items():
        plain = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", name)).strip("-.")
        if label in classes and safe_name(name) == classes[label] and plain[:80] != classes[label]:
            changed[name] = classes[label]
    forms = Counter(unicodedata.normalize("NFC", label) for label in classes)
    notes = [f"Labels are written {form!r} in two forms of Unicode and are one." for form, n in forms.items() if n > 1]
    if not changed:
        return notes
    told = ", ".join(f"{name!r} is {safe!r}" for name, safe in list(changed.items())[:6])
    return [*notes, f"Class names as files can have them: {told}{', ...' if len(changed) > 6 else ''}."]


def _labels_by_split(items: Sequence[Item]) -> dict[str, set[str]]:
    splits: dict[str, set[str]] = {}
    for item in items:
        if item.split:
            splits.setdefault(item.split, set()).add(item.label)
    return splits


def _aliases(splits: dict[str, set[str]]) -> dict[str, str]:
    """`{longer: shorter}` for names that some splits lack and that continue exactly one name that others lack.

    `squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa` (train) continues `squamous.cell.carcinoma` (test). Capitals and
    signs do not matter. A name that could continue two others, or be continued by two, is left as it is.
    """
    common = set.intersection(*splits.values()) if splits else set()
    odd = set().union(*splits.values()) - common
    pairs = [
        (long, short)
        for long in odd
        for short in odd
        if long != short
        and _continues(long, short)
        and not any({long, short} <= found for found in splits.values())  # two classes of one split are two classes
    ]
    return {
        long: short
        for long, short in pairs
        if sum(long in pair for pair in pairs) == 1 and sum(short in pair for pair in pairs) == 1
    }


def _continues(long: str, short: str) -> bool:
    words, beginning = (re.findall(r"[^\W_]+", name.casefold()) for name in (long, short))
    return words[: len(beginning)] == beginning and (len(words), long) > (len(beginning), short)


def _no_merging(names: dict[str, str], classes: dict[str, str], splits: list[set[str]]) -> None:
    """Two labels become one class only if the config says so, or if they never stand side by side in a split."""
    first: dict[str, str] = {}
    for label, name in names.items():
        key = classes[label].casefold()  # folders of the classes must differ on every file system
        other = first.setdefault(key, label)
        same = unicodedata.normalize("NFC", names[other]) == unicodedata.normalize("NFC", name)
        if not same and any({label, other} <= found for found in splits):
            raise ErsatzError(
                f"The labels {other!r} and {label!r} would get the same class name {classes[label]!r}; names that "
                "differ are expected. Rename one, or join both under one name, in class_names."
            )


def _same_in_all_splits(items: Sequence[Item], classes: dict[str, str], given: bool) -> None:
    if not given:
        return
    splits = {split: {classes[label] for label in found} for split, found in _labels_by_split(items).items()}
    every = set().union(*splits.values()) if splits else set()
    odd = [f"{', '.join(sorted(every - found))} (not in {split})" for split, found in splits.items() if every - found]
    if odd:
        raise ErsatzError(
            f"The class names differ between the splits: {'; '.join(odd)}; the same classes are expected in each. Say "
            "in class_names which names mean the same, choose classes with only_classes, or set the split to random."
        )


def _enough(items: Sequence[Item], classes: dict[str, str], config: ImportConfig) -> None:
    counts: dict[str, int] = {}
    for item in items:
        counts[classes[item.label]] = counts.get(classes[item.label], 0) + 1
    if len(counts) < 2:
        raise ErsatzError(
            f"{config.source} has images of {len(counts)} class ({_listed(list(counts)) or 'none'}); at least two are "
            "expected. Check the class folders or the label column, and the classes that were chosen."
        )
    small = [name for name, count in counts.items() if count < 2]
    if small:
        raise ErsatzError(
            f"{len(small)} of {len(counts)} classes have one image only (such as {small[0]}); several are expected, so "
            "that each split has some. Add images or leave these classes out."
        )


def all_classes_left(before: Naming, items: Sequence[Item]) -> None:
    """An `ErsatzError` if a class of `before` has none of the `items` that could be used."""
    left = {item.label for item in items}
    classes = {before.classes[label] for label in left}
    if lost := sorted(set(before.classes.values()) - classes):
        counts = [sum(before.classes[item.label] == name for item in before.items) for name in lost]
        told = ", ".join(f"{name!r} (none of its {count} files)" for name, count in zip(lost, counts, strict=True))
        kept = f"name the others ({_listed(sorted(classes))}) in only_classes" if len(classes) > 1 else "mend its files"
        raise ErsatzError(
            f"No file of the class {told} can be used; images of every class are expected. Convert the files to PNG, "
            f"or {kept}."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
