"""Names in a ZIP that do not say their encoding: older programs wrote them in the code page of their country."""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from itertools import pairwise

UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075
"""Extra field of Info-ZIP with the name in UTF-8: version, CRC-32 of the other name, name."""

ENCODINGS = ("utf-8", "cp437", "cp850", "cp866", "gb2312", "cp932", "cp949", "big5", "gbk", "cp1251", "cp1252")
"""Encodings tried, the likelier first: a later one is taken only if it makes more sense of the names.

cp850 and cp866 are what Windows writes in Western Europe and in Russia; the specification (APPNOTE.TXT, D.1) has cp437.
"""


def zip_names(archive: zipfile.ZipFile) -> tuple[list[str], str]:
    """The names of all entries, with `/` between folders, and the encoding that was found out ('' if none)."""
    entries = archive.infolist()
    raw = [_unsaid(info) for info in entries]
    unsaid = [name for name in raw if not name.isascii()]
    encoding = best_encoding(unsaid) if unsaid else ""
    names = []
    for info, name in zip(entries, raw, strict=True):
        own = _unicode_path(info)
        text = own or (name.decode(encoding or "cp437") if name else info.filename)
        names.append(text.replace("\\", "/"))
    return names, encoding


def best_encoding(names: Sequence[bytes]) -> str:
    """The first of `ENCODINGS` in which the names hold the fewest signs that no name would."""
    readable = {}
    for encoding in ENCODINGS:
        try:
            readable[encoding] = sum(_oddness(name.decode(encoding)) for name in names)
        except UnicodeDecodeError:
            continue
    if "utf-8" in readable:
        return "utf-8"
    return min(readable, key=lambda encoding: readable[encoding])


def _unsaid(info: zipfile.ZipInfo) -> bytes:
    """The name as it stands in the file, if it neither says that it is UTF-8 nor has such a name beside it."""
    if info.flag_bits & UTF8_FLAG or _unicode_path(info):
        return b""
    return info.filename.encode("cp437")  # what zipfile decoded it with, each byte to one character


def _unicode_path(info: zipfile.ZipInfo) -> str:
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == UNICODE_PATH and size > 5:
            try:
                return extra[9 : 4 + size].decode("utf-8")
            except UnicodeDecodeError:
                return ""
        extra = extra[4 + size :]
    return ""


def _oddness(name: str) -> int:
    """Signs that are no letters, capitals within words, and words of several scripts."""
    odd = sum(not char.isascii() and unicodedata.category(char)[0] not in "LM" for char in name)
    for word in re.findall(r"[^\W\d_]+", name):
        scripts = {unicodedata.name(char, "? ").split()[0] for char in word if unicodedata.category(char)[0] == "L"}
        odd += len(scripts - {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}) > 1
        odd += sum(one.islower() and two.isupper() for one, two in pairwise(word) if not two.isascii())
        odd += any(script in ("HALFWIDTH", "FULLWIDTH", "FEMININE", "MASCULINE") for script in scripts)
    return odd
