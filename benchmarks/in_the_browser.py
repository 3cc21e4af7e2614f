"""A tab of a real Chromium that times what happens in it, and the widgets on a page."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page, TimeoutError

from benchmarks.served import Dashboard

QUIET_MS = 600
"""A page is complete when nothing on it has changed for so long; this wait itself is not counted."""
LIMIT_MS = 60_000

WATCH = """
window.watched = {changed: 0, asked: 0};
const inside = node => (node.nodeType === 1 ? node : node.parentElement)?.closest(
    '[data-testid=stMain], [data-testid=stSidebar], [role=dialog]');
const unseen = ({type, target}) => type === 'childList' ? target.closest('canvas')
    : target.nodeType === 1 && target.matches('[data-testid=stTooltipHoverTarget], details');
new MutationObserver(changes => {
    if (changes.some(change => inside(change.target) && !unseen(change))) window.watched.changed = performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
document.addEventListener('load', event => {
    if (event.target.tagName === 'IMG') window.watched.changed = performance.now();
}, true);
for (const kind of ['pointerdown', 'keydown'])
    document.addEventListener(kind, () => { window.watched.asked = performance.now(); }, true);
"""
"""Notes when something on the page changed last, and when somebody last pressed something.

What is in a canvas is not seen: a table that is drawn there writes itself down for screen readers 0.3 s later. The
tip that comes up because the mouse rests on a button, after half a second, is no answer to a press; nor is the end of
the sliding of a fold that closes or opens, whose inside has come by then.
"""

COMPLETE = """quiet => {
    const app = document.querySelector('[data-testid=stApp]'), main = document.querySelector('[data-testid=stMain]');
    return app?.dataset.testScriptState === 'notRunning' && main?.querySelector('h1, [data-testid=stException]')
        && !main.querySelector('[data-testid=stSkeleton]')
        && [...main.querySelectorAll('[data-testid=stPlotlyChart]')].every(chart => chart.querySelector('.main-svg'))
        && [...main.querySelectorAll('img')].every(image => image.complete)
        && performance.now() - window.watched.changed > quiet
        && performance.now() - window.watched.asked > quiet;
}"""
"""The script has run, every chart is drawn and every picture has come."""

WHY = """() => ({
    state: document.querySelector('[data-testid=stApp]')?.dataset.testScriptState,
    title: document.querySelector('[data-testid=stMain] h1')?.innerText,
    skeletons: document.querySelectorAll('[data-testid=stMain] [data-testid=stSkeleton]').length,
    charts: document.querySelectorAll('[data-testid=stPlotlyChart]:not(:has(.main-svg))').length,
    pictures: [...document.querySelectorAll('img')].filter(image => !image.complete).map(image => image.src),
    quiet_for_ms: performance.now() - window.watched.changed,
    says: document.querySelector('[data-testid=stMain]')?.innerText.slice(0, 400),
})"""
"""What a page that does not come to rest was waiting for."""


class Tab:
    """A browser of its own (a new session of the server) with one page, which is timed."""

    def __init__(self, browser: Browser, server: Dashboard):
        self.server = server
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(5000)
        self.page.add_init_script(WATCH)

    def open(self, path: str) -> float:
        """Go there by its address; seconds until all of it is there."""
        self.page.goto(self.server.url(path), timeout=LIMIT_MS)
        self._complete()
        return self.page.evaluate("window.watched.changed") / 1000

    def switch(self, name: str) -> float:
        """Go to another page by its link at the top; seconds until all of it is there."""
        self.page.get_by_test_id("stTopNav").get_by_role("link", name=name, exact=True).click()
        return self.answered()

    def answered(self) -> float:
        """Seconds from the last press of a key or button until the page had changed for the last time."""
        self._complete()
        return max(0.0, self.page.evaluate("window.watched.changed - window.watched.asked")) / 1000

    def _complete(self) -> None:
        try:
            self.page.wait_for_function(COMPLETE, arg=QUIET_MS, polling=40, timeout=LIMIT_MS)
        except TimeoutError as error:
            raise SystemExit(f"{self.page.url} was not complete within a minute: {self.page.evaluate(WHY)}") from error

    def trouble(self) -> list[str]:
        """What the page says went wrong."""
        return self.page.get_by_test_id("stException").all_inner_texts()

    def close(self) -> None:
        self.context.close()


KINDS = {
    "choice": "[role=radiogroup] [role=radio], [data-testid=stButtonGroup] button",
    "selectbox": "[data-testid=stSelectbox]",
    "multiselect": "[data-testid=stMultiSelect]",
    "slider": "[data-testid=stSlider] [role=slider]",
    "number": "[data-testid=stNumberInput]",
    "toggle": "[data-testid=stCheckbox]",
    "text": "[data-testid=stTextInput] input",
    "tab": "[data-testid=stTab]",
    "button": "[data-testid=stButton] button",
}
PLAIN_BUTTON = r"\b(next|previous|random|older|newer|back|forward|clear|show|more)\b"
"""Buttons that only move something on the page: pressing any other could start or delete something."""

FIND = """([kinds, plain]) => {
    const main = document.querySelector('[data-testid=stMain]'), found = [];
    const shown = element => element.checkVisibility({visibilityProperty: true}) && element.getClientRects().length
        && !element.closest('[data-testid=stForm], [disabled], [aria-disabled=true], [data-testid=stFileUploader]');
    for (const [kind, selector] of Object.entries(kinds))
        [...main.querySelectorAll(selector)].forEach((element, place) => {
            const words = (element.getAttribute('aria-label') || element.querySelector('label')?.innerText
                || element.innerText || element.getAttribute('placeholder') || '').split('\\n');
            const icon = /^[a-z]+(_[a-z_]+)?$/;
            const name = (words.find(line => line.trim() && !icon.test(line.trim())) ?? words[0]).trim();
            const chosen = ['aria-checked', 'aria-selected'].some(state => element.getAttribute(state) === 'true');
            const off = element.disabled || element.querySelector('input')?.disabled;
            if (name.startsWith('Help for') || (kind === 'button' && !new RegExp(plain, 'i').test(name))) return;
            if (shown(element) && !chosen && !off)
                found.push({kind, place, name: name.replace(/[a-z]+_[a-z_]+/g, '').trim()});
        });
    return found;
}"""

INSTEAD = """([selector, place]) => {
    const all = [...document.querySelectorAll(`[data-testid=stMain] :is(${selector})`)];
    const group = all[place].closest('[role=radiogroup], [role=tablist]');
    const chosen = group?.querySelector('[aria-checked=true], [aria-selected=true]');
    return chosen ? all.indexOf(chosen) : null;
}"""


class OneChoiceError(Exception):
    """There is nothing else to choose."""


@dataclass(frozen=True)
class Widget:
    """Something on a page that answers, found by its kind and its place among those."""

    kind: str
    place: int
    name: str

    def move(self, tab: Tab) -> float:
        """Change it once, as a person would; seconds until the page has answered.

        Raises `OneChoiceError` for a list of one choice.
        """
        page = tab.page
        found = page.get_by_test_id("stMain").locator(KINDS[self.kind]).nth(self.place)
        found.scroll_into_view_if_needed()
        match self.kind:
            case "slider":
                found.focus()
                page.keyboard.press("ArrowLeft" if self._at_its_end(found) else "ArrowRight")
            case "number":
                steps = found.locator("button:not([disabled])")
                steps.last.click()
            case "text":
                found.fill("b" if found.input_value() == "a" else "a")
                page.keyboard.press("Enter")
            case "selectbox":
                found.locator("input, [role=combobox]").first.click()
                page.locator("[role=option]").first.wait_for()
                others = page.locator("[role=option]:not([aria-selected=true])")
                if not others.count():
                    page.keyboard.press("Escape")
                    raise OneChoiceError
                others.first.click()
            case "multiselect":
                if (chosen := found.locator("button[aria-label^=Remove]:visible")).count():
                    chosen.last.click()  # its place is needed: there may be room for no more
                    tab.answered()
                found.locator("input:visible").click()
                page.locator("[role=option]:not([data-key*=all])").first.click()
            case _:
                found.click(position={"x": 8, "y": 8} if self.kind == "toggle" else None)
        return tab.answered()

    def chosen_instead(self, tab: Tab) -> Widget | None:
        """Of choices and tabs of which one is always chosen: the one that now is."""
        place = tab.page.evaluate(INSTEAD, [KINDS[self.kind], self.place])
        return None if place is None else Widget(self.kind, place, "")

    def _at_its_end(self, slider: Locator) -> bool:
        return slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")


def widgets(tab: Tab) -> list[Widget]:
    """What can be moved on the page as it stands, without what starts, deletes or uploads something."""
    return [Widget(**found) for found in tab.page.evaluate(FIND, [KINDS, PLAIN_BUTTON])]
