"""The parts of the Apptainer definition that a shell can run; nothing builds the image."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine.store.home import REPOSITORY

TEXT = (REPOSITORY / "docs" / "cluster" / "ersatz.def").read_text()
SECTIONS = dict(re.findall(r"^%(\w+)\n(.*?)(?=^%|\Z)", TEXT, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("section", ["post", "environment", "runscript", "test"])
def test_scripts_are_read_by_a_shell(section: str) -> None:
    subprocess.run(["sh", "-n"], input=SECTIONS[section], text=True, check=True)


@pytest.mark.parametrize("source", ["a bundle", "something else"])
def test_a_bundle_is_installed_and_nothing_else_is_taken_for_one(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    if source == "a bundle":
        (folder / "install.sh").write_text(f'echo "$1" > {tmp_path}/asked\n')
    script = SECTIONS["post"].replace("/opt/", f"{tmp_path}/")
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)
    if source == "a bundle":
        assert done.returncode == 0 and not folder.exists()
        assert (tmp_path / "asked").read_text() == f"{tmp_path}/ersatz\n"
    else:
        assert done.returncode == 1 and "neither a bundle (install.sh) nor a checkout" in done.stderr
