"""The colours of the theme can be told from what they lie on, by the contrasts of WCAG 2.2, level AA."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from engine.report import style
from engine.store.home import REPOSITORY

TEXT, GRAPHICS = 4.5, 3.0
BACKGROUNDS = ("backgroundColor", "secondaryBackgroundColor")
CAPTION = 0.6
"""Share of the text's colour in that of Streamlit's captions; the rest shines through."""


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, from 0 for black to 1 for white."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colour: str, other: str) -> float:
    """From 1, the same, to 21, black on white."""
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(text: str, background: str) -> str:
    """The colour of a caption on this background."""
    pairs = ((int(text[at : at + 2], 16), int(background[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(CAPTION * of_text + (1 - CAPTION) * behind):02x}" for of_text, behind in pairs)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / ".streamlit" / "config.toml").read_text())["theme"][request.param]


def test_contrast_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the usual example of a grey too light


def test_text_and_links_can_be_read(theme: dict[str, Any]) -> None:
    for background in BACKGROUNDS:
        for colour in (theme["textColor"], theme["codeTextColor"], theme.get("linkColor", theme["primaryColor"])):
            assert contrast(colour, theme[background]) >= TEXT, (colour, background)


def test_main_buttons_can_be_read_and_seen(theme: dict[str, Any]) -> None:
    """Their words are white in light and dark. The chosen one of several views has the colour for its words."""
    assert contrast("#ffffff", theme["primaryColor"]) >= TEXT
    for background in BACKGROUNDS:
        assert contrast(theme["primaryColor"], theme[background]) >= GRAPHICS


def test_captions_can_be_read(theme: dict[str, Any]) -> None:
    for background in BACKGROUNDS:
        assert contrast(mixed(theme["textColor"], theme[background]), theme[background]) >= TEXT, background


def test_lines_of_charts_can_be_seen_and_differ(theme: dict[str, Any]) -> None:
    colours = theme["chartCategoricalColors"]
    assert len(set(colours)) == len(colours)
    assert [colour for colour in colours if contrast(colour, theme["backgroundColor"]) < GRAPHICS] == []


def test_colours_of_figures_suit_light_and_dark(theme: dict[str, Any]) -> None:
    colours = {style.BLUE, style.ORANGE, style.GREEN, style.PINK, style.GREY, style.RED}
    assert [colour for colour in colours if contrast(colour, theme["backgroundColor"]) < GRAPHICS] == []
