"""What is kept of a published system: settings, head, augmentation, what it reported, and what we do otherwise.

Everything in these files is a fact of a publication or of its code, kept as data: the report shows the rows beside our
own results, runs the same self-checks on them, and lists the differences. No torch: the web process reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The settings of one journey from files to verdict."""

    title: str
    """One line for menus."""
    story: str
    """What it repeats and where it came from."""
    importing: dict[str, Any] = field(default_factory=dict)
    train: dict[str, dict[str, Any]]
    """By GAN; the first is the one that was published."""
    pool: dict[str, Any] = field(default_factory=dict)
    """Without a number of images, a journey samples what its sweeps need and a quarter more."""
    quality: dict[str, Any] = field(default_factory=lambda: {"exclude": "copies"})
    published: dict[str, Any] = field(default_factory=dict)
    """The sweep as it was published, flaws and all; empty: no classifier was published."""
    sweep: dict[str, Any] = field(default_factory=dict)
    """The sound sweep: 8 paired seeds, equal steps, duplicated reals and classical augmentation as controls."""
    shorter: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What is shorter in the sizes below the full one, by size and step; never the number of paired seeds."""

    def train_settings(self, gan: str = "") -> dict[str, Any]:
        """The settings for `gan`, by default the preset's own; a GAN that it does not know starts from the defaults."""
        gan = gan or next(iter(self.train))
        return {"gan": gan, **self.train.get(gan, {})}


@dataclass(frozen=True, kw_only=True)
class AugmentationPolicy:
    """Classical augmentation: how far an image may be moved; 0: not at all."""

    rotation: float
    """Degrees, to both sides."""
    shift: float = 0.0
    """Share of the image's width and height."""
    shear: float = 0.0
    """Slope: x moves by up to so much of y."""
    zoom: float = 0.0
    """Share by which either axis may grow or shrink."""
    mirror: bool = False
    """Left and right may change places."""
    flip: bool = False
    """Top and bottom may change places."""


@dataclass(frozen=True, kw_only=True)
class HeadLayers:
    """A classifier's head on the features of a backbone, as data: `engine.sweep.dense_head` builds it."""

    title: str = ""
    """What a paper calls it."""
    batch_norm: bool = False
    """Normalise the features first, as Keras does."""
    widths: tuple[int, ...] = ()
    """Units of the dense layers before the last."""
    leak: float | None = None
    """Slope below 0 of the leaky ReLU behind each of them; None: nothing lies between the layers."""
    dropout: float = 0.0
    """Before the last layer."""
    sigmoid: bool = False
    """With two classes, one unit with a sigmoid; else one unit a class with a softmax, which says the same."""
    glorot: bool = True
    """Begin as Keras does, with Glorot-uniform weights and no bias; else as PyTorch does."""
    kernel_l2: float = 0.0
    """Weight of the first dense layer's squared weights in the loss."""
    activity_l1: float = 0.0
    """Weight of its absolute outputs, summed over the units and averaged over the batch."""
    bias_l1: float = 0.0
    """Weight of its absolute biases."""
    adam_epsilon: float = 1e-8
    """Of Adam, where it trains this head: 1e-7 in Keras."""
    alone: bool = False
    """Whether the memory holds one trial at a time, as it has so many weights."""

    @property
    def linear(self) -> bool:
        """Whether it is but dropout and one dense layer, so that the heads of several trials train in one product."""
        return not self.widths and not self.batch_norm

    @property
    def has_penalty(self) -> bool:
        return bool(self.kernel_l2 or self.activity_l1 or self.bias_l1)


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of a published table of results; shares of 1, None where a number was not given."""

    name: str
    """What it was trained on, in the authors' words."""
    arm: str
    """The arm of ours that comes nearest, such as `real+synthetic`."""
    ratio: float
    """Synthetic images per real one, as the publication counts them."""
    accuracy: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    n_test: int | None = None
    """Real images in the test split that they describe."""
    note: str = ""
    """What has to be known to read the row."""


Topic = Literal[
    "repetitions",
    "dropped-runs",
    "controls",
    "length",
    "head",
    "classifier",
    "optimiser",
    "shares",
    "number-added",
    "metric",
    "test-set",
    "test-is-validation",
    "augmented-test",
    "copies",
    "class-names",
    "preparation",
    "file-format",
    "choice",
    "patients",
    "label-flips",
    "gan-batch",
]
"""What a publication and a run can do differently. What a run did is derived from its own settings and numbers, by the
table in `engine.report.publication_differences`: nothing that is written here claims anything of a run."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One point at which a run of ours may not do what was published."""

    what: str
    """Two or three words."""
    theirs: str
    ours: Topic
    """What of a run is held against it."""
    why: str
    """Why it matters; a reason, not what any run did."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A published system: what it reported, what is known to be wrong with it, and what we do otherwise."""

    name: str
    """Of its preset, its head and its augmentation in the configs."""
    title: str
    preset: Preset
    """The settings that repeat it, and those of the sound protocol beside it."""
    augmentation: AugmentationPolicy | None = None
    """Its classical augmentation; None: none was published."""
    head: HeadLayers | None = None
    """The head of its classifier; None: no classifier was published."""
    rows: tuple[PublishedRow, ...] = ()
    differences: tuple[Difference, ...] = ()
    known: tuple[str, ...] = ()
    """Defects of its data or numbers, known from reading them."""


REPETITIONS = Difference(
    what="Repetitions",
    theirs="one training for each share of synthetic images",
    ours="repetitions",
    why="One training cannot tell an effect from the luck of its initial weights; with 8 pairs p can reach 0.008.",
)
CONTROLS = Difference(
    what="Controls",
    theirs="only the real images alone",
    ours="controls",
    why="More images mean more of everything else too; only a control of equal size tells what the synthetic ones did.",
)
TRAINING_LENGTH = Difference(
    what="Length of training",
    theirs="a number of epochs, so that larger training sets get more optimiser steps",
    ours="length",
    why="A longer training can be better by itself, and would be credited to the synthetic images.",
)
COPIES_IN_POOL = "A copy adds nothing new, and a patient's picture must not travel in a pool."
