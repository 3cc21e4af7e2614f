"""`bundle`: everything for a machine without internet."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from engine.bundle.bundling import make_bundle
from engine.bundle.target import OLDEST_GLIBC, PYTHONS, target_named
from engine.cli.output import Json, notices, show

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def bundle(
    out: Annotated[Path, typer.Option(help="The folder to make; new or empty.")],
    python: Annotated[str, typer.Option(help=f"Python of the machine: {', '.join(PYTHONS)}.")] = HERE,
    machine: Annotated[str, typer.Option(help=f"Its processor: {' or '.join(OLDEST_GLIBC)}.")] = "x86_64",
    glibc: Annotated[
        str, typer.Option(help="Its glibc, as 2.34. [default: the oldest that all requirements have wheels for]")
    ] = "",
    extra: Annotated[list[str] | None, typer.Option(help="An extra of the program, as timm; repeated.")] = None,
    download_weights: Annotated[
        bool, typer.Option("--download-weights", help="Fetch the pretrained weights that are not here, about 1.5 GB.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Collect wheels and weights for a machine without internet, with a script that installs them there."""

    def tell(line: str) -> None:
        notices.print(line, soft_wrap=True, markup=False, highlight=False)

    made = make_bundle(out, target_named(python, machine, glibc), extra or (), download_weights, tell)
    networks = f"the weights of {', '.join(sorted(made.weights))}" if made.weights else "no weights, for none are here"
    text = (
        f"{escape(str(made.path))} holds {made.wheels} wheels and {networks}: {made.bytes / 1e9:.1f} GB. "
        f"Copy it to the machine without internet, and run there: sh {escape(made.path.name)}/install.sh FOLDER "
        f"({made.installed_bytes / 1e9:.1f} GB)."
    )
    show(asdict(made), as_json, text)
