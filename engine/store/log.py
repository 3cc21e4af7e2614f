"""Where the engine's log messages go: into a run's `log.txt` from its worker, else to stderr from warnings on.

Modules log to `logging.getLogger(__name__)`. Without `log_to_stdout`, Python shows their warnings on stderr, as bare
lines, and keeps stdout free for a command's answer.
"""

from __future__ import annotations

import logging


class _Stdout(logging.Handler):
    """Each message as a line of its own. An error of the stream, such as a full disk, reaches the caller."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), flush=True)


def log_to_stdout() -> None:
    """Write every message of the engine from INFO on to stdout, which is `log.txt` in a worker and in its ranks."""
    logger = logging.getLogger("engine")
    logger.handlers = [_Stdout()]
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a library that configures the root logger would write each line twice
