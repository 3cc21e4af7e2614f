"""Whether a folder of wheels is complete."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from engine.bundle.target import Target
from engine.bundle.wheels import closure, read_wheel, read_wheels
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from tests.bundle.conftest import make_wheel

TARGET = Target(python="3.12", machine="x86_64", glibc=28)


def test_what_a_wheel_says(tmp_path: Path) -> None:
    wheel = read_wheel(make_wheel(tmp_path, "Some.thing", "2.0+cu1", ["b[c]>=1; extra == 'x'"]))
    assert (wheel.name, str(wheel.version), wheel.extras) == ("some-thing", "2.0+cu1", {"x"})
    assert wheel.locked == f"some-thing==2.0+cu1 --hash=sha256:{sha256_file(wheel.path)}"
    with zipfile.ZipFile(wheel.path) as archive:
        assert wheel.unpacked_bytes == sum(len(archive.read(name)) for name in archive.namelist())


@pytest.mark.parametrize("damage", ["torn", "text", "no metadata", "name"])
def test_a_damaged_wheel_is_named(damage: str, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "some")
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "text":
        path.write_text("<html>")
    elif damage == "no metadata":
        zipfile.ZipFile(path, "w").close()
    else:
        path = path.rename(tmp_path / "some.whl")
    with pytest.raises(ErsatzError, match=rf"^{path.name} cannot be read as a wheel"):
        read_wheel(path)


def test_requirements_are_followed_through_extras_and_markers(tmp_path: Path) -> None:
    make_wheel(tmp_path, "program", "1.0", ["a[x]", "old; python_version < '3.12'", "more; extra == 'all'"])
    make_wheel(tmp_path, "a", "1.0", ["in-x; extra == 'x'", "in-y; extra == 'y'", "new>=2; python_version >= '3.12'"])
    make_wheel(tmp_path, "in-x", "1.0", ["a"])  # in a circle
    make_wheel(tmp_path, "new", "1.9")
    make_wheel(tmp_path, "old")
    wheels = read_wheels(tmp_path)
    found = closure(canonicalize_name("program"), [], wheels, TARGET)
    assert found.needed == {"program", "a", "in-x"}
    assert found.unmet == {"new>=2": "a"}
    assert closure(canonicalize_name("program"), ["all"], wheels, TARGET).unmet == {"more": "program", "new>=2": "a"}


def test_a_preview_that_was_asked_for_meets_its_requirement(tmp_path: Path) -> None:
    make_wheel(tmp_path, "program", "1.0", ["a>=2.0rc1"])
    make_wheel(tmp_path, "a", "2.0rc2")
    assert not closure(canonicalize_name("program"), [], read_wheels(tmp_path), TARGET).unmet
