"""A group of commands with a usual one, whose name need not be said: `sweep POOL` beside `sweep rank SWEEP SWEEP`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

USUAL = "run"


class WithUsual(TyperGroup):
    """What does not begin with the name of a command is for the one called `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else [USUAL, *args])
