"""Every setting that a form or a comparison may show has a name for people, one that no other setting has."""

from __future__ import annotations

from collections import Counter

from engine.configs.gans import gans
from engine.configs.pools import POOL_CONFIGS
from engine.configs.setting_names import NAMES
from engine.jobs.kinds import kinds

FILLED_IN = ("kind", "fingerprint", "sha256", "training")
"""What a submission fills in, and the whole config of a dry run's training."""


def settings() -> set[str]:
    configs = [kind.config for kind in kinds()] + [gan.config for gan in gans().values()] + list(POOL_CONFIGS.values())
    return {name for config in configs for name in config.model_fields if not name.endswith(FILLED_IN)}


def test_every_setting_has_a_name() -> None:
    assert settings() - NAMES.keys() == set()
    assert NAMES.keys() - settings() == set()


def test_no_two_settings_of_a_form_have_the_same_name() -> None:
    for config in [*(kind.config for kind in kinds()), *(gan.config for gan in gans().values())]:
        often = Counter(NAMES[name] for name in config.model_fields if not name.endswith(FILLED_IN))
        assert [name for name, count in often.items() if count > 1] == []


def test_names_are_in_sentence_case() -> None:
    for name in NAMES.values():
        assert name[0].isupper() and "_" not in name.replace("r_t", "") and len(name) <= 50
