"""The positive class of a data set with two: the finding that is looked for, whose share found is the sensitivity.

It is named at the import, or proposed by the names of the classes where these make it plain, or asked. It is no part of
the split and its fingerprint: it may be corrected later, and every sweep keeps the one that it was submitted with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.configs import ImportConfig
from engine.datasets.class_mapping import safe_name
from engine.datasets.class_name_meanings import told_by_names
from engine.datasets.dataset import Dataset
from engine.datasets.dataset_info import Positive
from engine.datasets.fold_parent import parent_of
from engine.datasets.reading.questions import Option, Question
from engine.store.errors import ErsatzError

ORIGINS = {
    "import": "named at the import",
    "names": "proposed by the names of the classes",
    "changed": "set after the import",
    "guessed": "taken from the names, and confirmed by nobody",
    "sweep": "named for the sweep",
}
"""Where a positive class came from, in words that follow its name."""


def positive_at_import(
    counts: Mapping[str, int], labels: Mapping[str, str], config: ImportConfig
) -> tuple[Positive | None, list[str]]:
    """The positive class of an import, and a note on it; None where there are not two classes.

    `counts` are the images of each class, `labels` the class of each label as found, either of which
    `config.positive` may name. Raises `Question` where nobody has said and the names do not tell, and `ErsatzError` for
    a name that is no class.
    """
    classes = sorted(counts)
    if config.positive:
        return Positive(name=_named(config.positive, classes, labels), origin="import"), []
    if len(classes) != 2:
        return None, []
    told = told_by_names(classes)
    if told is None:
        raise _question(classes, counts)
    positive = Positive(name=told.positive, origin="names", reason=told.reason)
    other = next(name for name in classes if name != told.positive)
    return positive, [f"{sentence_on(positive)} If that is wrong, choose {other} (`--positive {other}`)."]


def positive_of(dataset: Dataset) -> Positive | None:
    """The positive class of a data set; guessed where it was imported before it was asked, None unless it has two.

    A fold has that of its parent, as long as that is there unchanged.
    """
    if len(dataset.classes) != 2:
        return None
    if (parent := parent_of(dataset)) is not None:
        dataset = parent
    recorded = dataset.info.positive
    if recorded is not None and recorded.name in dataset.classes:
        return recorded
    told = told_by_names(dataset.classes)
    if told is not None:
        return Positive(name=told.positive, origin="guessed", reason=told.reason)
    return Positive(name=dataset.classes[-1], origin="guessed")


def sentence_on(positive: Positive) -> str:
    """Which class is positive and where that came from."""
    if positive.origin == "guessed":
        why = f"as {positive.reason}" if positive.reason else "as the last of the two, for their names do not tell"
        return f"The positive class is taken from the names: {positive.name}, {why}; nobody has confirmed it."
    because = f": {positive.reason}" if positive.reason else ""
    return f"The positive class is {positive.name}, {ORIGINS[positive.origin]}{because}."


def require_class(name: str, classes: Sequence[str], what: str) -> None:
    """Raise `ErsatzError` unless `name` is one of two classes; `what` says who named it: "The data set x"."""
    if len(classes) != 2:
        raise ErsatzError(
            f"{name!r} is named as the positive class, but {what} has {len(classes)} classes ({', '.join(classes)}); "
            "only of two classes one is positive. Leave it out."
        )
    if name not in classes:
        raise ErsatzError(
            f"{name!r} is named as the positive class, but {what} has the classes {' and '.join(classes)}; one of "
            "these is expected. Correct the name."
        )


def _named(wanted: str, classes: Sequence[str], labels: Mapping[str, str]) -> str:
    """The class of that name, or of that label or spelling in the source."""
    wanted = wanted.strip()
    by_label = {label.strip(): name for label, name in labels.items()}
    found = wanted if wanted in classes else by_label.get(wanted) or safe_name(wanted)
    require_class(found if found in classes else wanted, classes, "the import")
    return found


def _question(classes: Sequence[str], counts: Mapping[str, int]) -> Question:
    told = " and ".join(f"{name} ({counts[name]} image{'s' * (counts[name] != 1)})" for name in classes)
    return Question(
        f"There are two classes, {told}, and their names do not tell which one is positive, the finding that is looked "
        "for; sensitivity, specificity and average precision depend on it.",
        [
            Option({"positive": name}, f"{name} is what is looked for, and {other} is without it")
            for name, other in zip(classes, reversed(classes), strict=True)
        ],
        asks="Which class is positive?",
    )
