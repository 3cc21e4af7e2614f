"""Walks through seeds: they pass by the seeds' images, loops close, and videos hold every frame."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from engine.sampling.exploring import SamplingOptions
from engine.sampling.sampler import Sampler
from engine.sampling.video import write_video
from engine.sampling.walks import arcs, cubic, walk, walk_stops
from engine.store.errors import ErsatzError


@pytest.mark.parametrize("way", ["cubic", "slerp"])
@pytest.mark.parametrize("look", [SamplingOptions(), SamplingOptions(psi=0.5, cutoff=2, noise="random")], ids=str)
def test_a_walk_passes_by_its_seeds(stylegan, way, look):
    seeds = [4, 9, 2]
    keys = stylegan.synthesize(stylegan.map(seeds, None, look.psi, look.cutoff), look.noise, [4])
    loop = np.stack(list(walk(stylegan, seeds, 5, way, True, look)))
    assert len(loop) == 15
    assert np.abs(loop[::5].astype(int) - keys).max() <= 1
    there = np.stack(list(walk(stylegan, seeds, 5, way, False, look)))
    assert len(there) == 11
    assert np.abs(there[::5].astype(int) - keys).max() <= 1
    assert len({frame.tobytes() for frame in loop}) == 15


def test_a_loop_closes_as_smoothly_as_it_goes():
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(4, 6, 24)).astype(np.float32)
    path = cubic(keys, walk_stops(4, 50, True), True)
    np.testing.assert_allclose(path[::50], keys, atol=1e-6)
    closed = np.concatenate([path, path[:3]])
    speed = np.linalg.norm(np.diff(closed, axis=0), axis=(1, 2))
    assert speed[199] == pytest.approx(speed[[198, 200]].mean(), rel=0.02)
    bend = np.linalg.norm(np.diff(closed, 2, axis=0), axis=(1, 2))
    assert bend[198:].max() <= 1.2 * bend[:198].max()


def test_the_curve_is_the_one_through_keys_wrapped_many_times():
    """As published, where a cubic goes through the keys repeated on both sides."""
    from scipy.interpolate import interp1d

    keys = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    wrapped = interp1d(np.arange(-10, 15), np.tile(keys, (5, 1)), kind="cubic", axis=0)
    stops = walk_stops(5, 8, True)
    np.testing.assert_allclose(cubic(keys, stops, True), wrapped(stops), atol=1e-4)


def test_arcs_keep_the_length_of_latents():
    keys = np.random.default_rng(2).normal(size=(3, 40)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    path = arcs(keys, walk_stops(3, 10, True))
    assert path.shape == (30, 40)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(path[::10], keys, atol=1e-6)


def test_a_walk_of_one_seed_stands_still(stylegan):
    frames = list(walk(stylegan, [3], 4))
    assert len(frames) == 4
    assert len({frame.tobytes() for frame in frames}) == 1
    for seeds, frames_each in [([], 4), ([1], 0)]:
        with pytest.raises(ErsatzError, match="at least one of each"):
            next(walk(stylegan, seeds, frames_each))


def test_a_dcgan_walks_along_arcs(make_generator):
    sampler = Sampler.open(make_generator("bleed", channels=3).path)
    frames = list(walk(sampler, [1, 2], 3, "slerp"))
    assert len(frames) == 6
    assert np.abs(frames[3].astype(int) - sampler.sample([2])[0]).max() <= 1
    with pytest.raises(ErsatzError, match="no intermediate latent w"):
        next(walk(sampler, [1, 2], 3))


def gradients(channels: int, count: int = 7, size: tuple[int, int] = (32, 48)) -> list[np.ndarray]:
    """Smooth frames that differ, as video codecs like them."""
    y, x = np.mgrid[: size[0], : size[1]]
    frames = [np.stack([4 * x + 6 * i, 5 * y + 8 * i, 200 - 3 * x - 2 * y], axis=-1) for i in range(count)]
    return [frame[:, :, :channels].clip(0, 255).astype(np.uint8) for frame in frames]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_an_mp4_can_be_read_and_holds_every_frame(tmp_path, channels, size):
    frames = gradients(channels, size=size)
    path = tmp_path / "walk.mp4"
    assert write_video(path, iter(frames), 25) == 7
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate, stream.codec_context.pix_fmt) == ("h264", 25, "yuv420p")
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(found) == 7
    for seen, given in zip(found, frames, strict=True):
        assert np.abs(seen[: size[0], : size[1]].astype(int) - given).mean() < 4


@pytest.mark.parametrize("suffix", [".gif", ".png", ".apng"])
@pytest.mark.parametrize("channels", [1, 3])
def test_gif_and_png_loop_and_hold_every_frame(tmp_path, suffix, channels):
    frames = gradients(channels)
    path = tmp_path / f"walk{suffix}"
    assert write_video(path, iter(frames), 20) == 7
    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (7, 0, 50)
        image.seek(5)
        seen = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(frames[5].shape)
    assert np.abs(seen.astype(int) - frames[5]).mean() < (12 if suffix == ".gif" else 0.5)


def test_wrong_videos_are_a_sentence_and_leave_nothing(tmp_path):
    with pytest.raises(ErsatzError, match=r"walk\.avi ends in \.avi; a video ends in \.mp4"):
        write_video(tmp_path / "walk.avi", gradients(1), 20)
    with pytest.raises(ErsatzError, match="has no frames"):
        write_video(tmp_path / "walk.mp4", [], 20)

    def breaking():
        yield gradients(1)[0]
        raise ErsatzError("The generator was deleted.")

    with pytest.raises(ErsatzError, match="was deleted"):
        write_video(tmp_path / "walk.mp4", breaking(), 20)
    assert not list(tmp_path.iterdir())
