"""The ways in which a table may name the pictures of a folder."""

from __future__ import annotations

import re
import unicodedata
import urllib.parse
from collections import defaultdict
from collections.abc import Sequence

from engine.datasets.reading.pictures.files import is_picture, stem
from engine.datasets.reading.whole_numbers import without_zeros

SAMPLE = 2000
"""Cells of a column by which it is judged."""

_MASKS = re.compile(r"(^|[/_ -])(masks?|segmentations?|annotations?|contours?)([/_ -]|$)", re.IGNORECASE)


class PictureNames:
    """Pictures by what a cell may hold: path, name, name without ending, with another ending, number without zeros.

    Composed and decomposed letters (NFC, NFD) are one. Capitals count only where a name that differs in nothing else
    is not there.
    """

    def __init__(self, names: Sequence[str]):
        self._paths: dict[str, list[str]] = {}
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        self._stems: defaultdict[str, list[str]] = defaultdict(list)
        self._folded: defaultdict[str, list[str]] = defaultdict(list)
        self._numbers: defaultdict[str, list[str]] = defaultdict(list)
        self._found: dict[str, tuple[list[str], float]] = {}
        for file in names:
            path = unicodedata.normalize("NFC", _ungarbled(file))
            name = path.rpartition("/")[2]
            bare = stem(name)
            self._paths.setdefault(path, []).append(file)
            self._names[name].append(file)
            self._stems[bare].append(file)
            for key in {name.casefold(), bare.casefold()}:
                self._folded[key].append(file)
            if number := _number(bare):
                self._numbers[number].append(file)

    def find(self, value: str) -> list[str]:
        """The files meant by `value`: one, none, or several when it is ambiguous."""
        return self._matched(value)[0]

    def fit(self, values: Sequence[str]) -> float:
        """How well a column names pictures: different pictures for each of its cells, 1 at best.

        A file by its number alone counts little, since many columns hold numbers.
        """
        step = max(1, len(values) // SAMPLE)
        sample = values[::step]
        matched = {tuple(files): weight for files, weight in map(self._matched, sample) if files}
        return sum(matched.values()) / max(len(sample), 1)

    def _matched(self, value: str) -> tuple[list[str], float]:
        if value not in self._found:
            self._found[value] = self._match(value)
            if not self._found[value][0] and "%" in value:
                self._found[value] = self._match(urllib.parse.unquote(value))
        return self._found[value]

    def _match(self, value: str) -> tuple[list[str], float]:
        path = re.sub(r"^(\.{0,2}/)+", "", unicodedata.normalize("NFC", value).replace("\\", "/"))
        path = re.sub(r"/(\./|/)+", "/", path)
        name = path.rpartition("/")[2]
        if not name:
            return [], 0.0
        if path in self._paths:
            return self._paths[path], 1.0
        other = stem(name) if is_picture(name) else name
        for by, key, weight in (
            (self._names, name, 1.0),
            (self._stems, name, 0.9),
            (self._stems, other, 0.8),
            (self._folded, name.casefold(), 0.7),
            (self._folded, other.casefold(), 0.7),
            (self._numbers, _number(value), 0.3),
        ):
            if key in by:
                return _nearest(by[key], path), weight
        return [], 0.0


def _ungarbled(name: str) -> str:
    """The name as it was before a program unpacked it from a ZIP as if it were cp437: `M├╝ller` -> `Müller`."""
    if name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _number(text: str) -> str:
    """`007` and `7.0` -> `7`; '' if it is no whole number."""
    match = re.fullmatch(r"([0-9]+)(\.0+)?", text)
    return without_zeros(match[1]) if match else ""


def _nearest(files: list[str], path: str) -> list[str]:
    """Of several files with one name, those whose folders agree with `path` the most; masks give way to images."""
    if len(files) == 1:
        return files
    wanted = path.casefold().split("/")[-2::-1]

    def shared(file: str) -> int:
        found = unicodedata.normalize("NFC", _ungarbled(file)).casefold().split("/")[-2::-1]
        same = [a == b for a, b in zip(wanted, found, strict=False)]
        return (*same, False).index(False)

    most = max(map(shared, files))
    near = [file for file in files if shared(file) == most]
    images = [file for file in near if not _MASKS.search(file)]
    return images if len(images) == 1 else near
