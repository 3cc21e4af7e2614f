"""One reading of the folders around images: what each level stands for, and the classes and patients it gives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.datasets.reading.folders.level_names import splits_of
from engine.datasets.reading.questions import Option


@dataclass(frozen=True)
class Labelled:
    """What the folders say of one image."""

    label: str
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class Layout:
    """What each level of folders below the common folder stands for."""

    folders: dict[str, tuple[str, ...]]
    """Folders of each image below the common one, the outermost first."""
    common: int
    """Leading folders that all share, which are passed through."""
    roles: tuple[str, ...]
    """From the outermost level: class, split, patient or - (nothing); without class if no level can be one."""
    doubt: str = ""
    """What makes it unclear, as a sentence; '' where it is clear."""
    options: tuple[Option, ...] = ()
    """The ways of reading the folders, where that is not clear."""
    could_be_classes: bool = False
    """Whether the names on one of its levels are those of classes, though it may not be clear which level it is."""
    notes: tuple[str, ...] = ()
    patients: int | None = None
    """The level of many folders named like patients, whatever holds the classes."""

    @property
    def splits(self) -> list[str]:
        """The folders of the outermost level that are splits by their names."""
        return list(splits_of(dict.fromkeys(parts[0] for parts in self.folders.values() if parts)))

    @property
    def words(self) -> str:
        """As the setting `folders` has it."""
        return "/".join(self.roles)

    def labelled(self) -> dict[str, Labelled]:
        """What the folders say of the images that lie in a class folder, and of no others."""
        if "class" not in self.roles:
            return {}
        at = {role: self.roles.index(role) for role in ("class", "split", "patient") if role in self.roles}
        splits = (
            splits_of({parts[at["split"]] for parts in self.folders.values() if len(parts) > at["split"]})
            if ("split" in at)
            else {}
        )
        found = {}
        for name, parts in self.folders.items():
            split = splits.get(parts[at["split"]], "") if "split" in at and len(parts) > at["split"] else ""
            if len(parts) > at["class"] and (split or "split" not in at):
                group = parts[at["patient"]] if "patient" in at and len(parts) > at["patient"] else ""
                found[name] = Labelled(parts[at["class"]], split, group)
        return found

    def option(self) -> Option:
        """This reading as one to choose, with the numbers of its classes and patients."""
        labelled = self.labelled()
        classes = Counter(one.label for one in labelled.values())
        patients = {one.group for one in labelled.values()} - {""}
        told = f"{len(classes)} classes ({counted(classes)})" + (f", {len(patients)} patients" if patients else "")
        if outside := len(self.folders) - len(labelled):
            told += f", {outside} images in none"
        return Option({"folders": self.words}, told)


def counted(counts: Counter[str], most: int = 4) -> str:
    """`benign 437, malignant 210, ...`"""
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common(most))
    return told + (", ..." if len(counts) > most else "")
