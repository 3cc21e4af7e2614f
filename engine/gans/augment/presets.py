"""The named augmentations: their operations, their strengths, and the images they can take."""

from __future__ import annotations

from dataclasses import dataclass

from engine.store.errors import ErsatzError

BLIT = frozenset({"xflip", "rotate90", "xint"})
GEOMETRY = frozenset({"scale", "rotate", "aniso", "xfrac"})
COLOUR = frozenset({"brightness", "contrast", "lumaflip", "hue", "saturation"})
FILTER = frozenset({"imgfilter"})
NOISE = frozenset({"noise"})
CUTOUT = frozenset({"cutout"})
OPERATIONS = BLIT | GEOMETRY | COLOUR | FILTER | NOISE | CUTOUT

MEDICAL = frozenset({"xint", "scale", "brightness", "contrast"})
"""What may leak into a sample without making it anatomically false.

An augmentation that leaks ends up in the synthetic images, and from there in a classifier. So everything is left out
whose leak no scanner could have produced: mirror images and turns by 90 degrees (the heart on the right, left and
right exchanged under a correct label), free rotations, stretching along one axis (the ratio of heart to chest),
inverted or tinted intensities (bone would be dark), filters, noise and holes (texture is what is diagnosed). What is
left is the variation of positioning, distance and windowing, at about half the published strengths (`GENTLE`).
Weaker operations restrain the discriminator less, so `p` settles higher than with bgc.
"""

PRESETS: dict[str, frozenset[str]] = {
    "blit": BLIT,
    "geom": GEOMETRY,
    "color": COLOUR,
    "filter": FILTER,
    "noise": NOISE,
    "cutout": CUTOUT,
    "bg": BLIT | GEOMETRY,
    "bgc": BLIT | GEOMETRY | COLOUR,
    "bgcf": BLIT | GEOMETRY | COLOUR | FILTER,
    "bgcfn": BLIT | GEOMETRY | COLOUR | FILTER | NOISE,
    "bgcfnc": BLIT | GEOMETRY | COLOUR | FILTER | NOISE | CUTOUT,
    "medical": MEDICAL,
}
"""Operations of each preset; bgc is the published default."""


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How far each operation goes; the defaults are the published ones (arXiv 2006.06676, appendix B)."""

    xint: float = 0.125
    """Largest whole-pixel shift, as a share of the image's side."""
    scale: float = 0.2
    """Standard deviation of the isotropic zoom, in powers of two."""
    aniso: float = 0.2
    """Standard deviation of the stretch of one axis against the other, in powers of two."""
    xfrac: float = 0.125
    """Standard deviation of the fractional shift, as a share of the image's side."""
    brightness: float = 0.2
    """Standard deviation of what is added to images in [-1, 1]."""
    contrast: float = 0.5
    """Standard deviation of the factor of all intensities, in powers of two."""
    saturation: float = 1.0
    """Standard deviation of the factor of colourfulness, in powers of two."""
    imgfilter: float = 1.0
    """Standard deviation of the gain of each frequency band, in powers of two."""
    noise: float = 0.1
    """Scale of the half-normal standard deviation of the noise."""
    cutout: float = 0.5
    """Side of the removed square, as a share of the image's side."""


GENTLE = Strengths(xint=0.0625, scale=0.1, brightness=0.1, contrast=0.25)


def strengths_of(preset: str) -> Strengths:
    """The published strengths, or gentler ones for the medical preset."""
    return GENTLE if preset == "medical" else Strengths()


FILTER_REACH = 21
"""Pixels that the image-space filter reflects at each border; an image must be larger than that."""


def require_augmentable(operations: frozenset[str], size: int, channels: int) -> None:
    """Raise `ErsatzError` unless these operations can augment images of `size` px with `channels` channels."""
    unknown = operations - OPERATIONS
    if unknown:
        raise ErsatzError(
            f"There is no augmentation {', '.join(sorted(unknown))}; expected some of {', '.join(sorted(OPERATIONS))}."
        )
    if "imgfilter" in operations and size <= FILTER_REACH:
        raise ErsatzError(
            f"The images are {size} px wide, and the augmentation filter needs more than {FILTER_REACH} px. "
            "Choose an augpipe without f, such as bgc, or import the data set at 32 px or more."
        )
    if operations & COLOUR and channels not in (1, 3):
        raise ErsatzError(
            f"The images have {channels} channels, and colour augmentation expects 1 or 3. "
            "Choose an augpipe without c, such as bg."
        )
