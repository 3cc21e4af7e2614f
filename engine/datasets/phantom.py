"""The embedded demo set: a procedural phantom of head-CT slices, with and without a bleed.

Every number is drawn from one PCG64 stream and every picture is plain float64 NumPy, so that a seed gives the same set
anywhere. It has the nuisances that make the real task hard (pose, slice level, age, window, calcifications, bright
falx and sinus, partial volume of the skull, noise), and no more: an accuracy on it says nothing about patients. The
ranges below are set so that the small network, trained on 70 % of the patients, is right for about 84 % of the test
images (75 to 92 % over sets and seeds).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from engine.datasets.phantom_anatomy import FINE, SIZE, Bleed, Patient, bleed_pixels, draw

_SLICES_PER_PATIENT = [3] * 20 + [4] * 40 + [5] * 20
_BLEED_PATIENTS = 44

_KINDS = ("epidural", "subdural", "intracerebral", "subarachnoid", "intraventricular")
_KIND_SHARES = (0.20, 0.20, 0.45, 0.05, 0.10)


@dataclass(frozen=True, eq=False)
class PhantomImage:
    """One slice: all that was drawn from the random stream for it. What follows from that is computed when asked for,
    once, and alike in any order and any thread."""

    patient: Patient
    level: float
    """From 0 (base of the ventricles) to 1 (near the vertex)."""
    noise: np.ndarray
    """Of the scanner, white and of unit variance, float64 `[64, 64]`."""
    group: str
    """The patient: P001, ..."""
    name: str
    """File name: P001_2.png is the second slice of patient P001."""

    @cached_property
    def pixels(self) -> np.ndarray:
        """uint8 `[64, 64]`. Most of the work: what is asked for a slice's class alone is not drawn."""
        ct = draw(self.patient, self.level)
        coarse = ct.reshape(SIZE, FINE // SIZE, SIZE, FINE // SIZE).mean(axis=(1, 3))
        grain = gaussian_filter(self.noise, 0.6) * (2 * np.sqrt(np.pi) * 0.6)
        coarse = gaussian_filter(coarse, self.patient.blur) + self.patient.noise * grain
        centre, width = self.patient.window
        grey = np.clip((coarse - centre) / width + 0.5, 0, 1) * 255
        return np.rint(grey).astype(np.uint8)

    @property
    def class_name(self) -> str:
        """bleed or normal."""
        return "bleed" if self.metadata["bleed"] else "normal"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What is in the picture: slice level, kind of bleed and its size."""
        covered = bleed_pixels(self.patient, self.level)
        return {
            "level": round(float(self.level), 3),
            "bleed": self.patient.bleed.kind if covered and self.patient.bleed else "",
            "bleed_pixels": covered,
        }


def phantom(seed: int = 0) -> list[PhantomImage]:
    """320 slices of 80 patients, 3 to 5 each, classes `bleed` and `normal`, in the order of the patients.

    A patient with a bleed also has slices above or below it, which are `normal`: the class is the slice's.
    """
    return list(slices_of(seed))


def slices_of(seed: int = 0) -> Iterator[PhantomImage]:
    """The same one after the other."""
    rng = np.random.Generator(np.random.PCG64(seed))
    slices = rng.permutation(_SLICES_PER_PATIENT)
    bleeding = rng.permutation(len(slices)) < _BLEED_PATIENTS
    for number, (count, bleeds) in enumerate(zip(slices, bleeding, strict=True), start=1):
        patient = _draw_patient(rng, bool(bleeds))
        for index, level in enumerate(_levels(rng, int(count), patient.bleed), start=1):
            group = f"P{number:03d}"
            yield PhantomImage(patient, level, rng.standard_normal((SIZE, SIZE)), group, f"{group}_{index}.png")


def _draw_patient(rng: np.random.Generator, bleeds: bool) -> Patient:
    atrophy = rng.beta(2, 3)
    speckle = np.stack([rng.standard_normal((FINE, FINE)) for _ in range(3)])
    return Patient(
        width=rng.uniform(0.713, 0.777),
        length=rng.uniform(0.875, 0.935),
        outline=np.stack([rng.normal(0, 1, 4) * (0.012, 0.015, 0.008, 0.005), rng.uniform(0, 2 * np.pi, 4)]),
        skull=rng.uniform(0.05, 0.072),
        scalp=rng.uniform(0.03, 0.065),
        atrophy=atrophy,
        ventricles=0.75 + 0.85 * atrophy + rng.normal(0, 0.12),
        asymmetry=rng.normal(0, 0.12),
        turn=rng.normal(0, 0.06),
        shift=(rng.normal(0, 0.013), rng.normal(0, 0.012)),
        tilt=rng.gamma(1.0, 0.012),
        tilt_side=rng.uniform(0, 2 * np.pi),
        contrast=rng.uniform(0.8, 1.3),
        calcified=(rng.random() < 0.35, rng.random() < 0.2, rng.random() < 0.06),
        falx=rng.uniform(0, 16),
        infarct=(rng.choice([-1, 1]) * rng.uniform(0.2, 0.4), rng.uniform(-0.4, 0.5), rng.uniform(0.08, 0.2))
        if rng.random() < 0.15
        else None,
        noise=rng.uniform(1.0, 3.0),
        blur=rng.uniform(0.25, 0.6),
        window=(rng.uniform(38, 42), rng.uniform(86, 98)),
        speckle=speckle,
        bleed=_draw_bleed(rng) if bleeds else None,
    )


def _draw_bleed(rng: np.random.Generator) -> Bleed:
    side = int(rng.choice([-1, 1]))
    angle = rng.uniform(-1.1, 1.1)
    return Bleed(
        kind=str(rng.choice(_KINDS, p=_KIND_SHARES)),
        angle=angle if side > 0 else np.pi - angle,
        side=side,
        size=rng.uniform(0.85, 1.7),
        density=rng.uniform(60, 85),
        level=rng.uniform(0.35, 0.75),
        extent=rng.uniform(0.2, 0.36),
        place=(side * rng.uniform(0.12, 0.42), rng.uniform(-0.45, 0.5)),
        stretch=rng.uniform(0.8, 1.25),
    )


def _levels(rng: np.random.Generator, count: int, bleed: Bleed | None) -> np.ndarray:
    """Slice levels from 0 (base of the ventricles) to 1 (near the vertex), evenly spaced from a random start."""
    step = rng.uniform(0.09, 0.15)
    middle = bleed.level + rng.normal(0, 0.05) if bleed else rng.uniform(0.3, 0.7)
    start = np.clip(middle - step * (count - 1) / 2, 0.05, 0.97 - step * (count - 1))
    return start + step * np.arange(count)
