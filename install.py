"""Installs what requirement files ask for into the virtual environment whose Python runs this, as `make` does.

`python install.py requirements.txt` does what `pip install -r requirements.txt` does, in a third of the time where the
line is fast (`python -m benchmarks.install --time`): uv downloads many files at once, unpacks them as they arrive and
leaves it to Python to compile what is imported, where pip does one after the other and compiles all. uv reads none of
pip's configuration, so it is handed over: a company's mirror, certificate or proxy is used as by pip. pip itself
installs if it is configured with something that cannot be handed over, and if uv is not to be had or fails.

Only the standard library is imported: nothing else is installed yet.
"""

from __future__ import annotations

import ast
import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
UV = [sys.executable, "-m", "uv", "pip"]
UV_VERSIONS = "uv>=0.10,<1"
# In the environment, hence on one disk with the packages: files are linked into place, not copied
CACHE = Path(sys.prefix) / "uv-cache"

# What pip can be configured with, and the variables in which uv expects the same
VARIABLES = {
    "index-url": ["UV_DEFAULT_INDEX"],
    "extra-index-url": ["UV_INDEX"],
    "find-links": ["UV_FIND_LINKS"],
    "constraint": ["UV_CONSTRAINT"],
    "trusted-host": ["UV_INSECURE_HOST"],
    "cert": ["SSL_CERT_FILE"],
    "client-cert": ["SSL_CLIENT_CERT"],
    "proxy": ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"],
    "timeout": ["UV_HTTP_TIMEOUT"],
    "default-timeout": ["UV_HTTP_TIMEOUT"],
    "retries": ["UV_HTTP_RETRIES"],
}
# What changes how pip looks or where it keeps its own files, not what it installs from where
OF_NO_CONSEQUENCE = {
    "break-system-packages",
    "cache-dir",
    "compile",
    "config-file",
    "disable-pip-version-check",
    "log",
    "no-cache-dir",
    "no-color",
    "no-input",
    "no-python-version-warning",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "root-user-action",
    "verbose",
}


class UvError(Exception):
    """Why uv cannot install."""


def read_settings(listing: str) -> dict[str, str]:
    """pip's settings by name, from what `pip config list` prints: those of `install` and of variables come last."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = " ".join(ast.literal_eval(value).split())
    merged = found["global"] | found["install"] | found[":env:"]
    return {name: value for name, value in merged.items() if value}


def hand_over(settings: Mapping[str, str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """uv's arguments and environment for pip's settings; raises UvError if uv is not known to follow one of them."""
    arguments: list[str] = []
    # pip takes the best version of all indexes, trusts what the system trusts, and tries five times
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true", "UV_HTTP_RETRIES": "5"}
    for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        if environment.get(name):
            variables["SSL_CERT_FILE"] = environment[name]
    for name, value in settings.items():
        if name == "no-index":
            arguments += ["--no-index"] if value.lower() in ("1", "true", "t", "yes", "y", "on") else []
        elif name in VARIABLES:
            joined = value.replace(" ", ",") if name == "find-links" else value
            variables |= dict.fromkeys(VARIABLES[name], joined)
        elif name not in OF_NO_CONSEQUENCE:
            raise UvError(f'it is not known to follow pip\'s setting "{name}"')
    return arguments, {"UV_CACHE_DIR": str(CACHE), **environment, **variables}


def wheel_sizes(lock: str) -> dict[str, int]:
    """Bytes to download for each package of a pylock.toml; 0 where the index does not tell."""
    sizes = {}
    for package in tomllib.loads(lock)["packages"]:
        if "directory" in package:  # the program itself
            continue
        # Of several wheels that fit, which hardly differ, the largest
        sizes[package["name"]] = max((wheel_size(wheel) for wheel in package.get("wheels", [])), default=0)
    return sizes


def wheel_size(wheel: Mapping[str, str | int]) -> int:
    """Bytes of one wheel in a pylock.toml: as its index says, or on this disk."""
    url = urlsplit(str(wheel.get("url", "")))
    path = Path(str(wheel["path"]) if "path" in wheel else url2pathname(url.path))
    if "size" in wheel:
        return int(wheel["size"])
    return path.stat().st_size if not url.netloc and path.is_file() else 0


def of_pytorch(name: str) -> bool:
    """Whether a package is PyTorch or, like CUDA's libraries, what it brings along."""
    return name.startswith(("torch", "triton", "nvidia-", "cuda-"))


def announce(sizes: Mapping[str, int]) -> str:
    """One sentence about the download: its size, and PyTorch's share where that is most of it."""
    total = sum(sizes.values())
    pytorch = sum(size for name, size in sizes.items() if of_pytorch(name))
    cuda = " with CUDA" if any(name.startswith("nvidia-") for name in sizes) else ""
    least = "At least " if 0 in sizes.values() else ""
    share = f"; PyTorch{cuda} is {in_words(pytorch)} of that" if pytorch > total / 2 else ""
    return f"{least}{in_words(total)} will be downloaded{share}."


def in_words(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def run(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """A short command that has ended; raises UvError with the last of its lines that tells of an error."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if "error" in line.lower()]
        raise UvError(lines[-1] if lines else f"exit code {result.returncode}")
    return result


def install_with_uv(files: Sequence[str]) -> None:
    """Tells the size of the download and installs; raises UvError."""
    given, environment = hand_over(read_settings(run([*PIP, "config", "list"]).stdout), os.environ)
    run([*PIP, "install", "--quiet", UV_VERSIONS])
    given += ["--python", sys.executable]
    wanted = [argument for file in files for argument in ("-r", file)]
    plan = run([*UV, "install", "--dry-run", *given, *wanted], environment).stderr
    missing = set(re.findall(r"^ \+ ([\w.-]+)==", plan, re.MULTILINE))
    if missing:
        lock = run([*UV, "compile", "--quiet", "--format", "pylock.toml", *given, *files], environment).stdout
        print(announce({name: size for name, size in wheel_sizes(lock).items() if name in missing}), flush=True)
    code = watch_uv([*UV, "install", *given, *wanted], environment)
    if code:
        raise UvError(f"exit code {code}")
    if missing and sys.dont_write_bytecode:
        print("Compiling all modules, since PYTHONDONTWRITEBYTECODE would have it done at every start", flush=True)
        compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)


def watch_uv(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """uv's exit code. Its progress is shown: as bars on a terminal; the list of all packages at its end is not."""
    if not sys.stdout.isatty():
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                if not line.startswith((" + ", " - ", "Downloading ")):
                    print(line, end="", flush=True)
        return process.returncode

    # Imported here because Windows has neither
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, termios.tcgetwinsize(sys.stdout))
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs) as process_of_bars:
        os.close(theirs)
        last = b""
        while chunk := read_terminal(ours):
            # The list follows the line that says how many were installed
            before, found, after = (b"", b"", chunk) if last else chunk.partition(b"Installed ")
            last += found + after * bool(last or found)
            sys.stdout.buffer.write(before)
            sys.stdout.flush()
        sys.stdout.buffer.write(last.partition(b"\n")[0] + b"\n" * bool(last))
        sys.stdout.flush()
    os.close(ours)
    return process_of_bars.returncode


def read_terminal(descriptor: int) -> bytes:
    """What was written next; empty at the end, which Linux tells by an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def install_with_pip(files: Sequence[str]) -> int:
    """pip's exit code. Shown is the file it is at, on one line of a terminal, or the large ones on a line each."""
    command = [*PIP, "install", *(argument for file in files for argument in ("-r", file))]
    terminal, columns = sys.stdout.isatty(), shutil.get_terminal_size().columns
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("Installing collected packages"):
                line = "Unpacking and compiling, for a minute or several"
            if terminal:
                print(f"\r\033[K{line.strip()[: columns - 1]}", end="", flush=True)
            elif line.startswith("Unpacking") or re.search(r"Downloading .* MB", line):
                print(line.strip(), flush=True)
    print(end="\n" if terminal else "")
    return process.returncode


def main(files: Sequence[str]) -> int:
    """Installs; the exit code says whether everything is there."""
    if sys.prefix == sys.base_prefix:
        sys.exit(f"{sys.executable} belongs to no virtual environment; make one first: python -m venv .venv")
    code = 0
    try:
        install_with_uv(files)
    except (UvError, OSError, ValueError) as error:
        print(f"uv cannot install here ({error}); pip installs the same, which takes longer.", flush=True)
        code = install_with_pip(files)
    if not code:
        # Until here it was kept, so that an interrupted installation goes on where it stopped
        shutil.rmtree(CACHE, ignore_errors=True)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
