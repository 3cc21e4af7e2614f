"""The settings of a sweep in words, as methods, differences and limits all use them."""

from __future__ import annotations

from engine.configs import SweepConfig
from engine.publications.publication import AugmentationPolicy
from engine.publications.table import HEADS
from engine.report.tables import show_share

OPTIMISERS = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop"}
NETWORKS = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_b2": "EfficientNet-B2",
    "densenet121": "DenseNet-121",
    "convnext_tiny": "ConvNeXt-Tiny",
    "vit_b_16": "ViT-B/16",
    "dinov2": "DINOv2 (ViT-S/14)",
    "inception": "Inception (the network of the FID)",
}
OUR_HEADS = {"linear": "dropout and one dense layer", "probe": "a logistic regression fitted to convergence"}


def network_in_words(name: str) -> str:
    """A classifier's name as papers write it."""
    return "a small convolutional network" if name == "small-cnn" else NETWORKS.get(name, name)


def classifier_in_words(config: SweepConfig) -> str:
    """The classifier and what of it is trained: `ResNet-50 with frozen weights and dropout and one dense layer`."""
    network = network_in_words(config.classifier)
    if config.classifier == "small-cnn":
        return f"{network}, trained from scratch"
    if config.training == "fine-tuned":
        return f"the whole {network} fine-tuned, with {head_in_words(config.head)}"
    return f"{network} with frozen weights, and {head_in_words(config.head)}"


def head_in_words(name: str, classes: int = 2) -> str:
    """The head in words; a published one with its layers for so many classes."""
    if name not in HEADS:
        return OUR_HEADS[name]
    layers = HEADS[name]
    units = [str(width) for width in (*layers.widths, 1 if layers.sigmoid and classes == 2 else classes)]
    dense = f"dense layer{'s' * (len(units) > 1)} of {listed(units)}"
    before = ["batch normalisation"] * layers.batch_norm + [f"dropout {layers.dropout:g}"] * bool(layers.dropout)
    return f"{layers.title} ({', '.join([*before, dense])})"


def augmentation_in_words(policy: AugmentationPolicy) -> str:
    """How far the policy moves an image: `rotation up to 10 degrees, shifts up to 5 %, no flip`."""
    by_share: dict[float, list[str]] = {}
    for name, share in (("shifts", policy.shift), ("shear", policy.shear), ("zoom", policy.zoom)):
        if share:
            by_share.setdefault(share, []).append(name)
    moved = [f"{listed(names)} up to {100 * share:g} %" for share, names in by_share.items()]
    flips = ["horizontal"] * policy.mirror + ["vertical"] * policy.flip
    return ", ".join(
        [f"rotation up to {policy.rotation:g} degrees", *moved, f"{listed(flips)} flip" if flips else "no flip"]
    )


def shares_in_words(config: SweepConfig) -> str:
    """`25, 50, 100 % of each class's real images`, or of what a class lacks, and to which classes."""
    shares = ", ".join(show_share(ratio).removesuffix(" %") for ratio in config.ratios)
    of = "of what a class lacks to the largest one" if config.ratio_of == "gap" else "of each class's real images"
    return f"{shares} % {of}" + (f", for {listed(list(config.extra_classes))} only" if config.extra_classes else "")


def is_probe(config: SweepConfig) -> bool:
    """Whether the heads are fitted until nothing changes, so that steps, batch and learning rate do not apply."""
    return config.head == "probe" and config.classifier != "small-cnn"


def trained_for(config: SweepConfig) -> str:
    """How long each classifier is trained, in a few words."""
    if is_probe(config):
        return "fitted until nothing changes"
    length = (
        f"{config.epochs} epoch{'s' * (config.epochs != 1)}"
        if config.epochs
        else f"{config.steps} step{'s' * (config.steps != 1)}"
    )
    if config.patience:
        looks = f"{config.patience} look{'s' * (config.patience != 1)}"
        return f"at most {length}, ended after {looks} without a lower validation loss"
    return length if config.epochs else f"{length} in every arm"


def listed(names: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
