"""Moving pictures from frames: MP4 (H.264, through PyAV), GIF and animated PNG (through Pillow)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from engine.store.errors import ErsatzError
from engine.store.files import replacing

SUFFIXES = (".mp4", ".gif", ".png", ".apng")
GIF_STEP = 10
"""Milliseconds: GIF counts in hundredths of a second, and browsers slow down what is shorter than two of them."""
BT709 = Colorspace.ITU709
QUALITY = "16"
"""x264's rate factor: below 18 a person sees no difference."""


def write_video(path: Path, frames: Iterable[np.ndarray], fps: int) -> int:
    """Write uint8 frames `[H, W, C]` of one size as the suffix says; returns how many there were.

    GIF and PNG loop for ever. GIF has 256 colours a frame and at most 50 frames a second; MP4 halves the resolution
    of colours, not of brightness; PNG keeps every pixel. Raises `ErsatzError` for another suffix.
    """
    require_suffix(path)
    counted = _Counted(frames)
    first = next(counted, None)
    if first is None:
        raise ErsatzError("The video has no frames; at least one is expected. Give more seeds, or more frames a seed.")
    with replacing(path) as temporary:
        every = chain([first], counted)
        if path.suffix.lower() == ".mp4":
            _write_mp4(temporary, every, first.shape, fps)
        else:
            _write_animation(temporary, every, path.suffix.lower(), fps)
    return counted.count


def require_suffix(path: Path) -> None:
    """Raise `ErsatzError` unless `path` ends as one of the formats does."""
    if path.suffix.lower() not in SUFFIXES:
        raise ErsatzError(
            f"{path} ends in {path.suffix or 'nothing'}; a video ends in {', '.join(SUFFIXES)}. Name it so."
        )


class _Counted(Iterator[np.ndarray]):
    def __init__(self, frames: Iterable[np.ndarray]):
        self.frames, self.count = iter(frames), 0

    def __next__(self) -> np.ndarray:
        frame = next(self.frames)
        self.count += 1
        return frame


def _write_mp4(path: Path, frames: Iterable[np.ndarray], shape: tuple[int, ...], fps: int) -> None:
    height, width = shape[:2]
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": QUALITY})
        stream.width, stream.height = width + width % 2, height + height % 2  # half-resolution colours need even sides
        stream.pix_fmt = "yuv420p"
        # Said in the file, because players guess by the size, and wrong guesses shift the colours.
        stream.codec_context.colorspace = BT709
        stream.codec_context.color_range = ColorRange.MPEG
        for pixels in frames:
            colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
            even = np.pad(colour, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709)))
        container.mux(stream.encode())


def _write_animation(path: Path, frames: Iterable[np.ndarray], suffix: str, fps: int) -> None:
    images = (Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels) for pixels in frames)
    first = next(images)
    if suffix == ".gif":
        duration: float = max(2, round(1000 / fps / GIF_STEP)) * GIF_STEP
        first.save(path, "gif", save_all=True, append_images=images, duration=duration, loop=0)
    else:
        # Pillow goes through the frames of a PNG twice.
        first.save(path, "png", save_all=True, append_images=list(images), duration=1000 / fps, loop=0)
