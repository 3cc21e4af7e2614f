"""The values of deep images (more than 8 bits) that become black and white: one rule for integers and floats.

One range for all deep images of a data set that have no window, so that brightness stays comparable. Each image gives
a sample of its values, all images with equal weight, and its lowest and highest values. A hot or dead pixel counts as
what its neighbours are: every value is first brought into the range of its 4 neighbours. Then, at either end:

1. Padding: the outermost value, if it alone holds a notable share of the pixels and a gap divides it from all others
   (-2000, -3024, 65535), does not set the range; nor do up to three such values.
2. Outliers: from the middle 99.8 % of the values, the range goes outwards to the last value before a gap of more than
   half the range so far, so that a bright detail or a long tail counts and a burnt-in mark does not.
3. Single pixels may widen that range again, by no more than half.
4. What at least half fills 0 to 1, or 0 to 2^b - 1 (fewest b >= 8), takes all of it: 12-bit data in 16-bit files go
   from 0 to 4095. Everything else takes its own lowest and highest value: negative ones, 30000 to 34000, SUV to 0.09.

Where hardly any different values are left (masks, label maps, constant images), steps 1 and 2 do nothing. Values
outside are clipped, and a note says which and in which files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.datasets.preprocess import black_and_white
from engine.datasets.reading.items import Decoded

SAMPLE = 4096
"""Values taken of one image, at most."""
POOL = 2**22
"""Values taken of all images, about, so that a hundred thousand of them fit into memory too."""
ENDS = 3
"""Lowest and highest different values kept of each image: as many kinds of padding are seen through."""
DISTINCT = 16
"""Fewer different values than this are a mask or label map, whose values all count."""
PADDING = ((1e-3, 1 / 2), (1e-2, 1 / 8))
"""Share of the pixels at one value, and the gap as a share of the span of the others, from which it is padding."""
TAIL = 1e-3
GAP = 1 / 2
WIDER = 1 / 2
FEW_LEVELS = 1 / 8
"""An image that fills less than this share of the range keeps 32 levels of grey or fewer, which is said."""


@dataclass(frozen=True)
class Values:
    """What is measured of one deep image; not-a-number and infinite values take no part."""

    sample: np.ndarray
    """`[n]`, n <= `SAMPLE`, without hot pixels."""
    low: tuple[tuple[float, float], ...] = ()
    """The lowest different values without hot pixels, from the outermost, each with its share of the pixels."""
    high: tuple[tuple[float, float], ...] = ()
    lowest: float = 0.0
    highest: float = 0.0


@dataclass(frozen=True)
class Outside:
    """Values beyond one end of the range that are clipped."""

    values: tuple[float, ...]
    """The outermost, or those of the padding."""
    share: float
    """Of all pixels, as far as the sample tells."""
    images: int
    name: str
    """The image with the outermost."""
    padding: bool


@dataclass(frozen=True)
class ValueRange:
    """Values that become black and white, and what lies outside them."""

    black: float
    white: float
    outside: tuple[Outside, ...] = ()
    faint: tuple[str, ...] = ()
    """Images whose values fill less than `FEW_LEVELS` of the range; constant ones, which have none to lose, are not
    meant."""
    widest: str = ""
    """The image whose values fill most of it."""

    @property
    def levels(self) -> tuple[float, float]:
        return self.black, self.white

    def notes(self, images: int, total: int) -> list[str]:
        """Sentences for `images` deep images of `total`."""
        told = [
            f"{images} of {total} images have more than 8 bits; in all of them {number(self.black)} becomes black and "
            f"{number(self.white)} white."
        ]
        for out in self.outside:
            many = "1 image" if out.images == 1 else f"{out.images} images"
            low = out.values[0] < self.black
            beyond = f"below {number(self.black)}" if low else f"above {number(self.white)}"
            if out.padding:
                values = " and ".join(map(number, out.values))
                told.append(
                    f"{values} ({100 * out.share:.2g} % of the pixels, in {many} such as {out.name}) "
                    f"{'is' if len(out.values) == 1 else 'are'} far from all other values and taken for padding, which "
                    "does not set the range."
                )
            else:
                told.append(
                    f"Few pixels of {many} have values {beyond}, to {number(out.values[0])} in {out.name}; they do not "
                    "set the range and are clipped."
                )
        if self.faint:
            many = f"The values of {len(self.faint)} images (such as {self.faint[0]}) fill"
            told.append(
                f"{many if len(self.faint) > 1 else f'The values of {self.faint[0]} fill'} less than an eighth of that "
                f"range, so that few levels of grey are left of them; {self.widest} fills most of it. Are all in the "
                "same unit? A window (--window centre,width) sets another range."
            )
        return told


def number(value: float) -> str:
    """`65535`, `-0.25`, `1.2e+09`."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


def sample_size(images: int) -> int:
    """Values to take of each of so many images."""
    return int(np.clip(POOL // max(images, 1), 64, SAMPLE))


def measure(pixels: np.ndarray, size: int = SAMPLE) -> Values:
    """Of one image, `[H, W]` or `[H, W, C]`."""
    flat = np.ascontiguousarray(pixels).reshape(-1)
    where = np.flatnonzero(np.isfinite(flat))
    if not where.size:
        return Values(np.zeros(0))
    finite = flat[where]
    step = max(1, -(-finite.size // size))
    # a step that shares no factor with the rows: else a strided sample of a picture is a few of its columns
    while step > 1 and any(np.gcd(step, side) > 1 for side in pixels.shape[1:]) and step < finite.size:
        step += 1
    sample = _without_hot_pixels(pixels, where[::step])
    # the ends are among the lowest and highest twentieth, which is quick to go through
    below, above = np.quantile(sample, (0.05, 0.95))
    return Values(
        sample=sample,
        low=_ends(pixels, where, finite <= below, np.min, np.greater),
        high=_ends(pixels, where, finite >= above, np.max, np.less),
        lowest=float(finite.min()),
        highest=float(finite.max()),
    )


def _without_hot_pixels(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The values at flat places `where`, each brought into the range of its 4 neighbours; those beyond the border are
    mirrored. In images too small to have neighbours, the values as they are."""
    height, width = pixels.shape[:2]
    if min(height, width) < 3:
        return pixels.reshape(-1)[where]
    row, column, *channel = np.unravel_index(where, pixels.shape)
    up, down = np.where(row > 0, row - 1, 1), np.where(row < height - 1, row + 1, height - 2)
    left, right = np.where(column > 0, column - 1, 1), np.where(column < width - 1, column + 1, width - 2)
    around = [pixels[at] for at in ((up, column, *channel), (down, column, *channel))]
    around += [pixels[at] for at in ((row, left, *channel), (row, right, *channel))]
    around = [np.where(np.isfinite(values), values, np.nan) for values in around]
    values = pixels[(row, column, *channel)]
    lowest = np.fmin(np.fmin(around[0], around[1]), np.fmin(around[2], around[3]))
    highest = np.fmax(np.fmax(around[0], around[1]), np.fmax(around[2], around[3]))
    return np.fmin(np.fmax(values, lowest), highest)  # as it is where all neighbours are padding


def _ends(
    pixels: np.ndarray,
    where: np.ndarray,
    outer: np.ndarray,
    outermost: Callable[[np.ndarray], float],
    inside: Callable[..., np.ndarray],
) -> tuple[tuple[float, float], ...]:
    """The outermost different values of the image and their shares, sought where `outer` says."""
    ends: list[tuple[float, float]] = []
    rest = _without_hot_pixels(pixels, where[outer])
    while rest.size and len(ends) < ENDS:
        end = outermost(rest)
        remaining = rest[inside(rest, end)]
        ends.append((float(end), (rest.size - remaining.size) / where.size))
        rest = remaining
    if len(ends) < ENDS and not outer.all():
        return _ends(pixels, where, np.ones_like(outer), outermost, inside)
    return tuple(ends)


@dataclass
class _Pool:
    """The different values of all images in order, with their weights: none for extremes that no sample holds."""

    values: np.ndarray
    weights: np.ndarray
    padding: list[tuple[float, float]] = field(default_factory=list)
    """Value and share."""

    def drop_padding(self) -> None:
        """Step 1, at both ends."""
        for end in (0, -1):
            # from the inside: beside a second kind of padding, the outermost may not lie far off
            for count in range(ENDS, 0, -1):
                if self._padded(end, count):
                    outer = slice(None, count) if end == 0 else slice(-count, None)
                    self.padding += zip(self.values[outer].tolist(), self.weights[outer].tolist(), strict=True)
                    self.values, self.weights = self._without(end, count)
                    break

    def _without(self, end: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        kept = slice(count, None) if end == 0 else slice(None, -count)
        return self.values[kept], self.weights[kept]

    def _padded(self, end: int, count: int) -> bool:
        """Whether the `count`-th value from an end is padding, and so are those beyond it."""
        rest = _Pool(*self._without(end, count))
        if len(rest.values) < DISTINCT:
            return False
        first, last = rest.middle()
        where = count - 1 if end == 0 else -count
        gap = abs(self.values[where] - rest.values[end])
        span = rest.values[last] - rest.values[first]
        return any(self.weights[where] >= share and gap > part * span for share, part in PADDING)

    def middle(self) -> tuple[int, int]:
        """Where the middle 99.8 % of the weight begin and end."""
        below = np.cumsum(self.weights)
        first = int(np.searchsorted(below, TAIL * below[-1], side="left"))
        last = int(np.searchsorted(below, (1 - TAIL) * below[-1], side="left"))
        return min(first, len(below) - 1), min(last, len(below) - 1)

    def core(self) -> tuple[float, float]:
        """Step 2."""
        values = self.values
        if len(values) < DISTINCT:
            return float(values[0]), float(values[-1])
        first, last = self.middle()
        upper = values[last:]
        jumps = np.diff(upper) > np.maximum(GAP * (upper[:-1] - values[first]), 0)
        high = upper[int(np.argmax(jumps))] if jumps.any() and upper[0] > values[first] else upper[-1]
        lower = values[first::-1]
        jumps = -np.diff(lower) > np.maximum(GAP * (high - lower[:-1]), 0)
        low = lower[int(np.argmax(jumps))] if jumps.any() and high > lower[0] else lower[-1]
        return float(low), float(high)


def value_range(measured: Sequence[tuple[str, Values]]) -> ValueRange | None:
    """The range of deep images from their names and values; None if they have no values at all."""
    found = [(name, values) for name, values in measured if values.sample.size]
    if not found:
        return None
    samples = [np.asarray(values.sample, np.float64) for _, values in found]
    ends = np.array([end[0] for _, values in found for end in (*values.low, *values.high)])
    weights = [np.full(sample.size, 1 / (sample.size * len(found))) for sample in samples]
    together, where = np.unique(np.concatenate([*samples, ends]), return_inverse=True)
    weight = np.bincount(where, weights=np.concatenate([*weights, np.zeros(ends.size)]), minlength=len(together))
    pool = _Pool(together, weight)
    pool.drop_padding()
    low, high = pool.core()
    margin = WIDER * (high - low)
    padding = {value for value, _ in pool.padding}
    singles = [v for _, values in found for v in (values.lowest, values.highest) if v not in padding]
    inside = [v for v in singles if low - margin <= v <= high + margin]
    black, white = _snapped(min([low, *inside]), max([high, *inside]))
    spans = {name: _span(values, black, white) for name, values in found}
    faint = tuple(name for name, span in spans.items() if 0 < span < FEW_LEVELS * (white - black))
    outside = tuple(_outside(found, pool.padding, black, white))
    return ValueRange(black, white, outside, faint, max(spans, key=lambda name: spans[name]))


def _span(values: Values, black: float, white: float) -> float:
    """How much of the range the values of one image fill, without hot pixels and what lies outside."""
    ends = [end for end, _ in (*values.low, *values.high)]
    seen = np.concatenate([ends, values.sample])
    inside = seen[(seen >= black) & (seen <= white)]
    return float(np.ptp(inside)) if inside.size else 0.0


def _snapped(low: float, high: float) -> tuple[float, float]:
    """Step 4, and some range for a constant image."""
    if low >= 0:
        full = 1.0 if high <= 1 else float(2 ** max(8, int(np.ceil(np.log2(np.floor(high) + 1)))) - 1)
        if low == high or high - low >= full / 2:
            return 0.0, max(full, high)
    return (low, high) if high > low else (low, low + 1.0)


def _outside(
    found: Sequence[tuple[str, Values]], padding: Sequence[tuple[float, float]], black: float, white: float
) -> list[Outside]:
    told = []
    for low, sign in ((True, -1.0), (False, 1.0)):
        limit = black if low else white
        pads = [(value, share) for value, share in padding if sign * (value - limit) > 0]
        values = {value for value, _ in pads}
        if pads:
            having = [name for name, seen in found if values & {end for end, _ in (seen.low if low else seen.high)}]
            told.append(
                Outside(tuple(values), sum(share for _, share in pads), len(having), having[0] if having else "", True)
            )
        beyond = [(seen.lowest if low else seen.highest, name) for name, seen in found]
        beyond = [(value, name) for value, name in beyond if sign * (value - limit) > 0 and value not in values]
        if beyond:
            value, name = (min if low else max)(beyond)
            told.append(Outside((value,), 0.0, len(beyond), name, False))
    return told


def levels_of(
    decoded: Decoded, window: tuple[float, float] | None, depth: tuple[float, float] | None
) -> tuple[float, float]:
    """Values that become black and white in one image: its own window, else the config's, else the set's range."""
    if decoded.window:
        return decoded.window
    if window and decoded.pixels.ndim == 2:  # a window means one value a pixel
        return black_and_white(window)
    return depth or (0.0, 255.0)
