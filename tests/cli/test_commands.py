"""What a user of the command line sees: values, sentences and exit codes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from engine.datasets.dataset import Dataset
from engine.store.home import Home
from engine.store.roles import TEAM_FILE
from tests.cli.conftest import Ending

Command = Callable[..., Ending]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree of two classes with 12 different small images each."""
    random = np.random.default_rng(0)
    for name in ("bleed", "normal"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for index in range(12):
            Image.fromarray(random.integers(0, 255, (20, 20), np.uint8)).save(
                tmp_path / "scans" / name / f"{index}.png"
            )
    return tmp_path / "scans"


def test_empty_home_says_what_to_do_next(command: Command) -> None:
    assert command("runs", "--json").json == []
    assert "demo" in command("runs").out
    assert command("dataset", "list", "--json").json == []
    assert "dataset import" in command("dataset", "list").out


def test_doctor_finds_what_is_installed(command: Command, home: Home) -> None:
    ending = command("doctor", "--json")
    checks = {check["name"]: check for check in ending.json}
    assert ending.code == 0
    assert checks["Home"]["found"] == str(home.root)
    assert checks["torch"]["state"] == "ok"
    assert checks["Sign-in"]["found"].startswith("off")


def test_doctor_says_what_keeps_people_from_signing_in(
    command: Command, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text("[auth]\n")

    def sign_in() -> dict[str, str]:
        return next(check for check in command("doctor", "--json").json if check["name"] == "Sign-in")

    assert "nobody has a role" in sign_in()["found"]
    (home.root / TEAM_FILE).write_text('[roles]\neditor = ["anna@clinic.example", "@clinic.example"]\n')
    assert sign_in()["found"] == "2 addresses and domains have a role"
    (home.root / TEAM_FILE).write_text("default = 1")
    assert (sign_in()["state"], "team.toml gives nobody a role" in sign_in()["found"]) == ("fail", True)


def test_import_audits_splits_and_freezes(command: Command, folder: Path, home: Home) -> None:
    ending = command("dataset", "import", str(folder), "--name", "scans", "--size", "16", "--json")
    assert ending.code == 0, ending.err
    assert ending.json["classes"] == ["bleed", "normal"]
    assert ending.json["frozen"]
    assert sum(ending.json["counts"].values()) == 24
    assert command("dataset", "audit", "scans").code == 0
    refused = command("dataset", "split", "scans", "--seed", "3")
    assert (refused.code, "frozen" in refused.err) == (1, True)
    again = command("dataset", "import", str(folder), "--name", "scans", "--json")
    assert again.code == 1
    assert "scans" in again.json["error"]
    assert command("dataset", "delete", "scans", "--yes", "--json").json == {"deleted": "scans"}
    assert command("dataset", "list", "--json").json == []


def test_what_an_import_left_out_is_printed_and_kept(command: Command, folder: Path) -> None:
    """By the import and by every later look, for people and for scripts."""
    next(folder.rglob("*.png")).write_bytes(b"no picture")
    arguments = ("dataset", "import", str(folder), "--name", "scans", "--size", "16", "--skip-unreadable", "--json")
    (note,) = (note for note in command(*arguments).json["notes"] if "left out" in note)
    assert command("dataset", "audit", "scans", "--json").json["notes"] == [note]
    assert f"- import: {note}" in command("dataset", "audit", "scans").out


def test_an_open_split_is_edited_and_frozen(command: Command, folder: Path, home: Home) -> None:
    command("dataset", "import", str(folder), "--name", "scans", "--size", "16", "--no-freeze")
    first = Dataset.open(home, "scans").rows("train", "bleed")["source"].iloc[0]
    assert command("dataset", "move", "scans", "--to", "test", "--file", first).code == 0
    assert first in set(Dataset.open(home, "scans").rows("test")["source"])
    wrong = command("dataset", "move", "scans", "--to", "test", "--group", "P9")
    assert (wrong.code, "has the group 'P9'" in wrong.err) == (1, True)
    assert command("dataset", "audit", "scans", "--fix", "drop-copies").code == 0
    assert command("dataset", "audit", "scans", "--undo", "drop-copies").code == 0
    assert Dataset.open(home, "scans").info.config["remedies"] == []
    assert command("dataset", "freeze", "scans", "--json").json["frozen"]


def test_the_positive_class_is_said_and_changed(command: Command, folder: Path, home: Home) -> None:
    dry = command("dataset", "import", str(folder), "--name", "scans", "--dry-run", "--json").json
    assert dry["positive"] == "bleed"
    assert any("the name normal means without that finding" in note for note in dry["notes"])
    imported = command("dataset", "import", str(folder), "--name", "scans", "--size", "16", "--json").json
    assert (imported["positive"]["class"], imported["positive"]["origin"]) == ("bleed", "names")
    assert command("dataset", "positive", "scans", "--json").json == imported["positive"]
    assert "The positive class is bleed, proposed by the names" in command("dataset", "audit", "scans").out
    changed = command("dataset", "positive", "scans", "normal", "--json")
    assert (changed.json["class"], changed.json["origin"]) == ("normal", "changed")
    dataset = Dataset.open(home, "scans")
    assert dataset.fingerprint == imported["fingerprint"]
    dataset.require_frozen()
    wrong = command("dataset", "positive", "scans", "tumour")
    assert (wrong.code, "bleed and normal" in wrong.err) == (1, True)


def test_dry_run_writes_nothing(command: Command, folder: Path, home: Home) -> None:
    ending = command("dataset", "import", str(folder), "--name", "scans", "--dry-run")
    assert ending.code == 0, ending.err
    assert "bleed" in ending.out
    assert not home.root.exists()


@pytest.mark.parametrize("values", [["--slice-values=-100,300"], ["--slice-values", "-100,300"]])
def test_slices_of_volumes(command: Command, tmp_path: Path, values: list[str]) -> None:
    """Every third of four slices; the question without the option names the options."""
    for number in range(4):
        path = tmp_path / "ct" / "ab"[number % 2] / f"p{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = np.random.default_rng(number).integers(-90, 200, (8, 8, 4)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    words = ("dataset", "import", str(tmp_path / "ct"), "--name", "scans", "--dry-run")
    asked = command(*words)
    assert asked.code == 1
    assert "--frames middle" in " ".join(asked.err.split())
    ending = command(*words, "--frames", "all", "--every", "3", "--axis", "axial", "--mask-suffix", "_seg", *values)
    assert (ending.code, "--positive b" in " ".join(ending.err.split())) == (1, True)
    words = (*words, "--positive", "b")
    ending = command(*words, "--frames", "all", "--every", "3", "--axis", "axial", "--mask-suffix", "_seg", *values)
    assert ending.code == 0, ending.err
    assert "a: 4\nb: 4" in ending.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "nothing"), "nothing"),
        (("train", "../etc"), "cannot be the name of a data set"),
        (("sweep", "no-such-run"), "There is no run no-such-run"),
        (("resume", "no-such-run"), "There is no run no-such-run"),
        (("report", "no-such-run"), "There is no run no-such-run"),
        (("sample", "no-such-run", "--name", "x"), "There is no run no-such-run"),
        (("dataset", "import", "/no/such/folder", "--name", "x"), "/no/such/folder"),
        (("dataset", "import", "--layout", "phantom"), "--name"),
        (("demo", "--preset", "head-ct"), "--source"),
        (("demo", "--preset", "chest"), "expected one of demo"),
        (("demo", "--set", "train.kimgs=1", "--no-serve"), "kimgs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    command: Command, home: Home, arguments: tuple[str, ...], sentence: str
) -> None:
    ending = command(*arguments)
    assert ending.code == 1
    assert sentence in ending.err
    assert "Traceback" not in ending.err
    assert not home.datasets.exists() or not any(home.datasets.iterdir())


def test_wrong_usage_is_exit_code_2(command: Command) -> None:
    assert command("train").code == 2
    assert command("sweep", "pool", "--training", "thawed").code == 2


def test_port_in_use_is_named(command: Command) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ending = command("app", "--port", str(port))
    assert (ending.code, f"Port {port} is in use" in ending.err) == (1, True)
