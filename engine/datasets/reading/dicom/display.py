"""From stored values to units (HU in CT) and to the grey that a DICOM file asks for: rescaling, tables, windows.

PS3.3 C.11.1 (modality LUT) and C.11.2 (VOI LUT). In enhanced objects they stand in the functional groups, of one frame
or shared by all (C.7.6.16); those of the frame come first, then the shared ones, then the header itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from engine.datasets.preprocess import black_and_white
from engine.datasets.reading.items import BadPicture

_TEXT_VRS = frozenset({"DS", "IS", "LO", "SH", "ST", "LT", "CS", "UT", "UN"})
_COMMA = re.compile(r"[+-]?(\d+),(\d+)")
_STEP = 1e-6


class Unreadable(Exception):
    """Text where a number should stand; the message is the text."""


@dataclass(frozen=True)
class Lut:
    """A look-up table: its value at index `value - first`, the ends going on beyond them."""

    entries: np.ndarray
    """Integers."""
    first: int
    bits: int

    def of(self, values: np.ndarray) -> np.ndarray:
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[np.nan_to_num(index).astype(np.int64)].astype(np.float64)


@dataclass(frozen=True)
class Display:
    """How one frame is brought to its units and shown."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Lut | None = None
    window: tuple[float, float] | None = None
    """Values shown as black and as white."""
    sigmoid: tuple[float, float] | None = None
    """Centre and width."""
    voi: Lut | None = None

    @property
    def rescales(self) -> bool:
        return self.modality is not None or (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def shows(self) -> bool:
        """Whether the file or the config says what is black and what is white."""
        return self.window is not None or self.sigmoid is not None or self.voi is not None

    def in_units(self, stored: np.ndarray) -> np.ndarray:
        """float64, in HU for CT."""
        return self.modality.of(stored) if self.modality else stored * self.slope + self.intercept

    def shown(self, values: np.ndarray) -> tuple[np.ndarray, tuple[float, float] | None]:
        """Values in units, or already as grey from 0 to 255, and those that are black and white."""
        if self.voi is not None:
            return self.voi.of(values) * (255 / (2**self.voi.bits - 1)), (0.0, 255.0)
        if self.sigmoid is not None:  # C.11.2.1.3.1
            centre, width = self.sigmoid
            return 255 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))), (0.0, 255.0)
        return values, self.window


def display_of(
    header: Dataset, frame: int, window: tuple[float, float] | None, signed: bool, little: bool, remarks: list[str]
) -> Display:
    """`window` (centre and width, in units) stands above all that the file says of how to show it.

    Appends what must be said of the picture to `remarks`; raises `BadPicture` where values would be wrong.
    """
    holder = _holder(header, frame, "PixelValueTransformationSequence", ("RescaleSlope", "RescaleIntercept"))
    table = _sequence(header, "ModalityLUTSequence")
    modality = None if not table else read_lut(table[0], "ModalityLUTSequence", signed, little)
    base = Display(modality=modality)
    if modality is None:
        base = Display(
            slope=_factor(holder, "RescaleSlope", 1, remarks), intercept=_factor(holder, "RescaleIntercept", 0, remarks)
        )
    if base.slope == 0:
        raise BadPicture("has RescaleSlope (0028,1053) = 0, by which all values would be one; mend that tag")
    if window is not None:
        return replace(base, window=_ends(window, base.slope))
    holder = _holder(header, frame, "FrameVOILUTSequence", ("WindowCenter", "VOILUTSequence"))
    tables = _sequence(holder, "VOILUTSequence")
    windows = _windows(holder, remarks)
    if tables:
        if len(tables) > 1 or windows:
            remarks.append(
                "hold several views (VOILUTSequence, WindowCenter), of which the first look-up table is used"
            )
        # units may be below 0 after a rescaling too; the table then begins at a signed value
        voi = read_lut(tables[0], "VOILUTSequence", signed or base.intercept < 0, little)
        filled = max(8, int(voi.entries.max()).bit_length())
        if filled < voi.bits - 2:  # by which white would be less than an eighth of white
            remarks.append(
                "hold a look-up table (VOILUTSequence) of far lower values than the bits of its LUTDescriptor, and are "
                "shown as if it said the bits that they fill"
            )
            voi = replace(voi, bits=filled)
        return replace(base, voi=voi)
    if not windows:
        return base
    if len(windows) > 1:
        remarks.append("hold several windows (WindowCenter), of which the first is used (window chooses another)")
    function = str(holder.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function == "SIGMOID":
        return replace(base, sigmoid=windows[0])
    if function not in ("LINEAR", "LINEAR_EXACT"):
        remarks.append("hold an unknown VOILUTFunction, and are shown by a linear window")
    return replace(base, window=_ends(windows[0], base.slope, exact=function == "LINEAR_EXACT"))


def _ends(window: tuple[float, float], slope: float, exact: bool = False) -> tuple[float, float]:
    """Values that become black and white; a width of 1 is a step between two whole numbers where units are such."""
    centre, width = window
    if width == 1 and float(slope).is_integer() and not exact:
        width += _STEP
    return black_and_white((centre, width), exact)


def numbers(values: Dataset, keyword: str, remarks: list[str]) -> list[float]:
    """The numbers of an attribute, [] if it is absent or empty; raises `Unreadable` for text."""
    if keyword not in values:
        return []
    element = values.get_item(keyword)
    raw = element.value if element is not None else None
    vr = getattr(element, "VR", None) or dictionary_VR(keyword)
    if isinstance(raw, bytes) and vr in _TEXT_VRS:
        raw = raw.decode("latin-1").split("\\")
    elif isinstance(raw, bytes):
        raw = values[keyword].value
    several = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else [raw]
    texts = [str(value).strip(" \0\t\r\n") for value in several if value is not None]
    return [_number(text, keyword, remarks) for text in texts if text]


def read_lut(item: Dataset, name: str, signed: bool, little: bool) -> Lut:
    """A table of a modality or VOI LUT sequence; raises `BadPicture`."""
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or len(descriptor) != 3 or data is None:
        raise BadPicture(f"has a {name} without a sound LUTDescriptor and LUTData")
    count, first, bits = int(descriptor[0]) or 65536, int(descriptor[1]), int(descriptor[2])
    entries = lut_entries(data, count, little)
    if len(entries) == 0 or not 1 <= bits <= 16:
        raise BadPicture(f"has a {name} with {len(entries)} entries of {bits} bits")
    first = first - 65536 if signed and first > 32767 else first  # written unsigned whatever the values are
    return Lut(entries, first, max(bits, int(entries.max()).bit_length()))


def lut_entries(data: object, count: int, little: bool) -> np.ndarray:
    """Entries of a look-up table as int64: from numbers (US), or from words, or bytes where there are too few words."""
    if isinstance(data, bytes | bytearray):
        words = len(data) >= 2 * count
        entries = np.frombuffer(data[: len(data) // 2 * 2], ("<" if little else ">") + "u2")
        if not words:  # two entries of 8 bits in a word
            entries = entries.astype("<u2").view(np.uint8) if len(data) % 2 == 0 else np.frombuffer(data, np.uint8)
    else:
        entries = np.atleast_1d(np.asarray(data))
    return entries[:count].astype(np.int64) & 0xFFFF


def _sequence(values: Dataset, keyword: str) -> list[Dataset]:
    return list(values.get(keyword) or [])


def groups_of(header: Dataset, frame: int) -> list[Dataset]:
    """Functional groups of a frame, its own first."""
    own, shared = (_sequence(header, f"{which}FunctionalGroupsSequence") for which in ("PerFrame", "Shared"))
    return [*own[frame : frame + 1], *shared[:1]]


def _holder(header: Dataset, frame: int, macro: str, keywords: tuple[str, ...]) -> Dataset:
    """The first of the functional groups that has one of the attributes, else the header."""
    for group in groups_of(header, frame):
        for item in _sequence(group, macro)[:1]:
            if any(keyword in item for keyword in keywords):
                return item
    return header


def _factor(holder: Dataset, keyword: str, default: float, remarks: list[str]) -> float:
    tag = {"RescaleSlope": "(0028,1053)", "RescaleIntercept": "(0028,1052)"}[keyword]
    try:
        found = numbers(holder, keyword, remarks)
    except Unreadable as error:
        raise BadPicture(f"has {keyword} {tag} = {str(error)!r}, which is no number; mend that tag") from error
    if found and not np.isfinite(found[0]):
        raise BadPicture(f"has {keyword} {tag} = {found[0]}, which is no finite number; mend that tag")
    return found[0] if found else default


def _windows(holder: Dataset, remarks: list[str]) -> list[tuple[float, float]]:
    """Centre and width of each sound window."""
    try:
        centres, widths = (numbers(holder, keyword, remarks) for keyword in ("WindowCenter", "WindowWidth"))
    except Unreadable:
        remarks.append("hold a WindowCenter or WindowWidth that is no number, and are shown without their window")
        return []
    pairs = list(zip(centres, widths, strict=False))
    sound = [(centre, width) for centre, width in pairs if np.isfinite([centre, width]).all() and width > 0]
    if pairs and not sound:
        remarks.append(
            "hold a WindowCenter that is not finite or a WindowWidth that is not above 0, and are shown "
            "without their window"
        )
    return sound


def _is_decimal_comma(text: str) -> bool:
    """1000,0 or 0,125 or 40,5, but not 40,400, which may be thousands or two numbers."""
    found = _COMMA.fullmatch(text)
    return found is not None and not (len(found[1]) <= 3 and len(found[2]) == 3 and not found[1].startswith("0"))


def _number(text: str, keyword: str, remarks: list[str]) -> float:
    if _is_decimal_comma(text):
        remark = f"hold a decimal comma in {keyword}, and are read with it as one"
        if remark not in remarks:
            remarks.append(remark)
        text = text.replace(",", ".")
    try:
        return float(text.replace("_", "?"))  # Python would take 1_000
    except ValueError:
        raise Unreadable(text) from None
