"""Config of StyleGAN2-ADA training: every option of the published systems, completed by a published configuration."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.configs.training import Metric, SnapshotScores, TrainConfig

Configuration = Literal["auto", "stylegan2", "paper256", "paper512", "paper1024", "cifar"]
AugmentPreset = Literal[
    "blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc", "medical"
]
SIZES = (16, 32, 64, 128, 256, 512, 1024)


class StyleganConfig(TrainConfig):
    """StyleGAN2-ADA (arXiv 1912.04958 and 2006.06676).

    The fields in `by_size` that are not set take the values of the configuration `cfg`, some of which depend
    on the size of the images; `completed` fills them in when the run is submitted.
    """

    at_once_field: ClassVar[str] = "batch_gpu"

    gan: Literal["stylegan2-ada"] = "stylegan2-ada"
    cfg: Configuration = "auto"
    """Published configuration that sets what is left unset: auto suits most sets; paper* and cifar are records' own."""
    kimg: float = Field(default=25000.0, gt=0)
    """Length of the training in thousands of real images shown; each image is shown many times."""
    batch: int = Field(default=32, ge=1)
    """Images per optimiser step, over all GPUs; more are steadier and take more memory."""
    batch_gpu: int = Field(default=0, ge=0)
    """Images per GPU at once; smaller pieces are accumulated to a batch. 0: the GPU's whole share of the batch."""
    gamma: float = Field(default=0.0256, ge=0)
    """Weight of the R1 penalty; the first setting to vary when training is unstable or dull. 0: no penalty."""
    g_lr: float = Field(default=0.0025, gt=0)
    """How far each step moves the generator (Adam); halve both rates when training is unstable."""
    d_lr: float = Field(default=0.0025, gt=0)
    """How far each step moves the discriminator (Adam)."""
    z_dim: int = Field(default=512, ge=1)
    """Length of the random vector z that each image is made from."""
    w_dim: int = Field(default=512, ge=1)
    """Length of the style vector w that z is mapped to."""
    mapping_layers: int = Field(default=2, ge=1)
    """Layers of the network that maps z to w; few suit small sets."""
    mapping_lr: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    """Learning rate of those layers relative to the others'; to start from other networks, it must be theirs."""
    channel_base: int = Field(default=16384, ge=16)
    """Width of both networks: channels at a resolution are this divided by it."""
    channel_max: int = Field(default=512, ge=8)
    """Most channels at any resolution; with the width above it decides memory and time."""
    d_architecture: Literal["resnet", "orig", "skip"] = "resnet"
    """Form of the discriminator: resnet as published for most sets, orig for cifar, skip as an alternative."""
    mbstd_group: int = Field(default=4, ge=1)
    """Images that the discriminator judges together, so that it notices a lack of variety (minibatch-std)."""
    freeze_d: int = Field(default=0, ge=0)
    """Leave this many of the discriminator's first layers as they were at the start (Freeze-D, for transfer)."""
    d_mapping_layers: int = Field(default=8, ge=0)
    """Layers that a conditional discriminator puts the class through; networks from TensorFlow mostly have none."""
    d_mapping_lr: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    """Learning rate of those layers relative to the others'; to start from other networks, it must be theirs."""
    style_mixing: float = Field(default=0.9, ge=0, le=1)
    """Share of batches whose later layers take the style of another image, so that styles can be mixed."""
    pl_weight: float = Field(default=2.0, ge=0)
    """Weight of the path length penalty, which makes the images change evenly with w; 0: none."""
    g_reg_interval: int = Field(default=4, ge=1)
    """Iterations between path length penalties (lazy regularisation)."""
    d_reg_interval: int = Field(default=16, ge=1)
    """Iterations between R1 penalties (lazy regularisation)."""
    ema_kimg: float = Field(default=10.0, ge=0)
    """Samples come from an average of the generator's weights with this half-life in kimg; 0: from the newest ones."""
    ema_ramp: float = Field(default=0.05, ge=0)
    """Keep that average below this share of the images seen so far, to keep early samples sharp; 0: no ramp."""
    aug: Literal["ada", "noaug", "fixed"] = "ada"
    """Augment what the discriminator sees: adaptively (ada), never (noaug), or with probability aug_p (fixed)."""
    augpipe: AugmentPreset = "bgc"
    """Which augmentations: b(lit) g(eom) c(olor) f(ilter) n(oise) c(utout); medical: no flips, rotations or colour."""
    aug_p: float = Field(default=0.0, ge=0, le=1)
    """Probability of each augmentation, for augmentation fixed only."""
    ada_target: float = Field(default=0.6, ge=-1, le=1)
    """Share r_t of confident discriminator outputs on real images that ada steers towards."""
    ada_kimg: float = Field(default=500.0, gt=0)
    """Kimg in which ada can raise p from 0 to 1; 100 when training starts from another network, unless set."""
    aug_margins: Literal["auto", "exact", "static"] = "auto"
    """Padding before geometric augmentation: exact as published, or static, for CUDA graphs; auto: static on a GPU."""
    mirror_vertical: bool = False
    """Mirror half of the real images top to bottom; only where up and down mean nothing, as on skin."""
    subset: int = Field(default=0, ge=0)
    """Train on this many images only, drawn by the seed; 0: all."""
    start_from: str = ""
    """Networks to start from: id of a training or network run, or path to a .pkl or a snapshot; empty: none."""
    start_sha256: str = ""
    """Hash of the networks to start from; filled in when the run is submitted."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # type: ignore[assignment]  # one more than the base's
    """Arithmetic of the high resolutions; auto takes bf16 where the hardware has it, else fp16 on a GPU."""
    num_fp16_res: int = Field(default=4, ge=0)
    """How many of the highest resolutions run in the lower, faster precision."""
    conv_clamp: float = Field(default=256.0, ge=0)
    """Largest output of a convolution in the lower precision, against overflow; 0: no limit."""
    gpus: int = Field(default=1, ge=1)
    """Processes that share each batch, one a GPU."""
    metrics: tuple[Metric, ...] = ()
    """Scores computed at every snapshot: kid, fid (KID is the one to trust on small sets)."""
    metric_extractor: Literal["inception", "resnet50", "pixels"] = "inception"
    """Network whose features the scores compare; pixels: the images shrunk, which needs no weights."""
    metric_weights: str = ""
    """Weights of that network: a file, or a folder with it; empty: ERSATZ_WEIGHTS, the torch hub cache, a download."""
    metric_images: int = Field(default=2000, ge=10, le=50000)
    """Synthetic images that each score takes."""
    on_explosion: Literal["stop", "return"] = "stop"
    """When numbers explode: stop, or return to the last good snapshot and go on with half the learning rates."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.batch % self.gpus:
            raise ValueError(f"batch {self.batch} cannot be shared evenly by {self.gpus} gpus")
        share = self.batch // self.gpus
        at_once = self.batch_gpu or share
        if share % at_once:
            raise ValueError(f"a share of {share} images a GPU is not a whole number of pieces of batch_gpu {at_once}")
        if at_once % min(self.mbstd_group, at_once):
            raise ValueError(
                f"{at_once} images at once cannot be divided into groups of mbstd_group {self.mbstd_group}"
            )
        if self.aug == "fixed" and not self.aug_p:
            raise ValueError("aug fixed needs aug_p, the probability of each augmentation, above 0")
        if self.aug != "fixed" and self.aug_p:
            raise ValueError(f"aug_p is for aug fixed, and aug is {self.aug}")
        return self

    def completed(self, size: int) -> Self:
        """The same with every unset field of `by_size` as the configuration says for images of `size` px."""
        values = configuration_values(self.cfg, size, self.gpus)
        if self.start_from:
            values |= {"ada_kimg": 100.0, "ema_ramp": 0.0}
        if "batch" in self.model_fields_set:
            del values["batch_gpu"]  # it was meant for the configuration's own batch
        unset = {name: value for name, value in values.items() if name not in self.model_fields_set}
        return type(self).build({**self.plain(), **unset})

    @property
    def ranks(self) -> int:
        return self.gpus

    @property
    def at_once(self) -> int:
        return self.batch_gpu or self.batch // self.gpus

    def of_one_rank(self) -> Self:
        return type(self).build({**self.plain(), "batch": self.batch // self.gpus, "gpus": 1})

    @property
    def augmentation(self) -> Literal["", "ada", "noaug", "fixed"]:
        return self.aug

    @property
    def augment_preset(self) -> str:
        return "" if self.aug == "noaug" else self.augpipe

    @property
    def mirrors(self) -> tuple[bool, bool]:
        return self.mirror, self.mirror_vertical

    @property
    def drawn_subset(self) -> int:
        return self.subset

    @property
    def init_from(self) -> tuple[str, str]:
        return self.start_from, self.start_sha256

    @property
    def returns_after_explosion(self) -> bool:
        return self.on_explosion == "return"

    @property
    def scores(self) -> SnapshotScores | None:
        if not self.metrics:
            return None
        return SnapshotScores(
            metrics=self.metrics,
            extractor=self.metric_extractor,
            weights=self.metric_weights,
            images=self.metric_images,
        )


def configuration_values(cfg: Configuration, size: int, gpus: int = 1) -> dict[str, Any]:
    """Settings of a published configuration for `size` px on `gpus` GPUs (the table of the ADA repository)."""
    common: dict[str, Any] = {
        "kimg": 25000.0,
        "mapping_layers": 8,
        "ema_ramp": 0.0,
        "pl_weight": 2.0,
        "style_mixing": 0.9,
        "d_architecture": "resnet",
        "ada_kimg": 500.0,
    }
    if cfg == "auto":
        batch = max(min(gpus * min(4096 // size, 32), 64), gpus)
        lr = 0.002 if size >= 1024 else 0.0025
        own: dict[str, Any] = {
            "batch": batch,
            "batch_gpu": batch // gpus,
            "mbstd_group": min(batch // gpus, 4),
            "channel_base": 32768 if size >= 512 else 16384,
            "g_lr": lr,
            "d_lr": lr,
            "gamma": 0.0002 * size**2 / batch,
            "ema_kimg": batch * 10 / 32,
            "ema_ramp": 0.05,
            "mapping_layers": 2,
        }
    else:
        own = dict(_PUBLISHED[cfg])
        # Published for a number of GPUs; the same batch on fewer is accumulated from as many images at once.
        own["batch_gpu"] = min(own["batch"] // own.pop("reference_gpus"), own["batch"] // gpus)
        own["d_lr"] = own["g_lr"]
    return common | own


def _published(
    batch: int, mbstd: int, base: int, lr: float, gamma: float, ema_kimg: float, gpus: int
) -> dict[str, Any]:
    return {
        "batch": batch,
        "mbstd_group": mbstd,
        "channel_base": base,
        "g_lr": lr,
        "gamma": gamma,
        "ema_kimg": ema_kimg,
        "reference_gpus": gpus,
    }


_PUBLISHED: dict[str, dict[str, Any]] = {
    "stylegan2": _published(32, 4, 32768, 0.002, 10, 10, 8),
    "paper256": _published(64, 8, 16384, 0.0025, 1, 20, 8),
    "paper512": _published(64, 8, 32768, 0.0025, 0.5, 20, 8),
    "paper1024": _published(32, 4, 32768, 0.002, 2, 10, 8),
    "cifar": {
        **_published(64, 32, 32768, 0.0025, 0.01, 500, 2),
        "kimg": 100000.0,
        "ema_ramp": 0.05,
        "mapping_layers": 2,
        "pl_weight": 0.0,
        "style_mixing": 0.0,
        "d_architecture": "orig",
    },
}


StyleganConfig.by_size = frozenset({*configuration_values("auto", 64), *configuration_values("cifar", 32)})
