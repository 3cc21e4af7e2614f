"""The configs of all GANs together: which one a training's values mean."""

from __future__ import annotations

from typing import Any

from engine.configs.stylegan2 import StyleganConfig
from engine.configs.train import DcganConfig
from engine.store.errors import ErsatzError

TrainingConfig = DcganConfig | StyleganConfig

GANS: dict[str, type[DcganConfig] | type[StyleganConfig]] = {"dcgan": DcganConfig, "stylegan2-ada": StyleganConfig}


def parse_training(values: dict[str, Any]) -> TrainingConfig:
    """The typed config of a training; `gan` names the GAN, a DCGAN unless given."""
    gan = values.get("gan", "dcgan")
    if gan not in GANS:
        raise ErsatzError(f"gan is {gan!r}; expected one of {', '.join(GANS)}. Correct it and start again.")
    return GANS[gan].build(values)
