"""A process that is killed between any two writes leaves a data set as it was before, or as it is afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import agreement, editing, folds, holding_back
from engine.datasets.dataset import Dataset, list_datasets, write_manifest
from engine.datasets.importing import import_dataset
from engine.datasets.making import making
from engine.datasets.positive_class import positive_of
from engine.datasets.seal import is_sealed
from engine.jobs.dataset_removal import remove
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Progress
from tests.datasets.conftest import blobs

KILLED = 77
Action = Callable[[Home], Any]


def source(folder: Path) -> ImportConfig:
    """Two classes of six patients with two pictures each; one picture of `ill` is there three times."""
    for number, name in enumerate(("ill", "well")):
        (folder / name).mkdir(parents=True)
        for patient in range(6):
            for piece in range(2):
                seed = 100 * number + 10 * patient + piece
                Image.fromarray(blobs(seed)).save(folder / name / f"P{10 * number + patient}_{piece}.png")
    for copy in range(2):
        Image.fromarray(blobs(0)).save(folder / "ill" / f"again{copy}.png")
    return ImportConfig(name="set", source=str(folder), size=16, freeze=False, positive="ill")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Homes with a data set that is open, mended and frozen."""
    root = tmp_path_factory.mktemp("prepared")
    config = source(root / "source")
    dataset = import_dataset(Home(root / "open"), config)
    shutil.copytree(root / "open", root / "mended")
    editing.apply_remedies(Dataset.open(Home(root / "mended"), "set"), ["drop-copies", "group-by-name"])
    shutil.copytree(root / "mended", root / "frozen")
    editing.freeze(Dataset.open(Home(root / "frozen"), "set"))
    shutil.copytree(root / "frozen", root / "folded")
    folds.make_folds(Dataset.open(Home(root / "folded"), "set"), 2)
    assert not dataset.frozen
    return root


def the_set(home: Home) -> Dataset:
    return Dataset.open(home, "set")


def move(home: Home) -> None:
    editing.move(the_set(home), the_set(home).rows("train", "ill")["path"].tolist()[:1], "test")


ACTIONS: dict[str, tuple[str, Action]] = {
    "fix": ("open", lambda home: editing.apply_remedies(the_set(home), ["drop-copies"])),
    "undo": ("mended", lambda home: editing.undo_remedies(the_set(home), ["drop-copies", "group-by-name"])),
    "split": ("mended", lambda home: editing.resplit(the_set(home), {"seed": 5})),
    "move": ("mended", move),
    "audit": ("mended", lambda home: editing.reaudit(the_set(home))),
    "freeze": ("mended", lambda home: editing.freeze(the_set(home))),
    "seal": ("mended", lambda home: editing.freeze(the_set(home), sealed=True)),
    "positive": ("folded", lambda home: editing.set_positive(the_set(home), "well")),
    "folds": ("frozen", lambda home: folds.make_folds(the_set(home), 2)),
    "hold back": ("frozen", lambda home: holding_back.hold_back(the_set(home), per_class=2)),
    "remove": ("mended", lambda home: remove(the_set(home))),
}


def killed_at(point: int, action: Action, home: Home) -> bool:
    """Run `action` in a process of its own that ends, as by SIGKILL, before its `point`-th file gets its name; False
    if it came to its end before.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    passed = 0

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal passed
            if passed == point:
                os._exit(KILLED)
            passed += 1
            return real(*arguments, **settings)

        return call

    os.replace, os.rename, os.rmdir = guarded(os.replace), guarded(os.rename), guarded(os.rmdir)
    try:
        action(home)
    finally:
        os._exit(0)


def state(home: Home) -> dict[str, Any]:
    """All that counts of every data set: rows, settings, findings, frozen, sealed, and what is positive."""
    found = {}
    for dataset in list_datasets(home):
        info = dataset.info.plain()
        for name in ("settled", "positive"):
            info.pop(name)
        info["config"].pop("positive")  # what `positive_of` says counts, not where it is written
        if info["frozen"]:
            info["frozen"].pop("time")
        positive = positive_of(dataset)
        rows = dataset.manifest.to_dict("list")
        found[dataset.name] = {
            "info": info,
            "rows": rows,
            "sealed": is_sealed(dataset),
            "positive": positive and positive.name,
        }
    return found


def copied(home: Path, to: Path) -> Home:
    """A home with the same files; pictures, which no command writes to, are shared."""
    shutil.copytree(home, to, copy_function=lambda a, b: (os.link if a.endswith(".png") else shutil.copy)(a, b))
    return Home(to)


def left_over(home: Home) -> list[str]:
    hidden = [path.name for path in home.datasets.rglob(".*")]
    return hidden + [path.name for path in home.datasets.rglob(agreement.NEXT)]


@pytest.mark.parametrize("name", ACTIONS)
def test_every_kill_leaves_the_old_or_the_new_and_the_next_command_the_new(
    name: str, prepared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start, action = ACTIONS[name]
    whole = copied(prepared / start, tmp_path / "whole")
    before = state(whole)
    action(whole)
    after = state(whole)
    point, seen = 0, []
    while True:
        home = copied(prepared / start, tmp_path / f"home{point}")
        if not killed_at(point, action, home):
            break
        now = state(home)
        for each in now:  # each data set of several (folds) by itself
            assert now[each] in (before.get(each), after.get(each)), f"{each} after {point} writes"
        seen.append(now)
        if "set" in now and now != after:
            action(home)
            assert state(home) == after
        for dataset in list_datasets(home):
            with editing.changing(dataset):
                pass
        with making(home, "another"):
            assert left_over(home) == []
        point += 4 if name == "folds" else 1
    assert point
    assert before in seen
    assert not caplog.records


def test_a_killed_import_leaves_nothing_and_is_done_by_the_next(tmp_path: Path) -> None:
    config, home = source(tmp_path / "source"), Home(tmp_path / "home")
    point = 0
    while killed_at(point, lambda home: import_dataset(home, config), home):
        assert not (home.datasets / "set").exists()
        point += 1
    assert point > 4
    assert left_over(home) == []


def test_a_leaking_split_that_a_kill_left_is_not_frozen(prepared: Path, tmp_path: Path) -> None:
    """As an older version left it: the manifest undone, and findings of the one before."""
    home = copied(prepared / "mended", tmp_path / "home")
    undone = copied(prepared / "open", tmp_path / "other")
    rows = the_set(undone).manifest
    same = rows["sha256"] == rows.loc[rows["path"].str.contains("ill"), "sha256"].value_counts().index[0]
    rows.loc[same, "split"] = ["train", "test", "test"]
    write_manifest(home.dataset("set") / "manifest.csv", rows)
    with pytest.raises(ErsatzError, match=r"was audited anew; 3 images in 1 set are exact copies .* Look at it again"):
        editing.freeze(the_set(home), accept_findings=True)
    assert "exact-copies-across-splits" in str(the_set(home).info.audit.findings)
    mended = editing.apply_remedies(the_set(home), ["drop-copies"])
    assert editing.freeze(mended)


def test_a_frozen_split_that_leaks_is_used_only_if_that_was_accepted(prepared: Path, tmp_path: Path) -> None:
    home = copied(prepared / "open", tmp_path / "home")
    rows = the_set(home).manifest
    same = rows["sha256"] == rows.loc[rows["path"].str.contains("ill"), "sha256"].value_counts().index[0]
    rows.loc[same, "split"] = ["train", "test", "test"]
    write_manifest(home.dataset("set") / "manifest.csv", rows.assign(group="P0"))
    with pytest.raises(ErsatzError, match="Look at it again"):
        editing.freeze(the_set(home))
    editing.freeze(the_set(home), accept_findings=True)
    the_set(home).require_frozen()
    frozen = the_set(home).info.frozen
    assert frozen is not None
    forgotten = frozen.model_copy(update={"accepted": ()})
    the_set(home).info.model_copy(update={"frozen": forgotten}).write_to(the_set(home).path / "dataset.json")
    with pytest.raises(ErsatzError, match="has 1 picture and 1 patient or group in more than one part, and nobody"):
        the_set(home).require_frozen()


def test_of_two_imports_of_one_name_one_wins_and_the_other_says_so(tmp_path: Path) -> None:
    config, home = source(tmp_path / "source"), Home(tmp_path / "home")
    other = config.model_copy(update={"seed": 1})
    refused = []

    def beside(progress: Progress) -> None:
        if progress.stage == "import" and not refused:
            with pytest.raises(ErsatzError, match="A data set set is being made just now, by another import") as caught:
                import_dataset(home, other)
            refused.append(caught)

    made = import_dataset(home, config, beside)
    assert refused and made.info.config["seed"] == 0 and len(made.rows()) == 26
    with pytest.raises(ErsatzError, match="There is a data set set already"):
        import_dataset(home, other)
    assert left_over(home) == []
