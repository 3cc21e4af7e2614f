"""Train, validation and test: the source's own splits, or drawn by patient and stratified by class.

scikit-learn's splitters either ignore groups (StratifiedShuffleSplit) or make equal folds (StratifiedGroupKFold) where
shares or exact counts are asked for, so the draw is done here: units (a patient, a set of copies) far too large for
validation and test go to training, the others in random order where most is missing, then single moves and swaps bring
the counts to their targets.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.configs.importing import ImportConfig
from engine.datasets.copies import BLANK_SPREAD, joined
from engine.datasets.manifest import is_usable
from engine.datasets.split_moves import LEAST, improve
from engine.store.errors import ErsatzError

SPLITS = ("train", "valid", "test")
OVERSIZED = 2.0
"""A unit with more than so many times the images that validation and test should have, in all or of a class, is not
drawn by lot but put into training."""
ATTEMPTS = 20
"""Orders in which the units are dealt until every class is in every split and training is not the smaller part."""
CUT = "train-per-class"
"""Mark of `cut_training`: these images are out of one split's training part, not out of the set."""


def assign(manifest: pd.DataFrame, config: ImportConfig) -> pd.DataFrame:
    """The manifest with `split` filled in for every row that no remedy excluded; `given` keeps the source's own split.

    `config.split`: given keeps the source's splits, random draws new ones, auto keeps them if there are any. Given
    splits without validation images get them from the training images. A draw depends on the rows, their order and
    `config.seed` alone; images of one group, and copies of one picture, always stay together in it.
    Raises `ErsatzError` when no sound split exists.
    """
    manifest = manifest.copy()
    if "given" not in manifest:
        manifest["given"] = manifest["split"]
    used = is_usable(manifest)
    rows = manifest[used]
    if rows["class"].nunique() < 2:
        found = ", ".join(rows["class"].unique()) or "none"
        raise ErsatzError(
            f"There are images of {rows['class'].nunique()} class ({found}); a classifier needs at least two. "
            "Check the class folders or the label column, and the classes that were chosen."
        )
    given = (rows["split"] != "").any()
    if config.split == "given" and not given:
        raise ErsatzError(
            "The source has no splits of its own, but the split is set to 'given'; folders or a split column with "
            "train, valid and test are expected. Set the split to random."
        )
    if given and config.split != "random":
        manifest.loc[used, "split"] = _given(rows, config)
    else:
        manifest.loc[used, "split"] = drawn(
            rows, _shares(len(rows), config), config.seed, config.split_counts is not None
        )
    check(manifest[used])
    return manifest


def cut_training(manifest: pd.DataFrame, per_class: int, seed: int) -> pd.DataFrame:
    """The manifest with all but `per_class` training images of each class excluded, drawn by `seed`; 0 keeps all.

    A class that has fewer keeps what it has. Cuts of one seed are nested: the 50 images are among the 100.
    """
    if not per_class:
        return manifest
    manifest = manifest.copy()
    training = manifest[(manifest["split"] == "train") & is_usable(manifest)]
    rows_of = training.groupby("class", sort=True).groups
    for number, name in enumerate(sorted(map(str, rows_of))):
        rows = rows_of[name]
        drawn = np.random.default_rng([seed, number]).permutation(rows)
        manifest.loc[drawn[per_class:], "excluded"] = CUT
    return manifest


def wanted_shares(manifest: pd.DataFrame, config: ImportConfig) -> tuple[float, float, float] | None:
    """Shares of train, valid and test that a draw over `manifest` was asked for; None if the source gave its splits."""
    given = "given" in manifest and (manifest.loc[is_usable(manifest), "given"] != "").any()
    if (given and config.split != "random") or config.split == "given":
        return None
    if config.split_counts is not None:
        train, valid, test = (count / sum(config.split_counts) for count in config.split_counts)
        return train, valid, test
    return config.train_share, config.valid_share, 1 - config.train_share - config.valid_share


def _given(rows: pd.DataFrame, config: ImportConfig) -> pd.Series:
    """The source's splits, with validation images drawn from the training images if it has none."""
    split = rows["split"].copy()
    if unsplit := int((split == "").sum()):
        raise ErsatzError(
            f"{unsplit} of {len(rows)} images have no split while the others have one; a split for every image is "
            "expected. Complete the source's splits, or set the split to random."
        )
    for name in ("train", "test"):
        if not (split == name).any():
            raise ErsatzError(
                f"The source's own splits hold no {name} images (found: {', '.join(sorted(split.unique()))}); "
                "train and test are expected. Complete them, or set the split to random."
            )
    if not (split == "valid").any():
        train = rows[split == "train"]
        valid = max(1, round(len(train) * config.valid_share / (config.train_share + config.valid_share)))
        split[train.index] = drawn(train, (len(train) - valid, valid, 0), config.seed)
    return split


def _shares(total: int, config: ImportConfig) -> tuple[int, int, int]:
    """Images of train, valid and test."""
    if config.split_counts is None:
        valid, test = (
            round(total * share) for share in (config.valid_share, 1 - config.train_share - config.valid_share)
        )
        return total - valid - test, valid, test
    if sum(config.split_counts) != total or min(config.split_counts) < 1:
        told = " + ".join(str(count) for count in config.split_counts)
        raise ErsatzError(
            f"The split counts {told} make {sum(config.split_counts)}, but there are {total} images to split; counts "
            "above 0 that add up to all images are expected. Correct them, or leave them out to split by shares."
        )
    return config.split_counts


def drawn(rows: pd.DataFrame, totals: tuple[int, int, int], seed: int, exact: bool = False) -> pd.Series:
    """A random split of `rows` into `totals` images, stratified by class, no unit in two splits.

    Groups may not allow the totals; then the nearest found is taken, or with `exact` an `ErsatzError` raised.
    """
    codes, classes = pd.factorize(rows["class"], sort=True)
    copies = [rows[column] for column in ("group", "sha256", "near") if column in rows]
    units = joined(len(rows), *copies)
    counts = np.zeros((units.max() + 1, len(classes)), np.int64)
    np.add.at(counts, (units, codes), 1)
    splits = sum(total > 0 for total in totals)
    _enough(rows, counts, list(classes), splits)
    targets = _targets(counts.sum(axis=0), totals)
    best = (np.inf, np.zeros(len(counts), np.int64))
    for attempt in range(ATTEMPTS):
        order = np.random.default_rng([seed, attempt] if attempt else seed).permutation(len(counts))
        # In few units of several classes each, a class may need an oversized one elsewhere.
        apart = _oversized(counts[order], targets) & (attempt < ATTEMPTS // 2)
        dealt = _deal(counts[order], targets, apart)
        chosen = np.empty(len(counts), np.int64)
        chosen[order] = improve(counts[order], dealt, targets)
        table = np.stack([counts[chosen == split].sum(axis=0) for split in range(3)], axis=1)
        best = min(best, (float(_cost(table, targets)), chosen), key=lambda found: found[0])
        sizes = table.sum(axis=0)
        if not _lacking(table, targets) and (sizes[0] >= sizes.max() or totals[0] < max(totals)):
            break
    chosen = best[1]
    reached = tuple(int(counts[chosen == split].sum()) for split in range(3))
    if exact and reached != totals:
        raise ErsatzError(
            f"Groups cannot be divided into exactly {'/'.join(map(str, totals))} images; the nearest found is "
            f"{'/'.join(map(str, reached))} (train/valid/test). Use these counts, or leave them out to split by shares."
        )
    return pd.Series(np.array(SPLITS, dtype=object)[chosen[units]], index=rows.index)


def _enough(rows: pd.DataFrame, counts: np.ndarray, classes: list[str], splits: int) -> None:
    """Refuse classes that cannot be in every split; `counts` is `[units, classes]` of `rows`."""
    for number, name in enumerate(classes):
        images, units = int(counts[:, number].sum()), int((counts[:, number] > 0).sum())
        if images < splits + 1:
            raise ErsatzError(
                f"Class {name} has {images} image{'s' * (images != 1)}; at least {splits + 1} are expected, two for "
                f"training and one for each other split. Add images, or leave the class out."
            )
        if units < splits:
            raise ErsatzError(_too_few_units(rows, name, units, splits))


def _too_few_units(rows: pd.DataFrame, name: str, units: int, splits: int) -> str:
    """Why the images of class `name`, of `rows` to split, are too few units: one patient, or one picture."""
    members = rows[rows["class"] == name]
    images = len(members)
    expected = f"at least {splits} are expected, one for each split"
    pictures = members["sha256"].nunique()
    if pictures < splits:
        blank = " (blank)" if "spread" in members and (members["spread"] < BLANK_SPREAD).all() else ""
        return (
            f"The {images} images of class {name} are {_counted(pictures, 'picture')}{blank}, copied again and again; "
            f"{expected}. Look at its files, and bring the right ones or leave the class out."
        )
    groups = members.loc[members["group"] != "", "group"]
    if len(groups) == images and groups.nunique() < splits:
        whose = f"all {len(rows)} images of the set" if (rows["group"] == groups.iloc[0]).all() else "all of them"
        says = f"{whose} say patient {groups.iloc[0]}" if groups.nunique() == 1 else f"{groups.nunique()} patients"
        return (
            f"The {images} images of class {name} come from {_counted(groups.nunique(), 'group')} ({says}); "
            f"{expected}. If that is no patient, as where an export made all ids alike, ignore it (--ignore-ids for "
            "DICOM, another --group-column for a CSV or - for none); else add patients, or leave the class out."
        )
    return (
        f"The {images} images of class {name} come from {_counted(units, 'group')} (patients, or copies of one "
        f"picture); {expected}. Add patients, or leave the class out."
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _targets(per_class: np.ndarray, totals: tuple[int, int, int]) -> np.ndarray:
    """Wanted images `[classes, 3]`: each split's total shared out in proportion (largest remainders), none empty."""
    targets = np.zeros((len(per_class), 3), np.int64)
    left = per_class.copy()
    least = np.where(np.array(totals) > 0, LEAST, 0)
    for split in (2, 1):  # test first: it is the smallest and matters most
        if totals[split] == 0:
            continue
        exact = totals[split] * per_class / per_class.sum()
        most = left - least[:split].sum()  # what the splits before it need for themselves
        share = np.clip(np.floor(exact).astype(np.int64), 1, np.maximum(most, 1))
        while share.sum() < totals[split] and (share < most).any():
            share[np.argmin(np.where(share < most, share - exact, np.inf))] += 1
        while share.sum() > totals[split] and share.max() > 1:  # the floor of one image took from the larger classes
            share[np.argmax(share - exact)] -= 1
        targets[:, split] = share
        left = left - share
    targets[:, 0] = left
    return targets


def _oversized(counts: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mask `[units]` of those that only training can hold, as far as each class keeps units for the other splits.

    Dealt by lot, such a unit may meet a training part that has a few images already, and fill validation or test; no
    single move or swap brings it back then, since what it leaves would be empty.
    """
    others = [split for split in (1, 2) if targets[:, split].any()]
    mask = np.zeros(len(counts), bool)
    if not others:
        return mask
    room = targets[:, others].max(axis=1)
    too_many = (counts > OVERSIZED * room).any(axis=1)
    too_many |= counts.sum(axis=1) > OVERSIZED * targets[:, others].sum(axis=0).max()
    left = (counts > 0).sum(axis=0)
    for unit in sorted(np.flatnonzero(too_many), key=lambda unit: -counts[unit].sum()):
        without = left - (counts[unit] > 0)
        if (without[counts[unit] > 0] >= len(others)).all():
            mask[unit], left = True, without
    return mask


def _deal(counts: np.ndarray, targets: np.ndarray, for_training: np.ndarray) -> np.ndarray:
    """Split `[units]` of each unit in turn: the one that misses the largest part of what the unit holds.

    Those in the mask `for_training` are dealt before all others.
    """
    chosen = np.zeros(len(counts), np.int64)
    missing = targets.astype(float).copy()
    missing[:, 0] -= counts[for_training].sum(axis=0)
    weights = 1 / np.maximum(targets, 1)
    for number in np.flatnonzero(~for_training):
        unit = counts[number]
        chosen[number] = np.argmax(np.where(targets.any(axis=0), unit @ (missing * weights), -np.inf))
        missing[:, chosen[number]] -= unit
    return chosen


def _cost(reached: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How far counts `[..., classes, 3]` are off: the totals weigh more than the strata, an empty stratum most."""
    error = reached - targets
    off = np.abs(error).sum(axis=(-1, -2)) + 3 * np.abs(error.sum(axis=-2)).sum(axis=-1)
    return off + 1000 * _lacking(reached, targets)


def _lacking(reached: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Images that counts `[..., classes, 3]` lack for every class to be of use in every split."""
    return (np.minimum(targets, LEAST) - reached).clip(0).sum(axis=(-1, -2))


def check(rows: pd.DataFrame) -> None:
    """Every class needs an image in each split and two for training; a frozen split without them is of no use."""
    counts = pd.crosstab(rows["class"], rows["split"]).reindex(columns=list(SPLITS), fill_value=0)
    for name, row in counts.iterrows():
        for split, least in zip(SPLITS, LEAST, strict=True):
            if row[split] < least:
                raise ErsatzError(
                    f"Class {name} has {row[split]} image{'s' * int(row[split] != 1)} in the {split} split; at least "
                    f"{least} {'are' if least > 1 else 'is'} expected. Add images, change the split, or leave "
                    "the class out."
                )
