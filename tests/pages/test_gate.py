"""What a served dashboard does with requests that no page of it would send: real ones, over HTTP and WebSockets."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value, generate_xsrf_token_string
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.served import Dashboard
from engine.store.home import Home
from engine.store.read_only import READ_ONLY
from engine.store.roles import TEAM_FILE
from pages.components import sign_in_settings
from pages.entrance.gate import HEADERS, Guest, refusal_of

EVIL = "evil.example"
COOKIE_SECRET = secrets.token_hex(32)
SECRETS = f"""[auth]
redirect_uri = "https://ersatz.clinic.example/oauth2callback"
cookie_secret = "{COOKIE_SECRET}"
client_id = "ersatz"
client_secret = "none"
server_metadata_url = "http://127.0.0.1:9/nobody"
"""
XSRF = generate_xsrf_token_string()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard where people sign in; no provider is needed by those who do not."""
    folder = tmp_path_factory.mktemp("team")
    home = Home(folder / "home")
    home.root.mkdir()
    (home.root / TEAM_FILE).write_text('[roles]\neditor = ["anna@clinic.example"]\n')
    (folder / "secrets.toml").write_text(SECRETS)
    served = Dashboard(home, folder / "streamlit.log", f"--secrets.files={folder / 'secrets.toml'}")
    served.start()
    yield served
    served.kill()


def ask(
    served: Dashboard, path: str = "", method: str = "GET", body: bytes = b"", **headers: str
) -> http.client.HTTPResponse:
    """The answer to one request, with its body read."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request(method, f"/{path}", body or None, {name.replace("_", "-"): v for name, v in headers.items()})
    answer = connection.getresponse()
    if answer.status != http.client.SWITCHING_PROTOCOLS:
        answer.read()
    connection.close()
    return answer


def socket_of(served: Dashboard, cookies: Mapping[str, str] | None = None, origin: str = "") -> ClientConnection:
    """An open session; `cookies` are those of a sign-in."""
    all_cookies = {"_streamlit_xsrf": XSRF, **(cookies or {})}
    return connect(
        f"ws://127.0.0.1:{served.port}/_stcore/stream",
        subprotocols=["streamlit", XSRF],  # type: ignore[list-item]
        additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in all_cookies.items())},
        origin=origin or f"http://127.0.0.1:{served.port}",  # type: ignore[arg-type]
        max_size=None,
        compression=None,
    )


def upgrade(served: Dashboard, host: str, origin: str) -> int:
    """The status of asking for a WebSocket: 101 when it opens."""
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13", "Origin": origin}
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    return ask(served, "_stcore/stream", Host=host, Sec_WebSocket_Key=key, **asked).status


def run_script(session: ClientConnection, query: str = "") -> str:
    """Ask for a page as a browser does; returns the session's id once the script has ended."""
    message = BackMsg()
    message.rerun_script.query_string = query
    session.send(message.SerializeToString())
    session_id = ""
    while True:
        answer = ForwardMsg.FromString(session.recv(timeout=20))  # type: ignore[arg-type]
        if answer.HasField("new_session"):
            session_id = answer.new_session.initialize.session_id
        if answer.WhichOneof("type") == "script_finished":
            return session_id


def signed_in(served: Dashboard, email: str) -> dict[str, str]:
    """The cookie that Streamlit sets when a provider has vouched for an address."""
    told = {"is_logged_in": True, "email": email, "email_verified": True, "origin": f"http://127.0.0.1:{served.port}"}
    return {"_streamlit_user": create_signed_value(COOKIE_SECRET, "_streamlit_user", json.dumps(told)).decode()}


def upload(served: Dashboard, session_id: str, cookies: Mapping[str, str], size: int = 1000, **headers: str) -> int:
    """The status of uploading a file into a session, as `st.file_uploader` does."""
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + bytes(size) + b"\r\n--x--\r\n"
    cookie = "; ".join(f"{name}={value}" for name, value in {"_streamlit_xsrf": XSRF, **cookies}.items())
    path = f"_stcore/upload_file/{session_id}/{secrets.token_hex(8)}"
    sent = {"Content_Type": "multipart/form-data; boundary=x", "X_Xsrftoken": XSRF, "Cookie": cookie, **headers}
    return ask(served, path, "PUT", body, **sent).status


@pytest.mark.parametrize("host", [EVIL, f"{EVIL}:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "a b"])
def test_a_foreign_name_is_not_answered(team: Dashboard, host: str) -> None:
    """DNS rebinding: the page of another site lets its own name lead here."""
    for path in ("", "_stcore/health", "_stcore/host-config", "static/index.html", "evaluate"):
        assert ask(team, path, Host=host).status in (400, 421), path
    assert upgrade(team, host, f"http://{host}") in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8501", "[::1]:8501", "192.168.1.7", "ersatz.clinic.example"])
def test_an_address_this_machine_and_the_name_of_the_login_are_answered(team: Dashboard, host: str) -> None:
    assert ask(team, "_stcore/health", Host=host).status == 200
    assert upgrade(team, host, f"https://{host}") == 101


def test_a_page_of_another_site_cannot_talk_to_it(team: Dashboard) -> None:
    assert upgrade(team, f"127.0.0.1:{team.port}", f"https://{EVIL}") == 403
    with socket_of(team, signed_in(team, "anna@clinic.example")) as session:
        session_id = run_script(session)
        cookies = signed_in(team, "anna@clinic.example")
        assert upload(team, session_id, cookies, Origin=f"https://{EVIL}") == 403
        assert upload(team, session_id, cookies, Sec_Fetch_Site="cross-site") == 403


@pytest.mark.parametrize(
    "path", ["", "evaluate?run=a", "static/index.html", "_stcore/health", "media/none.png", "none"]
)
def test_no_answer_may_be_framed_or_read_by_another_site(team: Dashboard, path: str) -> None:
    answer = ask(team, path, Origin=f"https://{EVIL}")
    assert {name: answer.getheader(name) for name in HEADERS} == HEADERS
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_a_stranger_leaves_nothing_in_the_memory(team: Dashboard) -> None:
    assert team.process is not None
    server = psutil.Process(team.process.pid)
    with socket_of(team) as session:
        session_id = run_script(session)
        before = server.memory_info().rss
        for _ in range(3):
            try:
                assert upload(team, session_id, {}, size=100_000_000) == 403
            except OSError:  # it was refused while it was still being sent
                continue
        assert server.memory_info().rss - before < 50_000_000
        assert upload(team, session_id, {}) == 403
        assert upload(team, session_id, {"_streamlit_user": "invented"}) == 403
        session.send(bytes(Guest.STRANGER.message_bytes + 1))
        with pytest.raises(ConnectionClosed):
            while True:
                session.recv(timeout=20)
    for path in ("media/none.png", "_stcore/metrics"):
        assert ask(team, path).status == 403
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(team, "_stcore/agent/interact", method, bytes(1000)).status == 403


def test_strangers_hold_few_sessions_and_keep_nobody_out(team: Dashboard) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket_of(team)) for _ in range(Guest.STRANGER.connections + 5)]
        with socket_of(team, signed_in(team, "anna@clinic.example")) as member:
            assert run_script(member)
            time.sleep(0.5)
            assert sum(is_open(one) for one in opened) <= Guest.STRANGER.connections
            assert is_open(opened[-1])
            assert is_open(member)


def is_open(session: ClientConnection) -> bool:
    """Whether the server still answers a ping."""
    try:
        return session.ping().wait(2)
    except ConnectionClosed:
        return False


def test_whoever_has_a_role_uploads_and_whoever_has_none_does_not(team: Dashboard) -> None:
    anna, eve = signed_in(team, "anna@clinic.example"), signed_in(team, "eve@clinic.example")
    with socket_of(team, anna) as hers, socket_of(team, eve) as others:
        session_id, other_id = run_script(hers), run_script(others)
        assert upload(team, session_id, anna) == 204
        sent = {"Cookie": f"_streamlit_user={anna['_streamlit_user']}"}
        assert ask(team, "_stcore/metrics", **sent).status == 200
        assert ask(team, "media/none.png", **sent).status == 404
        assert upload(team, other_id, eve) == 403
        hers.send(BackMsg(rerun_script={"query_string": "a" * 2 * Guest.STRANGER.message_bytes}).SerializeToString())
        assert is_open(hers)


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="only Linux lists what a process watches")
def test_a_session_makes_the_server_watch_no_files(team: Dashboard) -> None:
    """Started as `streamlit run app.py`, without a word about it."""
    assert team.process is not None
    with socket_of(team) as session:
        run_script(session)
        seen = [path.read_text() for path in Path(f"/proc/{team.process.pid}/fdinfo").iterdir()]
    assert not [line for facts in seen for line in facts.splitlines() if line.startswith("inotify ")]


def test_broken_secrets_shut_everybody_out(team: Dashboard, home: Home, tmp_path: Path) -> None:
    """Streamlit takes them for none, and whoever comes would then be the machine's user."""
    (tmp_path / "secrets.toml").write_text("[auth\n")
    served = Dashboard(home, tmp_path / "streamlit.log", f"--secrets.files={tmp_path / 'secrets.toml'}")
    served.start()
    try:
        with socket_of(served) as session:
            session_id = run_script(session)
            assert upload(served, session_id, {}) == 403
    finally:
        served.kill()


def test_a_public_demo_takes_no_files_and_shows_pictures_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READ_ONLY, "1")

    def status(method: str, path: str, kind: str = "http") -> int:
        scope = {"type": kind, "method": method, "path": path, "headers": [(b"host", b"localhost:8501")]}
        refusal = refusal_of(scope)
        return refusal.status if refusal else 200

    assert status("PUT", "/_stcore/upload_file/session/file") == 403
    assert status("POST", "/_stcore/agent/interact") == 403
    assert status("GET", "/_stcore/metrics") == 403
    assert status("GET", "/media/picture.png") == status("GET", "/") == 200
    assert status("GET", "/_stcore/stream", "websocket") == 200


def test_who_had_to_sign_in_has_to_until_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor replaces a file with secrets in two steps, and between them there is none."""
    monkeypatch.setattr(sign_in_settings, "_had", False)
    monkeypatch.setattr(sign_in_settings, "are_readable", lambda: True)
    for found, required in ((None, False), ({"client_id": "ersatz"}, True), (None, True)):
        monkeypatch.setattr(sign_in_settings, "auth", lambda found=found: found)
        sign_in_settings.remember()
        assert sign_in_settings.is_required() is required
