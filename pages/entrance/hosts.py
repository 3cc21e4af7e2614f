"""The names under which this dashboard answers.

Somebody's web page may let its own name lead to 127.0.0.1, or to an address in this building, and then talks to the
dashboard as if it were part of that page (DNS rebinding). The browser still sends that name as `Host`, so only names
that belong to this server are answered. A bare address needs no list: no name leads to it, hence nobody else's either.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import streamlit as st

from engine.cli.serve import HOSTS
from pages.components.sign_in_settings import auth


def hostname(host: str) -> str:
    """The name in a `Host` header, in small letters and without its port; empty when it is no such header."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # a port that is none is an error
    except ValueError:
        return ""
    if not host or parts.netloc != host or "@" in host:
        return ""
    return (parts.hostname or "").rstrip(".")


def is_ours(host: str, names: Iterable[str]) -> bool:
    """Whether a `Host` header names this server: an address, this machine, or one of `names`."""
    name = hostname(host)
    if not name:
        return False
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    if name == "localhost" or name.endswith(".localhost"):
        return True
    own = socket.gethostname().lower()
    short = own.partition(".")[0]
    return name in (own, short, f"{short}.local") or any(_fits(name, wanted) for wanted in names)


def _fits(name: str, wanted: str) -> bool:
    wanted = wanted.strip().lower().rstrip(".")
    return wanted == "*" or name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:]))


def configured_names() -> list[str]:
    """The names that whoever runs this dashboard gave it: here, in Streamlit's settings, or as the login's address."""
    names = os.environ.get(HOSTS, "").replace(",", " ").split()
    names += st.get_option("server.allowedHosts") or []
    redirect = (auth() or {}).get("redirect_uri")
    return [*names, *([hostname(urlsplit(redirect).netloc)] if isinstance(redirect, str) else [])]


def same_origin(origin: str, host: str) -> bool:
    """Whether the page that asks, by its `Origin` header, is one of this dashboard or of a site that it trusts."""
    return urlsplit(origin).netloc == host or origin.rstrip("/") in st.get_option("server.corsAllowedOrigins")
