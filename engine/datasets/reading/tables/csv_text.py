"""The text of a CSV: bytes in some encoding, lines with some separator -> rows of cells with their line numbers."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.datasets.reading.questions import Option, Question
from engine.store.errors import ErsatzError

SHEET_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
"""Files of spreadsheet programs, which are no CSV."""

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 500
"""Rows by which the separator is chosen."""

MOST_COLUMNS = 1000
"""Each column is looked at for what it may mean; tables of pixels or of measurements have more."""

ENCODINGS = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "mac_roman",
    "cp850",
    "cp866",
    "koi8-r",
    "shift_jis",
    "gb18030",
    "euc_kr",
    "big5",
)
"""Encodings of older programs, the most frequent first. No byte tells them apart, so they are offered, never taken."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

csv.field_size_limit(2**24)  # run-length masks of whole images stand in single cells


@dataclass(frozen=True)
class Sheet:
    """Rows of cells without spaces around them; blank lines and comments are left out."""

    rows: list[list[str]]
    lines: list[int]
    """The line on which each row begins, from 1."""
    notes: list[str]


def decoded(content: bytes, what: str, encoding: str = "") -> str:
    """The text of a CSV: in `encoding` if one is given, else by its byte order mark, else UTF-8.

    Raises `Question` with the encodings that read as words when it is none of these, and `ErsatzError` for what is no
    text at all. Excel's `Unicode text` is UTF-16 with a mark.
    """
    _no_other_file(content, what)
    if encoding:
        return _as_asked(content, what, encoding)
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _as_asked(content, what, name)
    if unmarked := _unmarked_utf16(content):
        return _as_asked(content, what, unmarked)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        options = _readings(content)
        if not options:
            raise ErsatzError(
                f"{what} is not UTF-8 text (line {line}), nor text in any encoding that is known here; a CSV is "
                "expected. Save it as CSV in UTF-8."
            ) from error
        raise Question(
            f"{what} is not UTF-8 text (line {line}), as older programs write it, and no byte tells its encoding.",
            options,
        ) from error


def parsed(text: str, what: str, fit: Callable[[Sequence[str]], float]) -> Sheet:
    """The rows of a CSV, with the separator by which they are best a table.

    `fit` tells from 0 to 1 how well the cells of a column name the images. The separator is the one with which a
    column names the most images; then the one with the same number of cells in the most rows; then that with the most
    cells. The header alone would mislead: `image;label;size, mm`.
    """
    first = next((line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()), "")
    told = re.fullmatch(r'"?sep=(.|\\t)?"?[,;\t|]*', first, flags=re.IGNORECASE)
    separator = (told[1] or "\t").replace("\\t", "\t") if told else _separator(text, what, fit)
    try:
        found = _cells(text, separator)
    except csv.Error as error:
        raise _unreadable(what, str(error)) from error
    found = found[1:] if told else found
    if (width := max((len(cells) for _, cells in found), default=0)) > MOST_COLUMNS:
        raise ErsatzError(
            f"{what} has {width} columns; at most {MOST_COLUMNS} are expected. Keep those that name the images, their "
            "classes, patients, splits and what subgroups need, and leave the others out."
        )
    found, notes = _without_remarks(found)
    if not found:
        raise _unreadable(what, "it is empty")
    return Sheet([cells for _, cells in found], [line for line, _ in found], notes)


def not_a_csv(name: str) -> ErsatzError:
    """What to do with a file of a spreadsheet program."""
    return ErsatzError(
        f"{name} is a file of a spreadsheet program; a CSV is expected. Open it there and save it as CSV in UTF-8 "
        "(in Excel: Save as, CSV UTF-8)."
    )


def _unreadable(what: str, reason: str) -> ErsatzError:
    return ErsatzError(
        f"{what} cannot be read as a CSV ({reason}); a header and one row per image, separated by commas, semicolons "
        "or tabs, are expected. Correct it."
    )


def _no_other_file(content: bytes, what: str) -> None:
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise not_a_csv(what)
    start = content[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise ErsatzError(f"{what} is a web page, not a CSV, as a failed download leaves behind. Download it again.")


def _as_asked(content: bytes, what: str, encoding: str) -> str:
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise ErsatzError(
            f"There is no encoding {encoding!r}; one such as utf-8, cp1252, cp1251 or mac_roman is expected. "
            "Correct csv_encoding."
        ) from error
    except UnicodeError as error:
        raise ErsatzError(
            f"{what} is not text in {encoding} ({error}); a CSV in that encoding is expected. Choose another in "
            "csv_encoding, or save it as CSV in UTF-8."
        ) from error
    _no_mojibake(content, text, what, encoding)
    return text


def _no_mojibake(content: bytes, text: str, what: str, encoding: str) -> None:
    """Refuse an encoding for what is UTF-8: `bösartig` would become `bÃ¶sartig`, and text is hardly UTF-8 by chance."""
    if content.isascii():
        return
    try:
        right = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    if right != text:
        odd = next((part for part in re.split(r"[,;\t|\s\"]+", right) if not part.isascii()), "")
        raise ErsatzError(
            f"{what} is UTF-8 text (it holds {odd[:40]!r}), which {encoding} would garble; its own encoding is "
            "expected. Leave csv_encoding empty."
        )


def _unmarked_utf16(content: bytes) -> str:
    """UTF-16 without a mark shows by the empty half of its plain letters; '' if it is not so."""
    even, odd = content[0:2000:2], content[1:2000:2]
    if odd.count(0) > len(odd) / 2 and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) / 2 and not odd.count(0) else ""


def _readings(content: bytes) -> list[Option]:
    """The encodings that read `content` as words, each with words that hold an odd character."""
    rated: list[tuple[float, str, list[str]]] = []
    texts: set[str] = set()
    for encoding in ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        words = [word for word in re.split(r"[,;\t|\r\n\"]", text) if not word.isascii()]
        if words and (key := "\n".join(words)) not in texts:
            texts.add(key)
            rated.append((_wordlike(words), encoding, [word.strip() for word in dict.fromkeys(words)]))
    rated.sort(key=lambda reading: -round(reading[0], 1))
    best = rated[0][0] if rated else 0.0
    return [
        Option({"csv_encoding": encoding}, f"it then reads {', '.join(repr(word[:40]) for word in words[:3])}")
        for rate, encoding, words in rated
        if rate >= best - 0.5 or encoding == "cp1252"
    ][:5]


def _wordlike(words: Sequence[str]) -> float:
    """How much of the odd characters are letters among letters of their own script, from 0 to 1.

    Words of Western languages have few letters beyond ASCII; those of others have hardly any within it.
    """
    rates = []
    for word in itertools.islice(words, 200):
        for part in re.findall(r"\S+", word):
            odd = [letter for letter in part if not letter.isascii()]
            if not odd:
                continue
            scripts = {unicodedata.name(letter, "?").split(" ")[0] for letter in part if letter.isalpha()}
            letters = sum(letter.isalpha() for letter in odd) / len(odd)
            capital_inside = any(a.islower() and b.isupper() for a, b in itertools.pairwise(part))
            crowded = scripts == {"LATIN"} and len(odd) > sum(letter.isalpha() for letter in part) / 2
            rates.append(letters * (0.3 if len(scripts) > 1 else 1.0) * (0.7 if capital_inside or crowded else 1.0))
    return sum(rates) / len(rates) if rates else 0.0


def _cells(text: str, separator: str, most: int | None = None) -> list[tuple[int, list[str]]]:
    """(line number, cells) of each row that is not blank. Raises `csv.Error`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    rows, line = [], 1
    try:
        for cells in itertools.islice(reader, most):
            plain = [_plain(cell) for cell in cells]
            if any(plain):
                rows.append((line, plain))
            line = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {line}: {error}") from error
    return rows


def _plain(cell: str) -> str:
    """A cell without spaces and single quotes around it, and without Excel's formula that keeps zeros: `="007"`."""
    cell = cell.strip().strip("\ufeff\x00").strip()
    inner = re.fullmatch(r"=\"(.*)\"|'(.*)'", cell)
    return (inner[1] or inner[2] or "").strip() if inner else cell


def _separator(text: str, what: str, fit: Callable[[Sequence[str]], float]) -> str:
    rated: list[tuple[float, float, int, str]] = []
    failed = ""
    for separator in (*SEPARATORS, " "):
        try:
            rows = [cells for _, cells in _cells(text, separator, SAMPLE)]
        except csv.Error as error:
            failed = failed or str(error)
            continue
        widths = Counter(map(len, rows))
        width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
        if width < 2 or (separator == " " and rated):
            continue
        named = max(fit([row[n] for row in rows if n < len(row)]) for n in range(min(width, 200)))
        rated.append((round(named, 2), round(count / len(rows), 2), width, separator))
    if not rated and failed:
        raise _unreadable(what, failed)
    return max(rated, key=lambda rate: rate[:3])[3] if rated else ","


def _without_remarks(rows: list[tuple[int, list[str]]]) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """The rows without comments (`# ...`) and without the lines of a title above the header."""
    filled = [sum(cell != "" for cell in cells) for _, cells in rows]
    width = Counter(map(len, (cells for _, cells in rows))).most_common(1)[0][0] if rows else 0
    kept = [
        (line, cells)
        for number, (line, cells) in enumerate(rows)
        if not cells[0].startswith("#") or (len(cells) == width and (number or _is_commented_header(cells)))
    ]
    comments = len(rows) - len(kept)
    usual = Counter(filled).most_common(1)[0][0] if rows else 0
    header = next((n for n, (_, cells) in enumerate(kept[:20]) if _names_columns(cells)), len(kept))
    titles = 0
    while usual > 1 and titles < min(header, len(kept) - 1):
        cells = sum(cell != "" for cell in kept[titles][1])
        if cells > 1 and (cells >= usual or header == len(kept)):
            break
        titles += 1
    notes = [f"{comments} lines of the CSV that begin with # were left out."] if comments else []
    if titles:
        notes.append(f"{titles} lines above the header of the CSV were left out (such as {kept[0][1][0][:60]!r}).")
    kept = kept[titles:]
    if kept and kept[0][1][0].startswith("# "):
        kept[0] = (kept[0][0], [kept[0][1][0][2:].strip(), *kept[0][1][1:]])
    return kept, notes


def _is_commented_header(cells: Sequence[str]) -> bool:
    """A header, although it begins with #: a column of row numbers (`#,image,label`), or NumPy's `# image,label`."""
    return cells[0] == "#" or _names_columns(cells)


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether a row has usual names of columns, and so is a header rather than a title."""
    names = r"\W*(image|img|file|filename|id|name|path|label|class|target|diagnosis|dx)([\W_].*)?"
    return any(re.fullmatch(names, cell, flags=re.IGNORECASE) for cell in cells)
