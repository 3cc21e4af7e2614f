"""An error's sentence on a page: all of it to be read, and nothing in it to be followed, loaded or formatted."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from engine.store.home import Home
from pages.components.format import plain_sentence
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


AROUND = ["{}", "`{}``", "``{}`", "`\n\n{}`", "`a` {} `b`", r"\`{}`", "# {}", "- {}", "_{}_ a_b"]
NAMES = ["![x](u)", "[x](u)", "*x*", "__x__", "<b>x</b>", "~~x~~", r"\*x*", "`x`y`"]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_markdown_finds_text_and_code_alone(around: str, name: str) -> None:
    """By another program's reading: nothing but words, and all of them."""
    said = around.format(name)
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(plain_sentence(said))
    assert {block.type for block in blocks} <= {"paragraph_open", "inline", "paragraph_close"}
    parts = [part for block in blocks for part in block.children or ()]
    assert {part.type for part in parts} <= {"text", "text_special", "code_inline"}
    read = "".join(part.content for part in parts)
    assert read.replace("`", "").split() == said.replace("`", "").split()
