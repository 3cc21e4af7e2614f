"""The program's own wheel: built, or packed again from what is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from engine.bundle import program
from engine.bundle.program import program_wheel, repacked
from engine.bundle.wheels import read_wheel
from engine.store.errors import ErsatzError
from tests.bundle.conftest import make_wheel

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]


def installed(wheel: Path, folder: Path) -> Distribution:
    subprocess.run([*PIP, "--target", str(folder), str(wheel)], check=True)
    (found,) = distributions(path=[str(folder)])
    return found


def test_the_checkout_is_built(tmp_path: Path) -> None:
    wheel = read_wheel(program_wheel(tmp_path / "out", tmp_path / "temporary", print))
    assert wheel.name == program.PROGRAM
    assert "login" in wheel.extras and len(wheel.requires) > 20
    with zipfile.ZipFile(wheel.path) as archive:
        assert "engine/bundle/install.sh" in archive.namelist()


def test_what_is_installed_is_packed_again_and_installs_to_the_same(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "some-thing", "1.2", ["other>=1"], __init__="x = 'ä'\n", data="y = 2\n")
    once = installed(wheel, tmp_path / "once")
    again = repacked(once, tmp_path)
    assert (again.name, read_wheel(again).requires) == ("some_thing-1.2-py3-none-any.whl", read_wheel(wheel).requires)
    twice = installed(again, tmp_path / "twice")
    content = {
        str(file): file.read_binary() for file in once.files or () if file.suffix != ".pyc" and file.name != "RECORD"
    }
    assert len(content) > 4
    for file, expected in content.items():
        if not file.endswith("direct_url.json"):
            assert Path(str(twice.locate_file(file))).read_bytes() == expected
    with zipfile.ZipFile(again) as archive:
        names = archive.namelist()
        record = archive.read("some_thing-1.2.dist-info/RECORD").decode()
    assert not [name for name in names if name.endswith((".pyc", "INSTALLER", "direct_url.json"))]
    assert [line.split(",")[0].strip('"') for line in record.splitlines()] == names


def test_a_compiled_package_is_not_packed_again(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "native", tag="cp3-none-linux_x86_64")
    wheel = wheel.rename(tmp_path / "native-1.0-py3-none-any.whl")
    with pytest.raises(ErsatzError, match="The package native was not installed from a wheel without compiled parts"):
        repacked(installed(wheel, tmp_path / "there"), tmp_path)


def test_without_a_checkout_the_installed_program_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "is_checkout", lambda: False)
    monkeypatch.setattr(program, "PROGRAM", "stand-in")
    monkeypatch.setattr("sys.path", [str(tmp_path / "site"), *sys.path])
    with pytest.raises(ErsatzError, match="The package stand-in is not installed here, and there is no checkout"):
        program_wheel(tmp_path / "out", tmp_path / "temporary", print)
    installed(make_wheel(tmp_path, "stand-in", "3.0"), tmp_path / "site")
    assert program_wheel(tmp_path / "out", tmp_path / "temporary", print).name == "stand_in-3.0-py3-none-any.whl"
