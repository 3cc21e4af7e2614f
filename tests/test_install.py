"""The installation of the requirements, with scripts in the places of uv and pip, and what its benchmark tells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import install
from benchmarks import install as benchmark
from engine.store.home import REPOSITORY

LISTING = r"""
:env:.cert='/etc/company.pem'
:env:.disable-pip-version-check='1'
:env:.timeout='60'
download.index-url='https://nobody.example/simple'
global.cert='/etc/other.pem'
global.extra-index-url='https://a.example/simple\nhttps://b.example/it=s'
global.index-url='https://user:secret@mirror.example/simple'
install.find-links='/wheels\n/more'
install.index-url='https://inner.example/simple'
global.proxy=''
"""
LOCK = """
lock-version = "1.0"
[[packages]]
name = "torch"
wheels = [{ url = "https://a.example/torch-2-cp311.whl", size = 2_500_000_000 }]
[[packages]]
name = "nvidia-cudnn"
wheels = [{ url = "https://a.example/cudnn.whl", size = 500_000_000 }]
[[packages]]
name = "sqlalchemy"
wheels = [{ url = "https://a.example/s-any.whl", size = 2 }, { url = "https://a.example/s-cp311.whl", size = 4 }]
"""
# uv as it talks: progress, the line after which the list of packages follows, and that list
UV = """
import os, sys
with open(os.environ["CALLS"], "a") as calls:
    print("uv", *sys.argv[1:], file=calls)
if "--dry-run" in sys.argv:
    print(" + torch==2.15.0\\n + absl-py==2.0", file=sys.stderr)
elif "compile" in sys.argv:
    print(os.environ["LOCK"])
elif os.environ.get("UV_FAILS"):
    print("error: no space left", file=sys.stderr)
    sys.exit(2)
else:
    os.makedirs(os.environ["UV_CACHE_DIR"])
    print("\\x1b[2mPrepared 2 packages\\x1b[0m\\nInstalled 2 packages in 1ms\\n + absl-py==2.0\\n + torch==2.15.0")
"""
PIP = """
import os, sys
with open(os.environ["CALLS"], "a") as calls:
    print("pip", *sys.argv[1:], file=calls)
if sys.argv[1:] == ["config", "list"]:
    print(os.environ.get("LISTING", ""))
elif "uv>=0.10,<1" in sys.argv:
    if os.environ.get("NO_UV"):
        sys.exit("ERROR: No matching distribution found for uv")
else:
    print("Collecting torch\\n  Downloading torch.whl (539.1 MB)\\nInstalling collected packages: torch")
    sys.exit(int(os.environ.get("PIP_EXIT", "0")))
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells, a line each, what was called in the places of uv and pip."""
    for name, script in (("UV", UV), ("PIP", PIP)):
        path = tmp_path / f"{name}.py"
        path.write_text(script)
        monkeypatch.setattr(install, name, [sys.executable, str(path)])
    monkeypatch.setattr(install, "CACHE", tmp_path / "uv-cache")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("LOCK", LOCK)
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    return tmp_path / "calls"


def test_pips_configuration_is_handed_over_with_the_precedence_that_pip_gives_it() -> None:
    arguments, environment = install.hand_over(install.read_settings(LISTING), {"HOME": "/home/me"})
    assert arguments == []
    assert environment["UV_DEFAULT_INDEX"] == "https://inner.example/simple"
    assert environment["UV_INDEX"] == "https://a.example/simple https://b.example/it=s"
    assert environment["UV_FIND_LINKS"] == "/wheels,/more"
    assert environment["SSL_CERT_FILE"] == "/etc/company.pem"
    assert environment["UV_HTTP_TIMEOUT"] == "60"
    assert environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert environment["HOME"] == "/home/me"
    assert "HTTPS_PROXY" not in environment


@pytest.mark.parametrize(
    ("listing", "given", "expected"),
    [
        ("", {}, {"UV_SYSTEM_CERTS": "true"}),
        ("", {"REQUESTS_CA_BUNDLE": "/etc/requests.pem"}, {"SSL_CERT_FILE": "/etc/requests.pem"}),
        ("global.cert='/a.pem'", {"REQUESTS_CA_BUNDLE": "/b.pem", "SSL_CERT_FILE": "/c"}, {"SSL_CERT_FILE": "/a.pem"}),
        ("global.proxy='http://p:3128'", {}, {"HTTPS_PROXY": "http://p:3128", "HTTP_PROXY": "http://p:3128"}),
        ("global.trusted-host='a.example\\nb.example'", {}, {"UV_INSECURE_HOST": "a.example b.example"}),
        ("", {"UV_CACHE_DIR": "/cache"}, {"UV_CACHE_DIR": "/cache"}),
    ],
)
def test_certificates_proxies_and_hosts_are_those_of_pip(
    listing: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    environment = install.hand_over(install.read_settings(listing), given)[1]
    assert {name: environment[name] for name in expected} == expected


@pytest.mark.parametrize(("value", "arguments"), [("true", ["--no-index"]), ("1", ["--no-index"]), ("false", [])])
def test_without_an_index_pip_has_only_its_folders_and_so_has_uv(value: str, arguments: list[str]) -> None:
    assert install.hand_over({"no-index": value}, {})[0] == arguments


def test_the_size_of_the_download_is_told_with_the_share_of_pytorch(tmp_path: Path) -> None:
    sizes = install.wheel_sizes(LOCK)
    assert sizes == {"torch": 2_500_000_000, "nvidia-cudnn": 500_000_000, "sqlalchemy": 4}
    assert install.announce(sizes) == "3.0 GB will be downloaded; PyTorch with CUDA is 3.0 GB of that."
    wheel = tmp_path / "with space.whl"
    wheel.write_bytes(b"12345")
    local = f'[[packages]]\nname = "here"\nwheels = [{{ url = "{wheel.as_uri()}" }}]\n'
    silent = '[[packages]]\nname = "silent"\nwheels = [{ url = "https://old.example/silent.whl" }]\n'
    sizes = install.wheel_sizes(local + silent)
    assert sizes == {"here": 5, "silent": 0}
    assert install.announce(sizes | {"torch": 2, "ruff": 12_000_000}) == "At least 12.0 MB will be downloaded."


def test_uv_installs_and_tells_neither_more_nor_less_than_needed(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install.main(["requirements.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2.5 GB will be downloaded; PyTorch is 2.5 GB of that."  # cuDNN is not among what is missing
    assert lines[-1] == "Installed 2 packages in 1ms"
    of_pip = [line for line in calls.read_text().splitlines() if line.startswith("pip")]
    assert of_pip == ["pip config list", "pip install --quiet uv>=0.10,<1"]
    assert not install.CACHE.exists()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"NO_UV": "1"}, "ERROR: No matching distribution found for uv"),
        ({"UV_FAILS": "1"}, "exit code 2"),
        ({"LISTING": "install.only-binary=':all:'"}, 'it is not known to follow pip\'s setting "only-binary"'),
    ],
)
def test_pip_installs_where_uv_cannot_and_one_sentence_says_why(
    variables: dict[str, str],
    reason: str,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert install.main(["a.txt", "b.txt"]) == 0
    assert calls.read_text().splitlines()[-1] == "pip install -r a.txt -r b.txt"
    out = capsys.readouterr().out
    assert f"uv cannot install here ({reason}); pip installs the same, which takes longer.\nDownloading torch" in out
    assert out.splitlines()[-1].startswith("Unpacking and compiling")
    assert "Collecting" not in out


def test_what_uv_has_downloaded_is_kept_until_everything_is_installed(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install.CACHE.mkdir()
    monkeypatch.setenv("UV_FAILS", "1")
    monkeypatch.setenv("PIP_EXIT", "3")
    assert install.main(["requirements.txt"]) == 3
    assert install.CACHE.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals; make does not run there")
def test_a_terminal_shows_uvs_bars_and_not_its_list(calls: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    watching = (
        "import os, sys, install; "
        f"sys.exit(install.watch_uv([sys.executable, {str(tmp_path / 'UV.py')!r}], "
        f"os.environ | {{'UV_CACHE_DIR': {str(tmp_path / 'new')!r}}}))"
    )
    done = subprocess.run([sys.executable, "-c", watching], stdout=theirs, stderr=theirs, cwd=REPOSITORY, timeout=60)
    os.close(theirs)
    shown = b""
    while chunk := install.read_terminal(ours):
        shown += chunk
    os.close(ours)
    assert done.returncode == 0, shown
    assert b"\x1b[2mPrepared 2 packages\x1b[0m" in shown
    assert shown.rstrip().endswith(b"Installed 2 packages in 1ms")


def test_nothing_is_installed_outside_of_a_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(SystemExit, match="belongs to no virtual environment; make one first"):
        install.main(["requirements.txt"])


def test_the_benchmark_names_the_oldest_system_and_what_older_ones_lack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def resolve(system: dict[str, str], python: str, cache: str) -> dict[str, int]:
        if system[benchmark.MACOS] in ("12.0", "13.0"):
            raise install.UvError("onnxruntime>=1.31 has no wheel")
        return {"torch": 100_000_000, "onnxruntime": 40_000_000}

    monkeypatch.setattr(benchmark, "resolve", resolve)
    row = benchmark.measure_download("macOS arm64", "3.12", "nowhere")
    assert (row["bytes"], row["bytes_pytorch"], row["oldest_system"]) == (140_000_000, 100_000_000, "macOS 14")
    benchmark.show_download(row)
    assert capsys.readouterr().out.splitlines() == [
        "macOS arm64     Python 3.12   0.14 GB in 2 packages, of which PyTorch 0.10 GB; oldest: macOS 14",
        "macOS arm64     Python 3.12  not on macOS 12, macOS 13: onnxruntime>=1.31 has no wheel",
    ]
