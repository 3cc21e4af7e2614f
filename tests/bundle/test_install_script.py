"""install.sh, run by a shell: what it makes, and what it says before it makes anything."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bundle.bundling import Bundle, make_bundle
from engine.bundle.target import OLDEST_GLIBC, Target
from engine.store.hashing import sha256_file
from tests.bundle.conftest import PYTHON, make_wheel
from tests.bundle.test_bundle_weights import put
from tests.bundle.test_program import installed

MACHINE = platform.machine()
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or MACHINE not in OLDEST_GLIBC, reason="a bundle is for Linux on x86_64 or aarch64"
)
WEIGHTS = "resnet18-f37072fd.pth"


@pytest.fixture
def bundle(
    index: Path, program: Callable[..., None], no_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bundle:
    """A bundle for this machine, of a stand-in with one requirement, and with one network's weights."""
    program("first")
    make_wheel(index, "first")
    put(no_weights, WEIGHTS, b"weights")
    monkeypatch.setattr("engine.bundle.weights.checked_digest", lambda path, name: "")
    return make_bundle(tmp_path / "a bundle", Target(python=PYTHON, machine=MACHINE, glibc=17))


def install(bundle: Bundle, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user of the tests' own Python would, with no index to reach."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(bundle.path.parent), "PYTHON": base_python(), **variables}
    script = str(bundle.path / "install.sh")
    return subprocess.run(
        ["sh", script, *words], env=environment, cwd=bundle.path.parent, capture_output=True, text=True
    )


def base_python() -> str:
    """The Python that the tests' environment was made with."""
    return str(Path(sys.base_prefix) / "bin" / f"python{PYTHON}")


def rewrite(bundle: Bundle, before: str, after: str) -> None:
    """Change install.sh, and its sum."""
    script = bundle.path / "install.sh"
    assert before in script.read_text()
    script.write_text(script.read_text().replace(before, after))
    sum_again(bundle)


def sum_again(bundle: Bundle) -> None:
    names = [line.split("  ")[1] for line in (bundle.path / "SHA256SUMS").read_text().splitlines()]
    sums = "".join(f"{sha256_file(bundle.path / name)}  {name}\n" for name in names)
    (bundle.path / "SHA256SUMS").write_text(sums)


def test_it_installs_from_the_bundle_alone(bundle: Bundle, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    installed(make_wheel(tmp_path, "first"), elsewhere)
    settings = {"PIP_TARGET": str(elsewhere), "PIP_REQUIRE_VIRTUALENV": "nonsense", "PYTHONPATH": str(elsewhere)}
    done = install(bundle, "new/there", **settings)
    assert done.returncode == 0, done.stderr
    target = tmp_path / "new" / "there"
    assert (target / "weights" / "hub" / "checkpoints" / WEIGHTS).read_bytes() == b"weights"
    assert f"doctor: weights in {target}/weights" in done.stdout
    assert f"Ersatz 0.1.0 is installed: {target}/bin/ersatz --help" in done.stdout
    assert f"    export TORCH_HOME='{target}/weights'" in done.stdout.splitlines()
    code = "import first, engine; print(first.__file__)"
    found = subprocess.run([target / "bin" / "python", "-c", code], capture_output=True, text=True, cwd="/")
    assert found.stdout.startswith(str(target))
    again = install(bundle, "new/there")
    assert again.returncode == 1 and f"{target} holds something already; a new or empty folder" in again.stderr
    assert (target / "bin" / "python").exists()


def test_what_the_doctor_finds_is_no_success(bundle: Bundle, tmp_path: Path) -> None:
    shutil.rmtree(bundle.path / "weights")
    sums = (bundle.path / "SHA256SUMS").read_text().splitlines(keepends=True)
    (bundle.path / "SHA256SUMS").write_text("".join(line for line in sums if "weights/" not in line))
    done = install(bundle, SICK="/")
    assert done.returncode == 1
    assert "The doctor found that something of this machine fails (above)" in done.stderr
    assert (tmp_path / "ersatz" / "bin" / "python").exists()  # in the folder that it takes when none is named
    assert "export" not in done.stdout and not (tmp_path / "ersatz" / "trial").exists()


@pytest.mark.parametrize("fault", ["a wheel that is not the locked one", "a program that does not start"])
def test_what_does_not_end_well_leaves_nothing(fault: str, bundle: Bundle, index: Path, tmp_path: Path) -> None:
    if fault == "a wheel that is not the locked one":
        make_wheel(bundle.path / "wheels", "first", "1.0", other="y = 1\n")
    else:
        wheel = make_wheel(bundle.path / "wheels", "first", "1.0", __init__="raise ImportError('torn')\n")
        lock = (bundle.path / "requirements.lock").read_text().splitlines()
        lock[1] = f"first==1.0 --hash=sha256:{sha256_file(wheel)}"
        (bundle.path / "requirements.lock").write_text("\n".join(lock) + "\n")
    sum_again(bundle)
    done = install(bundle, "there")
    assert done.returncode == 1
    expected = "does not start" if fault == "a program that does not start" else "pip could not install the wheels"
    assert expected in done.stderr
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (f"python={PYTHON}", "python=3.99", f"is Python {PYTHON}; the bundle is for Python 3.99. Name another"),
        (f"machine={MACHINE}", "machine=riscv", f"This machine is Linux {MACHINE}; the bundle is for Linux riscv."),
        ("glibc=17", "glibc=99", "glibc 2.99 or newer is expected"),
        ("kilobytes=", "kilobytes=999999999", "MiB are expected. Free some"),
    ],
)
def test_a_machine_that_does_not_fit(before: str, after: str, sentence: str, bundle: Bundle, tmp_path: Path) -> None:
    rewrite(bundle, before, after)
    done = install(bundle, "there")
    assert done.returncode == 1 and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("damage", ["changed", "missing", "weights"])
def test_files_that_do_not_match_are_named(damage: str, bundle: Bundle, tmp_path: Path) -> None:
    damaged = bundle.path / ("weights" if damage == "weights" else "wheels")
    damaged = damaged / (WEIGHTS if damage == "weights" else "first-1.0-py3-none-any.whl")
    damaged.unlink() if damage == "missing" else damaged.write_bytes(b"torn")
    done = install(bundle, "there")
    name = damaged.relative_to(bundle.path)
    assert done.returncode == 1
    assert done.stderr == (
        f"These files of the bundle are missing or differ from SHA256SUMS: {name} - copy the bundle again.\n"
    )
    assert not (tmp_path / "there").exists()


def test_pythons_that_cannot_be_used(bundle: Bundle, tmp_path: Path) -> None:
    absent = install(bundle, PYTHON="/nowhere/python3")
    assert absent.returncode == 1 and "/nowhere/python3 does not run; Python" in absent.stderr
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec \'{base_python()}\' "$@"\n')
    bare.chmod(0o755)
    found = install(bundle, PYTHON=str(bare))
    assert found.returncode == 1 and f"{bare} has no module venv or ensurepip" in found.stderr
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "uname", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    none = install(bundle, PATH=str(tools), PYTHON="")
    assert none.returncode == 1 and f"No Python was found; Python {PYTHON} is expected" in none.stderr


def test_two_folders_are_one_too_many(bundle: Bundle) -> None:
    done = install(bundle, "one", "two")
    assert done.returncode == 1 and "2 arguments were given; one is expected at most" in done.stderr
