"""What an export found; free of everything that makes one, so that lists can read it."""

from __future__ import annotations

from engine.store.versioned import Number, Result


class ExportResult(Result):
    """The generator that an export has made."""

    run: str
    """Id of the training that it belongs to."""
    snapshot: str
    kimg: float
    """Length of its training in thousands of real images shown."""
    sha256: str
    """The one hash of its graphs."""
    agreement: Number
    """Largest difference between torch and ONNX Runtime, on the scale [-1, 1]."""

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.snapshot} is the generator of {self.run} now; it differs from torch by {self.agreement:.2g}."
