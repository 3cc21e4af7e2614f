"""Windows of computed tomography by name."""

from __future__ import annotations

from typing import Any

CT_WINDOWS: dict[str, tuple[float, float]] = {
    "brain": (40, 80),
    "stroke": (40, 40),
    "subdural": (75, 215),
    "bone": (400, 1800),
    "temporal-bone": (600, 2800),
    "lung": (-600, 1500),
    "mediastinum": (50, 350),
    "angio": (300, 600),
    "soft-tissue": (50, 400),
    "abdomen": (40, 350),
    "liver": (30, 150),
    "spine": (50, 250),
}
"""Centre and width in Hounsfield units, as in Radiopaedia's article "Windowing (CT)"; abdomen as in 3D Slicer."""


def window_of(given: Any) -> Any:
    """Centre and width of a name (`lung`), of the text `40,80`, or of either in a list; other values as they are.

    A `ValueError` says what is expected where a text is neither.
    """
    if isinstance(given, list | tuple) and len(given) == 1 and isinstance(given[0], str):
        given = given[0]
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list | tuple):
        return given
    if not parts or parts == [""]:
        return None
    if len(parts) == 1 and isinstance(parts[0], str):
        name = "-".join(parts[0].lower().replace("_", " ").replace("-", " ").split())
        if name in CT_WINDOWS:
            return CT_WINDOWS[name]
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 2:
        raise ValueError(f"expected {', '.join(CT_WINDOWS)}, or centre,width such as 40,80")
    return numbers[0], numbers[1]


def window_name(window: tuple[float, float] | None) -> str:
    """The name of a window, `""` where it has none."""
    return next((name for name, known in CT_WINDOWS.items() if window and known == tuple(window)), "")
