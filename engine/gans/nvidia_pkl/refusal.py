"""Why a file is refused: raised while reading, made into the user's sentence where the file's name is known."""

from __future__ import annotations

from pathlib import Path

from engine.store.errors import ErsatzError

EXPECTED = "a StyleGAN2 network (.pkl) in the format of stylegan2-ada-pytorch is expected"
GET_ANOTHER = "Get it anew from where it was published, or choose another file."


class Refusal(Exception):
    """`found` completes the sentence "FILE ..."; `advice` is what to do, a sentence of its own."""

    def __init__(self, found: str, advice: str = GET_ANOTHER):
        self.found, self.advice = found, advice
        super().__init__(found)

    def about(self, path: Path) -> ErsatzError:
        return ErsatzError(f"{path} {self.found}; {EXPECTED}. {self.advice}")


def shown(value: object) -> str:
    """A short, harmless rendering of a value from a file: text and numbers as they are, of all else the type."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if value is None or isinstance(value, bool | int | float):
        return str(value)[:60]
    return f"a {type(value).__name__.lower()}"
