"""Which browsers have been let in, as far as a request for a file or an upload can tell.

The pages' script knows who somebody is; a request for a file beside it does not. So the script notes the cookie of a
sign-in that it has let in, and whoever sends none of those is a stranger. Streamlit's signature makes the cookie
impossible to invent.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Mapping

COOKIE = "_streamlit_user"
"""Streamlit's cookie of a sign-in; a large one has further parts, whose names go on with `_1` or `__1`."""
TOKENS = "_streamlit_user_tokens"
KEPT_SECONDS = 24 * 3600.0
"""Every look at a page notes the cookie anew."""
MOST_KEPT = 10_000

_noted: dict[str, float] = {}
"""When each sign-in was noted last, the oldest first."""
_changing = threading.Lock()
"""Each session runs the script in a thread of its own."""


def sign_in_of(cookies: Mapping[str, str]) -> str:
    """The hash of a browser's sign-in; empty when it sends none."""
    parts = sorted(
        (name, value) for name, value in cookies.items() if name.startswith(COOKIE) and not name.startswith(TOKENS)
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest() if parts else ""


def note(cookies: Mapping[str, str], allowed: bool) -> None:
    """Remember, or forget, the sign-in of a browser that may look, or may not any more."""
    if not (sign_in := sign_in_of(cookies)):
        return
    with _changing:
        _noted.pop(sign_in, None)
        if allowed:
            _noted[sign_in] = time.monotonic()
            if len(_noted) > MOST_KEPT:
                del _noted[next(iter(_noted))]


def is_known(cookies: Mapping[str, str]) -> bool:
    """Whether somebody who was let in sends these cookies."""
    return time.monotonic() - _noted.get(sign_in_of(cookies), -math.inf) < KEPT_SECONDS
