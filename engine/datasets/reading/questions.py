"""Questions that only the user can answer: a source that can be read in several ways, none of which is clear."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.errors import ErsatzError


@dataclass(frozen=True)
class Option:
    """One way of reading a source."""

    settings: dict[str, Any]
    """Settings of the import that choose it, as values that JSON can hold."""
    text: str
    """What it means here, with numbers, without a full stop: `two classes (covid 349, healthy 397)`."""

    @property
    def flags(self) -> str:
        """The settings as the command line takes them."""
        return " ".join(_flag(name, value) for name, value in self.settings.items())


class Question(ErsatzError):
    """The import stops, as nothing is clear enough to go on; a page asks, the command line names the options.

    `found` is a sentence that ends with a full stop and says what was found and what is unclear; `asks` stands above
    the options.
    """

    def __init__(self, found: str, options: Sequence[Option], asks: str = "How should it be read?"):
        self.found = found
        self.asks = asks
        self.options = tuple(options)
        told = "; or ".join(f"{option.flags} ({option.text})" for option in self.options)
        super().__init__(f"{found} One of these is expected: {told}. Choose one.")

    def __reduce__(self) -> tuple[type[Question], tuple[str, tuple[Option, ...], str]]:
        """Pickled with its options, which the message alone would lose."""
        return Question, (self.found, self.options, self.asks)


def _flag(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return flag if value else f"--no-{flag[2:]}"
    return f"{flag} {shlex.quote(','.join(map(str, value)) if isinstance(value, list | tuple) else str(value))}"
