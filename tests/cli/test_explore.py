"""`explore` from the command line: pictures, videos and files of w, and sentences for what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from engine.cli import explore
from engine.jobs import slots
from engine.jobs.slots import Slot
from engine.sampling.export import export_generator
from engine.sampling.sampler import Sampler
from engine.store.home import Home
from engine.store.locks import is_held
from tests.cli.conftest import Ending
from tests.sampling.conftest import imported_network

Command = Callable[..., Ending]


@pytest.fixture
def network(home: Home) -> str:
    """The id of an imported network of two classes, 16 px grey, exported."""
    run, _ = imported_network(home, classes=2)
    export_generator(run)
    return run.id


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (["grid", "--seeds", "0-4", "--columns", "3"], (2, 3)),
        (["morph", "--seeds", "3,8", "--steps", "4", "--space", "z"], (1, 4)),
        (["truncation", "--seeds", "1,2,3", "--psis", "0,0.5"], (3, 2)),
        (["mix", "--rows", "0-1", "--cols", "5-7", "--styles", "0-2"], (3, 4)),
        (["neighbours", "--seed", "5", "--count", "3", "--distance", "0.2"], (1, 4)),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_pictures(command: Command, network: str, tmp_path: Path, arguments: list[str], shape: tuple[int, int]) -> None:
    name, *options = arguments
    out = tmp_path / "out.png"
    ending = command("explore", name, network, *options, "--class-name", "bleed", "--out", str(out), "--json")
    assert ending.code == 0, ending.err
    assert ending.json == {"path": str(out), "rows": shape[0], "columns": shape[1]}
    assert picture(out).shape == (16 * shape[0], 16 * shape[1])
    assert picture(out).std() > 5


def test_a_grid_shows_what_was_asked_for(command: Command, network: str, home: Home, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    look = ("--class-name", "normal", "--psi", "0.6", "--cutoff", "2", "--noise", "random")
    assert command("explore", "grid", network, "--seeds", "7", "--columns", "1", *look, "--out", str(out)).code == 0
    expected = Sampler.open(home.run(network)).sample([7], "normal", 0.6, 2, "random")
    np.testing.assert_array_equal(picture(out), expected[0, :, :, 0])

    folder = tmp_path / "single"
    assert command("sample", network, "--seeds", "7", *look, "--with-w", "--out", str(folder)).code == 0
    np.testing.assert_array_equal(picture(next(folder.glob("*.png"))), expected[0, :, :, 0])
    from_w = tmp_path / "again.png"
    options = ("--noise", "random", "--seed", "7", "--out", str(from_w))
    assert command("explore", "from-w", network, str(next(folder.glob("*.npz"))), *options).code == 0
    np.testing.assert_array_equal(picture(from_w), picture(out))


def test_a_walk_is_a_video(command: Command, network: str, tmp_path: Path) -> None:
    out = tmp_path / "walk.mp4"
    options = ("--seeds", "0-2", "--frames", "4", "--fps", "30", "--class-name", "bleed", "--out", str(out), "--json")
    assert command("explore", "walk", network, *options).json == {"path": str(out), "frames": 12}
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 12
    there = command("explore", "walk", network, *options, "--no-loop", "--way", "slerp")
    assert there.json["frames"] == 9


def test_w_goes_through_a_file(command: Command, network: str, home: Home, tmp_path: Path) -> None:
    path, out = tmp_path / "w.npz", tmp_path / "image.png"
    saved = command(
        "explore", "save-w", network, "--seed", "3", "--class-name", "bleed", "--psi", "0.5", "--out", str(path)
    )
    assert saved.code == 0, saved.err
    assert command("explore", "from-w", network, str(path), "--out", str(out)).code == 0
    np.testing.assert_array_equal(picture(out), Sampler.open(home.run(network)).sample([3], "bleed", 0.5)[0, :, :, 0])


def test_what_cannot_be_is_a_sentence(command: Command, network: str, tmp_path: Path) -> None:
    image, text = str(tmp_path / "x.png"), tmp_path / "w.npz"
    text.write_text("no arrays")
    for arguments, said in [
        (["grid", network, "--out", image], "asked for class None; expected one of bleed, normal"),
        (["grid", "nothing", "--out", image], "There is no run nothing"),
        (["grid", network, "--class-name", "bleed", "--out", str(tmp_path / "x.jpg")], "ends in .png is expected"),
        (["morph", network, "--seeds", "1-3", "--class-name", "bleed", "--out", image], "a morph goes between two"),
        (["mix", network, "--styles", "0-9", "--class-name", "bleed", "--out", image], "has the layers 0-5"),
        (["truncation", network, "--psis", "a", "--class-name", "bleed", "--out", image], "expected numbers"),
        (["walk", network, "--class-name", "bleed", "--out", str(tmp_path / "x.avi")], "a video ends in .mp4"),
        (["from-w", network, str(text), "--out", image], "is no .npz file"),
        (["grid", network, "--class-name", "bleed", "--cutoff", "9", "--out", image], "has 6 layers"),
    ]:
        ending = command("explore", *arguments)
        assert ending.code == 1
        assert said in ending.err
    assert not Path(image).exists()


def test_the_slot_of_a_free_gpu_is_held_until_the_command_ends(
    command: Command, network: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [Slot(f"cuda:{i}", {"CUDA_VISIBLE_DEVICES": str(i)}) for i in range(2)]
    for module in (slots, explore):
        monkeypatch.setattr(module, "cuda_slots", lambda: two)
    asked: list[tuple[object, ...]] = []
    open_as_ever = Sampler.open

    def look(path: Path, device: str, gpu: int) -> Sampler:
        asked.append((device, gpu, *(is_held(slot.lock(home).path) for slot in two)))
        return open_as_ever(path, "cpu")

    monkeypatch.setattr(Sampler, "open", look)
    grid = ("explore", "grid", network, "--class-name", "bleed", "--out", str(tmp_path / "grid.png"))
    sample = ("sample", network, "--class-name", "bleed", "--out", str(tmp_path / "images"))
    for line in (grid, sample):
        ending = command(*line)
        assert (ending.code, ending.err) == (0, "")
        assert not any(is_held(slot.lock(home).path) for slot in two)
    assert asked == [("auto", 1, False, True)] * 2
    with two[0].lock(home), two[1].lock(home):
        ending = command(*grid)
    assert (ending.code, ending.err) == (0, "Every GPU has a run, so the images are made on the CPU.\n")
    assert asked[-1] == ("cpu", 0, True, True)
