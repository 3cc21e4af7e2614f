"""The salt of a home."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.salt import salt_of

TELL = """
from engine.store.home import Home
from engine.store.salt import salt_of
print(salt_of(Home.from_environment()).hex())
"""


def test_the_salt_is_made_once_for_its_owner_alone(home: Home):
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: salt_of(home), range(32)))
    assert len(salts) == 1 and len(salts.pop()) == 32
    assert stat.S_IMODE((home.root / "salt").stat().st_mode) == 0o600
    assert salt_of(Home(home.root / "other")) != salt_of(home)


def test_processes_that_start_at_once_agree(home: Home):
    command = [sys.executable, "-c", TELL]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for _ in range(4)]
    assert len({process.communicate()[0] for process in processes} | {salt_of(home).hex() + "\n"}) == 1


@pytest.mark.parametrize("content", ["", "abc", "not hex"])
def test_a_damaged_salt_is_not_replaced(home: Home, content: str):
    home.root.mkdir()
    (home.root / "salt").write_text(content)
    with pytest.raises(ErsatzError, match="salt"):
        salt_of(home)
    assert (home.root / "salt").read_text() == content
