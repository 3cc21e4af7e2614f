"""A whole bundle from tiny wheels, by the command and by Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from engine.bundle import bundling
from engine.bundle.bundling import make_bundle
from engine.bundle.target import Target
from engine.cli.main import app
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from tests.bundle.conftest import PYTHON, make_wheel

OTHER = "3.13" if PYTHON != "3.13" else "3.12"
TARGET = Target(python=OTHER, machine="aarch64", glibc=34)
"""Another machine and another Python than those that run the test."""


def nothing_left(folder: Path) -> bool:
    """Whether no bundle and no part of one is in the folder."""
    return not list(folder.glob("out*")) and not list(folder.glob(".out*"))


def test_a_bundle_by_the_command(
    index: Path, program: Callable[..., None], no_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("first>=1", "third; extra == 'more'", "fourth; extra == 'other'")
    make_wheel(index, "first", "1.5", ["second"])
    for name in ("second", "third", "fourth"):
        make_wheel(index, name)
    out = tmp_path / "out"
    out.mkdir()  # an empty one is as good as none
    done = CliRunner().invoke(app, ["bundle", "--python", PYTHON, "--extra", "more", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    wheels = {f"wheels/{name}-py3-none-any.whl" for name in ("engine-0.1.0", "first-1.5", "second-1.0", "third-1.0")}
    assert names == wheels | {"requirements.lock", "install.sh", "SHA256SUMS"}
    locked = (out / "requirements.lock").read_text().splitlines()
    assert [line.split()[0] for line in locked] == ["engine==0.1.0", "first==1.5", "second==1.0", "third==1.0"]
    assert locked[1].endswith(f"--hash=sha256:{sha256_file(out / 'wheels' / 'first-1.5-py3-none-any.whl')}")
    sums = dict(reversed(line.split("  ")) for line in (out / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: sha256_file(out / name) for name in names - {"SHA256SUMS"}}
    assert "@" not in (out / "install.sh").read_text().replace('"$@"', "")
    assert list(tmp_path.glob(".out*")) == []


def test_what_only_the_target_requires_is_there_and_what_only_this_python_requires_is_not(
    index: Path, program: Callable[..., None], tmp_path: Path
) -> None:
    program(f"first; python_version == '{OTHER}'", f"backport; python_version == '{PYTHON}'")
    make_wheel(index, "first", "1.0", ["arm; platform_machine == 'aarch64'", f"old; python_version == '{PYTHON}'"])
    make_wheel(index, "arm", "1.0", ["deeper", f"second<2; python_version == '{OTHER}'"])
    make_wheel(index, "deeper", "1.0", ["second"])
    for name, version in (("backport", "1"), ("old", "1"), ("second", "1.5"), ("second", "2.0")):
        make_wheel(index, name, version)
    digits = OTHER.replace(".", "")
    make_wheel(index, "deeper", "1.1", ["second"], f"cp{digits}-cp{digits}-manylinux2014_aarch64")
    make_wheel(index, "deeper", "1.2", tag="cp311-cp311-manylinux_2_17_x86_64")
    told: list[str] = []
    made = make_bundle(tmp_path / "out", TARGET, tell=told.append)
    locked = [line.split()[0] for line in (made.path / "requirements.lock").read_text().splitlines()]
    assert locked == ["arm==1.0", "deeper==1.1", "engine==0.1.0", "first==1.0", "second==1.5"]
    assert made.wheels == len(list((made.path / "wheels").iterdir())) == 5
    assert told[0] == f"Collecting wheels for Python {OTHER} on Linux aarch64 with glibc 2.34"
    assert "Once more, with arm" in told


@pytest.mark.parametrize(
    ("wheel", "sentence"),
    [
        ({"tag": "cp39-cp39-manylinux_2_17_x86_64"}, r"There is no wheel of first for .*glibc 2\.28\. A wheel of each"),
        ({"tag": "py3-none-manylinux_2_35_x86_64"}, "There is no wheel of first"),
        ({"requires": ["second"]}, "There is no wheel of second"),
    ],
)
def test_a_requirement_without_a_wheel_is_named_and_nothing_stays(
    wheel: dict[str, str], sentence: str, index: Path, program: Callable[..., None], tmp_path: Path
) -> None:
    program("first")
    make_wheel(index, "first", **wheel)
    with pytest.raises(ErsatzError, match=sentence):
        make_bundle(tmp_path / "out", Target(python="3.12", machine="x86_64", glibc=28))
    assert nothing_left(tmp_path)


def test_a_source_archive_is_no_wheel(index: Path, program: Callable[..., None], tmp_path: Path) -> None:
    program("first")
    shutil.make_archive(str(index / "first-1.0"), "gztar", index)
    with pytest.raises(ErsatzError, match="There is no wheel of first"):
        make_bundle(tmp_path / "out", TARGET)
    assert nothing_left(tmp_path)


def test_an_unknown_extra(index: Path, program: Callable[..., None], tmp_path: Path) -> None:
    program("first; extra == 'more'")
    with pytest.raises(ErsatzError, match="has no extra most; one of more was expected"):
        make_bundle(tmp_path / "out", TARGET, ["most"])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_there_already_is_not_touched(what: str, program: Callable[..., None], tmp_path: Path) -> None:
    program()
    out = tmp_path / "out"
    kept = out / "mine.txt" if what == "folder" else out
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    with pytest.raises(ErsatzError, match="out holds something already; a new or empty folder is expected"):
        make_bundle(out, TARGET)
    assert kept.read_text() == "mine"


def test_a_disk_too_small_for_torch_is_said_before_anything_is_fetched(
    index: Path, program: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("torch==2.15.0; sys_platform == 'linux'")
    monkeypatch.setattr(bundling.shutil, "disk_usage", lambda _: SimpleNamespace(free=5e9))
    with pytest.raises(ErsatzError, match=r"has 5\.0 GB free; 7\.4 GB are expected while wheels are fetched"):
        make_bundle(tmp_path / "out", TARGET)
    assert nothing_left(tmp_path)


def test_the_commands_errors_are_sentences(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bundle", "--python", "2.7", "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, ErsatzError) and "Python 2.7 was asked for" in str(done.exception)
    assert nothing_left(tmp_path)
