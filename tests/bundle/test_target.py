"""Which wheels and requirements a machine has, whatever machine asks."""

from __future__ import annotations

import tomllib

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags

from engine.bundle.target import PYTHONS, Target, target_named
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY


def test_pythons_are_those_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    supported = SpecifierSet(project["requires-python"])
    assert tuple(f"3.{minor}" for minor in range(5, 40) if supported.contains(f"3.{minor}.0")) == PYTHONS


def test_platforms_from_the_newest_to_the_oldest_under_all_their_names() -> None:
    platforms = target_named("3.12", "x86_64", "").platforms
    assert platforms[:2] == ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64"]
    assert platforms[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    assert platforms.index("manylinux2014_x86_64") == platforms.index("manylinux_2_17_x86_64") + 1
    assert "manylinux_2_34_aarch64" in target_named("3.12", "aarch64", "").platforms
    assert target_named("3.12", "x86_64", "2.12").platforms[:2] == ["manylinux_2_12_x86_64", "manylinux2010_x86_64"]


def test_platforms_are_those_that_this_machine_has() -> None:
    """Up to a glibc that it surely has."""
    here = {tag.platform for tag in sys_tags() if tag.platform.endswith("x86_64")}
    if "manylinux_2_28_x86_64" not in here:
        pytest.skip("this machine is no Linux x86_64 with glibc 2.28")
    assert set(target_named("3.12", "x86_64", "2.28").platforms) <= here


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ('python_version >= "3.12"', True),
        ('python_version < "3.12"', False),
        ('python_full_version < "3.12.4"', True),  # nobody knows the patch
        ('python_full_version >= "3.12.4"', True),
        ('sys_platform == "darwin"', False),
        ('platform_system == "Linux" and platform_machine == "aarch64"', True),
        ('implementation_name == "pypy"', False),
        ('extra == "more"', False),
    ],
)
def test_requirements_are_decided_for_the_target(marker: str, wanted: bool) -> None:
    target = Target(python="3.12", machine="aarch64", glibc=34)
    assert target.wants(Marker(marker)) == wanted
    assert target.wants(None)
    assert target.wants(Marker('extra == "more"'), "more")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("3.10", "x86_64", ""), r"Python 3\.10 was asked for; one of 3\.11, 3\.12, 3\.13 is expected\. Take what"),
        (("3", "x86_64", ""), "Python 3 was asked for"),
        (("3.12", "arm64", ""), "A machine arm64 was asked for; x86_64 or aarch64 is expected"),
        (("3.12", "x86_64", "2.4"), r"glibc 2\.4 was asked for; 2\.5 or newer"),
        (("3.12", "x86_64", "musl"), "glibc musl was asked for"),
    ],
)
def test_what_is_not_supported_is_refused(given: tuple[str, str, str], sentence: str) -> None:
    with pytest.raises(ErsatzError, match=sentence):
        target_named(*given)
