"""One table in every dialect, encoding and manner of naming images: always the same items."""

from __future__ import annotations

import codecs
import itertools
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.datasets.reading.items import Reading
from engine.datasets.reading.questions import Question
from engine.store.errors import ErsatzError

NAMES = [f"Müller_{number:02d}" for number in range(12)]
LABELS = ["bösartig" if number % 2 else "gutartig" for number in range(12)]
HEADER = ["image", "label", "size, mm"]
ROWS = [[f"{name}.png", label, f"{number},5"] for number, (name, label) in enumerate(zip(NAMES, LABELS, strict=True))]


@pytest.fixture
def folder(csv_folder) -> Callable[..., Path]:
    return lambda content, files=None: csv_folder(content, files or [f"{name}.png" for name in NAMES])


def pairs(reading: Reading) -> dict[str, str]:
    return {unicodedata.normalize("NFC", item.source).removesuffix(".png"): item.label for item in reading.items}


def written(rows: list[list[str]], separator: str, end: str = "\n", quoted: bool = False) -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if quoted or separator in text or "\n" in text else text

    return "".join(separator.join(map(cell, row)) + end for row in rows)


TITLES = {
    "plain": lambda text, separator, end: text,
    "sep": lambda text, separator, end: f"sep={separator}{end}{text}",
    "title": lambda text, separator, end: f"Export of the archive{separator}{separator}{end}{end}{text}",
    "comment": lambda text, separator, end: f"# made by the archive, version 2; all rights{end}{text}",
    "blank": lambda text, separator, end: end + text.replace(end, end + end),
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_dialect_and_encoding_gives_the_same_items(folder, read_table, separator: str, title: str):
    for end, encoding, quoted in itertools.product(("\n", "\r\n", "\r"), ENCODINGS, (False, True)):
        text = TITLES[title](written([HEADER, *ROWS], separator, end, quoted), separator, end)
        reading = read_table(folder(text.encode(encoding)))
        assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True)), (end, encoding, quoted)
        assert reading.items[3].meta == {"meta_size, mm": "3,5"}


@pytest.mark.parametrize("where", ["rows", "header", "both"])
def test_separators_at_the_end_of_lines_make_no_column(folder, read_table, where: str):
    ends = ["," if where != "rows" else "", *[",,"[: 2 if where == "both" else 1] if where != "header" else ""] * 12]
    table = [["image", "label"], *([name, label] for name, label in zip(NAMES, LABELS, strict=True))]
    text = "".join(f"{','.join(row)}{end}\n" for row, end in zip(table, ends, strict=True))
    reading = read_table(folder(text))
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))
    assert reading.items[0].meta == {}


def test_row_names_of_r_without_a_name_do_not_shift_the_columns(folder, read_table):
    rows = [[str(99 - number), name, label] for number, (name, label) in enumerate(zip(NAMES, LABELS, strict=True))]
    reading = read_table(folder(written([["image", "label"], *rows], ",")))
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))
    assert any("row names" in note for note in reading.notes)


def test_header_again_and_single_quotes(folder, read_table):
    rows = [[f"'{name}'", f"'{label}'"] for name, label in zip(NAMES, LABELS, strict=True)]
    text = written([["image", "label"], *rows[:5], ["image", "label"], *rows[5:]], ",")
    assert pairs(read_table(folder(text))) == dict(zip(NAMES, LABELS, strict=True))


def test_titles_of_two_cells_are_no_header(folder, read_table):
    text = "Study;7;\nDate;2020;\n" + written([["image", "label", "n"], *([*row[:2], "7"] for row in ROWS)], ";")
    reading = read_table(folder(text))
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))
    assert any("2 lines above the header" in note for note in reading.notes)


def test_a_last_column_without_a_name_keeps_its_place(folder, read_table):
    rows = [[name, label] for name, label in zip(NAMES, LABELS, strict=True)]
    reading = read_table(folder(written([["image", ""], *rows], ",")), label_column="2")
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))


def test_a_row_with_too_many_cells_is_refused_with_its_line(folder, read_table):
    text = 'image,label,"a\nb"\n' + "".join(f"{name},{label},x\n" for name, label in zip(NAMES, LABELS, strict=True))
    with pytest.raises(ErsatzError, match=r"line 6 has 4 cells, the header 3"):
        read_table(folder(text.replace("Müller_03,bösartig,x", "Müller_03,bösartig,x,y")))


def test_lines_in_messages_count_quoted_and_blank_lines(folder, read_table):
    text = '\nimage,label,"two\nlines"\n\nMüller_00,gutartig,"a\nb"\nMüller_01,,c\nMüller_02,gutartig,d\n'
    with pytest.raises(ErsatzError, match=r"first: line 7\)"):
        read_table(folder(text))


@pytest.mark.parametrize("columns", [["{n}.png", "{l}"], ["{n}", "{l}"], ["./{n}.png", "{l}"]])
def test_a_first_row_that_names_an_image_is_no_header(folder, read_table, columns: list[str]):
    text = written(
        [[cell.format(n=n, l=label) for cell in columns] for n, label in zip(NAMES, LABELS, strict=True)], ";"
    )
    reading = read_table(folder(text))
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))
    assert any("no header line" in note for note in reading.notes)
    assert len(read_table(folder(text), csv_header="yes").items) == 11


def test_a_first_row_that_may_be_a_header_is_asked_about(folder, read_table):
    text = "Müller_77,gutartig\n" + written([*([n, label] for n, label in zip(NAMES, LABELS, strict=True))], ",")
    with pytest.raises(Question) as caught:
        read_table(folder(text))
    assert [option.settings for option in caught.value.options] == [{"csv_header": "no"}, {"csv_header": "yes"}]
    assert len(read_table(folder(text), csv_header="yes").items) == 12
    with pytest.raises(ErsatzError, match="'Müller_77'"):
        read_table(folder(text), csv_header="no")


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp850", "iso-8859-1"])
def test_text_that_is_not_utf8_is_asked_about(folder, read_table, encoding: str):
    source = folder(written([HEADER, *ROWS], ";").encode(encoding))
    with pytest.raises(Question, match=r"not UTF-8 text \(line 2\)") as caught:
        read_table(source)
    right = [option for option in caught.value.options if "'bösartig'" in option.text]
    assert right
    reading = read_table(source, **right[0].settings)
    assert pairs(reading) == dict(zip(NAMES, LABELS, strict=True))


@pytest.mark.parametrize(
    ("encoding", "label"), [("cp1251", "злокачественная"), ("cp1250", "złośliwy"), ("shift_jis", "悪性")]
)
def test_other_scripts_are_offered_first(folder, read_table, encoding: str, label: str):
    files = [f"{number}.png" for number in range(6)]
    rows = [["image", "label"], *([name, label if number % 2 else "b"] for number, name in enumerate(files))]
    source = folder(written(rows, ",").encode(encoding), files)
    with pytest.raises(Question) as caught:
        read_table(source)
    assert caught.value.options[0].settings == {"csv_encoding": encoding}
    assert label in caught.value.options[0].text


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("klingon", "no encoding 'klingon'"),
        ("rot13", "no encoding"),
        ("ascii", "not text in ascii"),
        ("cp1252", "garble"),
    ],
)
def test_a_wrong_encoding_is_refused(folder, read_table, encoding: str, words: str):
    with pytest.raises(ErsatzError, match=words):
        read_table(folder(written([HEADER, *ROWS], ",")), csv_encoding=encoding)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "spreadsheet"),
        (b"<!DOCTYPE html><html>", "web page"),
        (codecs.BOM_UTF8, "it is empty"),
        (b'image,label\na,"b\n', "cannot be read as a CSV"),
    ],
)
def test_what_is_no_csv_is_said(folder, read_table, content: bytes, words: str):
    with pytest.raises(ErsatzError, match=words):
        read_table(folder(content))


def test_a_spreadsheet_in_place_of_a_csv_is_said(folder, read_table, tmp_path: Path):
    source = folder("")
    (source / "labels.csv").rename(source / "labels.xlsx")
    for settings in ({}, {"csv": "labels.xlsx"}, {"csv": str(tmp_path / "labels.xlsx")}):
        with pytest.raises(ErsatzError, match=r"labels\.xlsx is a file of a spreadsheet.*save it as CSV"):
            read_table(source, **settings)


@pytest.mark.parametrize(
    "named",
    [
        lambda name: f"C:\\study\\images\\{name}.png",
        lambda name: f"/kaggle/input/images/{name}.png",
        lambda name: f"../{name}.PNG",
        lambda name: name.upper(),
        lambda name: f"{name}.jpg",
        lambda name: f"{name}.png\n",
        lambda name: name.replace("ü", "%C3%BC") + ".png",
        lambda name: unicodedata.normalize("NFD", name),
        lambda name: f'="{name}"',
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_images_are_found_by_names_written_elsewhere(folder, read_table, named: Callable[[str], str], form: str):
    rows = [["image", "label"], *([named(name), label] for name, label in zip(NAMES, LABELS, strict=True))]
    files = [f"images/{unicodedata.normalize(form, name)}.png" for name in NAMES]
    found = pairs(read_table(folder(written(rows, ",", quoted=True), files)))
    assert found == {f"images/{name}": label for name, label in zip(NAMES, LABELS, strict=True)}


def test_names_that_a_zip_garbled_are_found(folder, read_table):
    files = [f"{name}.png".encode().decode("cp437") for name in NAMES]
    assert len(read_table(folder(written([HEADER, *ROWS], ","), files)).items) == 12


def test_capitals_count_where_they_tell_two_files_apart(folder, read_table):
    files = [f"a{number}.png" for number in range(6)] + [f"A{number}.png" for number in range(6)]
    rows = [["image", "label"], *([name, "small" if name[0] == "a" else "large"] for name in files)]
    found = pairs(read_table(folder(written(rows, ","), files)))
    assert {name[0]: label for name, label in found.items()} == {"a": "small", "A": "large"}


def test_equal_names_in_several_folders_are_told_apart(folder, read_table):
    files = [f"set/{part}/patient{number}/image1.png" for part in ("train", "test") for number in range(6)]
    by_path = written([["path", "label"], *([f"X-1.1/{name}", str(n % 2)] for n, name in enumerate(files))], ",")
    assert [item.source for item in read_table(folder(by_path, files)).items] == files
    files = [f"{part}/{number}.png" for part in ("train", "val") for number in range(6)]
    rows = [[name.split("/")[1], str(n % 2), name.split("/")[0]] for n, name in enumerate(files)]
    reading = read_table(folder(written([["file", "label", "split"], *rows], ","), files))
    assert [item.source for item in reading.items][:12] == files


def test_a_column_of_row_numbers_never_names_the_images(folder, read_table):
    files = [f"{number}.png" for number in range(12)]
    rows = [["", "image", "label"], *([str(number), f"{11 - number}.png", str(number % 2)] for number in range(11))]
    reading = read_table(folder(written(rows, ","), files))
    assert reading.items[0].source == "11.png"


def test_two_columns_of_images_are_asked_about(folder, read_table):
    files = [f"{view}{number}.png" for view in "fl" for number in range(6)]
    rows = [[f"f{number}.png", f"l{number}.png", str(number % 2)] for number in range(6)]
    source = folder(written([["frontal", "lateral", "label"], *rows], ","), files)
    with pytest.raises(Question, match="several columns name images") as caught:
        read_table(source)
    assert [option.settings["image_column"] for option in caught.value.options] == ["frontal", "lateral"]
    assert read_table(source, image_column="lateral").items[0].source == "l0.png"
