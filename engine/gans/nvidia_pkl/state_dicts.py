"""State dicts: tensors by their names, without the networks' options. Named for what they are, and for whose.

Many programs save StyleGAN2 so. Which function the tensors are of, their names do not tell: clamp, precision, the rate
of the mapping and the form of the discriminator are not in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.gans.nvidia_pkl.outlines import Opaque
from engine.gans.nvidia_pkl.refusal import Refusal, shown

DEEPEST = 3
MOST_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Program:
    """One that saves StyleGAN2 as state dicts: how its tensors' names begin, and what its users can do."""

    title: str
    beginnings: tuple[str, ...]
    advice: str


PROGRAMS = (
    Program(
        title="stylegan2-ada-pytorch or stylegan3",
        beginnings=("synthesis.b", "mapping.fc", "b4.conv.", "b4.fc."),
        advice="Load them into their networks with the program that saved them, and save those whole, as a "
        "network-snapshot-*.pkl.",
    ),
    Program(
        title="rosinality's stylegan2-pytorch",
        beginnings=("to_rgb1.", "to_rgbs.", "convs.0.", "style.1.", "final_conv."),
        advice="If they were converted from a network-snapshot-*.pkl, import that one; other networks of this program "
        "cannot be used here.",
    ),
    Program(
        title="lucidrains' stylegan2-pytorch",
        beginnings=("S.net.", "SE.net.", "G.blocks.", "GE.blocks.", "G.initial_", "D.blocks."),
        advice="Its networks are built in another way and cannot be used here; choose a network-snapshot-*.pkl.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class StateDicts:
    """What was found: the names of the dicts ("" for the whole file), and of their tensors."""

    names: list[str]
    tensors: list[str]


def state_dicts(tree: Any) -> StateDicts | None:
    """The state dicts in a content, those within others first; None if there is none."""
    found = list(_within(tree, (), set()))
    if not found and _is_state(tree):
        found = [((), tree)]
    if not found:
        return None
    names = [".".join(map(str, path)) for path, _ in found]
    return StateDicts(names=names, tensors=[str(name) for _, state in found for name in state])


def _within(tree: Any, path: tuple[Any, ...], seen: set[int]) -> Iterator[tuple[tuple[Any, ...], dict[Any, Any]]]:
    """State dicts with the names that lead to them; each dict is looked at once, however often the file names it."""
    if not isinstance(tree, dict) or len(path) >= DEEPEST or id(tree) in seen:
        return
    seen.add(id(tree))
    for name, value in tree.items():
        inner = list(_within(value, (*path, name), seen))
        if inner:
            yield from inner
        elif _is_state(value):
            yield (*path, name), value


def _is_state(value: Any) -> bool:
    """A dict with tensors by name; the states of optimisers are dicts by number."""
    if not isinstance(value, dict):
        return False
    tensors = [name for name, item in value.items() if is_tensor(item)]
    return any(isinstance(name, str) for name in tensors) and 2 * len(tensors) >= len(value)


def is_tensor(value: Any) -> bool:
    if isinstance(value, Opaque):
        return value.attribute.startswith("_rebuild_") or value.attribute in ("_reconstruct", "_frombuffer")
    return isinstance(value, np.ndarray)


def of_state_dicts(found: StateDicts, beginning: str) -> Refusal:
    """`beginning` is the sentence up to what there is, such as "is a pickle of"."""
    tensors = f"tensors by name alone ({_listed(found.tensors)}), without the options of their networks"
    names = [name for name in found.names if name]
    what = f"the state dict{'s' if len(names) > 1 else ''} {_listed(names)}" if names else "a state dict"
    program = _program(found.tensors)
    if not program:
        advice = "Save the networks whole with the program that saved them, or choose a network-snapshot-*.pkl."
        return Refusal(f"{beginning} {what}: {tensors}", advice)
    return Refusal(f"{beginning} {what} in the manner of {program.title}: {tensors}", program.advice)


def _program(tensors: list[str]) -> Program | None:
    for program in PROGRAMS:
        if any(name.removeprefix("module.").startswith(program.beginnings) for name in tensors):
            return program
    return None


def of_contents(tree: Any, beginning: str) -> Refusal:
    """The same for what torch.save wrote that is no state dict: objects of classes, or something else."""
    if found := state_dicts(tree):
        return of_state_dicts(found, f"{beginning} with")
    values = list(tree.values()) if isinstance(tree, dict) else [tree]
    classes = [value.name for value in values if isinstance(value, Opaque) and not is_tensor(value)]
    if "torch_utils.persistence._reconstruct_persistent_obj" in classes:
        advice = "Load it with stylegan2-ada-pytorch and write the same dict with pickle.dump, as its snapshots are."
        return Refusal(f"{beginning} with networks of stylegan2-ada-pytorch", advice)
    advice = "Export the network with the program that wrote it, or choose a network-snapshot-*.pkl."
    if classes:
        return Refusal(f"{beginning} with objects of the classes {_listed(list(dict.fromkeys(classes)))}", advice)
    held = f" with {_listed(list(map(str, tree)))}" if isinstance(tree, dict) and tree else ""
    return Refusal(f"{beginning}{held}", advice)


def _listed(names: list[str]) -> str:
    listed = [shown(name) for name in names[:MOST_SHOWN]]
    return ", ".join(listed) + (f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else "")
