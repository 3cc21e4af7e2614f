"""Files of a source that cannot be used: they stop an import, or are left out and said."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.datasets.reading.items import bad_pictures


@dataclass
class Unusable:
    """The files of an import that cannot be used: they stop it, or are left out where the config says so."""

    left_out: bool
    found: dict[str, str] = field(default_factory=dict)
    """File -> reason."""

    def add(self, problems: dict[str, str], total: int) -> None:
        """Record them; an `ErsatzError` unless they are to be left out and others remain."""
        if problems and (not self.left_out or len(problems) == total):
            raise bad_pictures(problems, total)
        self.found |= problems

    @property
    def notes(self) -> list[str]:
        """One sentence on what was left out."""
        if not self.found:
            return []
        first = "; ".join(f"{source} {reason}" for source, reason in list(self.found.items())[:3])
        more = f"; and {len(self.found) - 3} more" if len(self.found) > 3 else ""
        return [f"{len(self.found)} files cannot be used and were left out, as skip_unreadable asks: {first}{more}."]
