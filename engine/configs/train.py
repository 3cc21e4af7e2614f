"""Configs of generator training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from engine.configs.base import Config


class TrainConfig(Config):
    """What every generator's training shares; progress is counted in thousands of real images shown (kimg)."""

    kind: Literal["train"] = "train"
    dataset: str
    """Name of a frozen data set; only its training split is used."""
    dataset_fingerprint: str = ""
    """Hash of the frozen split; filled in when the run is submitted."""
    class_name: str = ""
    """Train on this class alone; empty: on all classes."""
    conditional: bool = False
    """Feed the class to both networks, so that one generator makes every class."""
    kimg: float = Field(default=100.0, gt=0)
    """Length of the training in thousands of real images shown."""
    epochs: int = Field(default=0, ge=0)
    """Length of the training in passes over the training images, instead of kimg; 0: as kimg says."""
    batch: int = Field(default=16, ge=2)
    """Images per optimiser step."""
    mirror: bool = False
    """Mirror half of the real images left to right (not for lateralised anatomy)."""
    ema_kimg: float = Field(default=0.5, ge=0)
    """Half-life of the generator's moving average of weights in kimg; 0: no average."""
    tick_kimg: float = Field(default=1.0, gt=0)
    """Write metrics and look for a stop request this often."""
    snapshot_ticks: int = Field(default=10, ge=1)
    """Ticks between snapshots and sample grids."""
    grid: int = Field(default=36, ge=4, le=144)
    """Images in the sample grid, always from the same latents."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks; auto takes bf16 where the hardware has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU when there is one."""
    cuda_graphs: bool = True
    """On a GPU, replay whole iterations as one CUDA graph; the numbers are the same without, only slower."""
    seed: int = Field(default=0, ge=0)
    """Seed of initial weights, latents, and the order of the images."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.conditional and self.class_name:
            raise ValueError("conditional training uses all classes; leave class_name empty, or conditional false")
        return self


class DcganConfig(TrainConfig):
    """DCGAN (arXiv 1511.06434) in the two published forms."""

    gan: Literal["dcgan"] = "dcgan"
    architecture: Literal["recipe", "da-dcgan"] = "recipe"
    """recipe: PyTorch's DCGAN recipe (transposed convolutions); da-dcgan: the head-CT network, 128 wide throughout."""
    z_dim: int = Field(default=100, ge=1)
    """Length of the latent vector z."""
    g_channels: int = Field(default=64, ge=8)
    """Generator width of the recipe network (ngf)."""
    d_channels: int = Field(default=64, ge=8)
    """Discriminator width of the recipe network (ndf)."""
    g_lr: float = Field(default=2e-4, gt=0)
    """Adam learning rate of the generator."""
    d_lr: float = Field(default=2e-4, gt=0)
    """Adam learning rate of the discriminator."""
    beta1: float = Field(default=0.5, ge=0, lt=1)
    """Adam beta1."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Adam beta2."""
    gradient_penalty: float = Field(default=0.0, ge=0)
    """Weight of the gradient penalty (norm towards 1 between real and fake, arXiv 1704.00028); 0: none."""
    inverted_labels: bool = False
    """Call real 0 and fake 1 in the discriminator's loss."""
    soft_labels: float = Field(default=0.0, ge=0, le=0.5)
    """Draw discriminator targets uniformly up to this far off 0 and 1."""
    flip_probability: float = Field(default=0.0, ge=0, le=0.5)
    """Probability with which each discriminator target is flipped (Bernoulli)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the discriminator's last layer."""
