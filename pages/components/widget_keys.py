"""Keys of buttons that act on something, so that a press never acts on anything else."""

from __future__ import annotations

from typing import Any

from engine.store.hashing import sha256_value


def widget_key(action: str, *facts: Any) -> str:
    """The key of the button for this action on exactly this.

    The browser sends a press with the key of the button that was seen. If the page shows another run meanwhile, or what
    a question told has changed before it was answered, no button has that key any more and nothing happens.
    """
    return f"{action}-{sha256_value([str(fact) for fact in facts])[:16]}"
