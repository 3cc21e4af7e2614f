"""The audit of a data set, in sentences: copies, leaks, label conflicts, small classes, mixed or blank images."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from engine.datasets.copies import BLANK_SPREAD, GIVEN_GROUP, perceptual_hash
from engine.datasets.findings import EXAMPLES, Finding, finding
from engine.datasets.image_stats import MEASURED, measured
from engine.datasets.manifest import usable
from engine.datasets.split_findings import small_test, uneven_split
from engine.datasets.splitting import CUT

__all__ = ["affected", "audit", "blocking", "perceptual_hash"]

TINY_CLASS = 20
"""A class with fewer images than this leaves too few for any test set."""

LONGEST_NUMBER = 40
"""Digits of a number at the end of a file's name that counts images of a patient."""

IMBALANCE = 3.0
"""Ratio of the largest to the smallest class from which imbalance is worth a warning."""


def on_tiny_classes(counts: Mapping[str, int]) -> str:
    """What follows from classes of few images, in a sentence; empty where there is none. `counts`: images by class."""
    tiny = [name for name, count in counts.items() if count < TINY_CLASS]
    if not tiny:
        return ""
    return (
        f"{', '.join(tiny)}: fewer than {TINY_CLASS} images, so a test set of "
        f"{'this class' if len(tiny) == 1 else 'these classes'} can hardly tell two classifiers apart; add images or "
        f"leave {'the class' if len(tiny) == 1 else 'them'} out."
    )


def audit(manifest: pd.DataFrame, path: Path, wanted: tuple[float, float, float] | None = None) -> list[Finding]:
    """Findings about the rows of `manifest` that no remedy excluded, the gravest first.

    `path` is the folder of the data set, below which the stored images lie; they are read unless they were measured
    before. Splits that are not drawn yet ('') are compared with nothing; `wanted` are the shares that were asked for of
    a split that was drawn (`splitting.wanted_shares`).
    Each finding has `name`, `sentence`, `count`, `severity` (info, warning, leak, conflict), `examples` (lists of
    paths) and `remedy` (a name for `remedies.apply`, or '').
    """
    gravity = ("conflict", "leak", "warning", "info")
    findings = sorted(_looked_for(manifest, path, wanted), key=lambda found: gravity.index(found["severity"]))
    return [{key: value for key, value in found.items() if key != "members"} for found in findings]


def affected(manifest: pd.DataFrame, path: Path) -> dict[str, list[str]]:
    """The paths of all images that each finding is about, by its name; those that belong together stand together.

    Findings about the set as a whole (counts, imbalance, mixes) are about no image in particular and are left out.
    """
    return {found["name"]: found["members"] for found in _looked_for(manifest, path) if found["members"]}


def _looked_for(manifest: pd.DataFrame, path: Path, wanted: tuple[float, float, float] | None = None) -> list[Finding]:
    if not set(MEASURED) <= set(manifest.columns):
        manifest = measured(manifest, path)
    rows = usable(manifest)
    return [
        *_copies(rows, "sha256", "exact"),
        *_copies(rows, "near", "near"),
        *_look_alikes(rows),
        *_groups(rows),
        *_patients_in_names(rows),
        *_blank(rows),
        *_classes(rows),
        *_mixes(rows),
        *uneven_split(manifest[manifest["excluded"].isin(("", CUT))], wanted),
        *small_test(rows),
    ]


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that forbid freezing: leaks between the splits and conflicts of label."""
    return [found for found in findings if found["severity"] in ("leak", "conflict")]


def _copies(rows: pd.DataFrame, key: str, kind: str) -> Iterator[Finding]:
    """Sets of copies, by what they spoil: labels, splits, or only the count of images."""
    members = rows[rows[key] != ""]
    if key == "near":  # reported elsewhere or harmless: identical pixels, or one known group
        sets = members.groupby("near")
        joined = (sets["group"].transform("nunique") == 1) & (members["group"] != "")
        members = members[(sets["sha256"].transform("nunique") > 1) & ~joined]
    members = members[members.groupby(key)["path"].transform("size") > 1]
    if members.empty:
        return
    sets = members.groupby(key)
    if key == "near":
        twins = members["near_twin"].where(members["near_twin"] != "")
        conflicting = members.groupby(twins)["class"].transform("nunique").fillna(0) > 1
        labels = sets["class"].transform("nunique")
        # What looks alike but is labelled otherwise may be another picture, and is no leak then.
        together = members["near"] + " " + members["class"].where(~conflicting, "")
        alike = (labels > 1) & (together.groupby(together).transform("size") == 1) & ~conflicting
        members, conflicting, together = members[~alike], conflicting[~alike], together[~alike]
    else:
        conflicting, together = sets["class"].transform("nunique") > 1, members[key]
    if members.empty:
        return
    leaking = _splits(members).groupby(together).transform("nunique") > 1
    what = "exact copies of each other" if kind == "exact" else "near copies (one picture, or one scan's neighbours)"
    if kind == "near" and (told := _turned(members)):
        what = f"near copies ({told}; one picture, or one scan's neighbours)"

    if conflicting.any():
        found = members[conflicting]
        yield finding(
            f"{kind}-copies-across-classes",
            "conflict",
            len(found),
            f"{_in_sets(found[key])} are {what} with different labels; "
            "at most one label can be right, so drop them or correct the labels.",
            _pairs(found, key, "class"),
            "drop-conflicts",
            found.sort_values(key, kind="stable")["path"],
        )
    if leaking.any():
        found = members[leaking]
        remedy, mend = "join-groups", "join each set in one split"
        if conflicting[leaking].all():
            remedy, mend = "drop-conflicts", "their labels differ too, so drop them"
        elif kind == "exact":
            remedy, mend = "drop-copies", "keep one of each, in the test set first"
        yield finding(
            f"{kind}-copies-across-splits",
            "leak",
            len(found),
            f"{_in_sets(found[key])} are {what} in different splits, "
            f"which lets a classifier recognise test images; {mend}.",
            _pairs(found, key, "split"),
            remedy,
            found.sort_values(key, kind="stable")["path"],
        )
    plain = members[~conflicting & ~leaking]
    if len(plain):
        extra = len(plain) - plain[key].nunique()
        mend = "keep one of each" if kind == "exact" else "keep each set in one split"
        yield finding(
            f"{kind}-copies",
            "warning",
            len(plain),
            f"{_in_sets(plain[key])} are {what}, "
            f"so the set holds {extra} fewer different pictures than it seems; {mend}.",
            _pairs(plain, key, "path"),
            "drop-copies" if kind == "exact" else "join-groups",
            plain.sort_values(key, kind="stable")["path"],
        )


def _turned(members: pd.DataFrame) -> str:
    """`2 of them mirrored, 1 rotated`."""
    counts = members.loc[members["near_turned"] != "", "near_turned"].value_counts()
    return ", ".join(f"{count} {way}" for way, count in counts.items()).replace(" ", " of them ", 1)


def _look_alikes(rows: pd.DataFrame) -> Iterator[Finding]:
    """Pictures of several labels that look alike and yet may be different ones."""
    members = rows[rows["near"] != ""]
    sets = members.groupby("near")
    mixed = (sets["class"].transform("nunique") > 1) & (sets["sha256"].transform("nunique") > 1)
    one_picture = members["near_twin"].where(members["near_twin"] != "")
    known = members.groupby(one_picture)["class"].transform("nunique").fillna(0) > 1
    known |= members.groupby("sha256")["class"].transform("nunique") > 1
    found = members[mixed & (~known.groupby(members["near"]).transform("all"))]
    if len(found):
        yield finding(
            "look-alikes-across-classes",
            "warning",
            len(found),
            f"{_in_sets(found['near'])} look alike but have different labels: other pictures of one patient, or of "
            "another who looks the same; look at them.",
            _pairs(found, "near", "class"),
            members=found.sort_values("near", kind="stable")["path"],
        )


def _in_sets(key: pd.Series) -> str:
    sets = key.nunique()
    return f"{len(key)} images in {sets} set{'s' * (sets != 1)}"


def _splits(rows: pd.DataFrame) -> pd.Series:
    """The split of each row; rows not split yet count as none, which no count of distinct values sees."""
    return rows["split"].where(rows["split"] != "")


def _pairs(rows: pd.DataFrame, key: str, differ: str) -> list[list[str]]:
    """One pair of paths for each set, of two members that differ in column `differ`."""
    pairs = []
    for _, members in rows.groupby(key, sort=False):
        other = members[members[differ] != members[differ].iloc[0]]
        if len(other):
            pairs.append([members["path"].iloc[0], other["path"].iloc[0]])
        if len(pairs) == EXAMPLES:
            break
    return pairs


def _groups(rows: pd.DataFrame) -> Iterator[Finding]:
    """Patients (or other groups) with images in several splits."""
    members = rows[rows["group"] != ""]
    leaking = _splits(members).groupby(members["group"]).transform("nunique") > 1
    if leaking.any() and len(members) == len(rows) and members["group"].nunique() == 1:
        yield finding(
            "group-across-splits",
            "leak",
            1,
            f"All {len(rows)} images say the same patient ({members['group'].iloc[0]}), in several splits: if an "
            "export made all ids alike, import again without them (--ignore-ids for DICOM, another --group-column for "
            "a CSV or - for none); if it is one patient, no split of these images can test anything.",
            _pairs(members, "group", "split"),
            members=members["path"],
        )
    elif leaking.any():
        found = members[leaking]
        count, of_source = found["group"].nunique(), found[GIVEN_GROUP] if GIVEN_GROUP in found else found["group"]
        have = "group has" if count == 1 else "groups have"
        seen = (
            "patients the classifier has seen" if (of_source != "").any() else "pictures like those it was trained on"
        )
        yield finding(
            "group-across-splits",
            "leak",
            int(count),
            f"{count} {have} images in several splits ({len(found)} images), which lets a classifier recognise "
            f"{seen}; move each whole group into one split.",
            _pairs(found, "group", "split"),
            "join-groups",
            found.sort_values("group", kind="stable")["path"],
        )


def name_prefixes(rows: pd.DataFrame) -> pd.Series:
    """The part before the last number of each source's file name (`P012_slice3.png` -> `P012`), '' if nothing."""
    stems = rows["source"].map(lambda source: Path(source).stem)
    return stems.map(_before_number)


def _before_number(stem: str) -> str:
    """What ends with a digit, before a separator, letters (`slice`), another separator and the last number."""
    rest = stem
    while rest and rest[-1].isdecimal():
        rest = rest[:-1] if len(stem) - len(rest) < LONGEST_NUMBER else ""
    if not rest or rest == stem:
        return ""
    for between in ([rest[:-1]] if rest[-1] in "-_ " else []) + [rest]:
        before = between.rstrip(string.ascii_letters)
        if before[-1:] in ("-", "_", " ", ".") and before[-2:-1].isdecimal():
            return before[:-1]
    return ""


def _patients_in_names(rows: pd.DataFrame) -> Iterator[Finding]:
    """File names like `P012_slice3` where no group is known."""
    if rows.empty or (rows["group"] != "").any():
        return
    prefixes = name_prefixes(rows)
    sizes = prefixes[prefixes != ""].value_counts()
    several = sizes[sizes > 1]
    # A patient has some images among many; one prefix shared by most files is a name of the set (`ISIC_0024_1`).
    if len(several) < 3 or several.sum() < len(rows) / 4 or several.max() > len(rows) / 2:
        return
    found = rows[prefixes.isin(several.index)]
    yield finding(
        "patients-in-names",
        "warning",
        len(several),
        f"{len(found)} file names begin like patients ({', '.join(several.index[:3])}, ...: {len(several)} with "
        "several images each) but no group is given; group by name so that a patient cannot be in two splits.",
        [list(found.loc[prefixes == prefix, "path"][:2]) for prefix in several.index[:EXAMPLES]],
        "group-by-name",
        found["path"],
    )


def _blank(rows: pd.DataFrame) -> Iterator[Finding]:
    found = rows[rows["spread"] < BLANK_SPREAD]
    if len(found):
        yield finding(
            "near-blank",
            "warning",
            len(found),
            f"{len(found)} images are blank or nearly so (their grey levels span less than {BLANK_SPREAD:.0f} of 255); "
            "look at them and drop them.",
            [[path] for path in found["path"][:EXAMPLES]],
            "drop-blank",
            found["path"],
        )


def _classes(rows: pd.DataFrame) -> Iterator[Finding]:
    """Class counts, imbalance and classes too small to split."""
    counts = rows["class"].value_counts()
    if counts.empty:
        return
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    yield finding(
        "class-counts",
        "info",
        len(rows),
        f"{len(rows)} images in {len(counts)} classes: {told}; always guessing the largest class is right "
        f"for {counts.iloc[0] / len(rows):.1%}.",
        [],
    )
    tiny = counts[counts < TINY_CLASS]
    if len(tiny):  # a preview says it too
        yield finding(
            "tiny-classes",
            "warning",
            len(tiny),
            on_tiny_classes(dict(counts)),
            [[path] for name in tiny.index for path in rows.loc[rows["class"] == name, "path"][:1]],
            members=rows.loc[rows["class"].isin(tiny.index), "path"],
        )
    if counts.iloc[0] >= IMBALANCE * counts.iloc[-1]:
        yield finding(
            "imbalance",
            "warning",
            int(counts.iloc[0] - counts.iloc[-1]),
            f"The largest class ({counts.index[0]}, {counts.iloc[0]}) has {counts.iloc[0] / counts.iloc[-1]:.1f} "
            f"times the images of the smallest ({counts.index[-1]}, {counts.iloc[-1]}); read balanced "
            "accuracy, not accuracy.",
            [],
        )


def _mixes(rows: pd.DataFrame) -> Iterator[Finding]:
    """Sources of several sizes, modes or bit depths, which a classifier can learn in place of the disease."""
    if rows.empty:
        return
    sizes = rows["width"].astype(str) + "x" + rows["height"].astype(str)
    for name, values in (("sizes", sizes), ("modes", rows["mode"]), ("bit depths", rows["bits"].astype(str))):
        kinds = values.value_counts()
        if len(kinds) < 2:
            continue
        shares = pd.crosstab(rows["class"], values, normalize="index")
        # Beyond an even mix: some kind of file is common in one class and rare in another.
        telling = len(shares) > 1 and float((shares.max() - shares.min()).max()) > 0.5
        most = ", ".join(f"{kind} ({count})" for kind, count in kinds.head(4).items())
        yield finding(
            f"mixed-{name.replace(' ', '-')}",
            "warning" if telling else "info",
            len(kinds),
            f"The source images have {len(kinds)} {name}: {most}{', ...' if len(kinds) > 4 else ''}; "
            + (
                "they go with the classes, so a classifier may learn the file instead of the picture."
                if telling
                else "all are brought to one form."
            ),
            [[rows["path"][(values == kind).idxmax()]] for kind in kinds.index[:EXAMPLES]],
        )
