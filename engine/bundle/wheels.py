"""What wheels say of themselves, and whether a folder of them is complete for a machine."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from engine.bundle.target import Target
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file


@dataclass(frozen=True)
class Wheel:
    """One wheel on this disk."""

    path: Path
    name: NormalizedName
    version: Version
    requires: tuple[Requirement, ...]
    extras: frozenset[str]
    unpacked_bytes: int

    @property
    def locked(self) -> str:
        """Its line in a file of requirements with hashes."""
        return f"{self.name}=={self.version} --hash=sha256:{sha256_file(self.path)}"


def read_wheel(path: Path) -> Wheel:
    """What a wheel says of itself; an `ErsatzError` when it is damaged."""
    try:
        name, version, *_ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            (inside,) = (one for one in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", one))
            metadata = message_from_bytes(archive.read(inside))
            unpacked = sum(one.file_size for one in archive.infolist())
        requires = tuple(Requirement(line) for line in metadata.get_all("Requires-Dist", []))
    except (InvalidWheelFilename, InvalidRequirement, zipfile.BadZipFile, ValueError) as error:
        raise ErsatzError(
            f"{path.name} cannot be read as a wheel ({error}); a whole one was expected. Start again, after "
            "`python -m pip cache purge` if pip keeps it."
        ) from error
    extras = frozenset(canonicalize_name(line) for line in metadata.get_all("Provides-Extra", []))
    return Wheel(path, name, version, requires, extras, unpacked)


def read_wheels(folder: Path) -> dict[NormalizedName, Wheel]:
    """The wheels of a folder by the names of their packages."""
    return {wheel.name: wheel for wheel in map(read_wheel, sorted(folder.glob("*.whl")))}


@dataclass(frozen=True)
class Closure:
    """What follows from a program's requirements on a machine."""

    needed: frozenset[NormalizedName]
    """Packages whose wheels are there and wanted."""
    unmet: Mapping[str, str]
    """Requirements without a wheel that meets them, without markers, each with the package that has it."""


def closure(
    program: NormalizedName, extras: Iterable[str], wheels: Mapping[NormalizedName, Wheel], target: Target
) -> Closure:
    """Follow what the program requires, with some of its extras, through `wheels`."""
    ahead = [(program, ""), *((program, canonicalize_name(extra)) for extra in extras)]
    seen = set(ahead)
    unmet: dict[str, str] = {}
    while ahead:
        name, extra = ahead.pop()
        for requirement in wheels[name].requires:
            # With an extra, what is wanted without it too has been followed already
            if not target.wants(requirement.marker, extra) or (extra and target.wants(requirement.marker)):
                continue
            wanted = canonicalize_name(requirement.name)
            if wanted not in wheels or not requirement.specifier.contains(wheels[wanted].version, prereleases=True):
                unmet[without_marker(requirement)] = name
                continue
            found = {(wanted, ""), *((wanted, canonicalize_name(each)) for each in requirement.extras)} - seen
            seen |= found
            ahead += sorted(found)
    return Closure(frozenset(name for name, _ in seen), unmet)


def without_marker(requirement: Requirement) -> str:
    """The requirement as one of every machine."""
    bare = Requirement(str(requirement))
    bare.marker = None
    return str(bare)
