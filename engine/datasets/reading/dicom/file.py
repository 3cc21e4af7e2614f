"""DICOM files opened: header and place of the pixel data, with or without preamble and file meta information."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from struct import unpack
from typing import BinaryIO

import pydicom
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import FileDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian
from pydicom.uid import ImplicitVRLittleEndian as ImplicitLittle
from pydicom.valuerep import VR

from engine.datasets.reading.dicom.codecs import start_of_frame
from engine.datasets.reading.items import BadPicture, NotAnImage, checked_pixels

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # small breaches of the standard do no harm
# What matters of a breach is said in a remark of the picture; pydicom would write it to the terminal, file by file.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

ENDINGS = (".dcm", ".dicom", ".dic", ".ima")
UNDEFINED_LENGTH = 0xFFFFFFFF
"""Length of encapsulated (compressed) pixel data."""
PIXEL_KEYWORDS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
PLAIN = (ImplicitLittle, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)

_OTHER_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM")
_VRS = frozenset(str(vr).encode() for vr in VR if len(str(vr)) == 2)
_FIRST_GROUPS = frozenset({0x0002, 0x0008})
_LATER_GROUPS = frozenset({0x0010, 0x0018, 0x0020, 0x0028})
"""With what a data set may begin whose identifying attributes were removed; too little to know one without a name."""

_NO_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
}
"""Objects with pixel data that are no pictures of a patient."""


@dataclass(frozen=True)
class DicomFile:
    """An image object: its header, and where the value of its pixel data begins."""

    header: FileDataset
    syntax: UID
    keyword: str
    """PixelData, FloatPixelData or DoubleFloatPixelData."""
    vr: str
    data: BinaryIO
    """Positioned at the first byte of the value of the pixel data."""
    length: int
    """Bytes of the value, or `UNDEFINED_LENGTH`."""
    encapsulated: bool
    """Compressed, in a sequence of fragments."""

    @property
    def little(self) -> bool:
        return self.syntax != ExplicitVRBigEndian


def looks_like_dicom(head: bytes) -> bool:
    """By the first 132 bytes: the letters DICM at 128, or a data set that begins with group 0002 or 0008."""
    return head[128:132] == b"DICM" or _begins_data_set(head, _FIRST_GROUPS)


def is_dicom(file: BinaryIO, name: str) -> bool:
    """By its content, or by its ending unless it begins as another picture does; leaves the file at its start."""
    head = file.read(132)
    file.seek(0)
    named_so = PurePosixPath(name).suffix.lower() in ENDINGS and len(head) > 0
    return looks_like_dicom(head) or (named_so and not head.startswith(_OTHER_PICTURES))


def open_dicom(file: BinaryIO, max_pixels: int) -> DicomFile:
    """Read the header; raises `NotAnImage` for reports, plans and the like, and `BadPicture` for damage."""
    head = file.read(132)
    file.seek(0)
    if not looks_like_dicom(head) and not _begins_data_set(head, _LATER_GROUPS):
        raise BadPicture("is not a readable DICOM image (neither 'DICM' after 128 bytes nor a data set at its start)")
    try:
        return _opened(file, max_pixels)
    except BadPicture:
        raise
    except Exception as error:  # pydicom raises nearly anything on damaged files, also when a value is looked at
        raise BadPicture(f"is not a readable DICOM image ({reason(error)})") from error


def _opened(file: BinaryIO, max_pixels: int) -> DicomFile:
    header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    syntax = _syntax(header)
    if syntax == DeflatedExplicitVRLittleEndian:  # there is no place in a compressed stream: read all of it
        file.seek(0)
        place = _inflated(pydicom.dcmread(file, force=True))
    else:
        place = _place(file, header)
    _refuse_other_objects(header, place is not None)
    assert place is not None
    keyword, vr, data, length = place
    for name in ("Rows", "Columns", "BitsAllocated"):
        if whole(header, name) is None:
            raise BadPicture(f"lacks the DICOM attribute {name}")
    checked_pixels(whole(header, "Columns") or 0, whole(header, "Rows") or 0, max_pixels)
    encapsulated = length == UNDEFINED_LENGTH or (syntax not in PLAIN and _begins_fragments(data))
    if encapsulated and syntax in PLAIN:
        syntax = _syntax_of_codestream(data)
    elif not encapsulated and syntax not in PLAIN:  # decompressed by a tool that left the old syntax in the header
        syntax = _plain_syntax(header)
    return DicomFile(header, syntax, keyword, vr, data, length, encapsulated)


def whole(header: FileDataset, keyword: str) -> int | None:
    """A whole number of the header; None if it is absent or empty. Raises `BadPicture` when it is no number."""
    try:
        value = header.get(keyword)
        return None if value is None or value == "" else int(value)
    except Exception as error:  # conversions raise what they like
        raise BadPicture(f"has a DICOM attribute {keyword} that is no whole number") from error


def reason(error: Exception) -> str:
    """One line of what pydicom or a decoder says, without a full stop or a colon at its end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):  # a heading, with one line for each decoder that was tried
        lines = [line for line in lines[1:] if "NoneType" not in line] or ["the compressed frame is damaged"]
    return lines[0].rstrip(".:") if lines else type(error).__name__


def _begins_data_set(head: bytes, groups: frozenset[int]) -> bool:
    if len(head) < 12:
        return False
    for order in "<>":
        group, element = unpack(f"{order}HH", head[:4])
        if group not in groups or not (element == 0 or dictionary_has_tag(group << 16 | element)):
            continue
        if head[4:6] in _VRS:
            return True
        (length,) = unpack("<L", head[4:8])  # implicit VR is little endian only
        if order == "<" and length % 2 == 0 and length <= 4096:
            return True
    return False


def _syntax(header: FileDataset) -> UID:
    """The transfer syntax; where the file does not say, the plain one as which its header could be read."""
    stated = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if not stated or stated in (ImplicitLittle, ExplicitVRLittleEndian):  # the header may be written otherwise
        return _plain_syntax(header)
    return UID(stated)


def _plain_syntax(header: FileDataset) -> UID:
    implicit, little = header.original_encoding
    return ImplicitLittle if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _begins_fragments(data: BinaryIO) -> bool:
    begins = data.read(4) == b"\xfe\xff\x00\xe0"
    data.seek(-4, 1)
    return begins


def _place(file: BinaryIO, header: FileDataset) -> tuple[str, str, BinaryIO, int] | None:
    """Keyword, VR, file at the value and length of the pixel data, at whose tag pydicom left the file."""
    start = file.read(8)
    if len(start) < 8:
        return None
    implicit, little = header.original_encoding
    order = "<" if little else ">"
    group, element = unpack(f"{order}HH", start[:4])
    keyword = PIXEL_KEYWORDS.get(group << 16 | element)
    if keyword is None:
        return None
    if implicit or start[4:6] not in _VRS:  # some writers change to implicit VR half-way
        return keyword, "OW", file, unpack(f"{order}L", start[4:])[0]
    return keyword, start[4:6].decode("latin-1"), file, unpack(f"{order}L", file.read(4))[0]


def _inflated(header: FileDataset) -> tuple[str, str, BinaryIO, int] | None:
    for keyword in PIXEL_KEYWORDS.values():
        if keyword in header:
            element = header[keyword]
            return keyword, str(element.VR), BytesIO(element.value), len(element.value)
    return None


def _refuse_other_objects(header: FileDataset, with_pixels: bool) -> None:
    """Raise for objects that hold no picture, by their SOP class; an image without its pixels is damaged."""
    meta = getattr(header, "file_meta", {})
    uid = UID(str(header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or ""))
    name = _NO_PICTURES.get(uid) or uid.name.removesuffix(" Storage")
    if uid in _NO_PICTURES or (not with_pixels and "Image" not in name and "Rows" not in header):
        if not uid and not len(header):
            raise BadPicture("is not a readable DICOM image (its data set is empty)")
        what = "a directory of a disc" if name == "Media Storage Directory" else name
        raise NotAnImage(f"hold no image (DICOM: {what if uid and name != uid else 'an object of another kind'})")
    if not with_pixels:
        raise BadPicture("has no pixel data (PixelData is absent: cut off, or left out by its sender)")


def _syntax_of_codestream(data: BinaryIO) -> UID:
    """Of compressed pixel data in a file that claims none: by the first bytes of its first fragment."""
    begin = data.tell()
    table = data.read(8)
    data.seek(begin + 8 + unpack("<L", table[4:8])[0] + 8)
    codestream = data.read(4096)
    data.seek(begin)
    if codestream.startswith(b"\xff\x4f\xff\x51"):
        return UID("1.2.840.10008.1.2.4.201" if b"\xff\x50" in codestream[:200] else "1.2.840.10008.1.2.4.90")
    syntaxes = {0xC0: "50", 0xC1: "51", 0xC3: "57", 0xF7: "80"}  # by start of frame: JPEG of several kinds, JPEG-LS
    if (frame := start_of_frame(codestream)) and frame[0] in syntaxes:
        return UID(f"1.2.840.10008.1.2.4.{syntaxes[frame[0]]}")
    raise BadPicture("is compressed, but its TransferSyntaxUID is absent or says otherwise; save it anew")
