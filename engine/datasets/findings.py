"""What a finding of the audit is, whichever part of the audit found it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Finding = dict[str, Any]

EXAMPLES = 12
"""Most examples kept of one finding."""


def finding(
    name: str,
    severity: str,
    count: int,
    sentence: str,
    examples: list[list[str]],
    remedy: str = "",
    members: Iterable[str] = (),
) -> Finding:
    """`severity` is info, warning, leak or conflict; `members` are the paths of all images it is about."""
    return {
        "name": name,
        "sentence": sentence,
        "count": count,
        "severity": severity,
        "examples": examples[:EXAMPLES],
        "remedy": remedy,
        "members": list(members),
    }
