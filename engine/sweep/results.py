"""What a sweep has found, in a few words; all of it is in its `summary.json`."""

from __future__ import annotations

from engine.store.versioned import Result


class SweepResult(Result):
    """The verdict of a sweep."""

    verdict: str
    """helps, harms, no relevant difference or no evidence."""
    sentence: str
    """The same with its numbers."""
    control: str = ""
    """What stood in place of synthetic images, of a sweep on a control: then the verdict is no result on any."""
