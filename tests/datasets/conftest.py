"""Small pictures and folders of them, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import positive_class
from engine.datasets.class_name_meanings import Told, told_by_names
from engine.datasets.importing import import_dataset
from engine.datasets.phantom import PhantomImage, phantom
from engine.datasets.reading.items import Reading
from engine.datasets.reading.tables.table import read_csv
from engine.datasets.reading.tree import FolderTree
from engine.store.errors import ErsatzError
from engine.store.home import Home


def blobs(seed: int, size: int = 24, channels: int = 0) -> np.ndarray:
    """A picture unlike that of any other seed: 6x6 random patches, uint8 `[size, size]` or `[size, size, channels]`."""
    shape = (6, 6, channels) if channels else (6, 6)
    small = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return small.repeat(size // 6, axis=0).repeat(size // 6, axis=1)


@pytest.fixture(scope="session")
def heads() -> list[PhantomImage]:
    """The demo set of seed 0."""
    return phantom()


@pytest.fixture(name="blobs")
def blobs_fixture() -> Callable[..., np.ndarray]:
    return blobs


@pytest.fixture(autouse=True)
def names_that_tell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of other things may call their classes a and b: where names do not tell, the last class is positive.

    A module with `ASKS = True` meets the question.
    """
    if getattr(request.module, "ASKS", False):
        return

    def told(classes: Sequence[str]) -> Told | None:
        last = Told(classes[-1], classes[-1]) if len(classes) == 2 else None
        return told_by_names(classes) or last

    monkeypatch.setattr(positive_class, "told_by_names", told)


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """`make_tree({"a": 6, "train/b": 4})`: that many different grey PNGs in each folder."""

    def make(counts: dict[str, int], root: str = "source", suffix: str = ".png") -> Path:
        seed = 0
        for folder, count in counts.items():
            (tmp_path / root / folder).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(blobs(seed)).save(tmp_path / root / folder / f"{number:03d}{suffix}")
                seed += 1
        return tmp_path / root

    return make


@pytest.fixture
def config() -> Callable[..., ImportConfig]:
    """An import of a source with small stored images."""

    def build(source: Path | str, **settings: Any) -> ImportConfig:
        return ImportConfig.build({"name": "set", "source": str(source), "size": 16, **settings})

    return build


@pytest.fixture
def refused(home: Home, config: Callable[..., ImportConfig]) -> Callable[..., str]:
    """Import, expect one sentence with all the given words, and nothing left behind in the home."""

    def check(source: Path | str, *words: str, **settings: Any) -> str:
        with pytest.raises(ErsatzError) as caught:
            import_dataset(home, config(source, **settings))
        sentence = str(caught.value)
        for word in words:
            assert word in sentence
        assert "Traceback" not in sentence
        assert left_behind(home) == []
        return sentence

    return check


def left_behind(home: Home) -> list[str]:
    """Every file and folder of data sets in the home, hidden ones too."""
    return [path.name for path in home.datasets.rglob("*")] if home.datasets.exists() else []


@pytest.fixture(name="left_behind")
def left_behind_fixture() -> Callable[[Home], list[str]]:
    return left_behind


@pytest.fixture
def csv_folder(tmp_path: Path) -> Callable[..., Path]:
    """`csv_folder(text or bytes, names)`: a folder with labels.csv and empty files, as readers look at names only."""

    def make(content: str | bytes, files: Sequence[str], name: str = "labels.csv") -> Path:
        for file in (*files, name):
            (tmp_path / "csv" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "csv" / file).touch()
        (tmp_path / "csv" / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "csv"

    return make


@pytest.fixture
def read_table(config: Callable[..., ImportConfig]) -> Callable[..., Reading]:
    """What a CSV says of the images beside it, before any is opened."""
    return lambda source, **settings: read_csv(FolderTree(source), config(source, **settings))
