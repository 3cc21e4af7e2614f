"""One function for each of many images, in threads: Pillow and NumPy work outside the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from engine.datasets.reading.items import BadPicture
from engine.datasets.watched import Watched
from engine.store.progress import Report, ShouldStop

T = TypeVar("T")
R = TypeVar("R")


def each(
    function: Callable[[int, T], R], things: Sequence[T], stage: str, report: Report, should_stop: ShouldStop
) -> tuple[list[R], dict[str, str]]:
    """`function(number, thing)` for all things: the results in order, and `{source: reason}` of every `BadPicture`.

    Any other error, and a request to stop, ends it at once.
    """
    results: list[R] = []
    problems: dict[str, str] = {}
    watched = Watched(report, should_stop)
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(function, number, thing) for number, thing in enumerate(things)]
        try:
            for done, (thing, future) in enumerate(zip(things, futures, strict=True)):
                try:
                    results.append(future.result())
                except BadPicture as error:
                    problems[getattr(thing, "source", str(thing))] = str(error)
                watched.at(stage, done + 1, len(things))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results, problems
