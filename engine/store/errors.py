"""Errors that a user can fix. Everything else is a bug and keeps its stack trace."""

from __future__ import annotations

LONGEST = 2000
"""Characters of an error's sentence."""
LONGEST_WORD = 400
"""Characters in a row without a space: no path of a usual length is cut, and nobody reads 5,000 digits."""


class ErsatzError(Exception):
    """One clear sentence for the user: what was found, what was expected, what to do.

    Interfaces print `str(error)` alone; a stack trace goes to the run's log only. The sentence may quote what came from
    outside, and is one printable line whatever that was.
    """

    exit_code = 1

    def __init__(self, *arguments: object):
        super().__init__(*(one_line(each) if isinstance(each, str) else each for each in arguments))


def one_line(text: str) -> str:
    """A text as one printable line of a bounded length.

    Line breaks become spaces. Control characters (which a terminal would obey), marks that turn the direction of
    writing, and halves of characters are written as their codes. What is too long loses its middle.
    """
    line = text if text.isprintable() else "".join(map(_printable, " ".join(text.splitlines())))
    words = [_short(word, LONGEST_WORD) for word in line.split(" ")] if len(line) > LONGEST_WORD else [line]
    return _short(" ".join(words), LONGEST)


def _printable(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " if sign.isspace() else sign.encode("unicode_escape").decode()


def _short(text: str, longest: int) -> str:
    half = longest // 2 - 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


class Missing(ErsatzError):
    """A file or folder of the home is not there; most often somebody has just deleted its run."""


class AlreadyActive(ErsatzError):
    """The same run is already queued or running (two people pressed the button at once)."""

    exit_code = 3

    def __init__(self, run_id: str):
        self.run_id = run_id
        super().__init__(
            f"This exact run is already in progress as {run_id}; one at a time is expected. "
            "Watch it on the Runs page, or stop it there before starting it again."
        )


class RunDeleted(ErsatzError):
    """The run's folder was deleted while the run was in use; its processes end quietly."""

    def __init__(self, run_id: str):
        self.run_id = run_id
        super().__init__(f"The folder of run {run_id} was deleted while it was in use; start the run again.")


class LeaseLost(ErsatzError):
    """Others took this process for dead, and what it held is theirs; it writes nothing more of it."""


class OutOfMemory(ErsatzError):
    """The memory of the device did not suffice; with less at once, or elsewhere, the same may work."""


EXHAUSTED = (
    "out of memory",  # CUDA's and HIP's, and torch's for both
    "allocate memory",  # torch's and ONNX Runtime's for the memory of the CPU, and the operating system's
    "not enough memory",  # torch's on Windows
    "bad_alloc",
    "bad allocation",
    "alloc_failed",  # cuBLAS and older cuDNN
    "allocation_failed",  # cuDNN from version 9 on
    "smaller than requested bytes",  # ONNX Runtime's arena at its limit
)
"""What errors of exhausted memory say, in lower case."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error is Python's, torch's, ONNX Runtime's or the GPU's for exhausted memory.

    They share no class, and the caller may have imported neither library, so the message decides. An illegal
    memory access is none of them: a smaller batch does not help against it.
    """
    return isinstance(error, MemoryError) or any(mark in str(error).lower() for mark in EXHAUSTED)
