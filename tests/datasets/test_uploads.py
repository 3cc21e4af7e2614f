"""Uploads are hostile: what is refused, where the rest is kept, and when it goes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pytest

from engine.configs import ImportConfig, NetworkConfig, ProjectionConfig
from engine.datasets import uploads
from engine.datasets.uploads import remove_old_uploads, save_upload
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import State, create_run


@dataclass
class Sent:
    """A file as a browser sends it."""

    name: str
    content: bytes = b"content"

    @property
    def size(self) -> int:
        return len(self.content)

    def getbuffer(self) -> memoryview:
        return memoryview(self.content)


def kept(home: Home) -> list[str]:
    """Everything below the home, as relative paths of files."""
    return sorted(str(path.relative_to(home.root)) for path in home.root.rglob("*") if path.is_file())


def test_an_archive_is_kept_as_a_file_and_pictures_as_a_folder(home: Home) -> None:
    archive = save_upload(home, [Sent("scans.zip", b"PK")])
    assert archive.read_bytes() == b"PK"
    folder = save_upload(home, [Sent("labels.csv"), Sent("a b.png", b"1")])
    assert sorted(path.name for path in folder.iterdir()) == ["a b.png", "labels.csv"]
    assert save_upload(home, [Sent("a b.png", b"1"), Sent("labels.csv")]) == folder, "sent again, kept once"


def test_a_folder_keeps_its_folders(home: Home) -> None:
    folder = save_upload(home, [Sent("scans/a/1.png"), Sent("scans/b/1.png", b"1")])
    assert kept(home) == [f"uploads/{folder.name}/scans/{name}/1.png" for name in ("a", "b")]


@pytest.mark.parametrize("claimed", ["../../escape.png", "/etc/escape.png", "C:\\temp\\escape.png", "x/../escape.png"])
def test_a_name_with_a_path_loses_the_path(home: Home, claimed: str) -> None:
    folder = save_upload(home, [Sent(claimed)])
    assert [path.name for path in folder.iterdir()] == ["escape.png"]
    assert kept(home) == [f"uploads/{folder.name}/escape.png"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "No file was chosen"),
        ([Sent("..")], "not accepted as a file name"),
        ([Sent(".hidden.png")], "not accepted as a file name"),
        ([Sent("nul\0.png")], "not accepted as a file name"),
        ([Sent("a" * 300 + ".png")], "not accepted as a file name"),
        ([Sent("run.exe")], "run.exe is of a kind that is not accepted"),
        ([Sent("weights.pkl")], "weights.pkl is of a kind that is not accepted"),
        ([Sent("a.zip"), Sent("b.png")], "one ZIP or .npz alone is expected"),
        ([Sent("one/a.png"), Sent("one/A.png")], "one/a.png was sent twice"),
    ],
)
def test_what_is_refused_is_said_and_leaves_nothing(home: Home, files: list[Sent], sentence: str) -> None:
    with pytest.raises(ErsatzError, match=sentence):
        save_upload(home, files)
    assert kept(home) == []


def test_too_much_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    with pytest.raises(ErsatzError, match="import the folder by its path"):
        save_upload(home, [Sent("a.png", b"123456"), Sent("b.png", b"123456")])
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    with pytest.raises(ErsatzError, match="at most 1 files"):
        save_upload(home, [Sent("a.png", b"1"), Sent("b.png", b"1")])
    assert kept(home) == []


def test_an_upload_goes_once_its_import_has_finished_or_a_day_has_passed(home: Home) -> None:
    done, failed, old = (save_upload(home, [Sent(f"{name}.zip", name.encode())]) for name in ("done", "failed", "old"))
    for path, state in ((done, State.FINISHED), (failed, State.FAILED)):
        run = create_run(home, ImportConfig(name=path.stem, source=str(path)).plain(), "import")
        run.update(state=state)
    yesterday = time.time() - uploads.KEPT_SECONDS - 60
    os.utime(old.parent, (yesterday, yesterday))
    remove_old_uploads(home)
    assert (done.exists(), failed.exists(), old.exists()) == (False, True, False), "a failed import can be resumed"


def test_a_network_is_accepted_where_one_is_asked_for(home: Home) -> None:
    folder = save_upload(home, [Sent("faces.pkl")], uploads.NETWORKS)
    assert [path.name for path in folder.iterdir()] == ["faces.pkl"]
    with pytest.raises(ErsatzError, match=r"a.png is of a kind that is not accepted; expected .pkl"):
        save_upload(home, [Sent("a.png")], uploads.NETWORKS)


def test_uploads_wait_for_networks_and_projections_that_read_them(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    network = save_upload(home, [Sent("faces.pkl")], uploads.NETWORKS) / "faces.pkl"
    image = save_upload(home, [Sent("a.png")]) / "a.png"
    configs = [NetworkConfig(name="faces", source=str(network)), ProjectionConfig(generator="g", image=str(image))]
    runs = [create_run(home, config.plain(), config.kind) for config in configs]
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -1.0)
    locks = [FileLock(run.lock_path) for run in runs]
    for lock in locks:
        assert lock.acquire()
    remove_old_uploads(home)
    assert network.exists()
    assert image.exists()
    for lock in locks:
        lock.release()
    runs[0].update(state=State.FINISHED)
    remove_old_uploads(home)
    assert not network.exists()
