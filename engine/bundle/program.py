"""The wheel of this program itself: built from its checkout, or packed again from where it is installed."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from engine.bundle.pip import run_pip
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, is_checkout

PROGRAM = canonicalize_name("ersatz-images")

OF_THE_INSTALLER = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
"""Files beside a package's metadata that no wheel has."""


def program_wheel(folder: Path, temporary: Path, tell: Callable[[str], None]) -> Path:
    """Put the wheel of this program into `folder`."""
    disk.make_folder(folder)
    if not is_checkout():
        try:
            return repacked(distribution(PROGRAM), folder)
        except PackageNotFoundError as error:
            raise ErsatzError(
                f"The package {PROGRAM} is not installed here, and there is no checkout; one of both is expected. "
                "Install it with pip, and start again."
            ) from error
    # hatchling is there where the tests can run, and else fetched
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    words = ["wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(REPOSITORY)]
    run_pip(words, temporary, tell, "the wheel of Ersatz itself")
    (path,) = folder.glob("*.whl")
    return path


def repacked(installed: Distribution, folder: Path) -> Path:
    """The wheel of an installed package without compiled parts, from its files; an `ErsatzError` for any other.

    What pip made when it installed the package is left out: scripts, compiled modules, and its own notes.
    """
    name = installed.metadata["Name"]
    if "Root-Is-Purelib: true" not in (installed.read_text("WHEEL") or "") or not installed.files:
        raise ErsatzError(
            f"The package {name} was not installed from a wheel without compiled parts, and cannot be packed again. "
            f"Install it with `pip install --force-reinstall --no-deps {name}`, and start again."
        )
    record = []
    path = folder / f"{canonicalize_name(name).replace('-', '_')}-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in installed.files:
            if ".." in file.parts or file.suffix == ".pyc" or (_of_metadata(file) and file.name in OF_THE_INSTALLER):
                continue
            content = Path(str(file.locate())).read_bytes()
            archive.writestr(str(file), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f'"{file}",sha256={digest},{len(content)}\n')
        inside = next(file.parent for file in installed.files if _of_metadata(file)) / "RECORD"
        archive.writestr(str(inside), "".join([*record, f'"{inside}",,\n']))
    return path


def _of_metadata(file: PurePosixPath) -> bool:
    return file.parent.suffix == ".dist-info"
