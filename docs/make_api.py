"""Writes docs/api.md from the docstrings: `python docs/make_api.py`. A test compares the two."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from engine.api import Run, Workspace

PAGE = Path(__file__).with_name("api.md")
BEGINNING = """# Ersatz from Python

<!-- made by docs/make_api.py -->

`import engine` loads nothing heavy; `engine.Workspace` and `engine.Run` are all there is to know. What they start lives
in processes of its own and is seen in the dashboard and by the command line as well.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([BEGINNING, *(part for described in (Workspace, Run) for part in of_class(described))])


def of_class(described: type) -> list[str]:
    """A class and its public methods, those it defines itself."""
    parts = [f"## engine.{described.__name__}\n", as_markdown(described.__doc__ or "")]
    for name, member in vars(described).items():
        if not name.startswith("_") and callable(member):
            signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(member)))
            parts += [f"### {described.__name__}.{name}\n", f"```python\n{name}{signature}\n```\n"]
            parts.append(as_markdown(member.__doc__ or ""))
    return parts


def as_markdown(docstring: str) -> str:
    """Sections become bold words, their entries lists, examples code."""
    lines, code = [], False
    for line in inspect.cleandoc(docstring).splitlines():
        shown = line.removeprefix("    ")
        if heading := re.fullmatch(r"(Args|Attributes|Returns|Raises|Example):", line):
            lines += [f"**{heading[1]}**", ""]
            if heading[1] == "Example":
                lines.append("```python")
                code = True
        elif (entry := re.fullmatch(r"([*\w]+): (.*)", shown)) and line.startswith("    ") and not code:
            lines.append(f"* `{entry[1]}`: {entry[2]}")
        elif line.startswith("        ") and not code:
            lines.append(f"  {line.strip()}")
        else:
            lines.append(shown)
    return "\n".join([*lines, *(["```"] if code else []), ""])


if __name__ == "__main__":
    PAGE.write_text(page())
