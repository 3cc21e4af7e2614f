"""A real import as a job, killed at its most awkward moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import importing
from engine.datasets.dataset import Dataset
from engine.datasets.watched import ImportStopped
from engine.jobs import submit as jobs
from engine.jobs.worker import work
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock, is_held
from engine.store.runs import State, create_run
from tests.jobs.scene import ended, until


def draw(folder: Path) -> str:
    """A folder with twelve small pictures of noise in each of two classes."""
    rng = np.random.default_rng(0)
    for name in ("bleed", "normal"):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).save(folder / name / f"{number}.png")
    return str(folder)


def test_an_import_killed_anywhere_completes_when_resumed(home: Home, tmp_path: Path) -> None:
    config = jobs.prepare(home, ImportConfig(name="ph", source=draw(tmp_path / "source"), size=16))
    run = create_run(home, config.plain(), "import")
    with FileLock(run.lock_path), pytest.raises(ErsatzError, match=f"Run {run.id} is importing a data set ph right"):
        jobs.submit(home, config.model_copy(update={"seed": 1}))

    # Its worker was killed while it wrote.
    half, alive, dead = (home.datasets / f".{name}.abcd1234" for name in ("ph", "ph.2", "ph.3"))
    for folder in (half, alive, dead):  # the others of other imports
        (folder / "images").mkdir(parents=True)
    assert run.state() is State.INTERRUPTED
    with FileLock(home.locks / "making-ph.2"):
        assert jobs.ensure(home, config) == run
        assert ended(run) is State.FINISHED, run.status().error
    assert len(Dataset.open(home, "ph").rows()) == 24
    assert sorted(path.name for path in home.datasets.iterdir()) == [alive.name, "ph"]

    # Its worker was killed between the last step of the import and its record of it.
    until(lambda: not is_held(run.lock_path))
    run.update(state=State.RUNNING)
    assert run.state() is State.INTERRUPTED
    jobs.resume(run)
    assert ended(run) is State.FINISHED, run.status().error


def test_an_import_is_reused_only_while_its_data_set_is_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_start", lambda run: None)
    config = ImportConfig(name="ph", layout="phantom")
    run = create_run(home, config.plain(), "import")
    run.update(state=State.FINISHED)
    home.dataset("ph").mkdir(parents=True)
    assert jobs.ensure(home, config) == run
    home.dataset("ph").rmdir()
    assert jobs.ensure(home, config) != run


def test_a_stopped_import_is_stopped_and_not_failed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def import_dataset(*_: object) -> None:
        raise ImportStopped

    monkeypatch.setattr(importing, "import_dataset", import_dataset)
    config = ImportConfig(name="ph", layout="phantom")
    run = create_run(home, config.plain(), "import")
    with FileLock(run.lock_path):
        work(home, run.id)
    assert run.status().state is State.STOPPED
    assert run.status().error == ""
