"""What commands print: words for people on stderr and stdout, JSON for scripts on stdout alone."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

console = Console()
notices = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, for scripts.")]
Detach = Annotated[bool, typer.Option("--detach", help="Leave it in the background and return at once.")]
Place = Annotated[
    str,
    typer.Option(
        "--place",
        metavar="here|slurm",
        help="Do it on this machine, or on the cluster of cluster.toml. [default: what that says, else here]",
        show_default=False,
    ),
]


def show(value: Any, as_json: bool, text: str | Table) -> None:
    """Print `value` as JSON, or `text` for a person."""
    if as_json:
        print(json.dumps(value, indent=2, default=str))
    else:
        console.print(text)


def table(title: str, columns: list[str], rows: list[list[Any]]) -> Table:
    result = Table(*columns, title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        result.add_row(*("" if cell is None else str(cell) for cell in row))
    return result
