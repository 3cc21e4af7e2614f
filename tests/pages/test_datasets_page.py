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
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.components import runs as parts
from pages.components.format import plain
from tests import fabricated
from tests.pages.conftest import OpenPage, press, said_in_order, texts


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
    assert "Where are the images" not in texts(app)
    assert ":blue-badge[:material/play_circle: running]" in texts(open_page("datasets")), "without the link too"


def test_a_failed_import_says_why(open_page: OpenPage, home: Home) -> None:
    run = import_run(home, State.FAILED, error="3 of 48 files are no images. Remove them and import again.")
    app = open_page("datasets", run=run.id)
    assert "3 of 48 files are no images" in texts(app)


def test_a_finished_import_leads_to_its_data_set(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home, "other")
    fabricated.make_dataset(home, "scans")
    run = import_run(home, State.FINISHED)
    app = open_page("datasets", run=run.id)
    assert [metric.value for metric in app.metric][:2] == ["76", "2"]
    assert "Train on it" in texts(app)


def test_a_guessed_positive_class_is_confirmed_or_changed(open_page: OpenPage, home: Home) -> None:
    dataset = fabricated.make_dataset(home)
    app = open_page("datasets")
    assert "taken from the names: bleed" in texts(app)
    app = press(app, "Confirm")
    assert "The positive class is bleed, set after the import" in texts(app)
    box = next(box for box in app.selectbox if box.label == "Positive class")
    press(box.set_value("normal").run(), "Change")
    changed = Dataset.open(home, dataset.name)
    assert changed.info.positive is not None
    assert (changed.info.positive.name, changed.fingerprint) == ("normal", dataset.fingerprint)


def test_a_phantom_is_labelled_and_frozen_is_shown(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    said = texts(open_page("datasets"))
    assert "Phantom data" in said
    assert f"Fingerprint `{Dataset.open(home, 'phantom').fingerprint[:16]}`" in said
    assert "Keep one of each copy" not in said, "a frozen split cannot be mended"


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[ImportConfig]:
    """What the page would have started."""
    configs: list[ImportConfig] = []

    def submit(home: Home, config: ImportConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        configs.append(config)
        return import_run(home, State.FAILED)

    monkeypatch.setattr(parts, "submit", submit)
    return configs


def test_a_path_is_previewed_then_imported(
    open_page: OpenPage, home: Home, folder: Path, submitted: list[ImportConfig]
) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    assert [metric.value for metric in app.metric] == ["48", "2", "not named", "bleed"], "shown without being asked for"
    assert len(app.image) == 12
    assert {app.image[0].proto.imgs[0].alt, app.image[11].proto.imgs[0].alt} == {
        "Example 1 of class bleed",
        "Example 6 of class normal",
    }
    assert not home.datasets.exists(), "a preview writes nothing"
    app.session_state["originals"] = True  # the fold with the tables, opened
    app.run()
    order = said_in_order(app)
    start = order.index("Start import")
    assert order.index("2 · What was found") < start < order.index("**Classes and splits**"), "in sight, and honest"
    assert f"dataset import {folder} --name scans --size 32 --no-freeze" in app.code[0].value
    next(field for field in app.multiselect if field.label == "Only these classes").set_value(["bleed"])
    press(app, "Start import")
    assert "at least two" in texts(app)
    assert "Not started: what stands in the way is said above." in texts(app)
    next(field for field in app.multiselect if field.label == "Only these classes").set_value([])
    press(app, "Preview")
    next(field for field in app.text_input if field.label == "Name").set_value("heads")
    press(app, "Start import")
    assert [(config.name, config.source) for config in submitted] == [("heads", str(folder))]


def test_values_of_deep_images_and_a_window_for_them(
    open_page: OpenPage, home: Home, tmp_path: Path, submitted: list[ImportConfig]
) -> None:
    source = tmp_path / "deep"
    for number in range(8):
        (source / fabricated.CLASSES[number % 2]).mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(number).integers(0, 1001, (24, 24)).astype(np.uint16)
        Image.fromarray(values).save(source / fabricated.CLASSES[number % 2] / f"{number}.png")
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(source)).run()
    assert "0 becomes black and 1023 white" in texts(app)
    choice = next(box for box in app.selectbox if box.label == "Window of grey images")
    choice.select("lung").run()
    assert not app.exception
    assert "-1350 becomes black and 150 white (the window)" in texts(app)
    press(app, "Start import")
    assert [config.window for config in submitted] == [(-600, 1500)]
    next(field for field in app.text_input if field.label == "Window").set_value("40, 80.5")
    press(app, "Preview")
    choice = next(box for box in app.selectbox if box.label == "Window of grey images")
    assert choice.value == "own"
    choice.select("none").run()
    assert "0 becomes black and 1023 white" in texts(app)


def test_images_of_8_bits_have_no_window(open_page: OpenPage, folder: Path) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    assert "Window of grey images" not in [box.label for box in app.selectbox]


def test_an_upload_is_previewed_and_a_hostile_one_refused(open_page: OpenPage, home: Home, folder: Path) -> None:
    archive = Path(shutil.make_archive(str(folder), "zip", folder)).read_bytes()
    app = open_page("datasets")
    next(group for group in app.segmented_control if group.label == "Where the images are").set_value("files").run()
    app.file_uploader[0].set_value(
        [("scans.zip", archive, "application/zip"), ("more.zip", archive, "application/zip")]
    )
    app.run()
    assert "one ZIP or .npz alone is expected" in texts(app)
    assert not (home.root / "uploads").exists()
    app.file_uploader[0].set_value([("../scans.zip", archive, "application/zip")]).run()
    assert [metric.value for metric in app.metric] == ["48", "2", "not named", "bleed"]
    assert next(field for field in app.text_input if field.label == "Name").value == "scans"


def test_unusable_files_are_shown_and_left_out_at_a_press(
    open_page: OpenPage, home: Home, folder: Path, submitted: list[ImportConfig]
) -> None:
    (folder / "bleed" / "empty.png").touch()
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    assert app.dataframe[0].value.iloc[0].tolist() == [
        "bleed/empty.png",
        "is empty (0 bytes)",
        "Copy the file again, or delete it.",
    ]
    press(app, "Start import")
    assert not submitted
    press(app, "Leave these files out")
    assert "1 file cannot be used and will be left out" in texts(app)
    press(app, "Start import")
    assert [config.skip_unreadable for config in submitted] == [True]


def test_a_wrong_path_is_said_in_a_sentence(open_page: OpenPage) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value("/nowhere/at/all").run()
    press(app, "Start import")
    assert "There is no /nowhere/at/all" in texts(app)


def test_wrong_settings_are_said_in_a_sentence(open_page: OpenPage, folder: Path) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder)).run()
    next(field for field in app.text_input if field.label == "Split counts").set_value("30, many, 5")
    press(app, "Preview")
    assert "split_counts.1 is 'many'" in texts(app)


def test_a_remedy_mends_an_open_data_set_and_it_is_frozen(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    app = open_page("datasets", view="findings")
    assert "exact copies of each other" in texts(app)
    assert "Would leave out 2 of 48 images (bleed: 24 → 23, normal: 24 → 23)." in texts(app)
    assert len(app.image) >= 4, "the copies stand side by side"
    press(app, "Keep one of each copy")
    assert "exact copies of each other" not in texts(app)
    assert (Dataset.open(home, "scans").manifest["excluded"] == "drop-copies").sum() == 2
    assert "Left out 2 of 48 images (bleed: 1, normal: 1)." in texts(app)
    press(app, "Undo")
    assert (Dataset.open(home, "scans").manifest["excluded"] == "").all()
    press(app, "Keep one of each copy")
    press(app, "Freeze")
    press(app, "Freeze", "Freeze the split")
    assert Dataset.open(home, "scans").frozen


def test_leaks_are_frozen_only_when_accepted(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    dataset = Dataset.open(home, "scans")
    finding = {"name": "leak", "sentence": "4 groups have images in several splits.", "severity": "leak"}
    dataset.info.audit.findings[:] = [{**finding, "count": 4, "examples": [], "remedy": ""}]
    with pytest.raises(ErsatzError):
        dataset.freeze()
    dataset.info.write_to(dataset.path / "dataset.json")
    app = press(open_page("datasets"), "Freeze")
    freeze = next(button for button in app.button if button.label == "Freeze the split")
    assert freeze.disabled
    app.checkbox[0].check()
    press(app, "Freeze")
    press(app, "Freeze", "Freeze the split")
    assert Dataset.open(home, "scans").info.frozen.accepted == ("leak",)


def test_the_wall_shows_the_chosen_class_split_and_finding(open_page: OpenPage, home: Home, folder: Path) -> None:
    dataset = import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    app = open_page("datasets", view="images")
    assert len(app.image) == 48
    app.segmented_control(key="split").set_value("test").run()
    assert len(app.image) == len(dataset.rows("test"))
    app.segmented_control(key="split").set_value("any").run()
    app.selectbox(key="finding").set_value("exact-copies").run()
    assert len(app.image) == 4
    app.selectbox(key="class").set_value("bleed").run()
    assert len(app.image) == 2
    press(app, plain("00.png"))
    assert "**SHA-256 of its pixels**" in texts(app)


def test_a_page_of_the_wall_is_linked_and_another_choice_begins_on_the_first(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_dataset(home, "other")
    app = open_page("datasets", dataset="phantom", view="images", page="2")
    assert len(app.image) == 76 - 48
    assert len(app.run().image) == 76 - 48, "it stays"
    app.selectbox(key="dataset").set_value("other").run()
    assert len(app.image) == 48
    assert "page" not in app.query_params
    app = open_page("datasets", dataset="phantom", view="images", page="9")
    assert len(app.image) == 48, "there is no such page"
    app = open_page("datasets", dataset="phantom", view="images", page="2")
    app.selectbox(key="class").set_value("bleed").run()
    app.selectbox(key="class").set_value("any").run()
    assert len(app.image) == 48


def test_the_split_is_drawn_again_and_not_once_it_is_frozen(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    app = open_page("datasets", view="split")
    assert "No patient, and no picture, stands in two splits" in texts(app)
    assert next(button for button in app.button if button.label == "Test").disabled, "nothing is chosen"
    next(field for field in app.number_input if field.label == "Share for training").set_value(0.5)
    press(app, "Split again")
    counts = Dataset.open(home, "scans").rows()["split"].value_counts()
    assert 22 <= counts["train"] <= 26
    Dataset.open(home, "scans").freeze()
    said = texts(open_page("datasets", view="split"))
    assert "The split is frozen" in said
    assert "Split again" not in said


def test_folds_are_made_of_a_frozen_set(open_page: OpenPage, home: Home, folder: Path) -> None:
    import_dataset(home, ImportConfig(name="scans", source=str(folder), size=32, freeze=False))
    assert "Freeze this one first" in texts(open_page("datasets", view="folds"))
    Dataset.open(home, "scans").freeze()
    app = open_page("datasets", view="folds")
    next(field for field in app.number_input if field.label == "Folds").set_value(3)
    press(app, "Make the folds")
    assert [path.name for path in sorted(home.datasets.iterdir())] == [
        "scans",
        "scans-fold1",
        "scans-fold2",
        "scans-fold3",
    ]
    assert app.dataframe[0].value["fold"].tolist() == ["scans-fold1", "scans-fold2", "scans-fold3"]
    assert "This is fold 2 of 3 of scans" in texts(open_page("datasets", dataset="scans-fold2", view="folds"))


def test_a_data_set_is_deleted_after_its_consequences_were_read(open_page: OpenPage, home: Home) -> None:
    fabricated.make_dataset(home)
    fabricated.make_dataset(home, "other")
    training = fabricated.make_training(home, "bleed")
    app = open_page("datasets", dataset="phantom")
    press(app, "Delete this data set…")
    assert "1 training can be neither resumed nor fine-tuned" in texts(app)
    assert next(button for button in app.button if button.label == "Delete the data set").disabled
    app.checkbox[0].check()
    press(app, "Delete this data set…")
    press(app, "Delete this data set…", "Delete the data set")
    assert [path.name for path in home.datasets.iterdir()] == ["other"]
    assert training.exists()
    assert app.dataframe[0].value["name"].tolist() == ["other"], "all that are left"


def test_an_import_is_done_again_with_its_settings(open_page: OpenPage, home: Home, folder: Path) -> None:
    config = ImportConfig(name="scans", source=str(folder), size=16, only_classes=("bleed", "normal"), seed=7)
    import_dataset(home, config)
    run = fabricated.set_state(create_run(home, config.plain(), "import scans"), State.FINISHED)
    for query in ({"again": run.id}, {"from": "scans"}):
        app = open_page("datasets", view="import", **query)
        assert app.text_input(key="import-path").value == str(folder)
        assert next(field for field in app.text_input if field.label == "Name").value == "scans-2"
        assert next(field for field in app.number_input if field.label == "Random seed").value == 7


def test_folders_of_the_machine_are_walked_through(open_page: OpenPage, home: Home, folder: Path) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(folder / "nowhere")).run()
    assert {"bleed", "normal"} <= {button.label for button in app.button}
    assert "24 images" in texts(app)
    press(app, "bleed")
    press(app, "Up")
    press(app, "Use this folder")
    assert app.text_input(key="import-path").value == str(folder)
    assert [metric.value for metric in app.metric] == ["48", "2", "not named", "bleed"]
