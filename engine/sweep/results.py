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
    word: str = ""
    """The verdict as it is shown: a quick look is none. Of sweeps of before it is read from the rest (`shown`)."""
    headline: str = ""
    """Word, numbers of the control that decides, and how they lie over all shares."""

    @property
    def shown(self) -> str:
        """The verdict in a few small words, for lists: `no evidence`, `quick look, no verdict`, `control: harms`."""
        if self.word:
            return self.word[0].lower() + self.word[1:]
        if "quick look" in self.sentence.lower():
            return f"{'control: ' if self.control else ''}quick look, no verdict"
        return f"{'control: ' if self.control else ''}{self.verdict}"
