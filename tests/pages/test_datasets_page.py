"""Datasets: empty, importing, failed, open and frozen; preview, remedies and freezing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.store.errors import ErsatzError
from engine.store.files import write_json
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.parts import runs as parts
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder a class, 24 images each, two of them the same."""
    for class_name in fabricated.CLASSES:
        (tmp_path / "scans" / class_name).mkdir(parents=True)
        for seed in range(24):
            noise = np.random.default_rng([seed % 23, len(class_name)]).integers(0, 255, (8, 8), np.uint8)
            image = np.kron(noise, np.ones((5, 5), np.uint8))
            Image.fromarray(image).save(tmp_path / "scans" / class_name / f"{seed:02d}.png")
    return tmp_path / "scans"


def import_run(home: Home, state: State, **changes: object) -> Run:
    run = create_run(home, ImportConfig(name="scans", source="/scans").plain(), "import scans")
    return fabricated.set_state(run, state, **changes)


def test_an_empty_home_shows_how_to_import(open_page: OpenPage) -> None:
    app = open_page("datasets")
    assert "There is no data set yet" in texts(app)
    assert any("Folder, CSV, ZIP" in field.label for field in app.text_input)


def test_a_running_import_is_followed(open_page: OpenPage, home: Home, hold) -> None:
    run = hold(import_run(home, State.RUNNING, done=30, total=48, unit="images", stage="import"))
    app = open_page("datasets", run=run.id)
    assert "**Import scans**" in texts(app)
    assert "30 of 48 images" in app.get("progress")[0].proto.text


def test_a_failed_import_says_why(open_page: OpenPage, home: Home) -> None:
    run = import_run(home, State.FAILED, error="3 of 48 files are no images. Remove them and import again.")
    app = open_page("datasets", run=run.id)
    assert "3 of 48 files are no images" in texts(app)


def test_a_finished_import_leads_to_its_data_set(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home, "other")
    fabricated.make_dataset(home, "scans")
    run = import_run(home, State.FINISHED)
    app = open_page("datasets", run=run.id)
    assert app.query_params["dataset"] in ("scans", ["scans"])
    assert [metric.value for metric in app.metric][:2] == ["76", "2"]


def test_a_phantom_is_labelled_and_frozen_is_shown(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    said = texts(open_page("datasets"))
    assert "This is a phantom" in said
    assert f"Fingerprint `{Dataset.open(home, 'phantom').fingerprint[:16]}`" in said
    assert "Keep one of each copy" not in said, "a frozen split cannot be mended"


def test_a_path_is_previewed_then_imported(
    open_page: OpenPage, home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[ImportConfig] = []

    def submit(home: Home, config: ImportConfig, owner: str = "") -> Run:
        submitted.append(config)
        return import_run(home, State.FAILED)

    monkeypatch.setattr(parts, "submit", submit)
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    press(app, "Preview")
    assert [metric.value for metric in app.metric] == ["48", "2", "unknown"]
    assert not home.datasets.exists(), "a preview writes nothing"
    press(app, "Start import")
    assert [(config.name, config.source) for config in submitted] == [("scans", str(folder))]


def test_an_upload_is_previewed_and_a_hostile_one_refused(open_page: OpenPage, home: Home, folder: Path) -> None:
    archive = Path(shutil.make_archive(str(folder), "zip", folder)).read_bytes()
    app = open_page("datasets")
    next(group for group in app.segmented_control if group.label == "Where the images are").set_value("Upload").run()
    app.file_uploader[0].set_value(
        [("scans.zip", archive, "application/zip"), ("more.zip", archive, "application/zip")]
    )
    app.run()
    assert "one ZIP or .npz alone is expected" in texts(app)
    assert not (home.root / "uploads").exists()
    app.file_uploader[0].set_value([("../scans.zip", archive, "application/zip")]).run()
    press(app, "Preview")
    assert [metric.value for metric in app.metric] == ["48", "2", "unknown"]
    assert next(field for field in app.text_input if field.label == "Name").value == "scans"


def test_a_wrong_path_is_said_in_a_sentence(open_page: OpenPage) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value("/nowhere/at/all").run()
    press(app, "Preview")
    assert "There is no /nowhere/at/all" in texts(app)
    assert "Start import" not in [button.label for button in app.button]


def test_wrong_settings_are_said_in_a_sentence(open_page: OpenPage, folder: Path) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    next(field for field in app.text_input if field.label == "Split counts").set_value("30, many, 5")
    press(app, "Preview")
    assert "split_counts.1 is 'many'" in texts(app)


def test_a_remedy_mends_an_open_data_set_and_it_is_frozen(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    app = open_page("datasets")
    assert "exact copies of each other" in texts(app)
    press(app, "Keep one of each copy")
    assert "exact copies of each other" not in texts(app)
    assert (Dataset.open(home, "scans").manifest["excluded"] == "drop-copies").sum() == 2
    press(app, "Freeze")
    press(app, "Freeze", "Freeze the split")
    assert Dataset.open(home, "scans").frozen


def test_leaks_are_frozen_only_when_accepted(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    dataset = Dataset.open(home, "scans")
    finding = {"name": "leak", "sentence": "4 groups have images in several splits.", "severity": "leak"}
    dataset.info["audit"]["findings"] = [{**finding, "count": 4, "examples": [], "remedy": ""}]
    with pytest.raises(ErsatzError):
        dataset.freeze()
    write_json(dataset.path / "dataset.json", dataset.info)
    app = press(open_page("datasets"), "Freeze")
    freeze = next(button for button in app.button if button.label == "Freeze the split")
    assert freeze.disabled
    app.checkbox[0].check()
    press(app, "Freeze")
    press(app, "Freeze", "Freeze the split")
    assert Dataset.open(home, "scans").info["frozen"]["accepted"] == ["leak"]


def test_the_wall_shows_the_chosen_class_and_split(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    app = open_page("datasets")
    assert len(app.image) == fabricated.COUNTS["train"]
    next(group for group in app.segmented_control if group.label == "Split").set_value("test").run()
    assert len(app.image) == fabricated.COUNTS["test"]
