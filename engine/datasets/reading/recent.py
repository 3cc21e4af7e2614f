"""The last few large things read of a tree (volumes, animations, files inside a ZIP), so that each is read about once.

Slices are asked for one after the other; without this, each slice of a `.nii.gz` would decompress all before it.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from weakref import WeakKeyDictionary

from engine.datasets.reading.tree import Tree

T = TypeVar("T")

KEPT_BYTES = 512 * 2**20
"""What is kept of one tree. A larger thing is kept alone, until the next one is read."""
LOADS_AT_ONCE = 2
"""Each volume that is being read needs its memory, whatever is kept; so no more threads than this read one."""

_OF_TREE: WeakKeyDictionary[Tree, Recent] = WeakKeyDictionary()
_LOCK = threading.Lock()


def recent(tree: Tree) -> Recent:
    """What was last read of `tree`; forgotten with it."""
    tree = tree.tree if isinstance(tree, RecentTree) else tree
    with _LOCK:
        if tree not in _OF_TREE:
            _OF_TREE[tree] = Recent()
        return _OF_TREE[tree]


class Recent:
    """Results by key, the least recently used dropped first. Threads that ask for the same one wait for one load."""

    def __init__(self, kept_bytes: int = KEPT_BYTES):
        self.kept_bytes = kept_bytes
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._loading: dict[Any, threading.Lock] = {}
        self._lock = threading.Lock()
        self._loads = threading.BoundedSemaphore(LOADS_AT_ONCE)

    def get(self, key: Any, load: Callable[[], T], size: Callable[[T], int] | None = None) -> T:
        """The result of `load()`, which is `size(result)` bytes large. What `load` raises is raised, and not kept.

        Without `size` it is small, and may be asked for while something large is loaded.
        """
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key][0]
            with self._loads if size else nullcontext():
                result = load()
            with self._lock:
                self._kept[key] = (result, size(result) if size else 0)
                while len(self._kept) > 1 and self.bytes > self.kept_bytes:
                    self._loading.pop(self._kept.popitem(last=False)[0], None)
        return result

    @property
    def bytes(self) -> int:
        """What is kept."""
        return sum(size for _, size in self._kept.values())


class RecentTree:
    """A tree whose last files stay unpacked in memory: for files of many frames inside a ZIP, read once a frame."""

    def __init__(self, tree: Tree):
        self.tree = tree
        self.path: Path = tree.path
        self.names: list[str] = tree.names

    def open(self, name: str) -> BinaryIO:
        def read() -> bytes:
            with self.tree.open(name) as file:
                return file.read()

        return io.BytesIO(recent(self.tree).get(("file", name), read, len))

    def close(self) -> None:
        self.tree.close()
