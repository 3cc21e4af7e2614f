"""What the levels of folders around images stand for: class, split, patient or nothing; taken only where clear."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from engine.datasets.reading.folders.layout import Layout, counted
from engine.datasets.reading.folders.level_names import (
    Kind,
    is_augmented,
    is_plain,
    kind_of,
    split_of,
    splits_of,
    without_split,
)
from engine.datasets.reading.questions import Option

FEW_CLASSES = 12
"""Names that come back below many patients are classes if they are so few at most."""
MANY_PATIENTS = 5
"""Folders around classes are taken for patients only if they are so many at least."""
FEW_IMAGES, MANY_FOLDERS = 5, 25
"""So many folders of so few images (their median) are rather patients than classes, whatever their names."""
MANY_NAMES = 5
"""More names than this on a level below another may be patients, whatever they look like."""


def fixed(names: Iterable[str], roles: tuple[str, ...]) -> Layout:
    """The layout that the user named; the common folder leaves enough levels for its roles."""
    parts = _folders(names)
    common = _common(parts, max(map(len, parts.values()), default=0) - len(roles))
    return Layout({name: folders[common:] for name, folders in parts.items()}, common, roles)


def weigh(names: Iterable[str], where: str) -> Layout:
    """The layout of the folders around images, with its doubt and options where it is not clear.

    `where`: the source, for sentences.
    """
    parts = _folders(names)
    common = _common(parts, max(map(len, parts.values()), default=0))
    return _Levels({name: folders[common:] for name, folders in parts.items()}, common, where).layout()


def _folders(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {name: PurePosixPath(name).parts[:-1] for name in names}


def _common(parts: dict[str, tuple[str, ...]], most: int) -> int:
    """How many leading folders all images share, `most` at most, short of a folder that is a split."""
    depth = 0
    while depth < most and len({folders[depth : depth + 1] for folders in parts.values()}) == 1:
        if splits_of([next(iter(parts.values()))[depth]]):
            break
        depth += 1
    return depth


class _Levels:
    """The levels of folders with what their names look like."""

    def __init__(self, folders: dict[str, tuple[str, ...]], common: int, where: str):
        self.folders, self.common, self.where = folders, common, where
        depth = max(map(len, folders.values()), default=0)
        self.counts = [
            Counter(parts[level] for parts in folders.values() if len(parts) > level) for level in range(depth)
        ]
        self.kinds: list[Kind] = [kind_of(counts) for counts in self.counts]
        self.notes = self._augmented()

    def layout(self) -> Layout:
        """One reading, or a doubt with several."""
        classes = self._candidates()
        ids = self._of_kind("patient", "numbered")
        if doubt := self._beside_splits():
            return replace(self._within_splits(), doubt=doubt)
        if not classes:
            return self._without_classes()
        first = classes[0]
        if doubt := self._with_split(first):
            return self._asked(doubt, classes)
        splits = [level for level in self._of_kind("split") if level > first]
        if splits and any(first < len(parts) <= splits[0] for parts in self.folders.values()):
            return self._half_split(first)
        if unlike := [name for name in self.counts[first] if split_of(name)]:
            return self._split_as_class(first, unlike)
        above = [level for level in ids if level < first]
        if above and not self._comes_back(above[0], first):
            return self._asked(
                f"{self.where} has folders named like patients ({self._told(above[0])}) around folders that may be "
                f"classes or not ({self._told(first)}).",
                [first, above[0]],
            )
        sizes = sorted(self.counts[first].values())
        if not above and len(sizes) >= MANY_FOLDERS and sizes[len(sizes) // 2] <= FEW_IMAGES:
            return self._asked(
                f"{self.where} has {len(sizes)} folders of few images each ({self._told(first)}), which may be "
                "patients or cases and not classes.",
                classes,
            )
        if len(classes) > 1 and not self._all_direct(first):
            levels = "; or ".join(self._told(level) for level in classes)
            return self._asked(
                f"{self.where} has several levels of folders that may be the classes ({levels}).",
                [*classes, *self._of_kind("view")],
            )
        return self._taken(first)

    def _of_kind(self, *kinds: Kind) -> list[int]:
        return [level for level, kind in enumerate(self.kinds) if kind in kinds]

    def _told(self, level: int, names: Sequence[str] = ()) -> str:
        """The names of a level, or these of them, with their counts."""
        return counted(Counter({name: self.counts[level][name] for name in names or self.counts[level]}), 3)

    def _candidates(self) -> list[int]:
        """Levels that may be the classes, without those that only repeat the level above (`normal/normal_png`)."""
        levels = self._of_kind("class")
        return [inner for inner in levels if not any(self._repeats(outer, inner) for outer in levels if outer < inner)]

    def _repeats(self, outer: int, inner: int) -> bool:
        """Whether each folder on the outer level has one on the inner level at most."""
        within = {parts[outer : inner + 1 : inner - outer] for parts in self.folders.values() if len(parts) > inner}
        return len(within) == len({above for above, _ in within}) and len(within) == len(self.counts[outer])

    def _augmented(self) -> list[str]:
        names = Counter(part for parts in self.folders.values() for part in parts if is_augmented(part))
        return [
            f"{count} images lie in the folder {name!r}, by its name copies made by augmentation: copies of one image "
            "on both sides of a split make results look better than they are, so choose a source without them."
            for name, count in names.items()
        ]

    def _beside_splits(self) -> str:
        """A doubt on folders beside those of the splits that hold folders as these do."""
        for level in self._of_kind("split"):
            splits = splits_of(self.counts[level])
            others = Counter(
                parts[level] for parts in self.folders.values() if len(parts) > level + 1 and parts[level] not in splits
            )
            if others:
                return (
                    f"{self.where} has folders of splits ({', '.join(splits)}) and, beside them, folders that are "
                    f"none by their names ({counted(others)})."
                )
        return ""

    def _within_splits(self) -> Layout:
        """The reading of what lies in folders of splits alone, with its options."""
        level = self._of_kind("split")[0]
        splits = splits_of(self.counts[level])
        within = {name: parts for name, parts in self.folders.items() if {*parts[level : level + 1]} & splits.keys()}
        inner = _Levels(within, self.common, self.where).layout()
        told = [tuple(str(option.settings["folders"]).split("/")) for option in inner.options] or [inner.roles]
        readings = [self._of(roles) for roles in told if "class" in roles]
        return replace(self._of(inner.roles), options=tuple(reading.option() for reading in readings))

    def _with_split(self, level: int) -> str:
        """A doubt on names that hold a class and a split (`covid_train`, `covid_test`)."""
        parts = {name: without_split(name) for name in self.counts[level]}
        splits = defaultdict(set)
        for split, rest in parts.values():
            splits[rest].add(split)
        twice = [name for name, (split, rest) in parts.items() if split and len(splits[rest] - {""}) > 1]
        if not twice:
            return ""
        return (
            f"{self.where} has folders whose names hold both a split and a class ({', '.join(twice[:4])}); folders of "
            "the splits with the class folders in them, such as train/covid, would be clear."
        )

    def _half_split(self, level: int) -> Layout:
        """A doubt on classes of which only some have folders of splits."""
        roles = self._roles(level)
        whole = tuple("-" if role == "split" else role for role in roles)
        readings = [self._of(whole[: whole.index("class") + 1]), self._of(roles)]
        doubt = (
            f"{self.where} has folders of splits in some of the folders {self._told(level)} and none in others, so it "
            "is not clear what they are."
        )
        return replace(readings[0], doubt=doubt, options=tuple(reading.option() for reading in readings))

    def _split_as_class(self, level: int, unlike: Sequence[str]) -> Layout:
        """A doubt on folders called as a split (`Test cases`) that stand among those of the classes."""
        layout = self._of(self._roles(level))
        doubt = (
            f"{self.where} has {self._told(level, unlike)} among the folders "
            f"of the classes ({self._told(level)}), by name the images of a split and no class."
        )
        labels = sorted({one.label for one in layout.labelled().values()} - {*unlike})
        without = Option({"folders": layout.words, "only_classes": labels}, f"without {', '.join(unlike)}")
        options = (without, layout.option()) if len(labels) > 1 else (layout.option(),)
        return replace(layout, doubt=doubt, options=options)

    def _comes_back(self, patients: int, classes: int) -> bool:
        """Whether the same few names stand below many patients."""
        below = defaultdict(set)
        for parts in self.folders.values():
            if len(parts) > classes:
                below[parts[classes]].add(parts[patients])
        return (
            len(below) <= FEW_CLASSES
            and len(self.counts[patients]) >= MANY_PATIENTS
            and min(map(len, below.values())) > 1
        )

    def _all_direct(self, level: int) -> bool:
        """Whether images lie directly in every folder of a level, so that what is below them is no class."""
        return {parts[level] for parts in self.folders.values() if len(parts) == level + 1} == set(self.counts[level])

    def _without_classes(self) -> Layout:
        """No names of classes: those of views may be, patients and parts are not, and a single one is."""
        if ids := self._of_kind("patient", "numbered"):
            what = (
                "folders named like patients" if self.kinds[ids[0]] == "patient" else "folders that differ by a number"
            )
            views = self._of_kind("view")
            return self._asked(
                f"{self.where} has {len(self.counts[ids[0]])} {what} ({self._told(ids[0])}), which may be patients and "
                "not classes, but no folders that are classes by their names; a CSV with the labels beside them would "
                "be used.",
                [*views, ids[0]],
            )
        if views := self._of_kind("view"):
            return self._taken(views[0])
        several = [level for level in self._of_kind("part", "plain", "augmented") if len(self.counts[level]) > 1]
        if several:
            return self._asked(
                f"{self.where} has the folders {', '.join(list(self.counts[several[0]])[:4])}, which by their names "
                "are parts of one lot and not classes; a CSV with the labels beside them would be used.",
                several,
            )
        single = [level for level in self._of_kind("one") if not all(map(is_plain, self.counts[level]))]
        return self._taken(single[-1]) if single else self._of(())

    def _taken(self, level: int) -> Layout:
        """A clear layout with the classes on this level, and the sentences on what follows from it."""
        layout = self._of(self._roles(level))
        notes = []
        deeper = [name for name, parts in self.folders.items() if len(parts) > level + 1]
        named = [one for one in self._of_kind("class") if one > level]
        if named and deeper:
            notes.append(f"{len(deeper)} images lie in folders within their class folder (such as {deeper[0]}).")
        for one in self._of_kind("part", "plain", "view"):
            if len(self.counts[one]) > 1 and one != level:
                names = list(self.counts[one])
                notes.append(f"Folders {', '.join(names[:4])}{', ...' if len(names) > 4 else ''} are taken together.")
        if "patient" in layout.roles:
            notes.append(self._patients(layout))
        return replace(layout, notes=(*notes, *self.notes))

    def _patients(self, layout: Layout) -> str:
        classes = defaultdict(set)
        for one in layout.labelled().values():
            if one.group:
                classes[one.group].add(one.label)
        several = [group for group, found in classes.items() if len(found) > 1]
        told = f"{len(classes)} folders are taken for patients ({', '.join(list(classes)[:3])}, ...)"
        if several:
            told += f"; {len(several)} of them are in several classes and taken for one patient each"
        roles = ["-" if role == "patient" else role for role in layout.roles]
        return f"{told}; folders {'/'.join(roles)} undoes it."

    def _asked(self, doubt: str, levels: Sequence[int]) -> Layout:
        """A doubt, with an option for the classes on each of these levels; numbered ones below may be patients."""
        readings = [self._of(self._roles(level)) for level in levels]
        if len(levels) > 1 and "patient" not in readings[0].roles:
            last = levels[-1]
            if len(self.counts[last]) > MANY_NAMES or all(name.isdecimal() for name in self.counts[last]):
                readings.insert(0, self._of(self._roles(levels[0], patients=last)))
        best = readings[0] if readings else self._of(())
        return replace(best, doubt=doubt, options=tuple(reading.option() for reading in readings))

    def _roles(self, level: int, patients: int | None = None) -> tuple[str, ...]:
        """The classes on a level, with the first levels of splits and of patients, unless these are the classes."""
        ids = self._of_kind("patient", "numbered") if patients is None else [patients]
        ids = [one for one in ids if one <= level or not self._repeats(level, one)]
        splits = self._of_kind("split")
        roles = ["-"] * len(self.counts)
        for levels, role in ((ids, "patient"), (splits, "split"), ([level], "class")):
            if levels and not (role == "patient" and level in ids):
                roles[levels[0]] = role
        while roles[-1] == "-":
            roles.pop()
        return tuple(roles)

    def _of(self, roles: tuple[str, ...]) -> Layout:
        many = [level for level in self._of_kind("patient") if len(self.counts[level]) >= MANY_PATIENTS]
        return Layout(
            self.folders,
            self.common,
            roles,
            could_be_classes=bool(self._of_kind("class")),
            patients=many[0] if many else None,
        )
