"""The machine without internet that a bundle is for: which wheels fit it, and which requirements it has.

pip can be told a platform, and then chooses wheels for it; but it still decides by the Python that runs it which
requirements there are (`; python_version >= "3.12"`, `; sys_platform == "linux"`). So these are decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.markers import Marker

from engine.store.errors import ErsatzError

PYTHONS = ("3.11", "3.12", "3.13")
OLDEST_GLIBC = {"x86_64": 28, "aarch64": 34}
"""Kinds of machine, each with the oldest glibc, 2.28 or 2.34, that all requirements have wheels for."""

ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Names that glibc 2.17 and older had before PEP 600; some wheels have no other."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Linux machine with CPython `python` (as "3.12") and at least glibc 2.`glibc`."""

    python: str
    machine: str
    glibc: int

    def __str__(self) -> str:
        return f"Python {self.python} on Linux {self.machine} with glibc 2.{self.glibc}"

    @property
    def platforms(self) -> list[str]:
        """Every platform tag that fits, from the newest to the oldest glibc; pip derives none from another."""
        names = []
        for minor in range(self.glibc, 4, -1):
            names.append(f"manylinux_2_{minor}")
            names += [ALIASES[minor]] if minor in ALIASES else []
        return [f"{name}_{self.machine}" for name in (*names, "linux")]

    @property
    def pip_options(self) -> list[str]:
        """What has pip choose wheels for this machine, and nothing else than wheels."""
        options = ["--only-binary=:all:", "--python-version", self.python, "--implementation", "cp"]
        options += ["--abi", "cp" + self.python.replace(".", "")]
        return options + [word for platform in self.platforms for word in ("--platform", platform)]

    def wants(self, marker: Marker | None, extra: str = "") -> bool:
        """Whether a requirement with this marker is one here, in the first or the last patch of the Python."""
        patches = (f"{self.python}.0", f"{self.python}.99")
        return marker is None or any(marker.evaluate(self._environment(patch) | {"extra": extra}) for patch in patches)

    def _environment(self, full_version: str) -> dict[str, str]:
        return {
            "implementation_name": "cpython",
            "implementation_version": full_version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full_version,
            "python_version": self.python,
            "sys_platform": "linux",
        }


def target_named(python: str, machine: str, glibc: str) -> Target:
    """The machine that a user describes; `glibc` as "2.28", or empty for the oldest with wheels of everything.

    An `ErsatzError` for what is not supported.
    """
    if python not in PYTHONS:
        raise ErsatzError(
            f"Python {python} was asked for; one of {', '.join(PYTHONS)} is expected. "
            "Take what `python3 --version` says on the machine without internet."
        )
    if machine not in OLDEST_GLIBC:
        raise ErsatzError(
            f"A machine {machine} was asked for; {' or '.join(OLDEST_GLIBC)} is expected. "
            "Take what `uname -m` says on the machine without internet."
        )
    told = re.fullmatch(r"2\.(\d{1,2})", glibc or f"2.{OLDEST_GLIBC[machine]}")
    if told is None or int(told[1]) < 5:
        raise ErsatzError(
            f"glibc {glibc} was asked for; 2.5 or newer is expected. "
            "Take what `ldd --version` says on the machine without internet."
        )
    return Target(python=python, machine=machine, glibc=int(told[1]))
