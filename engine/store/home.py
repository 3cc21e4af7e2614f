"""The home folder: the one place that everything is written to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.store.errors import ErsatzError

REPOSITORY = Path(__file__).resolve().parents[2]
"""The folder that holds the package `engine`: a checkout, or the packages of an environment."""
IN_PACKAGE = REPOSITORY / "engine" / "_dashboard"
"""Where the dashboard's scripts are once they are installed (see pyproject.toml)."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Home:
    """Paths below the home folder; `Home.from_environment()` honours `ERSATZ_HOME`."""

    root: Path

    @staticmethod
    def from_environment() -> Home:
        """The folder named by `ERSATZ_HOME`, else `checkpoints/` of a checkout, else of the working directory."""
        root = os.environ.get("ERSATZ_HOME")
        if root:
            return Home(Path(root).expanduser().resolve())
        return Home((REPOSITORY if is_checkout() else Path.cwd()) / "checkpoints")

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def database(self) -> Path:
        return self.root / "ersatz.db"

    def dataset(self, name: str) -> Path:
        return self.datasets / checked_name(name, "data set")

    def run(self, run_id: str) -> Path:
        return self.runs / checked_name(run_id, "run")


def is_checkout() -> bool:
    """Whether this program runs from a checkout, and not from the packages of an environment."""
    return (REPOSITORY / "app.py").is_file() and (REPOSITORY / "pyproject.toml").is_file()


def dashboard_folder() -> Path:
    """Where `app.py` is, with `pages/` and Streamlit's settings beside it."""
    return REPOSITORY if is_checkout() else IN_PACKAGE


def checked_name(name: str, what: str) -> str:
    """`name` if it is safe as the name of a folder, else an `ErsatzError`."""
    if not NAME_PATTERN.fullmatch(name):
        raise ErsatzError(
            f"{name!r} cannot be the name of a {what}: expected 1 to 80 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit. Choose another name."
        )
    return name
