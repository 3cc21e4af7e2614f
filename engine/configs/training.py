"""Configs of what makes a generator: the training of any GAN, a DCGAN's, and the import of a network file."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.configs.base import Config

Metric = Literal["kid", "fid"]


class SnapshotScores(Config):
    """The scores of every snapshot of a training."""

    metrics: tuple[Metric, ...]
    """kid, fid."""
    extractor: str
    """Network whose features are compared."""
    weights: str
    """File with its weights; empty: looked for."""
    images: int
    """Synthetic images that each score takes."""


class TrainConfig(Config):
    """What every generator's training shares; progress is counted in thousands of real images shown (kimg)."""

    at_once_field: ClassVar[str] = "batch"
    """The setting that bounds how many images are computed at once."""
    by_size: ClassVar[frozenset[str]] = frozenset()
    """Fields that `completed` sets from the size of the images unless they are given."""

    kind: Literal["train"] = "train"
    gan: str
    """Name of the GAN in `engine.configs.gans`."""
    dataset: str
    """Name of a frozen data set; only its training split is used."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    class_name: str = ""
    """Train on this class alone; empty: on all classes."""
    conditional: bool = False
    """One generator for every class: both networks are told the class of each image."""
    kimg: float = Field(default=100.0, gt=0)
    """Length of the training in thousands of real images shown; each image is shown many times."""
    epochs: int = Field(default=0, ge=0)
    """Length of the training in passes over the training images, instead of kimg; 0: as kimg says."""
    batch: int = Field(default=16, ge=2)
    """Images per optimiser step; more are steadier and take more memory."""
    mirror: bool = False
    """Mirror half of the real images left to right; not where left and right differ, as in a chest."""
    ema_kimg: float = Field(default=0.5, ge=0)
    """Samples come from an average of the generator's weights with this half-life in kimg; 0: from the newest ones."""
    tick_kimg: float = Field(default=1.0, gt=0)
    """Kimg between two points of the curves; a stop takes effect at the next one."""
    snapshot_ticks: int = Field(default=10, ge=1)
    """Ticks between two snapshots, with their sample grids."""
    grid: int = Field(default=36, ge=4, le=144)
    """Images in the sample grid; always the same latents, so that each can be followed."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks: fp32 is exact, bf16 faster; auto takes bf16 where the hardware has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU when there is one."""
    cuda_graphs: bool = True
    """On a GPU, replay whole iterations as one CUDA graph; the numbers are the same without, only slower."""
    seed: int = Field(default=0, ge=0)
    """Seed of all chance: the same seed gives the same training, another one a fresh attempt."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.conditional and self.class_name:
            raise ValueError("conditional training uses all classes; leave class_name empty, or conditional false")
        return self

    # What the training loop, the queue and the alarms ask of any GAN; one that can do more says so.

    def completed(self, size: int) -> Self:
        """The same with every field of `by_size` that is not set as it should be for images of `size` px."""
        return self

    @property
    def ranks(self) -> int:
        """Processes that share each batch, one a GPU."""
        return 1

    @property
    def at_once(self) -> int:
        """Images that one process computes at once; what memory depends on."""
        return self.batch

    def with_at_once(self, count: int) -> tuple[str, Self]:
        """The setting that has so many images computed at once, in words, and the config with it."""
        return f"{self.at_once_field} {count}", type(self).build({**self.plain(), self.at_once_field: count})

    def of_one_rank(self) -> Self:
        """The training as one of its ranks sees it: with its share of each batch."""
        return self

    @property
    def augmentation(self) -> Literal["", "ada", "noaug", "fixed"]:
        """How what the discriminator sees is augmented; empty where the GAN knows no augmentation."""
        return ""

    @property
    def augment_preset(self) -> str:
        """The augmentations by the name of their preset; empty for none."""
        return ""

    @property
    def mirrors(self) -> tuple[bool, bool]:
        """Whether real images are mirrored at random, left to right and top to bottom."""
        return self.mirror, False

    @property
    def drawn_subset(self) -> int:
        """Images to train on, drawn by the seed; 0: all."""
        return 0

    @property
    def init_from(self) -> tuple[str, str]:
        """The run or file with the networks to start from and their SHA-256; empty without.

        A GAN that has it calls the settings `start_from` and `start_sha256`: they are filled in by these names.
        """
        return "", ""

    @property
    def returns_after_explosion(self) -> bool:
        """Whether a training whose numbers exploded goes back to its last good snapshot by itself."""
        return False

    @property
    def scores(self) -> SnapshotScores | None:
        """What is scored at every snapshot; None for nothing."""
        return None


class DcganConfig(TrainConfig):
    """DCGAN (arXiv 1511.06434) in the two published forms."""

    gan: Literal["dcgan"] = "dcgan"
    architecture: Literal["recipe", "da-dcgan"] = "recipe"
    """recipe: PyTorch's DCGAN recipe (transposed convolutions); da-dcgan: the head-CT network, 128 wide throughout."""
    z_dim: int = Field(default=100, ge=1)
    """Length of the random vector z that each image is made from."""
    g_channels: int = Field(default=64, ge=8)
    """Width of the recipe's generator (ngf): wider makes finer images, and takes more time and memory."""
    d_channels: int = Field(default=64, ge=8)
    """Width of the recipe's discriminator (ndf); about that of the generator keeps the two in balance."""
    g_lr: float = Field(default=2e-4, gt=0)
    """How far each step moves the generator (Adam); halve both rates when training is unstable."""
    d_lr: float = Field(default=2e-4, gt=0)
    """How far each step moves the discriminator (Adam); lower it when D outputs run apart."""
    beta1: float = Field(default=0.5, ge=0, lt=1)
    """How much Adam remembers of earlier gradients' direction; 0.5 is usual for GANs."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """How much Adam remembers of earlier gradients' size."""
    gradient_penalty: float = Field(default=0.0, ge=0)
    """Weight of the gradient penalty, against a discriminator that wins too soon (arXiv 1704.00028); 0: none."""
    inverted_labels: bool = False
    """Call real 0 and fake 1 in the discriminator's loss, as the published head-CT system does."""
    soft_labels: float = Field(default=0.0, ge=0, le=0.5)
    """Draw the discriminator's targets up to this far off 0 and 1, so that it is never quite sure."""
    flip_probability: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the discriminator's targets that are flipped at random, against too sure a discriminator."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of features dropped before the discriminator's last layer, against learning images by heart."""


class NetworkConfig(Config):
    """Which file to read; the networks then serve as a generator and as a start for transfer."""

    kind: Literal["network"] = "network"
    name: str
    """Name for the network."""
    source: str
    """Path of the .pkl file."""
    source_sha256: str = ""
    """Hash of the file; filled in when the run is submitted."""
    class_names: tuple[str, ...] = ()
    """Names of its classes in the order of their labels; empty: class 0, class 1 and so on."""
