"""An error's sentence on a page: all of it to be read, and nothing in it to be followed, loaded or formatted."""

from __future__ import annotations

import pytest

from engine.store.home import Home
from pages.parts.words import plain_sentence
from tests.pages.conftest import OpenPage


def test_markdown_in_the_name_of_a_file_is_shown_as_itself(open_page: OpenPage, home: Home) -> None:
    app = open_page("datasets")
    app.text_input(key="import-path").set_value("/scans/![x](https:/elsewhere.example/x.png) *a* $b$").run()
    (error,) = app.error
    assert r"/scans/!\[x\](https:/elsewhere.example/x.png) \*a\* \$b\$" in error.value


@pytest.mark.parametrize(
    "sentence",
    [
        "g_loss became infinite; train again with lower g_lr and d_lr (at 3.5 kimg).",
        "There is no run r_1 here; `python -m engine runs --kind [pool]` lists those there are.",
        "A name of letters, digits, '.' or '-' is expected: shorten it.",
    ],
)
def test_an_ordinary_sentence_stays_as_it_is(sentence: str) -> None:
    assert plain_sentence(sentence) == sentence


@pytest.mark.parametrize("name", ["`{}``", "``{}`", "`\n\n{}`", "`a` {} `b`", "{}", r"\`{}`"])
def test_backticks_hide_no_markdown(name: str) -> None:
    """What Markdown would not take for code is never left as it is."""
    assert "![x]" not in plain_sentence(name.format("![x](u)"))
