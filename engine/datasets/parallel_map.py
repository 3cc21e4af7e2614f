"""One function for each of many images, in threads: Pillow and NumPy work outside the interpreter lock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from engine.datasets.reading.items import BadPicture
from engine.store.errors import ErsatzError
from engine.store.progress import Progress, Report, ShouldStop

T = TypeVar("T")
R = TypeVar("R")

REPORT_SECONDS = 0.25
"""Progress is reported this often at most, since a report may write a file."""


class ImportStopped(ErsatzError):
    """The import was asked to stop; nothing was written."""


def each(
    function: Callable[[int, T], R], things: Sequence[T], stage: str, report: Report, should_stop: ShouldStop
) -> tuple[list[R], dict[str, str]]:
    """`function(number, thing)` for all things: the results in order, and `{source: reason}` of every `BadPicture`.

    Any other error, and a request to stop, ends it at once.
    """
    results: list[R] = []
    problems: dict[str, str] = {}
    reported = 0.0
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(function, number, thing) for number, thing in enumerate(things)]
        try:
            for done, (thing, future) in enumerate(zip(things, futures, strict=True)):
                if should_stop():
                    raise ImportStopped(
                        "The import was stopped as asked; nothing was written. Start it again any time."
                    )
                try:
                    results.append(future.result())
                except BadPicture as error:
                    problems[getattr(thing, "source", str(thing))] = str(error)
                if time.monotonic() - reported > REPORT_SECONDS or done + 1 == len(things):
                    reported = time.monotonic()
                    report(Progress(stage, done + 1, len(things), "images"))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results, problems
