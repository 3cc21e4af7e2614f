"""The program without its checkout: built, installed into an empty folder, and used from another one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.store.home import REPOSITORY, Home
from tests.jobs.scene import end_processes_of, until
from tests.jobs.test_pipeline import BRIEF


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed program alone; all that it needs is in the environment of the tests."""
    folder = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", f"--target={folder}", str(REPOSITORY)], check=True)
    return folder


@pytest.fixture
def elsewhere(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is neither a checkout nor a home yet, from which the installed program is found."""
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.delenv("ERSATZ_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    end_processes_of(Home(tmp_path / "checkpoints"))


def ersatz(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, as its console script does."""
    code = "import sys; sys.argv[0] = 'ersatz'; from engine.cli.main import main; main()"
    return subprocess.run([sys.executable, "-P", "-c", code, *words], capture_output=True, text=True, check=False)


def test_everything_is_in_it(packages: Path) -> None:
    assert (packages / "bin" / "ersatz").exists() or (packages / "Scripts" / "ersatz.exe").exists()
    dashboard = packages / "engine" / "_dashboard"
    scripts = [path.relative_to(REPOSITORY) for path in [REPOSITORY / "app.py", *REPOSITORY.glob("pages/**/*.*")]]
    missing = [path for path in scripts if path.suffix != ".pyc" and not (dashboard / path).is_file()]
    assert not missing
    assert (dashboard / ".streamlit" / "config.toml").is_file()
    data = [path for path in REPOSITORY.glob("engine/**/*.*") if path.suffix in (".jinja", ".safetensors", ".txt")]
    assert data and all((packages / path.relative_to(REPOSITORY)).is_file() for path in data)
    assert {path.name for path in packages.iterdir()} <= {"bin", "Scripts", "engine", *_metadata(packages)}


def _metadata(packages: Path) -> set[str]:
    return {path.name for path in packages.glob("*.dist-info")}


def test_the_home_is_below_the_working_directory_and_that_is_said(elsewhere: Path) -> None:
    done = ersatz("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert f"Everything will be kept in {elsewhere / 'checkpoints'}" in done.stderr
    found = {check["name"]: check["found"] for check in json.loads(done.stdout)}
    assert found["Home"] == str(elsewhere / "checkpoints")
    assert "kept in" not in ersatz("doctor").stderr  # it is there now
    assert "Usage: ersatz" in ersatz("--help").stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_journey_to_its_verdict(elsewhere: Path) -> None:
    (elsewhere / "engine").mkdir()  # what lies about in the working directory is not imported
    (elsewhere / "engine" / "__init__.py").write_text("raise RuntimeError('not this one')")
    brief = [
        f"--set={step}.{name}={json.dumps(value)}"
        for step, settings in BRIEF.overrides.items()
        for name, value in settings.items()
    ]
    done = ersatz("demo", "--no-serve", "--json", "--size", "", *brief)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (elsewhere / "checkpoints" / "runs" / result["sweep"] / "report.html").is_file()


def test_the_dashboard_is_served(elsewhere: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "from engine.cli.serve import serve; from engine.store.home import Home; import sys; "
    code += "serve(Home.from_environment(), int(sys.argv[1]), open_browser=False)"
    with subprocess.Popen([sys.executable, "-P", "-c", code, str(port)], stderr=subprocess.PIPE, text=True) as server:
        try:

            def answers() -> bool:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                    return True
                return server.poll() is not None

            until(answers, 60)
            assert server.poll() is None, server.stderr and server.stderr.read()
        finally:
            server.terminate()


def test_there_is_one_list_of_requirements() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) > 20 and {"login", "timm", "slurm", "dev"} <= set(
        project["optional-dependencies"]
    )
    for file, asked in (("requirements.txt", "-e ."), ("requirements-dev.txt", "-e .[dev]")):
        lines = [line for line in (REPOSITORY / file).read_text().splitlines() if line and line[0] != "#"]
        assert lines == [asked]
