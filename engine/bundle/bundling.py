"""A folder to carry to a machine without internet; docs/offline.md says how it is used.

wheels/             Ersatz and all that it requires, for one kind of machine
weights/            pretrained weights that were here, and packages that carry some
requirements.lock   every wheel with its hash
install.sh          checks all that, and makes a virtual environment of it
SHA256SUMS          of every file above
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name

from engine.bundle.pip import run_pip
from engine.bundle.program import program_wheel
from engine.bundle.target import Target
from engine.bundle.weights import copy_weights
from engine.bundle.wheels import Wheel, closure, read_wheel, read_wheels
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, new_folder
from engine.store.hashing import sha256_file

TORCH = canonicalize_name("torch")
DOWNLOAD_GB = 3.7
"""What the requirements with torch and CUDA's libraries download, on the machine for which that is most."""
COMPILED = 1.15
"""How much more a package occupies once Python has compiled its modules, at most."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What was put together."""

    path: Path
    wheels: int
    weights: dict[str, str]
    """Networks whose weights are in it, each with the file."""
    bytes: int
    """Of all its files."""
    installed_bytes: int
    """What it occupies once it is installed, about."""


def make_bundle(
    out: Path,
    target: Target,
    extras: Iterable[str] = (),
    download_weights: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Collect everything for `target` in the new folder `out`, which is there whole or not at all.

    `extras` are those of this program (`login`, `timm`); `tell` gets a line for each larger step. Raises `ErsatzError`
    where the folder holds something, for an unknown extra, without internet, for a requirement that has no wheel for
    the target, where the disk is too small, and for damaged weights.
    """
    out = out.absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ErsatzError(f"{out} holds something already; a new or empty folder is expected. Name another one.")
    with new_folder(out) as folder, disk_errors(out):
        temporary = folder / "temporary"
        weights = copy_weights(folder / "weights", download_weights)
        program = read_wheel(program_wheel(temporary / "program", temporary, tell))
        wheels = _collect(program, sorted(set(extras)), target, folder / "wheels", temporary, tell)
        shutil.rmtree(temporary)
        lock = "".join(f"{wheels[name].locked}\n" for name in sorted(wheels))
        (folder / "requirements.lock").write_text(lock, encoding="utf-8")
        carried = sum(path.stat().st_size for path in folder.glob("weights/*"))
        installed = int(COMPILED * sum(wheel.unpacked_bytes for wheel in wheels.values())) + 2 * carried
        _write_installer(folder / "install.sh", program, target, installed)
        names = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = "".join(f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in names)
        (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
        if out.exists():
            out.rmdir()
        size = sum(path.stat().st_size for path in names)
    return Bundle(path=out, wheels=len(wheels), weights=weights, bytes=size, installed_bytes=installed)


def _collect(
    program: Wheel, extras: list[str], target: Target, folder: Path, temporary: Path, tell: Callable[[str], None]
) -> dict[NormalizedName, Wheel]:
    """The wheels of the program and of all that it requires on the target, in `folder`.

    pip decides by its own Python which requirements there are. So what it misses for the target is found afterwards
    and asked for by name, until nothing is missing; what it brought for its own Python alone is removed.
    """
    if unknown := [extra for extra in extras if canonicalize_name(extra) not in program.extras]:
        raise ErsatzError(
            f"Ersatz {program.version} has no extra {unknown[0]}; one of {', '.join(sorted(program.extras))} was "
            "expected. Correct the name."
        )
    hint = "A wheel of each requirement is expected, since nothing can be built there: try another --python or --glibc."
    alone = closure(program.name, extras, {program.name: program}, target)
    asked: dict[str, str] = dict(alone.unmet)
    _require_space(folder.parent.parent, asked)
    tell(f"Collecting wheels for {target}")
    while True:
        if folder.exists():
            disk.remove_tree(folder)
        disk.make_folder(folder)
        if asked:
            words = ["download", *target.pip_options, "--dest", str(folder), *asked]
            run_pip(words, temporary, tell, str(target), hint)
        disk.copy(program.path, folder / program.path.name)
        wheels = read_wheels(folder)
        found = closure(program.name, extras, wheels, target)
        if not found.unmet:
            break
        if not found.unmet.keys() - asked.keys():
            requirement, by = next(iter(found.unmet.items()))
            raise ErsatzError(f"pip did not bring {requirement} for {target}, which {by} requires. {hint}")
        tell(f"Once more, with {', '.join(found.unmet.keys() - asked.keys())}")
        asked |= found.unmet
    for name in wheels.keys() - found.needed:
        disk.remove(wheels[name].path)
    return {name: wheels[name] for name in found.needed}


def _require_space(folder: Path, asked: Iterable[str]) -> None:
    """Refuse a disk that is too small for torch and CUDA's libraries before they are downloaded.

    pip keeps all downloads in its temporary folder, which is on this disk, until the last has come.
    """
    if not any(requirement.startswith(TORCH) for requirement in asked):
        return
    free, needed = shutil.disk_usage(folder).free / 1e9, 2 * DOWNLOAD_GB
    if free < needed:
        raise ErsatzError(
            f"The disk that holds {folder} has {free:.1f} GB free; {needed:.1f} GB are expected while wheels are "
            "fetched, of which half stays. Free some space, or name a folder on another disk with --out."
        )


def _write_installer(path: Path, program: Wheel, target: Target, installed_bytes: int) -> None:
    script = (files("engine.bundle") / "install.sh").read_text(encoding="utf-8")
    facts = {
        "version": str(program.version),
        "python": target.python,
        "machine": target.machine,
        "glibc": str(target.glibc),
        "kilobytes": str(installed_bytes // 1024),
    }
    for name, fact in facts.items():
        script = script.replace(f"@{name}@", fact)
    disk.write(path, script.encode())
    path.chmod(0o755)
