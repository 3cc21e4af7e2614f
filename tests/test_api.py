"""The Python interface: it installs nothing heavy, its examples run, and the page about it says what the code says."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import engine
from engine.api import Run, Workspace
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, Home
from engine.store.runs import State
from tests import fabricated
from tests.jobs.scene import end_processes_of

SHORTER = {
    '"my-study"': "home",
    '"~/scans"': "folder",
    "kimg=50": "kimg=0.1, tick_kimg=0.05, batch=8, g_channels=8, d_channels=8, device='cpu'",
    "images_per_class=200": "images_per_class=60",
    'exclude="copies"': "extractor='pixels', device='cpu'",
    "work.sweep(pool)": "work.sweep(pool, seeds=2, steps=4, batch=8, validations=1, ratios=(0.5,), device='cpu')",
    "size=64": "size=32",
}
"""What the test puts in the place of what an example says, so that it takes seconds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """80 pictures of two classes."""
    for number in range(80):
        place = tmp_path / "scans" / ("bleed", "normal")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (8, 8))
        Image.fromarray(np.kron(coarse, np.ones((4, 4))).astype(np.uint8)).save(place / f"{number:03d}.png")
    return tmp_path / "scans"


@pytest.fixture
def work(home: Home) -> Iterator[Workspace]:
    """A workspace whose processes all end with the test."""
    yield Workspace(home.root)
    end_processes_of(home)


def shortened(code: str) -> str:
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    return code


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_ten_lines_of_the_readme_run(work: Workspace, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (code,) = re.findall(r"```python\n(import engine.*?)```", readme, re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    known: dict[str, object] = {"home": work.home.root, "folder": folder}
    exec(shortened(code), known)
    printed = capsys.readouterr().out.splitlines()
    assert "no evidence" in printed[0] or "quick look" in printed[0].lower()
    assert Path(printed[-1]).name == "report.html" and Path(printed[-1]).is_file()

    # ... and so do the other examples, on what these lines have made
    sweep = known["sweep"]
    assert isinstance(sweep, Run)
    assert known["work"].dataset("scans").classes == ["bleed", "normal"]  # type: ignore[attr-defined]
    assert work.runs("sweep") == [sweep] and len(work.runs()) == 6
    assert [run.state() for run in work.runs("train")] == [State.FINISHED] * 2
    assert sweep.result(progress=False) == sweep.status().result
    with pytest.raises(ErsatzError, match="only a queued or running run can be stopped"):
        sweep.stop()
    with pytest.raises(ErsatzError, match="is finished; only a stopped"):
        sweep.resume()


def test_a_failed_run_raises_its_own_sentence(work: Workspace, home: Home) -> None:
    fabricated.make_dataset(home)
    training = fabricated.make_training(home, fabricated.CLASSES[0])
    training.update(state=State.FAILED, error="Found a, expected b; do c.")
    run = Run(home, training.id)
    for wait in (run.result, lambda: run.result(progress=False), lambda: work.sample(run, name="p")):
        with pytest.raises(ErsatzError, match=r"^Found a, expected b; do c\.$"):
            wait()
    training.update(state=State.STOPPED, error="")
    with pytest.raises(ErsatzError, match=r"is stopped\. `Run.resume\(\)` goes on"):
        run.result()


def test_wrong_settings_are_sentences(work: Workspace, home: Home) -> None:
    fabricated.make_dataset(home)
    with pytest.raises(ErsatzError, match="gan is 'gan'"):
        work.train("phantom", gan="gan")
    with pytest.raises(ErsatzError, match="kimgs"):
        work.train("phantom", kimgs=3)
    with pytest.raises(ErsatzError, match="There is no data set nowhere"):
        work.train("nowhere")
    with pytest.raises(ErsatzError, match="nothing"):
        work.import_dataset(home.root / "nothing", name="x")
    assert work.runs("train") == []


def test_a_workspace_is_the_home_unless_it_is_named(home: Home, tmp_path: Path) -> None:
    assert Workspace().home == home
    assert Workspace(tmp_path / "x").home == Home(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_importing_it_takes_no_torch() -> None:
    code = "import engine, sys; engine.__version__; assert not {'torch', 'pandas', 'pydantic'} & set(sys.modules)"
    code += "; engine.Workspace, engine.Run; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        engine.nothing  # noqa: B018


def test_the_page_is_made_from_the_docstrings() -> None:
    made = runpy.run_path(str(REPOSITORY / "docs" / "make_api.py"))
    assert (REPOSITORY / "docs" / "api.md").read_text() == made["page"](), "run python docs/make_api.py"


@pytest.mark.parametrize(
    "member",
    [member for described in (Workspace, Run) for name, member in vars(described).items() if name[0] != "_"],
    ids=lambda member: member.__qualname__,
)
def test_everything_public_says_what_it_takes_gives_and_raises(member: object) -> None:
    told = member.__doc__ or ""
    assert "Example:" in told and ">>> " in told
    names = member.__code__.co_varnames[1 : member.__code__.co_argcount + member.__code__.co_kwonlyargcount]  # type: ignore[attr-defined]
    assert all(f"{name}: " in told for name in names)
    gives = member.__annotations__["return"] not in (None, "None")  # type: ignore[attr-defined]
    assert ("Returns:" in told) == gives
    assert "Raises:" in told or member.__name__ == "runs"  # type: ignore[attr-defined]
