"""What the import's form asks: one question after the other, each answer in the form, and suggestions at a press."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.configs import ImportConfig
from engine.datasets.previewing import Preview
from engine.datasets.reading.questions import Option, Question
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from pages.components import runs as parts
from pages.datasets import preview as previews
from tests import fabricated
from tests.pages.conftest import OpenPage, press, texts

FRAMES = Question(
    "2 files hold several frames; which of them are meant is unclear.",
    [
        Option({"frames": "first"}, "the first frame of each file (2 images)"),
        Option(
            {"frames": "all", "every": 5, "slice_values": [-10.0, 80.5]}, "every 5th frame with tissue_1 (30 images)"
        ),
    ],
)
FOLDERS = Question(
    "The folders p1 and p2 may be patients or classes.",
    [
        Option({"folders": "class", "ignore_ids": True}, "two classes (p1 20, p2 10)"),
        Option({"folders": "class/patient", "class_names": {"a": "b"}}, "one class of two patients"),
    ],
)
OFFER = Option({"group_column": "case id", "metadata_columns": ["sex"]}, "the column 'case id' holds 12 patients")


class Source:
    """Stands in for `preview`: asks for the frames, then for the folders, then shows images of 256 px."""

    def __init__(self) -> None:
        self.looks: list[ImportConfig] = []

    def __call__(self, config: ImportConfig, home: Home, examples: int) -> Preview:
        self.looks.append(config)
        if config.frames == "ask":
            raise FRAMES
        if not config.folders:
            raise FOLDERS
        if config.folders == "patient/class":
            raise ErsatzError("There is no folder of patients. Correct folders.")
        return Preview(
            layout="folder",
            counts={"a": {"": 30}, "b": {"": 20}},
            labels={},
            sizes={"32x32": 50},
            modes={"L": 50},
            bits={"8": 50},
            groups=0,
            metadata={},
            notes=[],
            offers=(OFFER,),
            problems={},
            examples={"a": [np.zeros((32, 32), np.uint8)]},
        )


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source()
    monkeypatch.setattr(previews, "preview", made)
    return made


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[ImportConfig]:
    """What the page would have started."""
    configs: list[ImportConfig] = []

    def submit(home: Home, config: ImportConfig, owner: str = "", beside: int = 1, place: str = "") -> Run:
        configs.append(config)
        run = create_run(home, config.plain(), "import scans")
        return fabricated.set_state(run, State.FAILED, error=str(FOLDERS))

    monkeypatch.setattr(parts, "submit", submit)
    return configs


def asked(app: AppTest) -> list[str]:
    return [box.value for box in app.warning]


def field(app: AppTest, label: str) -> Any:
    inputs = (*app.text_input, *app.number_input, *app.selectbox, *app.toggle)
    return next(widget for widget in inputs if widget.label == label)


def choose(app: AppTest, number: int) -> AppTest:
    (box,) = app.radio
    return press(box.set_value(number).run(), "Use this")


@pytest.fixture
def app(open_page: OpenPage, source: Source, tmp_path: Path) -> AppTest:
    """The form for a source that leaves two things open."""
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(tmp_path)).run()
    assert not app.exception
    return app


def test_questions_one_after_the_other(app: AppTest, source: Source, submitted: list[ImportConfig]) -> None:
    assert asked(app) == [FRAMES.found]
    assert not app.error, "a question is no error"
    assert "nothing has to be changed" not in texts(app)
    (box,) = app.radio
    assert box.value is None, "nothing is clear, so nothing is chosen beforehand"
    assert box.options == ["The first frame of each file (2 images)", r"Every 5th frame with tissue_1 (30 images)"]
    assert "--frames all --every 5" in str(box.proto.captions)
    use = next(button for button in app.button if button.label == "Use this")
    assert use.disabled
    assert use.proto.type == "primary"
    assert [button.proto.type for button in app.button if button.label == "Start import"] == ["secondary"]

    app = choose(app, 1)
    assert asked(app) == [FOLDERS.found], "the second comes after the first"
    assert [field(app, label).value for label in ("Frames", "Every n-th")] == ["all", 5]
    assert field(app, "Only slices with values").value == "-10, 80.5"
    assert not app.metric
    app = choose(app, 0)
    assert (asked(app), list(app.radio)) == ([], [])
    assert [metric.value for metric in app.metric] == ["50", "2", "not named"]
    assert (field(app, "Levels of folders").value, field(app, "Frames").value) == ("class", "all")
    assert field(app, "Ignore patient ids of DICOM").value is True
    assert "As they would be stored**: 32×32" in texts(app), "the size that suits what was found"
    assert field(app, "Size in pixels").value == 32
    assert [button.proto.type for button in app.button if button.label == "Start import"] == ["primary"]
    assert len(source.looks) == len({str(look) for look in source.looks}), "nothing is read twice"

    field(app, "Name").set_value("heads")
    press(app, "Start import")
    (config,) = submitted
    assert (config.name, config.size, config.folders, config.ignore_ids) == ("heads", 32, "class", True)
    assert (config.frames, config.every, config.slice_values) == ("all", 5, (-10.0, 80.5))


def test_an_answer_is_taken_back(app: AppTest) -> None:
    app = choose(choose(app, 1), 1)
    assert field(app, "Rename classes").value == "a=b"
    assert r"--frames all --every 5" in texts(app)
    app = press(app, "Choose again")
    assert asked(app) == [FRAMES.found]
    assert [field(app, label).value for label in ("Frames", "Every n-th", "Only slices with values")] == ["ask", 1, ""]
    assert field(app, "Rename classes").value == ""
    assert "Choose again" not in texts(app)
    app = choose(choose(app, 0), 0)
    assert [metric.value for metric in app.metric][:1] == ["50"]


def test_an_answer_may_be_given_and_changed_in_the_form(app: AppTest) -> None:
    field(app, "Frames").set_value("first")
    app = press(app, "Preview")
    assert asked(app) == [FOLDERS.found]
    app = choose(app, 0)
    assert [metric.value for metric in app.metric][:1] == ["50"], "the frames chosen in the form still hold"
    field(app, "Levels of folders").set_value("patient/class")
    app = press(app, "Preview")
    assert "There is no folder of patients" in texts(app)
    field(app, "Levels of folders").set_value("")
    app = press(app, "Start import")
    assert asked(app) == [FOLDERS.found]


def test_a_size_of_ones_own_is_kept(app: AppTest) -> None:
    field(app, "Size in pixels").set_value(128)
    app = choose(choose(press(app, "Preview"), 0), 0)
    assert field(app, "Size in pixels").value == 128
    assert "As they would be stored**: 128×128" in texts(app)


def test_what_the_source_suggests_is_used_at_a_press(app: AppTest, submitted: list[ImportConfig]) -> None:
    app = choose(choose(app, 0), 0)
    offer = "Use: the column 'case id' holds 12 patients"
    app = press(app, offer)
    assert (field(app, "Patient column").value, field(app, "Metadata columns").value) == ("case id", "sex")
    assert offer not in texts(app), "it is in use"
    press(app, "Start import")
    (config,) = submitted
    assert (config.group_column, config.metadata_columns, config.folders) == ("case id", ("sex",), "class")


def test_names_that_do_not_tell_the_positive_class_are_asked_about(open_page: OpenPage, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng([number, len(name), ord(name[0])]).integers(0, 255, (16, 16), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    app = open_page("datasets")
    app.text_input(key="import-path").set_value(str(tmp_path / "pets")).run()
    (box,) = app.radio
    assert box.label == "Which class is positive?"
    app = choose(app, 1)
    assert {metric.label: metric.value for metric in app.metric}["Positive class"] == "dog"
    assert field(app, "Positive class").value == "dog"


def test_an_import_that_met_a_question_says_it(open_page: OpenPage, home: Home) -> None:
    run = create_run(home, ImportConfig(name="scans", source="/scans").plain(), "import scans")
    fabricated.set_state(run, State.FAILED, error=str(FOLDERS))
    said = texts(open_page("datasets", run=run.id))
    assert "may be patients or classes. One of these is expected: --folders class" in said


def test_a_question_keeps_its_options_where_it_is_copied() -> None:
    copy = pickle.loads(pickle.dumps(FRAMES))
    assert (copy.found, copy.options, str(copy)) == (FRAMES.found, FRAMES.options, str(FRAMES))
