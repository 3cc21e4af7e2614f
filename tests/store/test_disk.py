"""The seam to the operating system: nothing of the engine writes past it, and what fails there leaves nothing."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import new_folder, replacing, write_json, write_text
from engine.store.home import REPOSITORY

WRITERS = {"unlink", "rmdir", "mkdir", "touch", "write_text", "write_bytes", "symlink_to", "hardlink_to"}
"""Methods of a path that change the disk."""
FUNCTIONS = {
    "os": {"remove", "rename", "replace", "link", "mkdir", "makedirs", "unlink", "fsync", "truncate"},
    "shutil": {"rmtree", "copy", "copy2", "copyfile", "copytree", "move"},
    "subprocess": {"Popen"},
}
SEAM = {"engine/store/disk.py", "engine/store/files.py"}
WITHIN = {"replacing", "new_folder", "passing", "TemporaryDirectory"}
"""A `with` of these: its body writes what nobody else sees yet, or is a step of the seam."""


def _called(node: ast.expr) -> str:
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else (
        node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    )  # fmt: skip


def _writes(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if function.attr in FUNCTIONS.get(function.value.id, ()):
            return True
        if function.value.id in ("disk", "container"):
            return False
    if isinstance(function, ast.Attribute):
        if function.attr in WRITERS or (
            function.attr in ("replace", "rename") and len(call.args) == 1 and not call.keywords
        ):
            return True
        if function.attr == "open":
            return any(_is_writing_mode(argument) for argument in call.args[:1])
    return isinstance(function, ast.Name) and function.id == "open" and any(map(_is_writing_mode, call.args[1:2]))


def _is_writing_mode(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and bool(re.fullmatch(r"[rbt]*[wax+][bt+]*", str(argument.value)))


def _past_the_seam(source: str) -> Iterator[int]:
    """Lines of a module that change the disk outside of the seam."""

    def visit(node: ast.AST, within: bool) -> Iterator[int]:
        if isinstance(node, ast.With):
            within = within or any(_called(item.context_expr) in WITHIN for item in node.items)
        if isinstance(node, ast.Call) and _writes(node) and not within:
            yield node.lineno
        for child in ast.iter_child_nodes(node):
            yield from visit(child, within)

    yield from visit(ast.parse(source), False)


def test_every_write_passes_the_seam() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}"
        for path in sorted((REPOSITORY / "engine").rglob("*.py"))
        if path.relative_to(REPOSITORY).as_posix() not in SEAM
        for line in _past_the_seam(path.read_text())
    ]
    assert found == []


def test_a_write_past_the_seam_is_seen() -> None:
    source = "path.write_text('x')\nopen(path, 'w')\npath.replace(other)\nwith replacing(path) as t:\n    t.touch()\n"
    assert list(_past_the_seam(source)) == [1, 2, 3]


STEPS = {
    "replacing": ["create", "write", "flush", "rename", "flush"],
    "new_folder": ["make folder", "create", "write", "rename", "flush"],
}


def _replace(path: Path) -> None:
    write_json(path, {"new": 1})


def _make_folder(path: Path) -> None:
    with new_folder(path) as folder:
        write_text(folder / "a.txt", "a")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("write", [_replace, _make_folder])
def test_a_fault_at_any_step_leaves_the_old_or_the_new(
    write, number: int, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made"
    seen: list[str] = []
    monkeypatch.setattr(disk, "fault", lambda step, path, now: seen.append(step) if now == when else None)
    write(path)
    for place in range(len(seen)):
        monkeypatch.setattr(disk, "fault", None)
        disk.remove_tree(path) if path.is_dir() else disk.remove(path)
        if write is _replace:
            path.write_text("old")
        count = 0

        def fault(step: str, path: Path, now: str, place: int = place) -> None:
            nonlocal count
            if now == when:
                count += 1
                if count == place + 1:
                    if step == "write" and path.is_file():
                        os.truncate(path, 3)  # a short write
                    raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(disk, "fault", fault)
        with pytest.raises(ErsatzError) as error:
            write(path)
        monkeypatch.setattr(disk, "fault", None)
        assert "\n" not in str(error.value)
        assert [found.name for found in tmp_path.iterdir()] in ([], ["made"])
        if write is _replace:
            assert path.read_text() in ("old", '{\n  "new": 1\n}\n')
        elif path.exists():
            assert (path / "a.txt").read_text() == "a"


def test_what_is_promised_is_flushed_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[str, str]] = []
    monkeypatch.setattr(disk, "fault", lambda step, path, when: steps.append((step, when)))
    write_text(tmp_path / "a", "x")
    done = [step for step, when in steps if when == "after"]
    assert done == ["create", "write", "flush", "rename", "flush"]
    steps.clear()
    write_text(tmp_path / "a", "x", flushed=False)
    assert [step for step, when in steps if when == "after"] == ["create", "write", "rename"]


def test_an_append_that_does_not_fit_leaves_the_lines_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows"
    disk.append(path, b"one\n")
    monkeypatch.setattr(disk, "fault", None)

    class Full:
        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def __getattr__(self, name: str):
            return getattr(self.file, name)

        def write(self, content: bytes) -> int:
            return self.file.write(content[:2])  # what a disk with two bytes left does

    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **k: Full(opened(self, *a, **k)) if a == ("ab",) else opened(self, *a, **k)
    )
    with pytest.raises(OSError, match="No space"):
        disk.append(path, b"two\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"one\n"


@pytest.mark.parametrize(
    "text", ["I/O error: No space left on device (os error 28)", "[Errno 28] Error writing bytes to file"]
)
def test_libraries_that_tell_of_a_full_disk_in_words(text: str, tmp_path: Path) -> None:
    class LibraryError(Exception):
        pass

    with pytest.raises(ErsatzError, match="is full"), replacing(tmp_path / "a"):
        raise LibraryError(text)
    assert list(tmp_path.iterdir()) == []
