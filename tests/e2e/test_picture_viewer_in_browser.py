"""The picture viewer in a real browser: by mouse, wheel, touch and keyboard, in one pane and in linked ones."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from benchmarks.served import Dashboard
from engine.store.home import Home
from tests import fabricated
from tests.e2e.conftest import Tab
from tests.e2e.test_every_page_in_browser import RULES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE = "canvas => canvas.toDataURL()"
SHADES = "canvas => [...new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)]"


def test_linked_pictures_are_looked_at_closely(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in ("bleed", "normal")]
    check = fabricated.make_quality(home, fabricated.make_pool_run(home, trainings, images=16))
    page = tab.open(dashboard.url(f"quality?run={check.id}&part=Nearest+neighbours"))
    page.locator('[class*="st-key-tile-"]:not([class*="st-key-tile-samples-"]) img').first.click()
    both = page.get_by_role("dialog").locator("canvas")
    expect(both).to_have_count(2)
    expect(both.last).to_have_attribute("data-zoom", "1")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "stage", "keys work at once"

    box = both.first.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    whole = both.last.evaluate(PICTURE)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -120)
    page.mouse.wheel(0, -120)
    zoomed = changed(page, both, {"zoom": "1"})
    assert float(zoomed["zoom"]) > 1.2
    assert both.last.evaluate(PICTURE) != whole, "the other one is drawn anew as well"

    drag(page, middle, (60, 30), "left")
    moved = changed(page, both, zoomed)
    assert float(moved["x"]) < 0.5
    assert float(moved["y"]) < 0.5
    assert moved["width"] == zoomed["width"], "it was moved, and nothing else"

    drag(page, middle, (-80, -40), "right")
    windowed = changed(page, both, moved)
    assert float(windowed["width"]) < 256
    assert float(windowed["centre"]) < 128
    assert (windowed["zoom"], windowed["x"], windowed["y"]) == (moved["zoom"], moved["x"], moved["y"])

    first = both.first.evaluate(PICTURE)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("status").filter(has_text="2 of ")).to_be_visible()
    page.wait_for_function("([canvas, old]) => canvas.toDataURL() !== old", arg=[both.first.element_handle(), first])
    assert changed(page, both, {}) == windowed, "the next pair is seen at the same place, through the same window"

    slider = page.get_by_role("slider", name="Window")
    slider.fill("1")
    black_or_white = changed(page, both, windowed)
    assert black_or_white["width"] == "1"
    assert set(both.first.evaluate(SHADES)) <= {0, 255}, "every pixel is black or white"
    slider.press("ArrowRight")
    assert changed(page, both, black_or_white)["width"] == "2", "on a slider an arrow is the slider's"
    expect(page.get_by_role("status").filter(has_text="2 of ")).to_be_visible()

    page.get_by_role("button", name="Fit").click()
    fitted = changed(page, both, {"width": "2", "zoom": windowed["zoom"]})
    pinch(page, middle)
    assert float(changed(page, both, fitted)["zoom"]) > 1.5
    page.keyboard.press("r")
    assert changed(page, both, {"width": "2"})["width"] == "256", "Streamlit's own key for running the page again"
    expect(both).to_have_count(2)
    found = Axe().run(page, context={"include": [["[role=dialog]"]]}, options=RULES).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []


def changed(page: Page, both: Locator, before: dict[str, str]) -> dict[str, str]:
    """What both panes show, once it is no longer what it was `before`; it is the same in both."""
    script = "canvases => canvases.map(canvas => ({ ...canvas.dataset }))"
    for _ in range(100):
        one, other = both.evaluate_all(script)
        if any(one[name] != value for name, value in before.items()) or not before:
            break
        page.wait_for_timeout(50)
    else:
        raise AssertionError(f"nothing changed: {before}")
    page.wait_for_timeout(100)
    one, other = both.evaluate_all(script)
    assert one == other
    return one


def drag(page: Page, start: tuple[float, float], by: tuple[int, int], button: str) -> None:
    page.mouse.move(*start)
    page.mouse.down(button=button)  # type: ignore[arg-type]
    page.mouse.move(start[0] + by[0], start[1] + by[1], steps=3)
    page.mouse.up(button=button)  # type: ignore[arg-type]


def pinch(page: Page, middle: tuple[float, float]) -> None:
    """Two fingers, 40 and then 120 pixels apart."""
    session = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
        points = [{"x": middle[0] + apart * side, "y": middle[1], "id": number} for number, side in enumerate((-1, 1))]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if apart else []})
