"""Tiny wheels in a folder that pip takes for its index, and a stand-in for the program itself."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.bundle import bundling

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

MAIN = """
import os, sys
if sys.argv[1:] == ["doctor"]:
    assert os.environ["ERSATZ_HOME"].startswith(sys.prefix)
    print("doctor: weights in", os.environ.get("TORCH_HOME"))
    sys.exit(int(os.path.exists(os.environ.get("SICK", "/nowhere"))))
if sys.argv[1:] == ["--help"]:
    import first
    print("Usage")
"""


def make_wheel(
    folder: Path, name: str, version: str = "1.0", requires: Iterable[str] = (), tag: str = "py3-none-any", **files: str
) -> Path:
    """A wheel whose package has one module, or those of `files` (`module="content"`)."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    requires = list(requires)
    extras = sorted({line.split("extra == ")[1].strip("'\"") for line in requires if "extra == " in line})
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {line}" for line in requires] + [f"Provides-Extra: {extra}" for extra in extras]
    pure = str(tag.endswith("-any")).lower()
    content = {f"{stem}/{module}.py": text for module, text in (files or {"__init__": "x = 1\n"}).items()}
    content[f"{info}/METADATA"] = "\n".join(metadata) + "\n"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in content.items()]
    content[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    path = folder / f"{stem}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in content.items():
            archive.writestr(inside, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder from which alone pip takes wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of torch's weights, empty, and no package that carries some."""
    monkeypatch.delenv("ERSATZ_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("engine.features.sources.packaged", lambda source: None)
    monkeypatch.setattr("engine.bundle.weights.packaged", lambda source: None)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a wheel with these requirements stand for the program; it imports `first` to say its help."""

    def stand_in(*requires: str) -> None:
        def build(folder: Path, temporary: Path, tell: Callable[[str], None]) -> Path:
            return make_wheel(folder, "engine", "0.1.0", requires, __init__="", __main__=MAIN)

        monkeypatch.setattr(bundling, "program_wheel", build)

    return stand_in
