"""Pages on a home in which something is damaged, goes meanwhile, or breaks in a way that nobody knows."""

from __future__ import annotations

import io
import shutil
import zipfile
from typing import Any

import pytest
from streamlit.runtime.scriptrunner import ScriptRunner

from engine.jobs.error_report import report
from engine.jobs.kinds import kind_shown
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from pages.components.navigation import ICONS
from pages.components.unknown_errors import on_script_error
from tests.fabricated import make_everything
from tests.pages.conftest import OpenPage, press, texts

DAMAGES: dict[str, dict[str, bytes]] = {
    "empty": {"status.json": b"", "config.json": b""},
    "other": {"status.json": b"null", "config.json": b'{"kind": "telepathy"}'},
    "beside": {"about.json": b"[1]", "metrics.jsonl": b'{"kimg": 1}\n[]\n', "pool.json": b"{", "scores.json": b"[]"}
    | {"manifest.csv": b"a,b\n1", "summary.json": b"", "trials.parquet": b"x", "generator.json": b"null"},
}


@pytest.mark.parametrize("page", [page for page in ICONS])
def test_every_page_shows_the_others(open_page: OpenPage, home: Home, page: str) -> None:
    make_everything(home, quality=True)
    (home.datasets / "other").mkdir()
    (home.datasets / "other" / "dataset.json").write_bytes(b"{}")
    runs = list_runs(home)
    shown_by = {kind_shown(run.kind).page for run in runs} | {"runs"}
    of_page = [run for run in runs if kind_shown(run.kind).page == page or page == "runs"][:3]
    for run in of_page if page in shown_by else runs[:1]:
        for files in DAMAGES.values():
            before = {name: (run.path / name).read_bytes() for name in files if (run.path / name).exists()}
            for name in before.keys() | ({"about.json"} & files.keys()):
                (run.path / name).write_bytes(files[name])
            app = open_page(page, run=run.id)
            said = texts(app)
            assert "Data set other is damaged" in said, (run.kind, files)
            if files == DAMAGES["empty"]:
                assert f"Run {run.id} is damaged" in said.replace("\\", ""), run.kind
            for name in files:
                (run.path / name).unlink(missing_ok=True)
            for name, content in before.items():
                (run.path / name).write_bytes(content)


@pytest.mark.parametrize("page", ["overview", "train", "quality", "evaluate", "runs"])
def test_what_stands_below_every_page_is_below_one_that_ends_early_too(
    open_page: OpenPage, home: Home, page: str
) -> None:
    """Of a home that holds nothing but a damaged data set."""
    (home.datasets / "other").mkdir(parents=True)
    (home.datasets / "other" / "dataset.json").write_bytes(b"{}")
    assert "Data set other is damaged" in texts(open_page(page))


def test_a_damaged_run_is_told_and_deleted_on_the_runs_page(open_page: OpenPage, home: Home) -> None:
    make_everything(home)
    run = list_runs(home, "train")[0]
    (run.path / "status.json").write_bytes(b"")
    app = open_page("runs", run=run.id)
    assert "status.json" in app.error[0].value.replace("\\", "")
    press(press(app, "Delete"), "Delete", "Delete it")
    assert not app.exception and not run.path.exists()


def test_a_run_that_goes_while_a_page_is_drawn_is_left_out(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_everything(home)
    going = list_runs(home, "train")[0]
    read = Run.status

    def status(run: Run) -> Any:
        if run.id == going.id and run.path.exists():
            shutil.rmtree(run.path)
        return read(run)

    monkeypatch.setattr(Run, "status", status)
    app = open_page("train")
    assert not app.error and not app.exception


@pytest.mark.parametrize("page", ICONS)
def test_an_unknown_error_is_a_sentence_with_a_report(
    open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    make_everything(home)

    def broken(*_: object, **__: object) -> None:
        raise KeyError("Jane Roe, of /clinic/patients/roe.png, in phantom")

    begin = ScriptRunner.__init__

    def with_handler(runner: ScriptRunner, *arguments: Any, **named: Any) -> None:
        begin(runner, *arguments, **named | {"on_script_error": on_script_error})

    monkeypatch.setattr(ScriptRunner, "__init__", with_handler)
    lists = ("engine.store.runs.list_runs", "engine.datasets.dataset.list_datasets", "pages.generate.opened.list_runs")
    for place in lists:
        monkeypatch.setattr(place, broken)
    app = open_page(page)
    (error,) = app.error
    (kept,) = (home.root / "errors").iterdir()
    assert "does not know" in error.value and "Traceback" not in error.value and kept.name in error.value
    assert "Traceback" in kept.read_text()
    assert "Pack a report" in [element.proto.label for element in app.get("download_button")]


def test_a_report_has_neither_images_nor_names(home: Home) -> None:
    make_everything(home)
    run = list_runs(home, "train")[0]
    run.update(state=State.FAILED, error=f"{home.root}/datasets/phantom/images/roe.png of anna@clinic.example is odd.")
    run.log_path.write_text(
        'Traceback (most recent call last):\n  File "/home/anna/ersatz/engine/gans/training.py", line 7, in train\n'
        f"    raise ValueError(name)\nValueError: 'Jane Roe' in {home.root}: phantom has no bleed ({run.id})\n"
    )
    with zipfile.ZipFile(io.BytesIO(report(home))) as archive:
        content = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(content) == {"about.json", "runs/0.json", "runs/0.txt"}
    everything = "\n".join(content.values())
    for name in ("phantom", "bleed", "roe", "Roe", "anna", str(home.root), run.id, home.root.parent.name):
        assert name not in everything, name
    assert 'File "engine/gans/training.py", line 7' in everything
    assert '"kimg"' in content["runs/0.json"] and '"packages"' in content["about.json"]
