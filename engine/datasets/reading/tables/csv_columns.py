"""What the columns of a table stand for: images, classes, patients and splits, as named, else as their cells say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folders.level_names import split_of
from engine.datasets.reading.labels import is_missing, one_spelling
from engine.datasets.reading.questions import Option, Question
from engine.datasets.reading.tables.csv_header import IMAGE_COLUMNS, key
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.store.errors import ErsatzError

_LABELS = (
    "label class target diagnosis dx category labels classname finding y classes classlabel labelname imagelabel "
    "findinglabels findings benignmalignant pathology groundtruth gt disease tumortype tumourtype "
    "classid labelid categoryid targetid klasse kategorie befund diagnose classe clase diagnostico"
)
LABEL_COLUMNS = tuple(_LABELS.split())
"""Names of columns that hold the class, without signs; the first wins among those that say the same."""

_LESSER_LABELS = "level grade severity stage subtype type condition status outcome result annotation"
LESSER_LABEL_COLUMNS = tuple(_LESSER_LABELS.split())
"""Names that hold the class where none of the others is there."""

_GROUPS = {
    "patient": (
        "patientid patient patientname patientnumber patientno pid ptid subjectid subject subjectno participantid "
        "participant personid person donorid donor mrn animalid animal mouseid mouse patientenid patientennummer "
        "patientin patiente idpatient paciente"
    ),
    "case": "caseid case casenumber fall fallnummer cas caso",
    "lesion": "lesionid lesion",
    "study": "studyid study studyinstanceuid examid exam accession accessionnumber",
    "series": "seriesid seriesinstanceuid series volumeid volume scanid slideid slide wsi",
}
GROUP_COLUMNS = {name: kind for kind, names in _GROUPS.items() for name in names.split()}
"""Names of columns, without signs, whose equal values belong to one split, and what they stand for."""

_SPLITS = (
    "split splits set subset partition dataset datasetsplit datasplit splitname splittype phase usage fold traintest "
    "trainvaltest trainvalidtest mode part aufteilung"
)
SPLIT_COLUMNS = frozenset(_SPLITS.split())
"""Names of columns that hold the split, without signs."""

_NO_CLASSES = (
    "sex gender male female men women smoker smoking age race ethnicity side laterality left right localization "
    "location site scanner manufacturer vendor width height view viewposition"
)
FEW_WITHOUT = 0.2
"""Rows without a 1 that columns of one class each may have, which are then rows without a label."""

NO_CLASSES = frozenset(_NO_CLASSES.split())
"""Columns that describe a person or a picture; they are no class unless they are named."""


class NoClassColumn(Question):
    """No column says by its name that it holds the class, though some might."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns; '' where there is none."""

    image: str
    label: str
    """'' when `one_hot` is given."""
    group: str
    split: str
    one_hot: list[str] = field(default_factory=list)
    """One column of 0 and 1 for each class, of which each row has one 1."""
    group_named: bool = False
    """The group column was named in the config, so that each row must have a value."""
    notes: list[str] = field(default_factory=list)
    offers: tuple[Option, ...] = ()


def columns_of(
    table: pd.DataFrame, config: ImportConfig, index: PictureNames, what: str, own: Collection[str] | None = None
) -> Columns:
    """Choose the columns, that of the classes among those in `own` unless it is named.

    Raises `Question` where several fit, `ErsatzError` where none does.
    """
    image = image_column(table if own is None else table[list(own)], config, index, what)
    label = named_column(table, config.label_column, "label_column", what)
    group = named_column(table, config.group_column, "group_column", what)
    split = named_column(table, config.split_column, "split_column", what)
    notes: list[str] = []
    offers: list[Option] = []
    free = [name for name in table.columns if name not in (image, label, group, split)]
    if not config.split_column:
        split, told, offered = guess_split(table, free, bool(label))
        notes, offers = notes + told, offers + offered
        free = [name for name in free if name != split]
    named = bool(group)
    if not config.group_column:
        group, told, offered = guess_group(table, free, bool(label))
        notes, offers = notes + told, offers + offered
        free = [name for name in free if name != group]
    one_hot: list[str] = []
    if not label:
        free = [name for name in free if own is None or name in own]
        label, one_hot, told = _guess_labels(table, free, config, what)
        notes += told
        offers = [offer for offer in offers if label not in offer.settings.values()]
    return Columns(image, label, group, split, one_hot, named, notes, tuple(offers))


def image_column(table: pd.DataFrame, config: ImportConfig, index: PictureNames, what: str) -> str:
    """The column that names the images."""
    return named_column(table, config.image_column, "image_column", what) or _guess_images(table, index, what)


def named_column(table: pd.DataFrame, wanted: str, setting: str, what: str, must: bool = True) -> str:
    """The column named in a setting, capitals and signs forgiven; '' if the setting is empty or `-`.

    One that is not there is an `ErsatzError`, or '' without `must`.
    """
    if not wanted or (wanted == "-" and "-" not in table.columns):
        return ""
    for same in (str, str.strip, lambda name: name.strip().lower(), key):
        matches = [name for name in table.columns if same(name) == same(wanted)]
        if len(matches) == 1:
            return matches[0]
    if not must:
        return ""
    raise ErsatzError(
        f"{what} has no column {wanted!r} ({setting}); it has {_listed(table.columns)}. Choose one of these."
    )


def _guess_images(table: pd.DataFrame, index: PictureNames, what: str) -> str:
    """The column that names the most different files, by their names rather than by numbers."""
    fits = {name: index.fit(list(table[name])) for name in table.columns}
    best = max(fits.values())
    if not best:
        raise ErsatzError(
            f"{what}: no column names the images beside it (columns {_listed(table.columns)}); file names or ids are "
            "expected in one of them. Choose the folder that holds the images, or correct the CSV."
        )
    near = [name for name, fit in fits.items() if fit > 0.8 * best]
    if len(near) > 1:
        near = [name for name in near if not re.search(r"mask|segment|contour|annot", name, re.IGNORECASE)] or near
        near = [name for name in near if key(name) in IMAGE_COLUMNS] or near
        near = [name for name in near if key(name) not in GROUP_COLUMNS] or near
    files = {name: [tuple(index.find(value)) for value in table[name][:200]] for name in near}
    if all(found == files[near[0]] for found in files.values()):
        return max(near, key=lambda name: fits[name])
    raise Question(
        f"{what}: several columns name images ({_listed(near)}), and not the same ones.",
        [Option({"image_column": name}, f"such as {', '.join(table[name].head(2))}") for name in near[:6]],
    )


def _guess_labels(
    table: pd.DataFrame, free: Sequence[str], config: ImportConfig, what: str
) -> tuple[str, list[str], list[str]]:
    """The label column, or one column for each class, and notes."""
    wanted = {label.strip() for label in (*config.class_names, *config.only_classes)}
    for names in (LABEL_COLUMNS, LESSER_LABEL_COLUMNS):
        known = [name for wish in names for name in free if key(name) == wish and _varies(table[name])]
        if "x" in map(key, free):  # x and y are then corners of a box
            known = [name for name in known if key(name) != "y"]
        known = [name for name in known if wanted and wanted <= set(table[name])] or known
        if len(known) > 1 and not all(_same_classes(table[known[0]], table[name]) for name in known[1:]):
            raise Question(
                f"{what}: it is not clear which column holds the class (found {_listed(known)}; setting label_column).",
                [_as_label(table, name) for name in known],
            )
        if known:
            chosen = next((name for name in known if not table[name].str.fullmatch(r"[\d.+-]*").all()), known[0])
            others = _listed([name for name in known if name != chosen])
            return chosen, [], [f"{chosen!r} names the classes; {others} says the same."] if len(known) > 1 else []
    binary = [name for name in free if _is_binary(table[name]) and key(name) not in NO_CLASSES]
    ones = sum((table[name].map(is_one).astype(int) for name in binary), pd.Series(0, table.index))
    none, rest = int((ones == 0).sum()), ", which are taken for the classes."
    if len(binary) > 1 and (ones == 1).all():
        return "", binary, [f"Each row has one 1 among the columns {', '.join(binary)}{rest}"]
    if len(binary) > 2 and (ones <= 1).all() and none <= FEW_WITHOUT * len(table) and config.skip_unreadable:
        told = f"{none} of {len(table)} rows have no 1 among the columns {', '.join(binary)}{rest[:-1]}; they were"
        return "", binary, [f"{told} left out, as skip_unreadable asks."]
    binary = [name for name in binary if table[name].str.contains(r"\d").all()]  # False and True also describe
    if len(binary) > 1:
        options = [_as_label(table, name) for name in binary if table[name].map(is_one).any()]
        several = int((ones > 1).sum())
        if not several and len(binary) > 2 and none <= FEW_WITHOUT * len(table):
            told = f"{len(binary)} classes, without the {none} rows that have no 1"
            options.insert(0, Option({"skip_unreadable": True}, told))
        odd = " and ".join(f"{count} have {what}" for count, what in ((several, "several 1s"), (none, "none")) if count)
        raise Question(
            f"{what} has columns of 0 and 1 ({_listed(binary)}), but of its {len(table)} rows {odd}, where a class is "
            "one label for each image; it is not clear which column holds the class (setting label_column).",
            options[:8],
        )
    if len(free) == 1:
        return free[0], [], []
    options = [_as_label(table, name) for name in free if _could_be_classes(table[name])]
    found = f"{what}: it is not clear which column holds the class (found {_listed(free) or 'no other'})"
    if options:
        raise NoClassColumn(f"{found}; its name goes into the setting label_column.", options[:8])
    raise ErsatzError(f"{found}; one is expected. Name it in the setting label_column.")


def guess_split(table: pd.DataFrame, free: Sequence[str], labelled: bool) -> tuple[str, list[str], list[Option]]:
    """The column whose name and values say that it holds the split; notes; columns that might."""
    notes, offers = [], []
    for name in free:
        if len(free) == 1 and not labelled:  # the one column left is the class
            continue
        counts = Counter(map(split_of, table[name]))
        if not {"train"} < set(counts) - {""} or counts[""] > sum(counts.values()) / 2:
            if _may_be_split(table[name], counts):
                values = ", ".join(repr(value) for value in sorted(set(table[name]))[:5])
                notes.append(
                    f"The column {name!r} may hold the split but is not taken for it, as its values ({values}) are not "
                    "train, valid and test; write them so to keep that split."
                )
            continue
        told = ", ".join(f"{split} {counts[split]}" for split in ("train", "valid", "test") if counts[split])
        if key(name) in SPLIT_COLUMNS and not counts[""]:
            return name, [f"The column {name!r} is taken for the split: {told} (split_column - ignores it)."], []
        if not counts[""]:
            offers.append(Option({"split_column": name}, f"the column {name!r} seems to hold the split: {told}"))
        elif key(name) in SPLIT_COLUMNS:
            odd = next(value for value in table[name] if not split_of(value))
            notes.append(f"The column {name!r} is not taken for the split, as {counts['']} rows have {odd!r} there.")
    return "", notes, offers


def _may_be_split(values: pd.Series, counts: Counter[str]) -> bool:
    """Whether a column is named as one of splits, or some of its few values are, though they do not tell them all."""
    name = key(str(values.name))
    named = re.search(r"split|fold|usage|^is(test|train|valid|val)$|^(test|train)set$", name) is not None
    numbers = name in SPLIT_COLUMNS and bool(values.str.fullmatch(r"\d+(\.0)?").all())
    return 1 < values.nunique() <= 10 and (named or numbers or bool(set(counts) - {""}))


def guess_group(table: pd.DataFrame, free: Sequence[str], labelled: bool) -> tuple[str, list[str], list[Option]]:
    """The column named as one of patients (else cases, lesions, studies) is; notes; further columns that might be."""
    if len(free) == 1 and not labelled:
        return "", [], []
    order = list(GROUP_COLUMNS)
    found = sorted((name for name in free if key(name) in GROUP_COLUMNS), key=lambda name: order.index(key(name)))
    counts = {
        name: len(set(one_spelling([value for value in table[name] if not is_unknown(value)])[0].values()))
        for name in found
    }
    enough = [name for name in found if counts[name] >= 3]
    chosen = enough[0] if enough else ""
    notes = [
        f"The column {name!r} says the same of all rows ({table[name].iloc[0]!r}) and is not taken for the "
        f"{GROUP_COLUMNS[key(name)]}."
        for name in found
        if counts[name] == 1 and len(table) > 1 and not chosen and table[name].nunique() == 1
    ]
    if chosen:
        kind = GROUP_COLUMNS[key(chosen)]
        blank = sum(map(is_unknown, table[chosen]))
        rest = f"; {blank} rows without one count each on their own" if blank else ""
        plural = kind if kind == "series" else f"{kind}s".replace("ys", "ies")
        notes.append(
            f"The column {chosen!r} is taken for the {kind}: {counts[chosen]} {plural}{rest} "
            "(group_column - ignores it)."
        )
    return (
        chosen,
        notes,
        [
            Option({"group_column": name}, f"the column {name!r} holds {counts[name]} different values")
            for name in found
            if name != chosen and counts[name] > 1
        ],
    )


def is_unknown(value: str) -> bool:
    """No patient: blank, or a word that says so."""
    return is_missing(value) or value.casefold() in ("unknown", "unk", "unbekannt", "anonymous", "anonymized")


def _as_label(table: pd.DataFrame, name: str) -> Option:
    counts = _classes(table[name])
    told = ", ".join(f"{label} {count}" for label, count in counts.most_common(4))
    return Option({"label_column": name}, f"{len(counts)} classes: {told}{', ...' if len(counts) > 4 else ''}")


def _classes(values: pd.Series) -> Counter[str]:
    cells = [cell for cell in values if not is_missing(cell)]
    names, _ = one_spelling(cells)
    return Counter(names[cell] for cell in cells)


def _varies(values: pd.Series) -> bool:
    return bool((values != values.iloc[0]).any()) or len(values) == 1


def _could_be_classes(values: pd.Series) -> bool:
    counts = _classes(values)
    return 2 <= len(counts) <= 50 and sum(counts.values()) >= 2 * len(counts)


def _same_classes(first: pd.Series, second: pd.Series) -> bool:
    """Whether two columns part the rows alike, such as 0 and 1 beside benign and malignant."""
    pairs = len(set(zip(first, second, strict=True)))
    return pairs == first.nunique() == second.nunique()


def _is_binary(values: pd.Series) -> bool:
    return {value.casefold() for value in values.unique()} <= {"0", "1", "0.0", "1.0", "0.", "1.", "true", "false"}


def is_one(cell: str) -> bool:
    """A cell of a column of 0 and 1, or of False and True."""
    return cell.startswith("1") or cell.casefold() == "true"


def _listed(names: Collection[str]) -> str:
    """The first dozen of names: tables of pixels have thousands."""
    shown = ", ".join(map(repr, list(names)[:12]))
    return shown + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
