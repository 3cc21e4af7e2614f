"""Words that people give to images of a data set, such as `artefact` or `look again`: for people alone.

They stand in `tags.json` beside the manifest, by the hash of each image's pixels. A tag changes nothing that is
computed: neither the split nor its fingerprint, of a frozen data set either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.datasets.dataset import Dataset
from engine.datasets.editing import changing
from engine.store.errors import ErsatzError
from engine.store.files import read_json, write_json

FILE = "tags.json"
LONGEST = 40
"""Characters of a tag."""


def tags_of(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """The tags of each image that has any, by the hash of its pixels. Raises `ErsatzError` for a damaged file."""
    path = dataset.path / FILE
    if not path.is_file():
        return {}
    return {sha256: tuple(tags) for sha256, tags in _checked(read_json(path), path).items()}


def all_tags(dataset: Dataset) -> list[str]:
    """Every tag that is in use, in the order of the alphabet."""
    return sorted({tag for tags in tags_of(dataset).values() for tag in tags}, key=str.casefold)


def tag(dataset: Dataset, hashes: Sequence[str], name: str) -> None:
    """Give images a tag. Raises `ErsatzError` for a name that is none."""
    _change(dataset, hashes, checked_tag(name), given=True)


def untag(dataset: Dataset, hashes: Sequence[str], name: str) -> None:
    """Take a tag from images."""
    _change(dataset, hashes, checked_tag(name), given=False)


def checked_tag(name: str) -> str:
    """The tag without blanks around it; an `ErsatzError` where nothing, or too much, is left."""
    found = " ".join(name.split())
    if not found or len(found) > LONGEST or not found.isprintable():
        raise ErsatzError(f"{name[:80]!r} cannot be a tag; 1 to {LONGEST} characters are expected, such as artefact.")
    return found


def _change(dataset: Dataset, hashes: Sequence[str], name: str, given: bool) -> None:
    with changing(dataset):
        tags = {sha256: list(names) for sha256, names in tags_of(dataset).items()}
        for sha256 in hashes:
            names = [other for other in tags.get(sha256, []) if other != name] + ([name] if given else [])
            tags[sha256] = sorted(names, key=str.casefold)
        write_json(dataset.path / FILE, {sha256: names for sha256, names in tags.items() if names})


def _checked(content: Any, path: Path) -> dict[str, list[str]]:
    sound = isinstance(content, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in content.values()
    )
    if not sound:
        raise ErsatzError(f"{path} is damaged: lists of tags by image are expected. Restore it, or delete it.")
    return content
