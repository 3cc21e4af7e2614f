"""Numbers and moments in the words of a page."""

from __future__ import annotations

import re
import time
from datetime import datetime

MARKUP = re.compile(r"[\\`*\[\]<>$~|&]|(?<![^\W_])_|_(?![^\W_])|^[#+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|:(?=[A-Za-z+:_-])")
"""What a page would show as a link, a picture, a formula, an icon, a list or the like, and not as itself."""
LONG, JOINT = re.compile(r"\S{13,}"), re.compile(r"[_./-]+(?=\w)")
"""A word too long for a small tile, and what joins its parts."""
ZERO_WIDTH_SPACE = "\u200b"
CODE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
"""A command in a sentence: nothing in it means anything else, and escapes in it would be seen."""


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def moment(seconds: float | None) -> str:
    """A time since the epoch as local `14:05` of today, else `3 May 14:05`; a dash when there is none."""
    if not seconds:
        return "–"
    then = datetime.fromtimestamp(seconds)
    if then.date() == datetime.fromtimestamp(time.time()).date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b %H:%M}"


def gib(size: float) -> str:
    """Bytes as `12.3 GiB`."""
    return f"{size / 2**30:.1f} GiB"


def amount(value: float) -> str:
    """A count without needless digits: `12`, `12.5`, `0.25`."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def plain(text: object) -> str:
    """Words from a file, a table or a link, to be shown as themselves, whatever they would mean as Markdown.

    They become one line: an empty one would end the paragraph, and with it what was meant to stand around them.
    """
    return _escaped(" ".join(str(text).split()))


def plain_sentence(sentence: object) -> str:
    """A sentence of the engine, which may quote what came from outside: as it is, but for the commands in it, which
    stay code."""
    text, shown, end = " ".join(str(sentence).split()), [], 0
    for code in CODE.finditer(text):
        shown += [_escaped(text[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*shown, _escaped(text[end:])])


def breakable(text: str) -> str:
    """Words that have no spaces, such as names of files and classes, with places where a line may end; else a narrow
    tile ends it inside a syllable."""
    return LONG.sub(lambda word: JOINT.sub(r"\g<0>" + ZERO_WIDTH_SPACE, word.group()), text)


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", text)


def plain_badge(text: object) -> str:
    """As `plain`, for the words of a badge: Streamlit escapes brackets itself there, and would undo what was done."""
    return plain(text).replace("\\[", "[").replace("\\]", "]")


def picture_form(size: int, mode: str) -> str:
    """`64×64 px, grey`: the stored form of images."""
    return f"{size}×{size} px, {'grey' if mode == 'L' else 'colour'}"
