"""Who looks at the dashboard, and what they may do.

Without a login everybody in front of a browser is the machine's user and an editor. With one (`[auth]` in
`.streamlit/secrets.toml`, see docs/team.md) people sign in, and `<home>/team.toml` says what each of them may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.read_only import READ_ONLY, SENTENCE, read_only
from engine.store.roles import TEAM_FILE, Role, Team, machine_user, read_team
from pages.components import sign_in_settings
from pages.components.home import home

__all__ = ["READ_ONLY", "Person", "Role", "guarded", "may", "person", "read_only", "refusal", "require"]

DEMO_PICTURES = 64
"""Pictures that one request may draw in a read-only demo."""
DEMO_AT_ONCE = 2
"""Requests that may draw pictures at the same time in a read-only demo."""


@dataclass(frozen=True)
class Person:
    """Somebody in front of a browser; `name` is what the others see beside what they did.

    Whoever signs in is called by the e-mail address, which nobody else can take.
    """

    name: str
    role: Role


def login_is_on() -> bool:
    """Whether people have to sign in."""
    return not read_only() and ("is_logged_in" in st.user or sign_in_settings.is_required())


def signed_in() -> bool:
    """Whether somebody has signed in, with or without a role here."""
    return bool(st.user.get("is_logged_in"))


def address() -> str:
    """The e-mail address that the provider vouches for; empty when there is none."""
    refused = str(st.user.get("email_verified")).lower() == "false"  # some providers say it as text
    return "" if refused else str(st.user.get("email") or "")


@st.cache_resource(max_entries=4, show_spinner=False)
def _team(at: Home, written: tuple[int, int]) -> Team:
    return read_team(at)


def team() -> Team:
    """The roles of this home, read anew when the file has changed."""
    path = home().root / TEAM_FILE
    if not path.is_file():
        return Team()
    facts = Path(path).stat()
    return _team(home(), (facts.st_mtime_ns, facts.st_size))


def person() -> Person:
    """Whose browser this is.

    The entry of the dashboard lets nobody in who has no role; should this be asked all the same, the answer is an
    `ErsatzError`.
    """
    if read_only():
        return Person("visitor", Role.VIEWER)
    if not login_is_on():
        return Person(machine_user(), Role.EDITOR)
    role = team().role(address()) if signed_in() and address() else None
    if role is None:
        raise ErsatzError("You have no role here. Ask whoever runs this dashboard, then sign in again.")
    return Person(address(), role)


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
        return SENTENCE
    return f"This needs the role {role.word}, and yours is {person().role.word}. Ask whoever runs this dashboard."


def guarded(role: Role, *, disabled: bool = False, help: str | None = None) -> dict[str, Any]:
    """`disabled` and `help` of a button for this role: `st.button("Delete", **guarded(Role.EDITOR))`."""
    return {"disabled": disabled, "help": help} if may(role) else {"disabled": True, "help": refusal(role)}
