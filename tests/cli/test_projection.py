"""`project` refuses what cannot be projected before there is a run of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.store.home import Home
from engine.store.runs import list_runs
from tests.cli.conftest import Ending
from tests.fabricated import make_dataset, make_stylegan, make_training


@pytest.mark.parametrize(
    ("content", "class_name", "sentence"),
    [
        (b"not a picture", "bleed", "is not an image"),
        (b"", "bleed", "is empty"),
        (None, "bleed", "There is no file"),
        (b"picture", "tumour", "makes bleed, normal"),
    ],
)
def test_bad_images_and_classes_leave_no_run(
    home: Home,
    command: Callable[..., Ending],
    tmp_path: Path,
    content: bytes | None,
    class_name: str,
    sentence: str,
) -> None:
    make_dataset(home)
    run = make_stylegan(home)
    image = tmp_path / "image.png"
    if content == b"picture":
        Image.new("L", (40, 30)).save(image)
    elif content is not None:
        image.write_bytes(content)
    ending = command("project", run.id, str(image), "--class-name", class_name)
    assert (ending.code, ending.out) == (1, "")
    assert sentence in ending.err
    assert not list_runs(home, "projection")


def test_a_dcgan_has_no_w(home: Home, command: Callable[..., Ending], tmp_path: Path) -> None:
    make_dataset(home)
    run = make_training(home, "bleed")
    Image.new("L", (40, 30)).save(tmp_path / "image.png")
    ending = command("project", run.id, str(tmp_path / "image.png"))
    assert ending.code == 1
    assert "no w to project into" in ending.err
    assert not list_runs(home, "projection")
