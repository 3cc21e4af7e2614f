"""Projection finds what the generator can make, resumes exactly, and refuses what cannot be projected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from engine.configs import DcganConfig
from engine.gans.stylegan2.networks import (
    Mapping,
    Synthesis,
)
from engine.projection import projecting
from engine.projection.perceptual import PixelPyramid
from engine.projection.projecting import project
from engine.projection.search import w_statistics
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)
from tests.projection.conftest import CLASSES, MakeGenerator, MakeProjection, save_sample


def outputs(run: Run) -> dict[str, bytes]:
    """Everything that a projection is judged by."""
    names = ("target.png", "projected.png", "w.npz")
    return {name: (run.path / name).read_bytes() for name in names if (run.path / name).exists()}


@pytest.mark.parametrize(("size", "channels", "label"), [(32, 1, None), (32, 3, 1)])
def test_recovers_the_w_of_a_generated_image(
    size: int,
    channels: int,
    label: int | None,
    tmp_path: Path,
    make_generator: MakeGenerator,
    make_projection: MakeProjection,
) -> None:
    generator_run, generator = make_generator(size, channels, conditional=label is not None)
    w = save_sample(generator, tmp_path / "image.png", 5, label)
    class_name = "" if label is None else CLASSES[label]
    run, config = make_projection(generator_run, tmp_path / "image.png", steps=200, class_name=class_name)
    assert project(run, config) == "finished"
    rows, _ = run.read_metrics()
    assert [row["step"] for row in rows] == [1, *range(10, 201, 10)]
    result = run.status().result
    assert run.status().device.startswith("CPU, ")
    assert result["loss"] == "pixels"
    assert result["distance"] < 0.1 * rows[0]["distance"]
    assert result["distance_of_w_alone"] < 0.1 * rows[0]["distance"]
    with np.load(run.path / "w.npz") as file:
        ws = file["w"]
    assert ws.shape == (1, generator.architecture.num_ws, generator.architecture.w_dim)
    assert ws.dtype == np.float32
    start = w_statistics(generator, label, torch.device("cpu"))[0]
    if channels == 3:  # several w make nearly the same small grey image
        assert np.linalg.norm(ws[0, 0] - w.numpy()) < 0.3 * float((start - w).norm())
    target, projected = (
        np.asarray(Image.open(run.path / f"{name}.png")).astype(int) for name in ("target", "projected")
    )
    assert np.array_equal(target, np.asarray(Image.open(tmp_path / "image.png")))
    assert abs(target - projected).mean() < 10


def test_stopped_and_resumed_is_never_stopped(
    tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection, one_thread: None
) -> None:
    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    whole, config = make_projection(generator_run, tmp_path / "image.png", steps=24)
    assert project(whole, config) == "finished"

    stopped, _ = make_projection(generator_run, tmp_path / "image.png", steps=24)
    looks = iter(range(100))
    assert project(stopped, config, should_stop=lambda: next(looks) == 12) == "stopped"
    assert outputs(stopped).keys() == {"target.png", "projected.png"}
    stopped.append_metrics({"step": 20, "loss": 0.0})  # as a worker killed later would have left behind
    assert project(stopped, config) == "finished"

    assert outputs(stopped) == outputs(whole)
    assert stopped.status().result == whole.status().result
    rows = [[{**row, "time": 0} for row in run.read_metrics()[0]] for run in (whole, stopped)]
    assert rows[0] == rows[1]
    assert {path.name for path in stopped.path.iterdir()} == {path.name for path in whole.path.iterdir()}
    assert not (stopped.path / projecting.STATE_FILE).exists()


def test_the_video_shows_the_target_beside_the_way_to_it(
    tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection
) -> None:
    generator_run, generator = make_generator(16, 3)
    save_sample(generator, tmp_path / "image.png", 5)
    run, config = make_projection(generator_run, tmp_path / "image.png", video=True)
    assert project(run, config) == "finished"
    with av.open(run.path / "projection.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == config.steps
    assert frames[0].shape == (256, 512, 3)
    target = np.asarray(Image.open(run.path / "target.png")).repeat(16, 0).repeat(16, 1)
    assert abs(frames[-1][:, :256].astype(float) - target).mean() < 8  # H.264 halves the resolution of colours


def test_a_damaged_state_begins_again(
    tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection, caplog: pytest.LogCaptureFixture
) -> None:
    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    run, config = make_projection(generator_run, tmp_path / "image.png")
    (run.path / projecting.STATE_FILE).write_bytes(b"torn")
    assert project(run, config) == "finished"
    assert "Begins again" in caplog.text


def test_an_image_is_prepared_as_the_generators_own_were(
    tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection
) -> None:
    generator_run, _ = make_generator(16, 1)
    Image.new("RGB", (60, 30), (200, 40, 40)).save(tmp_path / "wide.jpg")
    run, config = make_projection(generator_run, tmp_path / "wide.jpg", steps=1)
    project(run, config)
    target = np.asarray(Image.open(run.path / "target.png"))
    assert target.shape == (16, 16)
    assert target[0].max() == 0, "padded with black, for want of a data set that says otherwise"
    assert abs(int(target[8, 8]) - 88) < 3  # luma of the colour


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\x89PNG\r\n\x1a\n torn", "is not an image"), (None, "no such file")],
)
def test_a_bad_image_is_refused_and_leaves_nothing(
    content: bytes | None,
    reason: str,
    tmp_path: Path,
    make_generator: MakeGenerator,
    make_projection: MakeProjection,
) -> None:
    generator_run, _ = make_generator()
    image = tmp_path / "bad.png"
    if content is not None:
        image.write_bytes(content)
    run, config = make_projection(generator_run, image)
    before = sorted(run.path.iterdir())
    with pytest.raises(ErsatzError, match=reason):
        project(run, config)
    assert sorted(run.path.iterdir()) == before


def test_generators_without_w_or_snapshot_and_missing_classes_are_refused(
    home: Home, tmp_path: Path, make_generator: MakeGenerator, make_projection: MakeProjection
) -> None:
    conditional, generator = make_generator(conditional=True)
    save_sample(generator, tmp_path / "image.png", 5, 0)
    run, config = make_projection(conditional, tmp_path / "image.png")
    with pytest.raises(ErsatzError, match=r"class_name is not given.*makes a, b"):
        project(run, config)
    empty = create_run(home, DcganConfig(dataset="discs").plain(), "train")
    run, config = make_projection(empty, tmp_path / "image.png")
    with pytest.raises(ErsatzError, match="has no snapshot"):
        project(run, config)
    run, config = make_projection(run, tmp_path / "image.png")
    with pytest.raises(ErsatzError, match="is a projection run"):
        project(run, config)


def test_what_is_written_and_said_is_exact_float32(
    tmp_path: Path,
    make_generator: MakeGenerator,
    make_projection: MakeProjection,
    fast: Arithmetic,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search itself may be as fast as a training; its start, its pictures and the distances reached may not."""
    seen: list[Arithmetic] = []

    def looking(method: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any, **named: Any) -> Any:
            if not torch.is_grad_enabled():
                seen.append(arithmetic())
            return method(*arguments, **named)

        return look

    generator_run, generator = make_generator()
    save_sample(generator, tmp_path / "image.png", 5)
    run, config = make_projection(generator_run, tmp_path / "image.png", video=True, steps=3)
    monkeypatch.setattr(Synthesis, "forward", looking(Synthesis.forward))
    monkeypatch.setattr(PixelPyramid, "features", looking(PixelPyramid.features))
    monkeypatch.setattr(Mapping, "forward", looking(Mapping.forward))
    assert project(run, config) == "finished"
    assert len(seen) > 10  # as many as the statistics have parts
    assert set(seen) == {EXACT}
