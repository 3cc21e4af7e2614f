"""What every request passes before Streamlit sees it: whose name it was sent to, from whose page, and from whom.

Streamlit lets anybody open a session, upload files into it and send messages of hundreds of megabytes; who somebody is
comes up only when the script of the page runs. Here a request that nobody needs is refused before its body is read:

* under a name that is not this server's (`hosts.py`), or from another site's page, whoever sends it;
* from a stranger, where people sign in: files, uploads and the server's figures;
* from anybody in a read-only demo: uploads and the server's figures.

Strangers, and visitors of a demo, hold few connections at a time and send small messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.store.read_only import read_only
from pages.components import sign_in_settings
from pages.entrance.hosts import configured_names, is_ours, same_origin
from pages.entrance.known import is_known

READING = ("GET", "HEAD", "OPTIONS")
MEMBERS_ONLY = ("media/", "_stcore/metrics")
"""Paths of pictures, downloads and the server's figures."""
HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    # What a page shows comes from this server alone, so that no name or comment can make a browser ask elsewhere
    "Content-Security-Policy": (
        "frame-ancestors 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
POLICY_VIOLATION, TOO_LARGE, TRY_AGAIN = 1008, 1009, 1013
"""Reasons for the end of a WebSocket (RFC 6455, and IANA's list of close codes)."""


class Guest(Enum):
    """Somebody whom nobody vouches for; how many of them are connected at a time, and bytes in a message."""

    STRANGER = (16, 64 * 1024)
    """On the page to sign in on."""
    VISITOR = (100, 1024 * 1024)
    """Of a read-only demo."""

    @property
    def connections(self) -> int:
        return self.value[0]

    @property
    def message_bytes(self) -> int:
        return self.value[1]


class Gate:
    """ASGI middleware in front of Streamlit."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._guests: list[_Connection] = []
        """Open connections of guests, the oldest first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sign_in_settings.remember()
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := refusal_of(scope):
            await PlainTextResponse(refusal.sentence, refusal.status, HEADERS)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal_of(scope):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # before it is accepted: HTTP 403
            return
        guest = guest_of(scope)
        if guest is None:
            await self.app(scope, receive, send)
            return
        connection = _Connection(scope, receive, send)
        self._guests.append(connection)
        try:
            await self._make_room(guest)
            await self.app(scope, connection.receive, connection.send)
        finally:
            self._guests.remove(connection)

    async def _make_room(self, guest: Guest) -> None:
        """End connections beyond the limit: the oldest ones of the address that holds most of them."""
        while len(held := [one for one in self._guests if one.is_open and one.guest]) > guest.connections:
            most, _ = Counter(one.address for one in held).most_common(1)[0]
            await next(one for one in held if one.address == most).close(TRY_AGAIN)


@dataclass(frozen=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    sentence: str


def refusal_of(scope: Scope) -> Refusal | None:
    """Why this request is refused, judged by its head alone; None: it may pass."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_ours(host, configured_names()):
        return Refusal(421, "Ersatz does not answer under this name; start it with --host NAME if it is its own.\n")
    writes = scope["type"] == "http" and scope["method"] not in READING
    if writes and (headers.get("sec-fetch-site") == "cross-site" or (origin and not same_origin(origin, host))):
        return Refusal(403, "This was sent by a page of another site.\n")
    if scope["type"] == "websocket" or not (writes or _path(scope).startswith(MEMBERS_ONLY)):
        return None
    if read_only() and not _path(scope).startswith("media/"):
        return Refusal(403, "This is a read-only demo: it takes no files and shows no figures of the server.\n")
    if guest_of(scope) is Guest.STRANGER:
        return Refusal(403, "Sign in first.\n")
    return None


def guest_of(scope: Scope) -> Guest | None:
    """Which kind of guest sends this; None: somebody who was let in, or the only user of this machine."""
    if read_only():
        return Guest.VISITOR
    if not sign_in_settings.is_required() or is_known(_cookies(scope)):
        return None
    return Guest.STRANGER


def _cookies(scope: Scope) -> Mapping[str, str]:
    return HTTPConnection(scope).cookies


def _path(scope: Scope) -> str:
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return scope["path"].lstrip("/").removeprefix(base).lstrip("/")


class _Connection:
    """A WebSocket of a guest, who may turn into a member by signing in."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        self._scope, self._receive, self._send = scope, receive, send
        self.address = (scope.get("client") or ("", 0))[0]
        self.is_open = True

    @property
    def guest(self) -> Guest | None:
        return guest_of(self._scope)

    async def receive(self) -> Message:
        message = await self._receive()
        guest = self.guest
        sent = message.get("bytes") or message.get("text") or b""
        if guest is not None and len(sent) > guest.message_bytes:
            await self.close(TOO_LARGE)
            return {"type": "websocket.disconnect", "code": TOO_LARGE}
        return message

    async def send(self, message: Message) -> None:
        if self.is_open:
            self.is_open = message["type"] != "websocket.close"
            await self._send(message)

    async def close(self, code: int) -> None:
        """End it; what Streamlit still has to say is dropped."""
        self.is_open = False
        with suppress(RuntimeError):  # it may have ended by itself just now
            await self._send({"type": "websocket.close", "code": code})
