"""Who looks at the dashboard, and what they may do."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from engine.store.errors import ErsatzError

READ_ONLY = "ERSATZ_READ_ONLY"
"""Set to 1 for a public demo: everybody is a viewer, and nothing is written."""


class Role(IntEnum):
    """What a person may do; each role may do what those before it may."""

    VIEWER = 0
    REVIEWER = 1
    EDITOR = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Person:
    """Somebody in front of a browser; `name` is what the others see beside what they did."""

    name: str
    role: Role


def read_only() -> bool:
    """Whether this dashboard is a public demo."""
    return os.environ.get(READ_ONLY, "") not in ("", "0")


def person() -> Person:
    """Whose browser this is: on a machine of one's own, the user of the machine, who may do everything."""
    if read_only():
        return Person("visitor", Role.VIEWER)
    return Person(getpass.getuser(), Role.EDITOR)


def may(role: Role) -> bool:
    """Whether this person has at least this role."""
    return person().role >= role


def require(role: Role) -> None:
    """Raise `ErsatzError` unless this person has at least this role; the first line of everything that writes."""
    if not may(role):
        raise ErsatzError(refusal(role))


def refusal(role: Role) -> str:
    """Why somebody may not do this, and what to do."""
    if read_only():
        return "This is a read-only demo: nothing can be changed here. Install Ersatz to do this with your own images."
    return f"This needs the role {role.word}, and yours is {person().role.word}. Ask whoever runs this dashboard."


def guarded(role: Role, *, disabled: bool = False, help: str | None = None) -> dict[str, Any]:
    """`disabled` and `help` of a button for this role: `st.button("Delete", **guarded(Role.EDITOR))`."""
    return {"disabled": disabled, "help": help} if may(role) else {"disabled": True, "help": refusal(role)}
