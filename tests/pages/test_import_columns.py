"""The drop-downs of the import: columns of the CSV that is there, by a guess that is said, and names of classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.configs import ImportConfig
from engine.datasets.previewing import preview
from engine.datasets.reading.header import Header, header_of
from pages.datasets.class_names import of_class
from tests.jobs.look_alikes import chest_ct
from tests.pages.conftest import OpenPage, said_in_order, texts
from tests.pages.test_datasets_page import submitted  # noqa: F401  # what would have been started
from tests.pages.test_import_questions import field


def scans(folder: Path, header: str, row: Callable[[int], str]) -> Path:
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16), np.uint8)
        Image.fromarray(pixels).save(folder / f"scan{number:02d}.png")
    (folder / "labels.csv").write_text("\n".join([header, *(row(number) for number in range(12))]))
    return folder


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """As the head CT are published, with readers who agree or do not, and a column of people."""
    return scans(
        tmp_path / "heads",
        "id,hemorrhage,who,reader",
        lambda number: f"scan{number:02d},{number % 2},p{number // 2},{(number + 1) // 3 % 2}",
    )


def opened(open_page: OpenPage, source: Path) -> AppTest:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(source)).run()
    assert not app.exception
    return app


def test_columns_are_chosen_from_the_header(open_page: OpenPage, heads: Path) -> None:
    app = opened(open_page, heads)
    drop_downs = {box.label: box for box in app.selectbox if box.label.endswith("column")}
    assert list(drop_downs) == ["Image column", "Class column", "Patient column", "Split column"]
    assert all("who: p0, p1, p2" in box.options for box in drop_downs.values())
    assert not [box for box in app.text_input if "column" in box.label.lower()], "nothing is typed"
    assert drop_downs["Image column"].options[0] == "id (guessed)"
    assert "not clear: choose" in drop_downs["Class column"].options
    assert "Guessed from the header and the cells: the image `id`." in texts(app)
    assert [option for option in app.radio if option.label == "How should it be read?"], "which is the class is asked"

    drop_downs["Class column"].set_value("hemorrhage").run()
    assert not app.exception
    assert [metric.value for metric in app.metric] == ["12", "2", "not named", "1"]
    field(app, "Patient column").set_value("who").run()
    assert [metric.value for metric in app.metric] == ["12", "2", "6", "1"]
    assert "--label-column hemorrhage" in app.code[0].value
    assert "--group-column who" in app.code[0].value


def test_classes_are_named_beside_their_pictures(
    open_page: OpenPage,
    heads: Path,
    submitted: list[ImportConfig],  # noqa: F811
) -> None:
    app = opened(open_page, heads)
    field(app, "Class column").set_value("hemorrhage").run()
    assert [box.value for box in app.text_input if box.label.startswith("Name of “")] == ["0", "1"]
    assert "Rename classes" not in [box.label for box in app.text_input]
    field(app, "Positive class").set_value("1")
    next(button for button in app.button if button.label == "Preview").click().run()
    field(app, "Name of “1”").set_value("bleeding").run()
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Positive class"] == "bleeding", "it follows its name"
    (told,) = [warning.value for warning in app.warning]
    assert told.startswith("0, bleeding: fewer than 20 images"), "it is told before the import, and nothing else is"
    field(app, "Name of “0”").set_value("healthy").run()
    assert "Example 1 of class healthy" in [image.proto.imgs[0].alt for image in app.image]
    next(button for button in app.button if button.label == "Start import").click().run()
    (config,) = submitted
    assert config.class_names == {"0": "healthy", "1": "bleeding"}
    assert (config.positive, config.label_column) == ("bleeding", "hemorrhage")


def test_a_column_of_0_and_1_names_its_classes_at_a_press(open_page: OpenPage, tmp_path: Path) -> None:
    app = opened(open_page, scans(tmp_path / "ct", "id,bleed", lambda number: f"scan{number:02d},{number % 2}"))
    told = "Name 0 as no-bleed and 1 as bleed"
    next(button for button in app.button if button.label == told).click().run()
    assert [box.value for box in app.text_input if box.label.startswith("Name of “")] == ["no-bleed", "bleed"]
    assert told not in [button.label for button in app.button]
    field(app, "Name of “0”").set_value("0").run()
    field(app, "Name of “1”").set_value("1").run()
    assert "--class-names" not in app.code[0].value, "called what they were, none is renamed"


def test_what_was_found_stands_above_the_start(open_page: OpenPage, heads: Path) -> None:
    app = opened(open_page, heads)
    app.session_state["originals"] = True  # the fold with the tables, opened
    field(app, "Class column").set_value("hemorrhage").run()
    order = said_in_order(app)
    start = order.index("Start import")
    assert order.index("**As they would be stored**: 32×32 pixels") < start < order.index("**Classes and splits**")


def header(source: Path | str, **settings: str) -> Header | None:
    return header_of(ImportConfig.build({"name": "set", "source": str(source), **settings}))


def test_a_header_is_known_though_a_column_is_named_that_is_not_there(heads: Path) -> None:
    found = header(heads, label_column="diagnosis")
    assert found is not None
    assert (found.table, found.tables) == ("labels.csv", ("labels.csv",))
    assert found.columns == {
        "id": ("scan00", "scan01", "scan02"),
        "hemorrhage": ("0", "1"),
        "who": ("p0", "p1", "p2"),
        "reader": ("0", "1"),
    }
    assert found.guesses == {"image_column": "id", "label_column": "", "group_column": "", "split_column": ""}


def test_folders_without_a_csv_have_no_header(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert header(tmp_path) is None
    assert header(tmp_path / "nowhere") is None
    assert header("", layout="phantom") is None


def test_what_a_csv_says_by_itself_is_guessed(tmp_path: Path) -> None:
    rows = scans(
        tmp_path / "set",
        "file;Patient ID;diagnosis;split",
        lambda n: f"scan{n:02d}.png;p{n // 2};{'ab'[n % 2]};{['train', 'test'][n > 7]}",
    )
    found = header(rows)
    assert found is not None
    assert tuple(found.guesses.values()) == ("file", "diagnosis", "Patient ID", "split")


def test_a_class_that_splits_call_otherwise_is_renamed_as_one(tmp_path: Path, open_page: OpenPage) -> None:
    source = chest_ct(tmp_path / "chest")
    seen = preview(ImportConfig(name="chest", source=str(source)))
    stage = next(label for label in seen.labels if label.startswith("adenocarcinoma_"))
    assert of_class("adenocarcinoma", "cancer", seen) == {"adenocarcinoma": "cancer", stage: "cancer"}
    assert of_class(stage, stage, seen) == {stage: stage}, "its own name parts it from the others"
    app = open_page("datasets", view="import")
    next(field for field in app.text_input if field.label.startswith("Folder")).set_value(str(source)).run()
    for label in ("adenocarcinoma", "squamous.cell.carcinoma"):
        next(field for field in app.text_input if field.label == f"Name of “{label}”").set_value("cancer").run()
    names = {field.value for field in app.text_input if field.label.startswith("Name of ")}
    assert names == {"cancer", "normal"} and not app.error
