"""Computes what one of the next presses asks for while nobody waits.

What is computed must be kept where the press finds it: in a cache, or in what a cache holds.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from queue import SimpleQueue

DELAY = 0.7
"""Seconds in which the page that asked for it comes first."""
NAME = "compute-ahead"
REMEMBERED = 1000
"""What was computed; of more, all is forgotten and computed again when it is asked for again."""

Works = Sequence[Callable[[], object]]
_log = logging.getLogger(__name__)
_asked: dict[Hashable, float] = {}
"""When each was asked for."""
_queue: SimpleQueue[Works] = SimpleQueue()
_lock = threading.Lock()
_worker: threading.Thread | None = None


def compute_ahead(what: Hashable, works: Works, kept: float = math.inf) -> None:
    """Do all of these once for all who look, one after the other, on a thread of the server.

    `what` names them with everything that they depend on; `kept` is for how many seconds their cache holds what they
    compute. What fails is said by the page that asks for it in earnest.
    """
    global _worker
    now = time.monotonic()
    with _lock:
        if now - _asked.get(what, -math.inf) < kept:
            return
        if len(_asked) >= REMEMBERED:
            _asked.clear()
        _asked[what] = now
        _queue.put(works)
        if _worker is None:
            _worker = threading.Thread(target=_work, name=NAME, daemon=True)
            _worker.start()


def _work() -> None:
    # Streamlit's caches warn, for each call, that no page is there to show a spinner on
    context = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    context.addFilter(lambda record: record.threadName != NAME)
    while True:
        works = _queue.get()
        time.sleep(DELAY)
        for work in works:
            try:
                work()
            except Exception as error:
                _log.debug("Not computed ahead: %s", error)
