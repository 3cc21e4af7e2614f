"""The file that a training starts from, found by run or by path, identified by its hash, and what was taken from it.

Never imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.gans.snapshots import list_snapshots
from engine.store.errors import ErsatzError
from engine.store.files import read_text
from engine.store.hashing import sha256_file
from engine.store.home import NAME_PATTERN, Home
from engine.store.named_paths import is_file_there, named_path
from engine.store.runs import Run

TRAINING_FILE = "training_images.txt"
EXPECTED = "the id of a StyleGAN2-ADA training or of an imported network, or the path of a .pkl or of a snapshot"


def seen_in_training(run_path: Path) -> list[str]:
    """SHA-256 of every real image that a run's networks saw; an `ErsatzError` unless its list of them is whole."""
    path = run_path / TRAINING_FILE
    listed = read_text(path) if path.is_file() else ""
    if not listed.endswith("\n"):
        raise ErsatzError(
            f"{path} is {'damaged' if path.is_file() else 'missing'}; without the list of images that the generator "
            "saw, leaks into the test set cannot be ruled out. Train the generator again."
        )
    return listed.split()


@dataclass(frozen=True, kw_only=True)
class Started:
    """The networks that a training took over from its start, as in `start.json`."""

    start_from: str
    sha256: str
    unknown_images: bool
    """Whether images were seen on the way of which there is no list, so that no audit can find them."""
    untrained: list[str]
    """Tensors that the start does not have."""
    training_images: list[str]
    """SHA-256 of every image that the start is known to have seen."""

    def facts(self) -> dict[str, Any]:
        """The part of it that a snapshot's metadata keeps."""
        return {"start_from": self.start_from, "sha256": self.sha256, "unknown_images": self.unknown_images}


@dataclass(frozen=True)
class Start:
    """Networks to start from."""

    text: str
    """The setting `start_from`, with which the same is found again from any folder: a run's id or an absolute path."""
    path: Path
    kind: Literal["pkl", "snapshot"]
    sha256: str


def resolve_start(home: Home, text: str, sha256: str = "") -> Start:
    """The file that `start_from` means: a path, or the newest snapshot of a run.

    With `sha256`, the file must have that hash; of a run's snapshots the one that has it is taken, which need not be
    the newest any more. Raises `ErsatzError` when there is none.
    """
    file = named_path(text)
    if is_file_there(file):
        return _from_file(file.resolve(), sha256)
    if NAME_PATTERN.fullmatch(text) and (run := Run(home, text)).exists():
        return _from_run(run, sha256)
    raise ErsatzError(f"start_from is {text!r}, which is neither a file nor a run; expected {EXPECTED}. Correct it.")


def _from_file(file: Path, sha256: str) -> Start:
    found = sha256_file(file)
    if sha256 not in ("", found):
        raise ErsatzError(
            f"{file} was changed since this training was set up (its hash is {found[:12]}..., expected "
            f"{sha256[:12]}...). Put the former file back, or set up a new training."
        )
    return Start(str(file), file, "snapshot" if file.suffix == ".safetensors" else "pkl", found)


def _from_run(run: Run, sha256: str) -> Start:
    if run.kind not in ("train", "network"):
        raise ErsatzError(f"start_from is {run.id}, a {run.kind} run; expected {EXPECTED}. Choose one of these.")
    snapshots = list_snapshots(run.path)
    if not snapshots:
        raise ErsatzError(
            f"start_from is run {run.id}, which is {run.state()} and has no snapshot yet; at least one is expected. "
            "Wait for its first, or choose another run."
        )
    for path in snapshots if sha256 else snapshots[:1]:
        found = sha256_file(path)
        if sha256 in ("", found):
            return Start(run.id, path, "snapshot", found)
    raise ErsatzError(
        f"Run {run.id} no longer has the snapshot that this training was set up to start from ({sha256[:12]}...): it "
        "trained on since. Set up a new training from its newest, or give the path of a copy that you keep."
    )
