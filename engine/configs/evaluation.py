"""Configs of what is measured: a pool's quality, a training's snapshots, and a sweep: the classifier trained with
growing shares of synthetic images, and its controls.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from engine.configs.base import Config

Extractor = Literal["auto", "inception", "dinov2", "resnet18", "resnet50", "efficientnet_b0", "efficientnet_b2",
                    "densenet121", "convnext_tiny", "vit_b_16", "pixels"]  # fmt: skip


class QualityConfig(Config):
    """Scores of a pool beside their floors, and the search for copies of training images in it."""

    kind: Literal["quality"] = "quality"
    name: str
    """Name of the check."""
    dataset: str
    """Data set that the pool was made for."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pool: str
    """Id of the pool run."""
    pool_sha256: str = ""
    """Hash of the pool's images, whichever are excluded; filled in when the run is submitted."""
    extractor: Extractor = "auto"
    """Network whose features are compared; auto: the first of dinov2, inception and resnet50 whose weights are on this
    machine, else pixels (the images shrunk, which needs no weights)."""
    weights: str = ""
    """File with the extractor's weights; empty: looked for as for a sweep."""
    k: int = Field(default=5, ge=1)
    """Neighbours that span the balls of precision, recall, density and coverage."""
    copy_neighbours: int = Field(default=50, ge=2)
    """Neighbours behind the nearest that the copy ratio compares with."""
    pixel_shift: int = Field(default=4, ge=0)
    """Pixels by which a copy may be moved and is still found in the search by pixels; mirrored ones always are, and
    those turned or resized a little."""
    flag_quantile: float = Field(default=0.01, gt=0, lt=0.5)
    """Share of images where there can be no copy (held-out ones among the training images, the pool among held-out
    ones) that may come as near to one image as a synthetic one before it is flagged."""
    exclude: Literal["nothing", "copies"] = "nothing"
    """Whether flagged copies leave the pool at the end (they stay on disk and in the manifest)."""
    seed: int = Field(default=0, ge=0)
    """Seed of resamples and random halves."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


class RankingConfig(Config):
    """KID of a training's snapshots against the validation images, to choose one."""

    kind: Literal["ranking"] = "ranking"
    run: str
    """Id of the training run."""
    images: int = Field(default=500, ge=10)
    """Images sampled from each snapshot."""
    snapshots: int = Field(default=0, ge=0)
    """Rank only the newest so many; 0: all."""
    extractor: Extractor = "auto"
    """Network whose features are compared, as for a quality run."""
    weights: str = ""
    """File with the extractor's weights; empty: looked for as for a sweep."""
    seed: int = Field(default=0, ge=0)
    """First seed of the sampled images, the same for every snapshot, and seed of the interval."""
    margin: float | None = Field(default=None, gt=0)
    """Difference of two KIDs that would not matter, set before the ranking; with it a ranking can find that there is no
    relevant difference, and without it never says so."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to sample and compute features."""


class FeatureMapConfig(Config):
    """A map of a data set by features, and who is like whom in it."""

    kind: Literal["feature-map"] = "feature-map"
    dataset: str
    """Data set to draw, frozen or not; sealed test images are left out."""
    images_sha256: str = ""
    """Hash of the images that it is drawn of; filled in when the run is submitted."""
    images: int = Field(default=3000, ge=10, le=20_000)
    """Images drawn at most, chosen by the seed where there are more."""
    extractor: Extractor = "auto"
    """Network whose features say what is alike, as for a quality run."""
    weights: str = ""
    """File with the extractor's weights; empty: looked for as for a sweep."""
    seed: int = Field(default=0, ge=0)
    """Seed of the choice of images and of the map."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


Arm = Literal[
    "real",
    "real-subset",
    "real+duplicates",
    "real+synthetic",
    "replaced+duplicates",
    "replaced+synthetic",
    "synthetic",
    "real+classical",
    "real+duplicates+classical",
    "real+synthetic+classical",
    "replaced+duplicates+classical",
    "replaced+synthetic+classical",
    "synthetic+classical",
]
"""What a trial trains on: the real images, as they are (`real`), with more (`real+...`) or with some replaced
(`replaced+...`), or synthetic images alone; `+classical` augments all of them as they are drawn. `real-subset` keeps a
share of the real images: the learning curve, which says whether more images of any kind could help here."""

Metric = Literal[
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1", "auroc", "average_precision", "brier",
    "log_score",
]  # fmt: skip
"""Metrics that a verdict may be about: higher is better, but of the proper scores (brier, log_score) lower, and they
are compared as improvements."""

Flaw = Literal["test-is-validation", "augmented-test", "synthetic-in-test", "dropped-runs"]

LEARNING_CURVE: Final = "real-subset"
"""The arm that keeps a share of the real images."""
FEWEST_AT_A_LOOK = 6
"""Fewer paired repetitions claim nothing, so that a look at them would be wasted."""

BACKBONES = (
    "resnet18",
    "resnet50",
    "efficientnet_b0",
    "efficientnet_b2",
    "densenet121",
    "convnext_tiny",
    "vit_b_16",
    "dinov2",
    "inception",
)
"""Pretrained networks by name: torchvision's with ImageNet weights, DINOv2 (ViT-S/14) and the Inception of the FID."""

TIMM = "timm:"
"""Before the name of any network of timm, where that package is installed."""


class Fold(Config):
    """One fold of a cross-validation: a data set of its own, and the pool whose generators saw its training part."""

    dataset: str
    """Name of the fold's frozen data set."""
    dataset_fingerprint: str = ""
    """Hash of its frozen split; filled in when the run is submitted."""
    pool: str
    """Id of the pool run made for this fold."""
    pool_sha256: str = ""
    """Hash of the pool's manifest; filled in when the run is submitted."""


class SweepConfig(Config):
    """Arms, ratios and seeds of a sweep; every trial takes the same number of optimiser steps, or as many epochs."""

    kind: Literal["sweep"] = "sweep"
    name: str
    """Name of the sweep."""
    dataset: str
    """Name of a frozen data set; with folds, of the one that they were made from."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    pool: str = ""
    """Id of the pool run with the synthetic images; empty only with folds."""
    pool_sha256: str = ""
    """Hash of the pool's manifest; filled in when the run is submitted."""
    folds: tuple[Fold, ...] = ()
    """Cross-validation: every fold's data set and pool; empty: the data set's own split, once."""
    external: str = ""
    """Name of another frozen data set, such as another hospital's, that every classifier is read on too; all its images
    are test images. Empty: none."""
    external_fingerprint: str = ""
    """Hash of its frozen split; filled in when the run is submitted."""
    quality: str = ""
    """Id of the quality run that the report shows; empty: the newest one of the pool."""
    beside: str = ""
    """Id of another sweep to show beside this one in the report, such as the published protocol's."""
    repeats: str = ""
    """Preset whose publication the report compares this sweep with; empty: none."""
    classifier: str = "small-cnn"
    """small-cnn (from scratch), resnet18, resnet50, efficientnet_b0, efficientnet_b2, densenet121, convnext_tiny,
    vit_b_16, dinov2, inception, or timm:NAME."""
    training: Literal["frozen", "fine-tuned"] = "frozen"
    """Train a head on a pretrained backbone's features (frozen), or the whole network (fine-tuned)."""
    weights: str = ""
    """File with the backbone's weights; empty: looked for in ERSATZ_WEIGHTS, the torch hub cache, then downloaded."""
    head: Literal["linear", "probe", "head-ct", "chest-ct", "skin-lesions"] = "linear"
    """linear: dropout and one dense layer; probe: logistic regression on frozen features; or a published head."""
    arms: tuple[Arm, ...] = ("real", "real+classical", "real+duplicates", "real+synthetic", LEARNING_CURVE)
    """What to compare; real is always needed, and without duplicates no help is claimed. Unless they are named, a
    classifier that is fine-tuned or trains for epochs goes without real-subset, the learning curve."""
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Synthetic images per real training image of each class: added, or in place of it in the replaced arms."""
    real_shares: tuple[float, ...] = (0.5, 0.75)
    """Shares of the real training images that the arm real-subset keeps of each class, whole patients where known."""
    ratio_of: Literal["class", "gap"] = "class"
    """What a ratio counts: the class's own real images, or what it lacks to the largest class (1 balances them)."""
    extra_classes: tuple[str, ...] = ()
    """Add images to these classes only (top-up); empty: to all."""
    seeds: int = Field(default=8, ge=1)
    """Paired repetitions; 8 can claim a difference, 3 are a quick look that claims nothing."""
    first_seed: int = Field(default=0, ge=0)
    """First of the consecutive seeds."""
    looks: tuple[int, ...] = ()
    """Numbers of repetitions at which the verdict may be read, planned before the start, such as 8, 16, 24: the sweep
    ends at the first that claims something, and alpha is shared among them; none: read once, at the end."""
    spending: Literal["obrien-fleming", "pocock"] = "obrien-fleming"
    """How alpha is shared among the looks (Lan and DeMets 1983): little at the early ones, or about the same at all."""
    stop_at_claim: bool = True
    """End at the first look that claims something; otherwise all looks are made, and its claim stands."""
    extends: str = ""
    """Id of a finished sweep to which this one adds repetitions: it takes over the trials (`sweep extend`)."""
    steps: int = Field(default=300, ge=1)
    """Optimiser steps of every trial; unused with epochs."""
    epochs: int = Field(default=0, ge=0)
    """Passes over each trial's own training set instead of equal steps, as publications count; 0: equal steps."""
    batch: int = Field(default=32, ge=2)
    """Images per step."""
    optimizer: Literal["adamw", "adam", "rmsprop"] = "adamw"
    """Optimiser."""
    lr: float = Field(default=0.0, ge=0)
    """Learning rate; 0: 0.003 for small-cnn, 0.001 for a frozen backbone, 0.0001 to fine-tune."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay (AdamW)."""
    schedule: Literal["auto", "constant", "cosine", "plateau"] = "auto"
    """Learning rate over time; auto: constant for a frozen backbone, else cosine to 0; plateau: times 0.2 when the
    validation loss has not fallen for 2 looks at it."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Dropout before the last layer."""
    validations: int = Field(default=10, ge=1)
    """Times that the validation set is read during a trial; with epochs, once after each."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many looks at the validation set without a lower loss; 0: never before the last step."""
    select: Literal["within-error", "best-accuracy", "best-loss", "last"] = "within-error"
    """Which look at the (real) validation set gives the weights; within-error: the latest within a standard error of
    the best accuracy."""
    augmentation: Literal["head-ct", "skin-lesions", "mild"] = "head-ct"
    """Classical augmentation: as published for head CT (rotation 40, shifts, shear, zoom, flip) or skin lesions
    (rotation 30, both flips), or mild (rotation 10, small shifts and zoom, no flip: for anatomy with sides)."""
    views: int = Field(default=8, ge=1)
    """Recorded random views per image that a frozen backbone sees in arms with classical augmentation."""
    positive_class: str = ""
    """Of two classes the positive one, whose share found is the sensitivity; empty: the data set's, filled in when the
    run is submitted, so that nothing said of the data set later changes this sweep."""
    metric: Metric = "accuracy"
    """What the verdict is about; it must stand against the luck of seeds and test patients."""
    primary_ratio: float | None = None
    """One of the ratios that alone counts: the claim is then about it, uncorrected, and the others are exploratory;
    none: about all ratios and their mean, corrected for being several."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """Largest difference to the real images that would not matter, in units of the metric (0.02:
    2 points); with it a sweep can find that there is no relevant difference."""
    expected_accuracy: float = Field(default=0.85, gt=0.5, lt=1)
    """Share of each class that the real images alone are expected to get right; only the smallest difference that the
    sweep can find, shown before it starts, is computed from it, where no earlier sweep of this data set tells more."""
    level: Literal["image", "patient"] = "image"
    """Judge by image, or by patient (mean score of a group's images)."""
    subgroups: tuple[str, ...] = ()
    """Metadata columns of the data set by whose values the results are shown apart."""
    operating_point: Literal["sensitivity", "specificity"] = "sensitivity"
    """What the validation images fix: the threshold at which so much of it is reached there is used on the test images
    (two classes only)."""
    operating_target: float = Field(default=0.9, gt=0, lt=1)
    """The sensitivity (or specificity) that the threshold reaches on the validation images."""
    flaws: tuple[Flaw, ...] = ()
    """Flaws of a published protocol to repeat, for comparison only: always labelled, and never a verdict."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU when there is one."""
    gpus: int = Field(default=1, ge=1)
    """GPUs on which trials train side by side; heads on frozen features, all of one seed at a time."""

    @property
    def claims(self) -> bool:
        """Whether the protocol is sound enough for a verdict: no flaw, and equal steps in every arm."""
        return not self.flaws and not self.epochs

    def completed(self) -> Self:
        """With what the classifier decides (lr, schedule) filled in; the same again when it is."""
        scratch, frozen = self.classifier == "small-cnn", self.training == "frozen"
        lr = self.lr or (3e-3 if scratch else 1e-3 if frozen else 1e-4)
        schedule = self.schedule
        if schedule == "auto":
            schedule = "constant" if frozen and not scratch else "cosine"
        return self.model_copy(update={"lr": lr, "schedule": schedule})

    def at(self, seeds: int) -> Self:
        """The same sweep as it stands after so many repetitions."""
        return self.model_copy(update={"seeds": seeds})

    @model_validator(mode="before")
    @classmethod
    def _what_follows(cls, values: Any) -> Any:
        """What is left unset and follows from others: no learning curve where it costs much or would not be one, and
        as many repetitions as the last look has."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if "arms" not in values and (values.get("training") == "fine-tuned" or values.get("epochs")):
            values["arms"] = tuple(arm for arm in cls.model_fields["arms"].default if arm != LEARNING_CURVE)
        if values.get("looks") and values.get("seeds") is None:
            values["seeds"] = list(values["looks"])[-1]
        return values

    @field_validator("classifier")
    @classmethod
    def _known_classifier(cls, name: str) -> str:
        if name != "small-cnn" and name not in BACKBONES and not (name.startswith(TIMM) and len(name) > len(TIMM)):
            raise ValueError(f"expected small-cnn, {', '.join(BACKBONES)}, or timm:NAME")
        return name

    @field_validator("ratios")
    @classmethod
    def _sensible_ratios(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if not ratios or any(not 0 < ratio <= 10 for ratio in ratios) or list(ratios) != sorted(set(ratios)):
            raise ValueError("expected growing, different shares above 0 and at most 10, such as 0.25, 0.5, 0.75, 1")
        return ratios

    @field_validator("real_shares")
    @classmethod
    def _sensible_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or any(not 0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
            raise ValueError("expected growing, different shares between 0 and 1, such as 0.5, 0.75")
        return shares

    @model_validator(mode="after")
    def _planned_looks(self) -> Self:
        looks = self.looks
        if not looks:
            return self
        if list(looks) != sorted(set(looks)) or looks[0] < FEWEST_AT_A_LOOK:
            raise ValueError(
                f"looks are {', '.join(map(str, looks))}; expected growing, different numbers of repetitions from "
                f"{FEWEST_AT_A_LOOK} on (fewer claim nothing), such as 8, 16, 24"
            )
        if self.seeds not in looks and not self.extends:
            raise ValueError(
                f"seeds is {self.seeds}, which is none of the looks {', '.join(map(str, looks))}; set it to the last "
                f"of them, {looks[-1]}"
            )
        return self

    @model_validator(mode="after")
    def _has_baseline(self) -> Self:
        if "real" not in self.arms:
            raise ValueError("arms must contain real: every other arm is compared with it")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms are named twice")
        if any(arm.startswith("replaced") for arm in self.arms) and min(self.ratios) >= 1:
            raise ValueError("the replaced arms need a ratio below 1: at 1 no real image is left")
        if self.ratio_of == "gap" and any(arm.startswith(("replaced", "synthetic")) for arm in self.arms):
            raise ValueError(
                "the replaced and synthetic arms leave real images out, so that a share of what a class lacks says "
                "nothing there; count the shares of the class's own images (ratio_of class), or leave these arms out"
            )
        return self

    @model_validator(mode="after")
    def _declared_ratio(self) -> Self:
        if self.primary_ratio is None:
            return self
        first = next((arm for arm in self.arms if "synthetic" in arm), "")
        ratios = [ratio for ratio in self.ratios if ratio < 1 or not first.startswith("replaced")]
        if self.primary_ratio not in ratios:
            raise ValueError(
                f"primary_ratio is {self.primary_ratio:g}, which is none of the ratios "
                f"{', '.join(f'{ratio:g}' for ratio in ratios)} of {first or 'this sweep'}; declare one of them or none"
            )
        return self

    @model_validator(mode="after")
    def _has_images(self) -> Self:
        if bool(self.pool) == bool(self.folds):
            raise ValueError("name either a pool, or folds that have one each")
        if len(self.folds) == 1:
            raise ValueError("a cross-validation needs at least two folds")
        return self

    @model_validator(mode="after")
    def _fitting_head(self) -> Self:
        if self.classifier == "small-cnn":
            if self.training != "frozen" or self.head != "linear":
                raise ValueError("small-cnn is trained from scratch and has its own head; leave training and head")
        elif self.training == "fine-tuned" and self.head == "probe":
            raise ValueError("head probe is fitted to frozen features; choose training frozen or the head linear")
        return self
