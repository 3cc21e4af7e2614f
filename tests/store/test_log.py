"""The engine's messages: bare lines in a worker's log.txt, and elsewhere warnings on stderr."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from engine.store.home import REPOSITORY
from engine.store.log import log_to_stdout

TALK = """
import logging
logger = logging.getLogger("engine.gans.training")
logger.info("kimg 1 of 5, 10 images/s")
logger.warning("Alarm: 100 % of it")
print('{"answer": 1}')
"""


def output(script: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.fixture
def own_logger() -> Iterator[logging.Logger]:
    """The engine's logger, given back as it was."""
    logger = logging.getLogger("engine")
    before = (logger.handlers, logger.level, logger.propagate)
    yield logger
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)


def test_a_command_keeps_stdout_for_its_answer() -> None:
    assert output(TALK) == ('{"answer": 1}\n', "Alarm: 100 % of it\n")


def test_a_worker_writes_every_message_as_a_bare_line() -> None:
    worker = "from engine.store.log import log_to_stdout\nlog_to_stdout()\n"
    expected = 'kimg 1 of 5, 10 images/s\nAlarm: 100 % of it\n{"answer": 1}\n'
    assert output(worker + TALK) == (expected, "")
    other = "import logging\nlogging.basicConfig(level=0)\n"  # as a library may do
    assert output(other + worker + TALK) == (expected, "")


def test_an_error_of_the_stream_is_raised(own_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `print` did: a run whose disk is full must not go on as if its log were written."""

    class Full:
        def write(self, _: str) -> None:
            raise OSError(28, "No space left on device")

    log_to_stdout()
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="No space left"):
        own_logger.info("kimg 1 of 5")


def test_the_engine_prints_only_what_a_command_or_a_protocol_answers() -> None:
    printing = {
        str(path.relative_to(REPOSITORY))
        for path in REPOSITORY.glob("engine/**/*.py")
        if re.search(r"^\s*print\(", path.read_text(), re.MULTILINE)
    }
    answers = {"engine/gpus.py", "engine/jobs/pace.py", "engine/jobs/supervisor.py", "engine/store/log.py"}
    assert {name for name in printing if not name.startswith("engine/cli/")} == answers
