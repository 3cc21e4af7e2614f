"""Roles of users, read from `<home>/team.toml`:

    default = "none"        # who is signed in and not named below: none, viewer, reviewer or editor
    [roles]
    editor = ["anna@clinic.example"]
    reviewer = ["@clinic.example"]      # all addresses of a domain
    viewer = ["guest@university.example"]

An address beats its domain. An address named twice has the higher role. The file is read anew when it changes, so that
a role is gained or lost with the next click. It counts only where people sign in: on a machine of one's own, its user
may do everything.
"""

from __future__ import annotations

import getpass
import re
import tomllib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from engine.store.errors import ErsatzError
from engine.store.home import Home

TEAM_FILE = "team.toml"
MOST_DOTS = 50
"""Of a line outside of quotes: each takes a table of its own, and 20,000 of them more than a gigabyte."""
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
NOBODY = "none"


class Role(IntEnum):
    """What a person may do; each role may do what those before it may."""

    VIEWER = 0
    REVIEWER = 1
    EDITOR = 2

    @property
    def word(self) -> str:
        return self.name.lower()


WORDS = {role.word: role for role in Role}


@dataclass(frozen=True)
class Team:
    """The content of `team.toml`; without one, no user has a role."""

    default: Role | None = None
    named: dict[str, Role] = field(default_factory=dict)
    """Role of each address (`anna@clinic.example`) and domain (`@clinic.example`), in small letters."""

    def role(self, address: str) -> Role | None:
        """The role of an e-mail address; None: no access at all."""
        address = address.lower() if address.isascii() else address  # no foreign letter turns into one of ours
        domain = address[address.rfind("@") :]
        return self.named.get(address, self.named.get(domain, self.default)) if "@" in address else self.default


def read_team(home: Home) -> Team:
    """The team of this home; an `ErsatzError` says what is wrong with its file."""
    path = home.root / TEAM_FILE
    try:
        content = path.read_text(encoding="utf-8")
        if any(QUOTED.sub("", line).count(".") > MOST_DOTS for line in content.splitlines()):
            raise _bad(f"a name in it has more than {MOST_DOTS} dots")
        values = tomllib.loads(content)
    except FileNotFoundError:
        return Team()
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(f"it cannot be read as TOML ({error})") from error
    if unknown := values.keys() - {"default", "roles"}:
        raise _bad(f"it has {', '.join(sorted(unknown))}")
    default = values.get("default", NOBODY)
    if default not in (NOBODY, *WORDS):
        raise _bad(f"its default is {default!r}")
    return Team(None if default == NOBODY else WORDS[default], _named(values.get("roles", {})))


def _named(roles: Any) -> dict[str, Role]:
    if not isinstance(roles, dict) or roles.keys() - WORDS:
        raise _bad("its roles are not those there are")
    named: dict[str, Role] = {}
    for word, role in WORDS.items():  # from the lowest on: the higher one wins
        addresses = roles.get(word, [])
        if not isinstance(addresses, list) or not all(isinstance(one, str) and "@" in one for one in addresses):
            raise _bad(f"{word} is not a list of e-mail addresses")
        named |= {address.strip().lower(): role for address in addresses}
    return named


def machine_user() -> str:
    """The name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "somebody"


def _bad(found: str) -> ErsatzError:
    return ErsatzError(
        f"{TEAM_FILE} gives nobody a role, because {found}; expected are default = one of none, "
        f"{', '.join(WORDS)}, and below [roles] lists of e-mail addresses or @domains. Mend it and reload the page."
    )
