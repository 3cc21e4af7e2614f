"""What a page lets the command line do, in a process of its own: the dashboard itself never loads torch."""

from __future__ import annotations

import os
import subprocess

from engine.store.errors import ErsatzError
from engine.store.processes import module_command, module_environment
from pages.components.home import home
from pages.components.people import Role, require


def run_cli(*words: str, seconds: float) -> None:
    """Run `python -m engine …` to its end; an `ErsatzError` with its sentence when it fails."""
    require(Role.EDITOR)
    try:
        answer = subprocess.run(
            module_command("engine", *words),
            env=module_environment({**os.environ, "ERSATZ_HOME": str(home().root)}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        told = f"It took more than {seconds / 60:.0f} minutes and was ended. Use the command line: {words[0]}."
        raise ErsatzError(told) from None
    if answer.returncode:
        lines = answer.stderr.strip().splitlines()
        raise ErsatzError(lines[-1] if lines else "It ended without a word. Try it again.")
