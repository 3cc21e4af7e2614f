"""The anatomy of the phantom: one patient, cut at any level, in Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

SIZE = 64
FINE = 128
"""Slices are drawn at this size and averaged down, so that edges have the partial volume of a scanner."""

LEAST_BLOOD = 12
"""Fewest pixels (of 64x64) that a bleed must cover to be drawn, and its slice to be called one with a bleed."""

# Hounsfield units of the tissues
_AIR, _FAT, _CSF, _WHITE, _GREY, _SCALP, _BONE = -1000.0, -60.0, 6.0, 27.0, 38.0, 40.0, 900.0

_AXIS = (np.arange(FINE) + 0.5) / FINE * 2 - 1
_X, _Y = np.meshgrid(_AXIS, _AXIS)
"""Picture coordinates in [-1, 1]; y runs from the face (top) to the back of the head."""


@dataclass(frozen=True)
class Bleed:
    kind: str
    angle: float
    side: int
    size: float
    density: float
    level: float
    extent: float
    place: tuple[float, float]
    stretch: float


@dataclass(frozen=True, eq=False)
class Patient:
    """The anatomy, the scan and, in some, the bleed that all slices of one patient share."""

    width: float
    length: float
    outline: np.ndarray
    """Amplitudes and phases `[2, 4]` of the head's deviation from an ellipse."""
    skull: float
    scalp: float
    atrophy: float
    """Age, from 0 to 1: wide sulci and fissures."""
    ventricles: float
    asymmetry: float
    """Of the ventricles, left against right."""
    turn: float
    """Radians."""
    shift: tuple[float, float]
    tilt: float
    """Partial volume of the skull: how far, and to which side, the slice cuts it obliquely."""
    tilt_side: float
    contrast: float
    calcified: tuple[bool, bool, bool]
    """Pineal gland, choroid plexus, basal ganglia."""
    falx: float
    infarct: tuple[float, float, float] | None
    noise: float
    blur: float
    window: tuple[float, float]
    speckle: np.ndarray
    """White noise of unit variance `[3, 128, 128]`."""
    bleed: Bleed | None

    @cached_property
    def texture(self) -> np.ndarray:
        """Smooth noise fields `[3, 128, 128]` of unit variance that bend borders and place the sulci."""
        widths = (2.6, 5, 12)
        fields = [gaussian_filter(noise, s, mode="wrap") * s for noise, s in zip(self.speckle, widths, strict=True)]
        return np.stack(fields) * (2 * np.sqrt(np.pi))


@dataclass(frozen=True)
class _Frame:
    """Where each fine pixel lies in the head; every field is `[128, 128]`."""

    depth: np.ndarray
    """Below the skin; negative outside the head."""
    inner: np.ndarray
    """Below the inner table of the skull."""
    theta: np.ndarray
    """Angle around the head: 0 at the picture's right, growing clockwise."""
    s: np.ndarray
    t: np.ndarray
    """Across and along a standard head, midline at s = 0, face at t < 0."""
    sulcal: np.ndarray
    border: np.ndarray
    """Smooth noise of unit variance: places the sulci, bends borders."""


def draw(patient: Patient, level: float) -> np.ndarray:
    """One slice in Hounsfield units `[128, 128]`, without noise.

    `level` runs from 0 at the base of the brain to 1 near the vertex. A bleed too small to be seen is left out.
    """
    strength = _strength(patient.bleed, level)
    frame = _frame(patient, level, strength)
    csf, ventricle = _csf(patient, level, frame), _ventricles(patient, level, frame)
    brain = _tissue(patient, level, frame)
    brain += (_CSF - brain) * np.maximum(csf, ventricle)
    brain = _bright_look_alikes(patient, level, frame, brain)
    if patient.bleed and strength > 0:
        blood, oedema = _blood(patient, level, strength, frame)
        if _covered(blood, frame) >= LEAST_BLOOD:
            brain -= 9 * oedema
            brain += np.clip(patient.bleed.density + 3 * frame.border - brain, 0, None) * blood
    return np.clip(_head(patient, level, frame, brain), -60, 200)


def bleed_pixels(patient: Patient, level: float) -> int:
    """How many of the 64x64 pixels of a slice the bleed covers; 0 where there is none, or one too small to be seen."""
    strength = _strength(patient.bleed, level)
    if strength == 0:
        return 0
    frame = _frame(patient, level, strength)
    covered = _covered(_blood(patient, level, strength, frame)[0], frame)
    return covered if covered >= LEAST_BLOOD else 0


def _covered(blood: np.ndarray, frame: _Frame) -> int:
    return int(np.sum(blood * (frame.inner > 0) > 0.4) * SIZE**2 / FINE**2)


def _soft(depth: np.ndarray, edge: float = 0.016) -> np.ndarray:
    """1 inside (depth above 0), 0 outside, with an edge as wide as one fine pixel."""
    return np.clip(depth / edge + 0.5, 0, 1)


def _fourth(values: np.ndarray) -> np.ndarray:
    """Their fourth power: two squares take a hundredth of the time of NumPy's power."""
    return (values**2) ** 2


def _rod(frame: _Frame, start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Depth inside a rod from `start` to `end` (s, t) whose radius runs from `radii[0]` to `radii[1]`."""
    ds, dt = end[0] - start[0], end[1] - start[1]
    s, t = frame.s - start[0], frame.t - start[1]
    along = np.clip((s * ds + t * dt) / (ds * ds + dt * dt), 0, 1)
    return radii[0] + (radii[1] - radii[0]) * along - np.hypot(s - along * ds, t - along * dt)


def _spot(frame: _Frame, s: float, t: float) -> np.ndarray:
    """Distance to the point (s, t)."""
    return np.hypot(frame.s - s, frame.t - t)


def _bump(level: float, low: float, high: float) -> float:
    """1 between `low` and `high`, falling to 0 within 0.12 on either side."""
    return float(np.clip(min(level - low, high - level) / 0.12 + 1, 0, 1))


def _strength(bleed: Bleed | None, level: float) -> float:
    """Size of the bleed in a slice as a share of its size in its middle: an ellipsoid over the levels."""
    if bleed is None:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - ((level - bleed.level) / bleed.extent) ** 2)))


def _frame(patient: Patient, level: float, strength: float) -> _Frame:
    scale = float(np.sqrt(1 - (max(0.0, level - 0.4) / 1.1) ** 2))  # the head narrows towards the vertex
    cos, sin = np.cos(patient.turn), np.sin(patient.turn)
    x, y = _X - patient.shift[0], _Y - patient.shift[1]
    q = (cos * y - sin * x) / (scale * patient.length)
    p = (cos * x + sin * y) / (scale * patient.width) / (1 + 0.07 * q)  # broader at the back
    theta, r = np.arctan2(q, p), np.hypot(p, q)
    amplitude, phase = patient.outline
    outline = 1 + sum(a * np.cos(k * theta + f) for k, (a, f) in enumerate(zip(amplitude, phase, strict=True), start=1))
    sine = np.sin(theta)
    depth = (outline - r) * np.hypot(patient.width * np.cos(theta), patient.length * sine) * scale
    skull = patient.skull * (1 + 0.35 * _fourth(sine) + 0.25 * max(0.0, level - 0.6))
    # The noise fields turn into others from slice to slice, so that neighbouring slices are alike and not the same.
    turn = level * 5
    sulcal, border, slow = np.cos(turn) * patient.texture + np.sin(turn) * np.roll(patient.texture, (37, 51), (1, 2))
    s, t = p * 0.68 + 0.012 * slow, q * 0.86 + 0.012 * np.roll(slow, 40, axis=1)
    if patient.bleed and patient.bleed.kind in ("epidural", "subdural", "intracerebral"):
        push = patient.bleed.side * 0.05 * strength * patient.bleed.size  # midline shift
        s = s + push * np.exp(-((t - 0.05) ** 2) / 0.15)
    return _Frame(depth, depth - patient.scalp - skull, theta, s, t, sulcal, border)


def _tissue(patient: Patient, level: float, frame: _Frame) -> np.ndarray:
    """Grey and white matter, an old infarct, the falx."""
    white = _soft(frame.inner - 0.10 - 0.045 * frame.border - 0.03 * np.abs(frame.sulcal), 0.05)
    deep = sum(_soft(1 - np.hypot((frame.s - side * 0.15) / 0.06, (frame.t - 0.02) / 0.13), 0.3) for side in (-1, 1))
    white *= 1 - _bump(level, 0.15, 0.42) * np.clip(deep, 0, 1)
    brain = _GREY - (_GREY - _WHITE) * patient.contrast * white + 1.2 * frame.border
    brain += 5 * np.exp(-np.clip(frame.inner, 0, None) / 0.07)  # cupping left by beam hardening
    if patient.infarct:
        s, t, size = patient.infarct
        brain -= 11 * _soft(size - _spot(frame, s, t) + 0.03 * frame.border, 0.06)
    span = np.clip(np.abs(frame.t) / 0.3 - 0.6 + _bump(level, 0.7, 1.0), 0, 1)
    brain += patient.falx * span * np.exp(-((frame.s / 0.012) ** 2))
    return brain


def _csf(patient: Patient, level: float, frame: _Frame) -> np.ndarray:
    """How much of each pixel is fluid outside the ventricles: sulci, fissures, cisterns."""
    age, s, t, inner = patient.atrophy, frame.s, frame.t, frame.inner
    zone = _soft(0.09 + 0.11 * age + 0.06 * level - inner, 0.08)
    sulci = (0.55 + 0.6 * age) * zone * np.clip(1.2 - np.abs(frame.sulcal) / (0.22 + 0.30 * age), 0, 1)
    rim = (0.2 + 0.7 * age) * _soft(0.006 + 0.03 * age - inner, 0.02)
    span = np.clip((np.abs(t) - 0.42) / 0.1 + 2 * _bump(level, 0.75, 1.1), 0, 1)
    fissure = (0.3 + 0.55 * age) * span * np.exp(-((s / (0.012 + 0.014 * age)) ** 2))
    fluid = np.clip(np.maximum(np.maximum(sulci, rim), fissure), 0, 1)
    if weight := _bump(level, 0.0, 0.36):  # Sylvian fissures
        for side in (-1, 1):
            radii = (0.02 + 0.03 * age, 0.012 + 0.015 * age)
            sylvian = _rod(frame, (side * 0.56, -0.2), (side * 0.34, -0.02), radii)
            fluid = np.maximum(fluid, (0.4 + 0.5 * age) * weight * _soft(sylvian, 0.03))
    if weight := _bump(level, -0.1, 0.1):  # basal cisterns
        for end in ((-0.16, -0.06), (0.16, -0.06), (0.0, -0.2), (-0.11, 0.14), (0.11, 0.14)):
            fluid = np.maximum(fluid, 0.85 * weight * _soft(_rod(frame, (0, 0.02), end, (0.03, 0.012)), 0.03))
    return fluid


def _ventricles(patient: Patient, level: float, frame: _Frame) -> np.ndarray:
    """How much of each pixel is fluid in the ventricles."""
    size = max(0.35, patient.ventricles)
    frontal, body, atrium = _bump(level, 0.15, 0.5), _bump(level, 0.42, 0.68), _bump(level, 0.2, 0.48)
    third, fourth = _bump(level, 0.12, 0.34), _bump(level, -0.1, 0.12)
    rods = [
        (third, (0.0, -0.06), (0.0, 0.12), 0.006 + 0.012 * size, 0.006 + 0.012 * size),
        (fourth, (-0.05, 0.32), (0.05, 0.32), 0.03 * size, 0.03 * size),
    ]
    for side in (-1, 1):
        width = size * (1 + side * patient.asymmetry)
        out = 0.02 * (width - 1)
        for weight, start, end, first, last in (
            (frontal, (0.07 + out, -0.30), (0.045, -0.10), 0.045, 0.022),
            (body, (0.05, -0.22), (0.075, 0.06), 0.034, 0.036),
            (body, (0.075, 0.06), (0.12 + out, 0.24), 0.036, 0.02),
            (atrium, (0.16, 0.17), (0.20 + out, 0.32), 0.038, 0.03),
            (atrium * _bump(level, 0.2, 0.4), (0.20 + out, 0.32), (0.15, 0.46), 0.03, 0.01),
        ):
            start, end = (side * start[0], start[1]), (side * end[0], end[1])
            rods.append((weight, start, end, weight * width * first, weight * width * last))
    fluid = np.zeros_like(frame.s)
    for weight, start, end, first, last in rods:
        if weight:
            fluid = np.maximum(fluid, min(1.0, 1.5 * weight) * _soft(_rod(frame, start, end, (first, last)), 0.02))
    return fluid


def _bright_look_alikes(patient: Patient, level: float, frame: _Frame, brain: np.ndarray) -> np.ndarray:
    """Add what is as bright as blood in healthy heads: calcifications, the sagittal sinus, an obliquely cut skull."""
    pineal, choroid, ganglia = patient.calcified
    spots = [(pineal, 0.0, 0.17, 0.024, 190 * _bump(level, 0.22, 0.38))]
    for side in (-1, 1):
        spots.append((choroid, side * 0.18, 0.25, 0.028, 130 * _bump(level, 0.25, 0.48)))
        spots.append((ganglia, side * 0.14, 0.0, 0.03, 45 * _bump(level, 0.22, 0.42)))
    for present, s, t, size, density in spots:
        if present and density:
            brain = brain + density * _soft(size - _spot(frame, s, t), 0.03)
    sinus = _soft(0.035 - np.hypot(frame.s, frame.inner - 0.01) * (1 + (frame.t < 0) * 9), 0.03)
    brain = brain + (60 - brain) * 0.7 * sinus
    oblique = patient.tilt * (1 + np.cos(frame.theta - patient.tilt_side)) * (0.6 + max(0.0, level - 0.5) * 2)
    return brain + 55 * np.exp(-np.clip(frame.inner, 0, None) / (oblique + 0.004)) * (oblique > 0.01)


def _blood(patient: Patient, level: float, strength: float, frame: _Frame) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel is blood, and how much of it is the oedema around."""
    bleed = patient.bleed
    assert bleed is not None, "a patient without a bleed has a strength of 0"
    none = np.zeros_like(frame.s)
    size = bleed.size * strength
    away = np.abs((frame.theta - bleed.angle + np.pi) % (2 * np.pi) - np.pi)
    if bleed.kind == "epidural":  # a lens that strips the dura: short and thick
        height = 0.19 * size * (1 - (away / (0.3 + 0.28 * bleed.size)) ** 2)
        return _soft(np.minimum(height - frame.inner, height), 0.03), none
    if bleed.kind == "subdural":  # a crescent along the hemisphere: long and thin
        height = 0.11 * size * (1 - _fourth(away / (0.75 + 0.4 * bleed.size))) * (1 + 0.15 * frame.border)
        return _soft(np.minimum(height - frame.inner, height), 0.03), none
    if bleed.kind == "intracerebral":
        s, t = bleed.place
        reach = np.hypot((frame.s - s) * bleed.stretch, (frame.t - t) / bleed.stretch) + 0.03 * frame.border
        radius = 0.15 * size
        return _soft(radius - reach, 0.03), _soft(1.45 * radius - reach, 0.06)
    if bleed.kind == "subarachnoid":  # blood in place of the fluid of one region's sulci
        csf = _csf(patient, level, frame)
        return np.clip(1.6 * size * csf * np.exp(-((away / (0.5 + 0.4 * bleed.size)) ** 2)), 0, 1), none
    # intraventricular: settles in the back of one ventricle, or of both
    both = 0.3 * (bleed.stretch > 1)
    ventricle = _ventricles(patient, level, frame)
    return ventricle * _soft(frame.t - (0.34 - 0.4 * size), 0.05) * (frame.s * bleed.side > -0.04 - both), none


def _head(patient: Patient, level: float, frame: _Frame, brain: np.ndarray) -> np.ndarray:
    """Put skull and scalp around the brain."""
    fat = _soft(frame.depth - 0.3 * patient.scalp) * _soft(0.8 * patient.scalp - frame.depth)
    head = _SCALP + (_FAT - _SCALP) * fat
    head += (_BONE - head) * _soft(frame.depth - patient.scalp)
    inside = _soft(frame.inner)
    if level < 0.2:  # the petrous bones, where the slice grazes the base of the skull
        size = 1 - 5 * level
        for side in (-1, 1):
            ridge = _rod(frame, (side * 0.62, 0.22), (side * 0.2, 0.08), (0.08 * size, 0.03 * size))
            inside = inside * (1 - _soft(ridge + 0.02 * frame.border, 0.03))
    head += (brain - head) * inside
    return _AIR + (head - _AIR) * _soft(frame.depth)
