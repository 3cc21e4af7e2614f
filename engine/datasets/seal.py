"""The seal on a test part: while it holds, no sweep reads these images, and no page shows them.

A seal is laid when the split is frozen (or later, as long as no sweep has read the test part) and taken off once, with
a reason that is dated and kept in the ledger. It holds for the images, in whichever data set they stand: one imported
again cannot train or test on what is sealed. Nothing is sealed unless somebody asks for it: without a seal every
reading is counted all the same, and most work needs to look more than once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from engine.datasets.dataset import Dataset, list_datasets
from engine.datasets.test_readings import readings, write_down
from engine.store import ledger
from engine.store.errors import ErsatzError
from engine.store.home import Home


def images_to_test(dataset: Dataset) -> set[str]:
    """The hashes of the images of the test part."""
    return set(dataset.rows("test")["sha256"])


def sealed_images(home: Home, dataset: Dataset | None = None) -> set[str]:
    """The hashes of all sealed images; also those that a data set itself says it was sealed with, should the ledger be
    gone (of `dataset`), or the process have been killed before it wrote there (of any)."""
    sealed: set[str] = set()
    revealed: set[str] = set()
    for event in ledger.events(home):
        if event["event"] in ("seal", "reveal"):
            images = ledger.images_of(home, event["test_set"])
            sealed = sealed | images if event["event"] == "seal" else sealed - images
            revealed |= images if event["event"] == "reveal" else set()
    laid = {event["dataset"] for event in ledger.events(home) if event["event"] == "seal"}
    own = dataset.name if dataset is not None else ""
    others = [other for other in list_datasets(home) if other.name != own and other.name not in laid]
    for marked in [*([dataset] if dataset is not None else []), *others]:
        if marked.info.frozen is not None and marked.info.frozen.sealed:
            sealed |= images_to_test(marked) - revealed
    return sealed


def is_sealed(dataset: Dataset) -> bool:
    """Whether images of the test part are sealed, by this data set or another that holds them too."""
    sealed = sealed_images(dataset.home, dataset)
    return bool(sealed) and bool(sealed & images_to_test(dataset))


def refuse_readers(dataset: Dataset) -> None:
    """Raise `ErsatzError` when a sweep has read test images already, so that a seal would promise what is not so."""
    images = images_to_test(dataset)
    readers = [reading for reading in readings(dataset.home) if reading.images & images]
    if readers:
        several = f"{len(readers)} sweeps have" if len(readers) > 1 else "a sweep has"
        raise ErsatzError(
            f"The test part of {dataset.name} cannot be sealed: {several} read it already (first {readers[0].name}, "
            f"{readers[0].run}), and a part that nobody has read is expected. Freeze it without the seal; every "
            "reading is counted."
        )


def lay(dataset: Dataset, by: str = "") -> None:
    """Write the seal of a frozen data set into the ledger, once."""
    test_set = ledger.keep_test_set(dataset.home, images_to_test(dataset))
    seal = {"event": "seal", "dataset": dataset.name, "test_set": test_set, "by": by}
    ledger.add(
        dataset.home,
        lambda events: (
            [] if any(event["event"] == "seal" and event["test_set"] == test_set for event in events) else [seal]
        ),
    )


def reveal(dataset: Dataset, reason: str, by: str = "") -> list[str]:
    """Take the seal off for good; the ids of the plans that were registered for these images, which the ledger names.

    Raises `ErsatzError` when nothing is sealed or no reason is given.
    """
    if not reason.strip():
        raise ErsatzError(
            f"There is no reason for revealing the test part of {dataset.name}; one is expected, for it stays in the "
            "ledger. Give it with --reason."
        )
    if not is_sealed(dataset):
        raise ErsatzError(
            f"The test part of {dataset.name} is not sealed, so there is nothing to reveal; sweeps may read it, and "
            "are counted."
        )
    images = images_to_test(dataset)
    test_set = ledger.keep_test_set(dataset.home, images)
    write_down(dataset.home)
    plans = [
        event["id"]
        for event in ledger.events(dataset.home)
        if event["event"] == "plan" and ledger.images_of(dataset.home, event["test_set"]) & images
    ]
    told = {"event": "reveal", "dataset": dataset.name, "test_set": test_set, "reason": reason.strip(), "by": by}
    ledger.add(dataset.home, lambda events: [told | {"plans": plans}])
    return plans


def refuse_sealed(dataset: Dataset, what: str, parts: Collection[str] = ("train", "valid", "test")) -> None:
    """Raise `ErsatzError` when `what`, such as "This sweep", would read sealed images in these parts."""
    sealed = sealed_images(dataset.home, dataset)
    if not sealed:
        return
    rows = dataset.rows()
    hit = rows[rows["split"].isin(parts) & rows["sha256"].isin(sealed)]
    if hit.empty:
        return
    owner = dataset.name if (hit["split"] == "test").any() else _owner(dataset.home, set(hit["sha256"]))
    raise ErsatzError(
        f"{what} would read {len(hit)} sealed test images of {dataset.name}; none may be read while the seal holds. "
        f"Reveal them first with `python -m engine dataset reveal {owner} --reason ...`, which is recorded."
    )


def refuse_sealed_file(home: Home, path: Path) -> None:
    """Raise `ErsatzError` when `path` is the file of a sealed image of a data set."""
    for dataset in list_datasets(home):
        if not path.is_relative_to(dataset.path):
            continue
        rows = dataset.manifest
        own = rows[rows["path"] == path.relative_to(dataset.path).as_posix()]
        if own["sha256"].isin(sealed_images(home, dataset)).any():
            raise ErsatzError(
                f"{path.name} is a sealed test image of {dataset.name}, which nobody may look at yet; another picture "
                f"is expected. Choose one, or reveal them with `python -m engine dataset reveal {dataset.name} "
                "--reason ...`."
            )


def history(dataset: Dataset) -> Sequence[ledger.Event]:
    """When the test images of a data set were sealed and revealed."""
    images = images_to_test(dataset)
    return [
        event
        for event in ledger.events(dataset.home)
        if event["event"] in ("seal", "reveal") and ledger.images_of(dataset.home, event["test_set"]) & images
    ]


def _owner(home: Home, images: set[str]) -> str:
    """A data set that these images were sealed with."""
    seals = (event for event in ledger.events(home) if event["event"] == "seal")
    laid = (event["dataset"] for event in seals if ledger.images_of(home, event["test_set"]) & images)
    marked = (
        dataset.name
        for dataset in list_datasets(home)
        if dataset.info.frozen is not None and dataset.info.frozen.sealed and images_to_test(dataset) & images
    )
    return next(laid, None) or next(marked)
