"""Who is whose patient: groups of images after what DICOM files say of them, and names for them that tell nothing.

A group that the source itself gives (a CSV, folders that were named) stands as it is, but groups that share a PatientID
are one. Else it is the PatientID; else a folder that looks like one of a patient. Images without any, or whose
PatientID is ignored, are grouped by their study where several images share one: its slices are of one patient.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.copies import joined
from engine.datasets.reading.items import Facts, Item
from engine.datasets.reading.questions import Option, Question

_WORDS = (
    "ANON ANONYM ANONYMOUS ANONYMIZED ANONYMISED ANONYMOUSPATIENT DEIDENTIFIED DEIDENTIFIEDPATIENT REMOVED REDACTED "
    "UNKNOWN NONE NULL NA NOID NOTAVAILABLE XXX XXXX"
)
NOBODY = frozenset(_WORDS.split())
"""PatientIDs, in capitals and without signs, that anonymising leaves of all patients alike."""

HEX_DIGITS = 12
"""48 bits: among 100,000 patients of one home, two share a name with a probability of 2 in 100,000."""


@dataclass(frozen=True)
class Groups:
    """The group of each image, '' if unknown, as raw ids that must not be stored unless `config.keep_ids`."""

    given: list[str]
    """Of the source, to be kept as they are."""
    found: list[tuple[str, str]]
    """Of the header, where the source gives none: kind (patient, study) and raw id; ('', '') if there is none."""
    notes: list[str]

    @property
    def count(self) -> int:
        return len((set(self.given) | set(self.found)) - {"", ("", "")})

    def names(self, salt: bytes | None) -> list[str]:
        """The groups as they are stored: raw ids hashed with the salt, or patients' ids themselves without one."""
        return [given or _name(kind, raw, salt) for given, (kind, raw) in zip(self.given, self.found, strict=True)]

    @property
    def hashes(self) -> bool:
        """Whether any id came from a header."""
        return any(kind for kind, _ in self.found)


def groups_of(items: Sequence[Item], facts: Sequence[Facts], config: ImportConfig) -> Groups:
    """Raises a `Question` when all images bear the same PatientID, or one that names nobody."""
    given = [item.group for item in items]
    ids = ["" if config.ignore_ids else fact.group for fact in facts]
    notes: list[str] = []
    if len({raw for raw in ids if not names_nobody(raw)}) > 1:
        known = [item.group_guessed and not names_nobody(raw) for item, raw in zip(items, ids, strict=True)]
        given = ["" if by_id else group for group, by_id in zip(given, known, strict=True)]
        if any(item.group and by_id for item, by_id in zip(items, known, strict=True)):
            notes.append("The PatientIDs in the files, and not the names of folders, say which patients they are of.")
    if not config.ignore_ids and not config.keep_ids:
        _ask_about(["" if group else raw for group, raw in zip(given, ids, strict=True)], facts)
        nobody = [_letters(raw) in NOBODY for raw in ids]
        if some := sum(not group and empty for group, empty in zip(given, nobody, strict=True)):
            notes.append(
                f"{some} images have a PatientID that names nobody (such as ANONYMOUS), which is taken for none; their "
                "patients are known by their studies alone."
            )
        ids = ["" if empty else raw for raw, empty in zip(ids, nobody, strict=True)]
    ids, alike = _spelled_alike(_with_issuers(ids))
    given, joined_notes = _joined_by_ids(given, ids)
    notes += [*alike, *joined_notes]
    ids = ["" if group else raw for group, raw in zip(given, ids, strict=True)]
    if hashed := sum(map(bool, ids)) * (not config.keep_ids):
        notes.append(
            f"The PatientIDs of {hashed} images are stored as hashes with the salt of this home; keep_ids keeps them."
        )
    unnamed = [fact for group, raw, fact in zip(given, ids, facts, strict=True) if not group and not raw]
    studies = iter(_studies(unnamed, others=len(unnamed) < len(items)))
    found = [
        ("patient", raw) if raw else ("", "") if group else _study(next(studies))
        for group, raw in zip(given, ids, strict=True)
    ]
    if together := sum(kind == "study" for kind, _ in found):
        notes.append(
            f"{together} images without a patient stay together by their study (StudyInstanceUID), "
            f"{len({raw for kind, raw in found if kind == 'study'})} in number."
        )
    return Groups(given, found, notes)


def _joined_by_ids(given: list[str], ids: list[str]) -> tuple[list[str], list[str]]:
    """The source's groups, where those that share a PatientID, and images of that PatientID without one, are one."""
    if not any(given) or len(set(ids) - {""}) < 2:  # one id of all joins nothing, it is what anonymising left
        return given, []
    names = pd.DataFrame({"unit": joined(len(given), pd.Series(given), pd.Series(ids)), "given": given})
    told = names[names["given"] != ""].groupby("unit")["given"].agg(lambda groups: "+".join(sorted(set(groups))))
    result = [str(name) for name in names["unit"].map(told).fillna("")]
    changed = sum(before != after for before, after in zip(given, result, strict=True))
    note = f"{changed} images have a PatientID that the source's groups share; these groups were joined."
    return result, [note] if changed else []


def names_nobody(patient: str) -> bool:
    """Whether a PatientID is what anonymising leaves, if it is that of all: beside others, 0 may be a number."""
    letters = _letters(patient)
    return letters in NOBODY or not letters.strip("0")


def _letters(patient: str) -> str:
    return "".join(letter for letter in patient.split("^^^")[0].upper() if letter.isalnum())


def _ask_about(ids: Sequence[str], facts: Sequence[Facts]) -> None:
    """Ask when the ids cannot tell patients apart."""
    present = [raw for raw in ids if raw]
    alike, nobody = len(set(present)) == 1, all(map(names_nobody, present))
    if len(present) < 2 or not (nobody or (alike and len(present) == len(ids))):
        return
    who = "the same PatientID" if alike else "a PatientID that names nobody"
    if nobody:  # no patient is named by saying it
        who += f" ({present[0]})" if alike else f" (such as {present[0]})"
    studies = _studies([fact for raw, fact in zip(ids, facts, strict=True) if raw], others=len(present) < len(ids))
    count = len(set(studies) - {""}) + studies.count("")
    raise Question(
        f"{f'All {len(ids)}' if len(present) == len(ids) else f'{len(present)} of {len(ids)}'} images have {who}: "
        "anonymising may have made them alike, and patients cannot be told apart by it.",
        [
            Option(
                {"ignore_ids": True},
                f"the images of a study count as one patient: {count} of them"
                if any(studies)
                else f"each of the {count} images counts as a patient of its own",
            )
        ],
    )


def _studies(facts: Sequence[Facts], others: bool) -> list[str]:
    """The study, else the series, of each image whose patient is unknown; '' for the only image of one.

    A study that is that of all images, where no `others` are known, is what anonymising left and parts nobody: then
    the series counts, and if that is the same too, nothing does.
    """
    for keys in ([fact.study or fact.series for fact in facts], [fact.series for fact in facts]):
        counts = Counter(keys)
        if others or len(counts) > 1:
            return [key if counts[key] > 1 else "" for key in keys]
    return [""] * len(facts)


def _study(uid: str) -> tuple[str, str]:
    return ("study", uid) if uid else ("", "")


def _with_issuers(ids: Sequence[str]) -> list[str]:
    """An id without its issuer is that of its only issuer, so that no patient is parted by a tag left out."""
    issued: dict[str, set[str]] = {}
    for raw in set(ids):
        issued.setdefault(raw.split("^^^")[0], set()).add(raw)
    only = {bare: (full - {bare}).pop() for bare, full in issued.items() if bare in full and len(full) == 2}
    return [only.get(raw, raw) for raw in ids]


def _spelled_alike(ids: list[str]) -> tuple[list[str], list[str]]:
    """Ids that differ in capitals or in blanks alone are one, as if typed twice: to part one patient would be worse
    than to join two."""
    first: dict[str, str] = {}
    result = [first.setdefault(" ".join(raw.split()).casefold(), raw) for raw in ids]
    changed = sum(before != after for before, after in zip(ids, result, strict=True))
    return result, [
        f"{changed} images have a PatientID that differs from another in capitals or blanks alone; both are taken for "
        "one patient."
    ] * bool(changed)


def _name(kind: str, raw: str, salt: bytes | None) -> str:
    if not kind or (salt is None and kind == "patient"):
        return raw
    return f"{kind}-{hmac.new(salt or b'', raw.encode(), hashlib.sha256).hexdigest()[:HEX_DIGITS]}"
