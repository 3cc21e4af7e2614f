"""From files to pictures: which frames, pages or slices of each are taken, each as a picture of its own.

A stack is what is cut into slices: a file of several frames, pages or slices, or the files of one DICOM series. Of each
stack, in this order:
1. only slices that the stack's mask marks, where `mask_suffix` names masks;
2. only slices with values in `slice_values` in at least 1 % of their pixels (of single pictures too);
3. of what is left, the first, the middle one, or every n-th, in order of position.

The picture of frame 3 of `a/scan.nii.gz` is called `a/scan.nii.gz#frame-003`: frames count from 1, and their numbers
have as many digits as the last one of the file, three at least. Where neither source nor header name a patient, the
pictures of one file are of one patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.configs import ImportConfig
from engine.datasets.parallel_map import each
from engine.datasets.reading.folders.masks import AS_IMAGES
from engine.datasets.reading.items import Facts, Item
from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.pictures.volume_masks import Masks
from engine.datasets.reading.questions import Option, Question
from engine.store.errors import ErsatzError
from engine.store.progress import Report, ShouldStop

VALUES_SHARE = 0.01
"""Share of a slice's pixels that must lie in `slice_values`."""
SLICES_SUGGESTED = 15
"""About so many slices of each volume a suggestion of `every` leaves: neighbouring slices are nearly the same."""


@dataclass(frozen=True)
class Expanded:
    """The pictures with their facts, and what was decided on the way."""

    items: list[Item]
    facts: list[Facts]
    notes: list[str]
    problems: dict[str, str]
    """Files whose slices cannot be chosen -> reason."""


@dataclass(frozen=True)
class _Stack:
    """A file, or the files of a series in order of position: items by number, each with one of its frames."""

    source: str
    """Its first file, for messages."""
    slices: list[tuple[int, int]]
    """(number of the item, frame), in order."""
    series: str = ""
    """Name of the DICOM series, if it is one of several files."""

    @property
    def is_file(self) -> bool:
        """Whether it is one file of several frames."""
        return not self.series and len(self.slices) > 1


@dataclass(frozen=True)
class _Kept:
    """What the mask and the values leave of a stack."""

    slices: list[tuple[int, int]]
    unmarked: int = 0
    outside: int = 0
    """Slices left out, by the mask and by the values."""
    has_mask: bool = False


def cut(items: Sequence[Item], config: ImportConfig) -> tuple[list[Item], list[str]]:
    """The items with volumes to be cut along `config.axis`, without masks; and a note on how many masks there are."""
    masks = _masks(config)
    images = [
        replace(item, picture=replace(item.picture, axis=config.axis))
        if isinstance(item.picture, FilePicture)
        else item
        for item in items
        if not masks.is_mask(item.source)
    ]
    count = len(items) - len(images)
    return images, [f"{count} files are masks ({config.mask_suffix}) and no images."] if count else []


def expand(
    items: Sequence[Item],
    facts: Sequence[Facts],
    classes: dict[str, str],
    config: ImportConfig,
    report: Report,
    should_stop: ShouldStop,
) -> Expanded:
    """One item for each picture that is taken. `classes`: label -> class, none of which may lose all its pictures.

    Raises `Question` if files hold several frames and the config leaves open which to take.
    """
    several = [fact.frames for fact in facts if fact.frames > 1]
    if several and config.frames == "ask":
        raise _question(items, facts, config)
    stacks = _stacks(items, facts)
    notes: list[str] = []
    problems: dict[str, str] = {}
    kept = [_Kept(stack.slices) for stack in stacks]
    if config.slice_values is not None or _masks(config).suffix:
        masks = _masks(config)

        def choose(_: int, stack: _Stack) -> tuple[_Stack, _Kept]:
            return stack, _chosen(stack, items, facts, masks, config)

        done, problems = each(choose, stacks, "choose slices", report, should_stop)
        stacks, kept = [stack for stack, _ in done], [found for _, found in done]
        notes += _notes_on_choice(stacks, kept, config)
    taken = [(stack, _thinned(stack, found.slices, config)) for stack, found in zip(stacks, kept, strict=True)]
    _no_class_lost(items, classes, taken, problems)
    if several:
        notes.append(_note_on_frames(several, [rest for stack, rest in taken if stack.is_file], config))
    elif config.every > 1 and not any(stack.series for stack in stacks):
        notes.append(f"every = {config.every} changes nothing, as there are no files of several frames and no series.")
    in_series = [(stack, rest) for stack, rest in taken if stack.series]
    if in_series and config.every > 1:
        before, after = (
            sum(map(len, slices)) for slices in zip(*((s.slices, rest) for s, rest in in_series), strict=True)
        )
        notes.append(
            f"Every {_nth(config.every)} slice of {len(in_series)} DICOM series is taken: {after} of {before} slices."
        )
    groups = _groups(items, facts, taken)
    notes += _notes_on_groups(taken, groups)
    rows = sorted(((number, frame) for _, rest in taken for number, frame in rest))
    return Expanded(
        items=[
            _picture_of(items[number], facts[number].frames, frame, groups.get(number, "")) for number, frame in rows
        ],
        facts=[replace(facts[number], frames=1) for number, _ in rows],
        notes=notes,
        problems=problems,
    )


def _masks(config: ImportConfig) -> Masks:
    return Masks("" if config.mask_suffix == AS_IMAGES else config.mask_suffix)


def _stacks(items: Sequence[Item], facts: Sequence[Facts]) -> list[_Stack]:
    """All slices, each in one stack; the stacks in order of their first item."""
    sizes = Counter(fact.series for fact in facts if fact.frames == 1)
    by_series: dict[str, list[int]] = {}
    stacks: list[_Stack | str] = []
    for number, fact in enumerate(facts):
        if fact.frames == 1 and fact.series and sizes[fact.series] > 1:
            if fact.series not in by_series:
                stacks.append(fact.series)
            by_series.setdefault(fact.series, []).append(number)
        else:
            stacks.append(_Stack(items[number].source, [(number, frame) for frame in range(fact.frames)]))
    ordered = {
        series: sorted(numbers, key=lambda number: (facts[number].position, number))
        for series, numbers in by_series.items()
    }
    return [
        stack
        if isinstance(stack, _Stack)
        else _Stack(items[by_series[stack][0]].source, [(number, 0) for number in ordered[stack]], series=stack)
        for stack in stacks
    ]


def _chosen(stack: _Stack, items: Sequence[Item], facts: Sequence[Facts], masks: Masks, config: ImportConfig) -> _Kept:
    """The slices of a stack that its mask and the values leave; a `BadPicture` where one cannot be read."""
    slices, has_mask = stack.slices, False
    if stack.series or stack.is_file or _is_volume(items[slices[0][0]]):  # the mask of a single picture says nothing
        marked: dict[int, list[bool]] = {}
        for number in dict(slices):
            picture = items[number].picture
            found = (
                masks.marked(picture, facts[number], config.max_pixels) if isinstance(picture, FilePicture) else None
            )
            if found is not None:
                marked[number] = found
        if marked:  # slices of a series without a mask of their own are not marked
            has_mask = True
            slices = [(number, frame) for number, frame in slices if number in marked and marked[number][frame]]
    unmarked = len(stack.slices) - len(slices)
    if config.slice_values is None:
        return _Kept(slices, unmarked, 0, has_mask)
    within = [one for one in slices if _holds_values(items[one[0]], one[1], config.slice_values, config.max_pixels)]
    return _Kept(within, unmarked, len(slices) - len(within), has_mask)


def _holds_values(item: Item, frame: int, values: tuple[float, float], max_pixels: int) -> bool:
    """Of colour, any channel counts."""
    pixels = item.picture.of_frame(frame).decode(max_pixels).pixels
    within = (pixels >= values[0]) & (pixels <= values[1])
    return bool((within if within.ndim == 2 else within.any(axis=2)).mean() >= VALUES_SHARE)


def _thinned(stack: _Stack, slices: list[tuple[int, int]], config: ImportConfig) -> list[tuple[int, int]]:
    """The first, the middle one or every n-th."""
    if not stack.is_file:
        return slices[:: config.every]
    if config.frames == "first":
        return slices[:1]
    if config.frames == "middle":
        return slices[len(slices) // 2 :][:1]
    return slices[:: config.every]


def _picture_of(item: Item, frames: int, frame: int, group: str) -> Item:
    """The item of one frame; of a file with a single one, the item itself with its group."""
    if frames == 1:
        return replace(item, group=item.group or group)
    return replace(
        item,
        source=f"{item.source}#frame-{frame + 1:0{max(3, len(str(frames)))}d}",
        picture=item.picture.of_frame(frame),
        group=item.group or group,
    )


def _is_volume(item: Item) -> bool:
    return isinstance(item.picture, FilePicture) and item.picture.is_volume


def _groups(
    items: Sequence[Item], facts: Sequence[Facts], taken: Sequence[tuple[_Stack, list[tuple[int, int]]]]
) -> dict[int, str]:
    """The file's name for each volume or file of several frames whose patient neither source nor header name.

    Slices in DICOM files of their own stay together by study or series, see `patients`.
    """
    volumes = [stack.slices[0][0] for stack, _ in taken if stack.is_file or _is_volume(items[stack.slices[0][0]])]
    return {
        number: items[number].source
        for number in volumes
        if not (items[number].group or facts[number].group or facts[number].study or facts[number].series)
    }


def _question(items: Sequence[Item], facts: Sequence[Facts], config: ImportConfig) -> Question:
    several = [(item.source, fact.frames) for item, fact in zip(items, facts, strict=True) if fact.frames > 1]
    single = len(items) - len(several)
    most = max(several, key=lambda found: found[1])
    counts = [frames for _, frames in several]
    found = (
        f"{len(several)} of {len(items)} files hold several frames, pages or slices, {sum(counts)} in all (the most, "
        f"{most[1]}, in {most[0]}), and it is not clear which are to be taken."
    )

    def thinned(every: int) -> int:
        return single + sum(-(-frames // every) for frames in counts)

    def said(what: str, pictures: int) -> str:
        return f"{what}: {pictures} pictures"

    options = [
        Option({"frames": "first"}, said("the first of each file", len(items))),
        Option({"frames": "middle"}, said("the middle one of each file", len(items))),
        Option({"frames": "all"}, said("all of each file, as one patient", thinned(config.every))),
    ]
    every = round(float(np.median(counts)) / SLICES_SUGGESTED)
    if config.every == 1 and every > 1:
        text = said(f"every {_nth(every)} of each file, as neighbours are much alike", thinned(every))
        options.append(Option({"frames": "all", "every": every}, text))
    return Question(found, options)


def _note_on_frames(frames: Sequence[int], taken: Sequence[Sequence[object]], config: ImportConfig) -> str:
    which = {
        "first": "the first of each is taken",
        "middle": "the middle one of each is taken",
        "all": "all are taken" if config.every == 1 else f"every {_nth(config.every)} of each is taken",
    }[config.frames]
    return (
        f"{len(frames)} files hold several frames, pages or slices, {sum(frames)} in all; {which}, which makes "
        f"{sum(map(len, taken))} images."
    )


def _notes_on_choice(stacks: Sequence[_Stack], kept: Sequence[_Kept], config: ImportConfig) -> list[str]:
    notes = []
    unmarked, outside = sum(found.unmarked for found in kept), sum(found.outside for found in kept)
    if _masks(config).suffix:
        cut_up = [(stack, found) for stack, found in zip(stacks, kept, strict=True) if stack.is_file or stack.series]
        bare = [stack.source for stack, found in cut_up if not found.has_mask]
        if len(bare) < len(cut_up):
            notes.append(f"{unmarked} slices were left out as the masks ({config.mask_suffix}) mark nothing in them.")
        if bare:
            notes.append(
                f"{len(bare)} volumes have no mask (such as {bare[0]}); none of their slices is left out for it."
            )
    if config.slice_values is not None:
        low, high = config.slice_values
        notes.append(
            f"{outside} slices were left out as fewer than {VALUES_SHARE:.0%} of their pixels lie between {low:g} and "
            f"{high:g} (slice_values)."
        )
    empty = [stack.source for stack, found in zip(stacks, kept, strict=True) if not found.slices]
    if empty:
        notes.append(f"Nothing is left of {len(empty)} files or series (such as {empty[0]}).")
    return notes


def _notes_on_groups(taken: Sequence[tuple[_Stack, list[tuple[int, int]]]], groups: dict[int, str]) -> list[str]:
    files = sum(bool(rest) and stack.slices[0][0] in groups for stack, rest in taken)
    if not files:
        return []
    return [
        f"No patient is named for {files} files of several slices or volumes, so each counts as a patient of its own."
    ]


def _no_class_lost(
    items: Sequence[Item],
    classes: dict[str, str],
    taken: Sequence[tuple[_Stack, list[tuple[int, int]]]],
    problems: dict[str, str],
) -> None:
    """An `ErsatzError` if the choice of slices leaves a class without any picture."""
    if problems:  # told first
        return
    left = {classes[items[number].label] for _, rest in taken for number, _ in rest}
    lost = sorted({classes[item.label] for item in items} - left)
    if lost:
        raise ErsatzError(
            f"Of the class {lost[0]!r} no slice is left by slice_values and mask_suffix; slices of every class are "
            "expected. Widen the range, or leave the class out with only_classes."
        )


def _nth(number: int) -> str:
    return f"{number}{'th' if number % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
