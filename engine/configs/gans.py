"""The table of GANs: where a new one is added, and what everything else asks of one.

A GAN of another package needs no line here: its module calls `register`, and `ERSATZ_PLUGINS` names the module
(several, by commas) to every process. What needs torch stands here by name and is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.configs.stylegan2 import StyleganConfig
from engine.configs.training import DcganConfig, TrainConfig
from engine.store.errors import ErsatzError
from engine.store.plugins import import_plugins


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the trainings of a GAN allow besides. What its images allow (truncation, a w) stands in generator.json."""

    validation_logits: bool = False
    """Its trainer has `discriminator_logits`, so that held-out images can be scored."""
    float16: bool = False
    """Its networks stay within the range of float16."""
    side_by_side: bool = False
    """Its operators are so short that, on a processor, trainings of several classes are faster one a core."""


@dataclass(frozen=True)
class FormLayout:
    """The form of a training: the first fields, those of each group, and better words than their names."""

    main: Sequence[str] = ("kimg", "batch")
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of settings that no other GAN has; the rest are in `setting_names`."""


@dataclass(frozen=True, kw_only=True)
class GanFamily:
    """One kind of GAN. Functions and classes are given as "module:name"."""

    name: str
    """`gan` in the settings and in generator.json. Run folders are kept for years, so that it never changes."""
    title: str
    """Its name for people."""
    config: type[TrainConfig]
    """The settings of its training; their field `gan` is a `Literal` of the name."""
    build_trainer: str
    """`(config, spec, labels, device, precision) -> engine.gans.trainers.Trainer`, with weights from the seed."""
    load_generator: str
    """`(metadata) -> nn.Module`: the generator of a snapshot with this metadata, whose weights are loaded after."""
    init_networks: str = ""
    """`(run, config, networks, fresh) -> engine.gans.init_source.Started | None`: takes over the networks that a
    training starts from; empty where trainings begin with random weights alone."""
    export: str = "engine.sampling.one_graph:OneGraph"
    """Class of its `engine.sampling.export.GeneratorExport`. The default is for any module `(z) -> images` or
    `(z, label) -> images`."""
    open_sampler: str = "engine.sampling.sampler:OneGraphSampler"
    """`(graphs, info) -> engine.sampling.sampler.Sampler`, which samples what was exported, without torch."""
    capabilities: Capabilities = Capabilities()
    enough_kimg: float = 100.0
    """Kimg from which samples of small sets usually show what they are of."""
    expectation: str = "A training can be stopped at any time and resumed later."
    """What to expect of the samples of a training of that length; a sentence or two."""
    too_short: str = "{kimg} kimg {start} is a first look."
    """What to expect of a shorter one of `kimg`, which starts `from scratch` or `from another network`."""
    layout: FormLayout = FormLayout()

    @property
    def transfers(self) -> bool:
        """Whether its trainings can start from other networks."""
        return bool(self.init_networks)


def gans() -> dict[str, GanFamily]:
    """Every GAN by its name, in the order in which choices offer them."""
    import_plugins()
    return dict(_TABLE)


def gan_named(name: str) -> GanFamily:
    """The GAN of that name; an `ErsatzError` says which there are."""
    known = gans()
    if not isinstance(name, str) or name not in known:
        raise ErsatzError(f"gan is {name!r}; expected one of {', '.join(known)}. Correct it and start again.")
    return known[name]


def gan_title(name: str) -> str:
    """The name for people, also of a GAN that is not known here."""
    known = gans()
    return known[name].title if isinstance(name, str) and name in known else str(name)


def parse_training(values: dict[str, Any]) -> TrainConfig:
    """The typed config of a training; `gan` names the GAN, a DCGAN unless given."""
    return gan_named(values.get("gan", "dcgan")).config.build(values)


def register(family: GanFamily) -> None:
    """Add a GAN to the table. Raises `ErsatzError` when another has its name."""
    if _TABLE.get(family.name, family) is not family:
        raise ErsatzError(f"There is a GAN {family.name!r} already; a name of its own is expected.")
    _TABLE[family.name] = family


_STYLEGAN_LENGTH = (
    "Samples usually become reasonable at about 5,000 kimg from scratch and 1,000 from another network, small networks "
    "on small images sooner."
)
_ALL = (
    GanFamily(
        name="dcgan",
        title="DCGAN",
        config=DcganConfig,
        build_trainer="engine.gans.dcgan.trainer:DcganTrainer",
        load_generator="engine.gans.dcgan.networks:generator_of",
        capabilities=Capabilities(side_by_side=True),
        enough_kimg=10.0,
        expectation="A DCGAN of small sets shows what the images are of after 10 to 50 kimg; fine detail stays "
        "blurred. Whether such images help a classifier is what Evaluate finds out.",
        too_short="This is very short: expect little more than blobs. 10 to 50 kimg show what the images are of.",
        layout=FormLayout(
            main=("kimg", "batch", "architecture"),
            groups={
                "Networks": ("g_channels", "d_channels", "z_dim", "dropout"),
                "Optimiser": ("g_lr", "d_lr", "beta1", "beta2", "ema_kimg", "mirror"),
                "Against a discriminator that wins too soon": (
                    "gradient_penalty",
                    "soft_labels",
                    "flip_probability",
                    "inverted_labels",
                ),
                "Snapshots": ("tick_kimg", "snapshot_ticks", "grid"),
            },
        ),
    ),
    GanFamily(
        name="stylegan2-ada",
        title="StyleGAN2-ADA",
        config=StyleganConfig,
        build_trainer="engine.gans.stylegan2.trainer:StyleganTrainer",
        load_generator="engine.gans.stylegan2.networks:generator_of",
        init_networks="engine.gans.transfer:begin",
        export="engine.sampling.stylegan2_onnx:TwoGraphs",
        open_sampler="engine.sampling.sampler:StyleganSampler",
        capabilities=Capabilities(validation_logits=True, float16=True),
        enough_kimg=1000.0,
        expectation=f"{_STYLEGAN_LENGTH} A training can be stopped at any time and resumed later.",
        too_short=_STYLEGAN_LENGTH + " {kimg} kimg {start} is a first look.",
        layout=FormLayout(
            main=("kimg", "batch", "gamma", "aug", "augpipe", "mirror"),
            groups={
                "More on augmentation": ("ada_target", "ada_kimg", "aug_p", "aug_margins", "mirror_vertical"),
                "Snapshots and scores": (
                    "tick_kimg",
                    "snapshot_ticks",
                    "grid",
                    "metrics",
                    "metric_extractor",
                    "metric_images",
                    "metric_weights",
                    "on_explosion",
                ),
                "Networks": (
                    "channel_base",
                    "channel_max",
                    "mapping_layers",
                    "mapping_lr",
                    "z_dim",
                    "w_dim",
                    "d_architecture",
                    "mbstd_group",
                    "freeze_d",
                    "d_mapping_layers",
                    "d_mapping_lr",
                ),
                "Optimiser and penalties": (
                    "g_lr",
                    "d_lr",
                    "batch_gpu",
                    "ema_kimg",
                    "ema_ramp",
                    "style_mixing",
                    "pl_weight",
                    "g_reg_interval",
                    "d_reg_interval",
                ),
            },
        ),
    ),
)
_TABLE = {family.name: family for family in _ALL}
