"""The anatomy of the phantom: one patient, cut at any level, in Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SIZE = 64
FINE = 128
"""Slices are drawn at this size and averaged down, so that edges have the partial volume of a scanner."""

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


@dataclass(frozen=True)
class Patient:
    """The anatomy, the scan and, in some, the bleed that all slices of one patient share."""

    width: float
    length: float
    outline: np.ndarray
    """Amplitudes and phases `[2, 4]` of the head's deviation from an ellipse."""
    skull: float
    scalp: float
    atrophy: float
    ventricles: float
    asymmetry: float
    turn: float
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
    texture: np.ndarray
    """Smooth noise fields `[3, 128, 128]` that bend borders and place the sulci."""
    bleed: Bleed | None


def _soft(depth: np.ndarray, edge: float = 0.016) -> np.ndarray:
    """1 inside (depth above 0), 0 outside, with an edge as wide as one fine pixel."""
    return np.clip(depth / edge + 0.5, 0, 1)


def _capsule(x: np.ndarray, y: np.ndarray, start: tuple, end: tuple, thick: tuple[float, float]) -> np.ndarray:
    """Depth inside a rod from `start` to `end` whose radius runs from `thick[0]` to `thick[1]`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return thick[0] + (thick[1] - thick[0]) * along - np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)


def _bump(level: float, low: float, high: float) -> float:
    """1 between `low` and `high`, falling to 0 within 0.12 on either side."""
    return float(np.clip(min(level - low, high - level) / 0.12 + 1, 0, 1))


def draw(patient: Patient, level: float) -> tuple[np.ndarray, int]:
    """One slice in Hounsfield units `[128, 128]`, without noise, and how many of its 64x64 pixels the bleed covers."""
    scale = float(np.sqrt(1 - (max(0.0, level - 0.35) / 0.95) ** 2))
    cos, sin = np.cos(patient.turn), np.sin(patient.turn)
    x, y = _X - patient.shift[0], _Y - patient.shift[1]
    u, v = (cos * x + sin * y) / scale, (cos * y - sin * x) / scale
    p, q = u / patient.width, v / patient.length
    p = p / (1 + 0.07 * q)
    theta, r = np.arctan2(q, p), np.hypot(p, q)
    amplitude, phase = patient.outline
    outline = 1 + sum(a * np.cos((k + 1) * theta + f) for k, (a, f) in enumerate(zip(amplitude, phase, strict=True)))
    radius = np.hypot(patient.width * np.cos(theta), patient.length * np.sin(theta)) * scale
    depth = (outline - r) * radius
    skull = patient.skull * (1 + 0.35 * np.sin(theta) ** 4 + 0.25 * max(0.0, level - 0.6))
    inner = depth - patient.scalp - skull
    inside = _soft(inner)
    # Standard head coordinates for what lies within, bent a little so that nothing is a perfect ellipse.
    a = level * 5
    fields = np.cos(a) * patient.texture + np.sin(a) * np.roll(patient.texture, (37, 51), axis=(1, 2))
    sulcal, border, slow = fields
    s = p * 0.68 + 0.012 * slow
    t = q * 0.86 + 0.012 * np.roll(slow, 40, axis=1)
    strength = _strength(patient.bleed, level)
    if patient.bleed and patient.bleed.kind in ("epidural", "subdural", "intracerebral"):
        push = 0.05 * strength * patient.bleed.size
        s = s + patient.bleed.side * push * np.exp(-((t - 0.05) ** 2) / 0.15)

    csf = _csf(patient, level, s, t, inner, sulcal)
    ventricle = _ventricles(patient, level, s, t)
    white = _soft(inner - 0.10 - 0.035 * border, 0.05)
    nuclei = sum(_soft(1 - np.hypot((s - side * 0.15) / 0.06, (t - 0.02) / 0.13), 0.3) for side in (-1, 1))
    white = white * (1 - _bump(level, 0.15, 0.42) * np.clip(nuclei, 0, 1))
    brain = _GREY - (_GREY - _WHITE) * patient.contrast * white + 0.8 * border
    brain = brain + 5 * np.exp(-np.clip(inner, 0, None) / 0.07)  # cupping left by beam hardening
    if patient.infarct:
        cx, cy, size = patient.infarct
        brain = brain - 11 * _soft(size - np.hypot(s - cx, t - cy) + 0.03 * border, 0.06)
    midline = np.exp(-((s / 0.012) ** 2)) * np.clip(np.abs(t) / 0.3 - 0.6 + _bump(level, 0.7, 1.0), 0, 1)
    brain = brain + patient.falx * midline
    fluid = np.maximum(csf, ventricle)
    brain = brain + (_CSF - brain) * fluid
    brain = _calcify(patient, level, s, t, brain)
    sinus = _soft(0.035 - np.hypot(s, inner - 0.01) * (1 + (t < 0) * 9), 0.03)
    brain = brain + (60 - brain) * 0.7 * sinus
    oblique = patient.tilt * (1 + np.cos(theta - patient.tilt_side)) * (0.6 + max(0.0, level - 0.5) * 2)
    brain = brain + 55 * np.exp(-np.clip(inner, 0, None) / (oblique + 0.004)) * (oblique > 0.01)

    pixels = 0
    if patient.bleed and strength > 0:
        blood, halo = _blood(patient.bleed, strength, s, t, theta, inner, border, csf, ventricle)
        pixels = int(np.sum(blood * inside > 0.4) * SIZE**2 / FINE**2)
        if pixels >= 6:
            brain = brain - 9 * halo
            brain = brain + np.clip(patient.bleed.density + 3 * border - brain, 0, None) * blood
        else:
            pixels = 0

    bone = _soft(depth - patient.scalp)
    ridges = np.zeros_like(s)
    if level < 0.2:  # the petrous bones, where the slice grazes the base of the skull
        for side in (-1, 1):
            ridge = _capsule(
                s, t, (side * 0.62, 0.22), (side * 0.2, 0.08), (0.08 * (1 - 5 * level), 0.03 * (1 - 5 * level))
            )
            ridges = np.maximum(ridges, _soft(ridge + 0.02 * border, 0.03))
    tissue = _SCALP + (_FAT - _SCALP) * _soft(depth - 0.3 * patient.scalp) * _soft(0.8 * patient.scalp - depth)
    head = tissue + (_BONE - tissue) * bone
    head = head + (brain - head) * inside * (1 - ridges)
    return np.clip(_AIR + (head - _AIR) * _soft(depth), -60, 200), pixels


def _csf(patient: Patient, level: float, s: Any, t: Any, inner: Any, sulcal: Any) -> np.ndarray:
    """How much of each pixel is fluid outside the ventricles: sulci, fissures, cisterns."""
    age = patient.atrophy
    zone = _soft(0.08 + 0.10 * age + 0.06 * level - inner, 0.08)
    sulci = (0.45 + 0.6 * age) * zone * np.clip(1.2 - np.abs(sulcal) / (0.22 + 0.28 * age), 0, 1)
    rim = (0.2 + 0.7 * age) * _soft(0.006 + 0.03 * age - inner, 0.02)
    span = np.clip((np.abs(t) - 0.42) / 0.1 + 2 * _bump(level, 0.75, 1.1), 0, 1)
    fissure = (0.25 + 0.55 * age) * span * np.exp(-((s / (0.012 + 0.014 * age)) ** 2))
    fluid = np.maximum(np.maximum(sulci, rim), fissure)
    low = _bump(level, 0.0, 0.36)
    for side in (-1, 1):
        sylvian = _capsule(s, t, (side * 0.56, -0.2), (side * 0.34, -0.02), (0.02 + 0.03 * age, 0.012 + 0.015 * age))
        fluid = np.maximum(fluid, (0.4 + 0.5 * age) * low * _soft(sylvian, 0.03))
    base = _bump(level, -0.1, 0.1)
    for end in ((-0.16, -0.06), (0.16, -0.06), (0.0, -0.2), (-0.11, 0.14), (0.11, 0.14)):
        fluid = np.maximum(fluid, 0.85 * base * _soft(_capsule(s, t, (0, 0.02), end, (0.03, 0.012)), 0.03))
    return fluid


def _ventricles(patient: Patient, level: float, s: Any, t: Any) -> np.ndarray:
    """How much of each pixel is fluid in the ventricles."""
    size = max(0.35, patient.ventricles)
    fluid = np.zeros_like(s)
    frontal, body, atrium = _bump(level, 0.15, 0.5), _bump(level, 0.42, 0.68), _bump(level, 0.2, 0.48)
    for side in (-1, 1):
        width = size * (1 + side * patient.asymmetry)
        out = 0.02 * (width - 1)
        for weight, start, end, thick in (
            (frontal, (0.07 + out, -0.30), (0.045, -0.10), (0.045, 0.022)),
            (body, (0.05, -0.22), (0.075, 0.06), (0.034, 0.036)),
            (body, (0.075, 0.06), (0.12 + out, 0.24), (0.036, 0.02)),
            (atrium, (0.16, 0.17), (0.20 + out, 0.32), (0.038, 0.03)),
            (atrium * _bump(level, 0.2, 0.4), (0.20 + out, 0.32), (0.15, 0.46), (0.03, 0.01)),
        ):
            radius = tuple(weight * width * value for value in thick)
            rod = _capsule(s * side, t, start, end, radius)  # type: ignore[arg-type]
            fluid = np.maximum(fluid, min(1.0, 1.5 * weight) * _soft(rod, 0.02))
    third = _capsule(s, t, (0, -0.06), (0, 0.12), (0.006 + 0.012 * size, 0.006 + 0.012 * size))
    fluid = np.maximum(fluid, 0.9 * _bump(level, 0.12, 0.34) * _soft(third, 0.02))
    fourth = _capsule(s, t, (-0.05, 0.32), (0.05, 0.32), (0.03 * size, 0.03 * size))
    return np.maximum(fluid, 0.9 * _bump(level, -0.1, 0.12) * _soft(fourth, 0.03))


def _calcify(patient: Patient, level: float, s: Any, t: Any, brain: Any) -> np.ndarray:
    """Add the calcifications of healthy brains, which are as bright as blood."""
    pineal, choroid, ganglia = patient.calcified
    spots = []
    if pineal:
        spots.append((0.0, 0.17, 0.024, 190 * _bump(level, 0.22, 0.38)))
    for side in (-1, 1):
        if choroid:
            spots.append((side * 0.18, 0.25, 0.028, 130 * _bump(level, 0.25, 0.48)))
        if ganglia:
            spots.append((side * 0.14, 0.0, 0.03, 45 * _bump(level, 0.22, 0.42)))
    for cx, cy, size, density in spots:
        brain = brain + density * _soft(size - np.hypot(s - cx, t - cy), 0.03)
    return brain


def _strength(bleed: Bleed | None, level: float) -> float:
    """Size of the bleed in a slice as a share of its size in its middle: an ellipsoid over the levels."""
    if bleed is None:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - ((level - bleed.level) / bleed.extent) ** 2)))


def _blood(
    bleed: Bleed, strength: float, s: Any, t: Any, theta: Any, inner: Any, border: Any, csf: Any, ventricle: Any
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel is blood, and how much of it is the oedema around."""
    none = np.zeros_like(s)
    size = bleed.size * strength
    away = np.abs(np.angle(np.exp(1j * (theta - bleed.angle))))
    if bleed.kind == "epidural":  # a lens that strips the dura: short and thick
        height = 0.19 * size * (1 - (away / (0.3 + 0.28 * bleed.size)) ** 2)
        return _soft(np.minimum(height - inner, height), 0.03), none
    if bleed.kind == "subdural":  # a crescent along the hemisphere: long and thin
        height = 0.085 * size * (1 - (away / (0.75 + 0.4 * bleed.size)) ** 4) * (1 + 0.15 * border)
        return _soft(np.minimum(height - inner, height), 0.03), none
    if bleed.kind == "intracerebral":
        cx, cy = bleed.place
        reach = np.hypot((s - cx) * bleed.stretch, (t - cy) / bleed.stretch) + 0.02 * border
        radius = 0.15 * size
        return _soft(radius - reach, 0.03), _soft(1.45 * radius - reach, 0.06)
    if bleed.kind == "subarachnoid":
        region = np.exp(-((away / (0.5 + 0.4 * bleed.size)) ** 2))
        return np.clip(1.6 * size * csf * region, 0, 1), none
    layer = _soft(t - (0.34 - 0.4 * size), 0.05) * (s * bleed.side > -0.04 - 0.3 * (bleed.stretch > 1))
    return ventricle * layer, none
