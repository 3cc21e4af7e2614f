"""A data set of the home: manifest, images, and the frozen split that every result goes back to."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from engine.datasets import agreement
from engine.datasets.audit import audit, blocking
from engine.datasets.dataset_info import DatasetInfo, Frozen, Mode
from engine.datasets.leaking_parts import leak_between_parts
from engine.datasets.manifest import usable
from engine.store.csv_cells import read_table, write_table
from engine.store.deleting import listed
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.hashing import sha256_value
from engine.store.home import NAME_PATTERN, Home

SPLITS = ("train", "valid", "test")
COLUMNS = (
    "path",
    "class",
    "split",
    "group",
    "sha256",
    "phash",
    "width",
    "height",
    "mode",
    "bits",
    "source",
    "excluded",
)
_NUMBERS = {"width": int, "height": int, "bits": int}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A cheap handle: `dataset.json` is read at once, the manifest when it is asked for."""

    home: Home
    name: str
    info: DatasetInfo

    @staticmethod
    def open(home: Home, name: str) -> Dataset:
        """The data set of that name; an `ErsatzError` when it is absent or damaged."""
        path = home.dataset(name)
        if not _is_there(path):
            known = ", ".join(dataset.name for dataset in list_datasets(home))
            raise ErsatzError(
                f"There is no data set {name} in {home.datasets}; "
                + (f"expected one of {known}." if known else "none was imported yet. Import one first.")
            )
        return Dataset(home, name, DatasetInfo.read(path / "dataset.json"))

    @property
    def path(self) -> Path:
        return self.home.dataset(self.name)

    @property
    def classes(self) -> list[str]:
        return self.info.classes

    @property
    def size(self) -> int:
        return self.info.size

    @property
    def mode(self) -> Mode:
        return self.info.mode

    @property
    def channels(self) -> int:
        return 3 if self.mode == "RGB" else 1

    @property
    def is_phantom(self) -> bool:
        return self.info.phantom

    @property
    def label(self) -> str:
        """The name as people should see it; a phantom says that it is one."""
        return self.info.label or self.name

    @property
    def metadata(self) -> list[str]:
        """Columns of the manifest that were kept for subgroups."""
        return self.info.config.get("metadata_columns", [])

    @property
    def frozen(self) -> bool:
        return self.info.frozen is not None

    @property
    def fingerprint(self) -> str:
        """Hash of the frozen split; '' while it is not frozen."""
        return self.info.frozen.fingerprint if self.info.frozen else ""

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """All rows, the excluded ones too; a warning where an open split's were changed by hand, or half of a change
        is lost."""
        manifest, agrees = agreeing_manifest(self.path, self.info.manifest_sha256)
        if not agrees and not self.frozen and self._still_disagrees():
            logger.warning(
                f"The manifest.csv of data set {self.name} is not the one that its dataset.json is about; its findings "
                "may be out of date. Changing or freezing the split audits it anew."
            )
        return manifest

    def _still_disagrees(self) -> bool:
        """Whether the files disagree, and not only with this handle, which may be older than they are."""
        now = DatasetInfo.read(self.path / "dataset.json").manifest_sha256
        return now == self.info.manifest_sha256 or not agreement.manifest_bytes(self.path, now)[1]

    def rows(self, split: str | None = None, class_name: str | None = None) -> pd.DataFrame:
        """Rows that no remedy excluded, of one split and one class if these are given."""
        rows = usable(self.manifest)
        if split is not None:
            rows = rows[rows["split"] == split]
        if class_name is not None:
            if class_name not in self.classes:
                raise ErsatzError(
                    f"Data set {self.name} has no class {class_name!r}; expected one of {', '.join(self.classes)}."
                )
            rows = rows[rows["class"] == class_name]
        return rows

    def pixels(self, rows: pd.DataFrame) -> np.ndarray:
        """Images of `rows` in their order, uint8 `[N, H, W, C]`."""
        pixels = np.empty((len(rows), self.size, self.size, self.channels), np.uint8)

        def read(job: tuple[int, str]) -> None:
            number, name = job
            try:
                with Image.open(self.path / name) as image:
                    pixels[number] = np.asarray(image).reshape(pixels.shape[1:])
            except (OSError, ValueError) as error:
                raise ErsatzError(
                    f"{self.path / name} is missing or damaged ({error}); the image as imported is expected. "
                    f"Restore it, or delete the data set {self.name} and import it again."
                ) from error

        with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
            list(pool.map(read, enumerate(rows["path"])))
        return pixels

    def labels(self, rows: pd.DataFrame) -> np.ndarray:
        """Class numbers of `rows`, int64 `[N]`, indices into `classes`."""
        return rows["class"].map({name: number for number, name in enumerate(self.classes)}).to_numpy(np.int64)

    def require_frozen(self) -> None:
        """Raise `ErsatzError` unless the split is frozen, the manifest still the one that was frozen, and no picture
        or patient in two parts of it that nobody accepted when it was frozen."""
        if not self.frozen:
            reason = self.info.not_frozen or "The split can still change."
            raise ErsatzError(
                f"The split of data set {self.name} is not frozen, and a frozen one is expected. {reason} "
                f"{how_to_freeze(self.name, self.info.audit.findings)}"
            )
        if fingerprint_of(self.manifest, self.info) != self.fingerprint:
            raise ErsatzError(
                f"The manifest of data set {self.name} was changed after its split was frozen; results could not be "
                "trusted. Restore manifest.csv, or import the data again under another name."
            )
        if found := leak_between_parts(self.rows(), self.info.frozen.accepted if self.info.frozen else ()):
            raise ErsatzError(
                f"The frozen split of data set {self.name} has {found}, and nobody accepted that when it was frozen; "
                "parts that share nothing are expected, else a test finds again what was trained on. Import the data "
                "again under another name."
            )

    def has_fingerprint(self, made_for: str) -> bool:
        """Whether something made for the split `made_for` fits the split of now; '' is not pinned to any, and does."""
        return made_for in ("", self.fingerprint)

    def require_fingerprint(self, made_for: str, what: str) -> None:
        """Raise `ErsatzError` unless the split is the one that `what`, such as "The pool x", was made for."""
        if not self.has_fingerprint(made_for):
            now = f"the split {self.fingerprint[:12]}..." if self.frozen else "none that is frozen"
            raise ErsatzError(
                f"{what} was made for the split {made_for[:12]}... of the data set {self.name}, which has {now} now; "
                "the same is expected. Make a new one for the split of now."
            )

    def freeze(self, accept_findings: bool = False, sealed: bool = False) -> str:
        """Freeze the split and return its fingerprint; a frozen one stays as it is, but may be marked as `sealed`.

        Leaks between splits and conflicts of label forbid it unless `accept_findings`; those accepted are recorded.
        A manifest that `dataset.json` is not about is audited anew, and what is found then cannot have been accepted.
        """
        if self.frozen and not sealed:
            return self.fingerprint
        info, frozen = self.info, self.info.frozen
        if frozen is None:
            info = self._audited_anew()
            findings = blocking(info.audit.findings)
            if findings and not accept_findings:
                raise ErsatzError(f"Data set {self.name} cannot be frozen. {reason_not_to_freeze(findings)}")
            frozen = frozen_now(self.manifest, info, findings)
        frozen = frozen.model_copy(update={"sealed": frozen.sealed or sealed})
        self._write(info.model_copy(update={"frozen": frozen, "not_frozen": ""}))
        return self.fingerprint

    def _audited_anew(self) -> DatasetInfo:
        """The content of `dataset.json` for the manifest that is there, audited anew if that is not its own.

        Raises `ErsatzError`, and records the findings, when there is a leak or conflict that was not known: nobody can
        have accepted it.
        """
        content, _ = agreement.manifest_bytes(self.path, self.info.manifest_sha256)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == self.info.manifest_sha256:
            return self.info
        findings = audit(self.manifest, self.path)
        known = {finding["name"] for finding in self.info.audit.findings}
        new = [finding for finding in blocking(findings) if finding["name"] not in known]
        if not new and not self.info.manifest_sha256:  # of before there was a hash: what was found then holds
            return self.info.model_copy(update={"manifest_sha256": sha256})
        record = self.info.audit.model_copy(update={"findings": findings})
        info = self.info.model_copy(update={"audit": record, "manifest_sha256": sha256})
        if new:
            self._write(info.model_copy(update={"not_frozen": reason_not_to_freeze(new)}))
            raise ErsatzError(
                f"The manifest.csv of data set {self.name} was not the one that had been audited, and was audited "
                f"anew; {reason_not_to_freeze(new)} Look at it again before it is frozen."
            )
        return info

    def _write(self, info: DatasetInfo) -> None:
        info.write_to(self.path / "dataset.json")
        self.__dict__["info"] = info  # the handle shows what it has just written


def list_datasets(home: Home) -> list[Dataset]:
    """All data sets of the home that are whole, by name; `damaged_datasets` has the others."""
    found = []
    for path in _folders(home):
        with suppress(ErsatzError):
            _require_header(path)
            found.append(Dataset.open(home, path.name))
    return found


def damaged_datasets(home: Home) -> dict[str, str]:
    """What is wrong with each data set that cannot be opened, in a sentence, by name.

    Of a manifest its first line alone is looked at, since lists are made often.
    """
    found = {}
    for path in _folders(home):
        try:
            _require_header(path)
            DatasetInfo.read(path / "dataset.json")
        except ErsatzError as error:
            if path.is_dir():  # else it was just deleted
                found[path.name] = str(error)
    return found


def _folders(home: Home) -> list[Path]:
    """Every folder that is, or was, a data set."""
    return [path for path in listed(home.datasets) if NAME_PATTERN.fullmatch(path.name) and path.is_dir()]


def _is_there(path: Path) -> bool:
    try:
        return (path / "dataset.json").exists() or (path.is_dir() and any(path.iterdir()))
    except OSError:  # it must not be looked into, which opening it says
        return True


def _require_header(path: Path) -> None:
    """Raise `ErsatzError` unless the manifest in a folder begins as one does."""
    manifest = path / "manifest.csv"
    try:
        with manifest.open(encoding="utf-8") as file:
            names = file.readline(100_000).rstrip("\n").split(",")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ErsatzError(f"{manifest} cannot be read ({reason}); {_ADVICE}") from error
    if missing := [name for name in COLUMNS if name not in names]:
        raise ErsatzError(f"{manifest} lacks the column {missing[0]}; {_ADVICE}")


_ADVICE = "restore it from a backup, or delete the data set and import it again."


def fingerprint_of(manifest: pd.DataFrame, info: DatasetInfo) -> str:
    """Hash over what a result depends on: images, classes, splits, groups, and the way they were preprocessed."""
    columns = ["path", "class", "split", "group", "sha256"]
    rows = usable(manifest)[columns].sort_values("path").to_numpy(dtype=object).tolist()
    return sha256_value({"rows": rows, "preprocessing": info.provenance.preprocessing})


def frozen_now(manifest: pd.DataFrame, info: DatasetInfo, accepted: list[dict[str, Any]]) -> Frozen:
    """The content of `frozen` in `dataset.json`."""
    return Frozen(
        fingerprint=fingerprint_of(manifest, info),
        time=time.time(),
        accepted=tuple(finding["name"] for finding in accepted),
    )


def reason_not_to_freeze(findings: list[dict[str, Any]]) -> str:
    """Sentences on grave findings, and what to do."""
    remedies = list(dict.fromkeys(finding["remedy"] for finding in findings if finding["remedy"]))
    named = f"remedies {', '.join(remedies)} mend" if len(remedies) > 1 else f"remedy {''.join(remedies)} mends"
    mend = f" The {named} this." if remedies else ""
    return " ".join(finding["sentence"] for finding in findings) + mend


def how_to_freeze(name: str, findings: list[dict[str, Any]]) -> str:
    """What mends and freezes an open split, as commands; the Datasets page does the same."""
    freeze = f"`python -m engine dataset freeze {name}`"
    grave = blocking(findings)
    if not grave:
        return f"Freeze it on the Datasets page or with {freeze}."
    remedies = list(dict.fromkeys(finding["remedy"] for finding in grave if finding["remedy"]))
    if not remedies:
        return f"Mend it on the Datasets page, or accept it with {freeze[:-1]} --accept-findings`."
    fixes = " ".join(f"--fix {remedy}" for remedy in remedies)
    return f"Mend it on the Datasets page or with `python -m engine dataset audit {name} {fixes}`, then {freeze}."


def agreeing_manifest(folder: Path, sha256: str) -> tuple[pd.DataFrame, bool]:
    """The manifest that `dataset.json` is about (`sha256`), and whether it was found; see `agreement.manifest_bytes`.

    Raises `ErsatzError` when it is missing or damaged.
    """
    path = folder / agreement.MANIFEST
    try:
        content, agrees = agreement.manifest_bytes(folder, sha256)
    except OSError as error:
        raise _damaged(path, error) from error
    return _parsed(content, path), agrees


def read_manifest(path: Path) -> pd.DataFrame:
    """`manifest.csv` with text columns as text; an `ErsatzError` when it is missing or damaged."""
    try:
        return _parsed(path.read_bytes(), path)
    except OSError as error:
        raise _damaged(path, error) from error


def _parsed(content: bytes, path: Path) -> pd.DataFrame:
    try:
        manifest = read_table(io.BytesIO(content), dtype=str, keep_default_na=False).astype(_NUMBERS)
    except (ValueError, KeyError) as error:
        raise _damaged(path, error) from error
    if missing := [name for name in COLUMNS if name not in manifest]:
        raise ErsatzError(f"{path} lacks the column {missing[0]}; it was changed by hand. Import the data set again.")
    return manifest


def _damaged(path: Path, error: Exception) -> ErsatzError:
    return ErsatzError(
        f"{path} is missing or damaged ({error}); restore it from a backup or import the data set again."
    )


def write_manifest(path: Path, manifest: pd.DataFrame) -> None:
    """Write atomically, the fixed columns first."""
    others = [name for name in manifest if name not in COLUMNS]
    with replacing(path) as temporary:
        write_table(manifest[[*COLUMNS, *others]], temporary)


def write_both(folder: Path, manifest: pd.DataFrame, info: DatasetInfo) -> None:
    """Write manifest.csv and dataset.json, so that a kill leaves both as before or both as afterwards."""
    agreement.commit(
        folder,
        lambda path: write_manifest(path, manifest),
        lambda sha256: info.model_copy(update={"manifest_sha256": sha256}).write_to(folder / "dataset.json"),
    )
