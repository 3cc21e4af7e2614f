"""The form of each GAN's training: which settings the page asks for elsewhere, and the groups of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from engine.configs.gans import GanFamily
from pages.components.forms import MORE

CHOSEN_ABOVE = {
    "kind",
    "gan",
    "dataset",
    "dataset_fingerprint",
    "class_name",
    "conditional",
    "cfg",
    "start_from",
    "start_sha256",
}
"""Fields that the page asks for outside of the form, or that the start of a run fills in."""
FOR_TRANSFER = ("freeze_d", "ada_kimg")
"""Fields that come first too when a training starts from other networks."""


def groups_of(family: GanFamily, main: Sequence[str]) -> dict[str, Sequence[str]]:
    """The groups without the fields in `main`, and one more with every field of the GAN that none of them names."""
    groups = family.layout.groups
    named = CHOSEN_ABOVE | {*main} | {name for names in groups.values() for name in names}
    kept = {title: [name for name in names if name not in main] for title, names in groups.items()}
    return {**kept, MORE: [name for name in family.config.model_fields if name not in named]}
