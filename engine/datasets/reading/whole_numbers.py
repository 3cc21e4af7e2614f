"""Whole numbers of any length in text: Python refuses to convert more than 4,300 digits, and slows down before."""

from __future__ import annotations

import unicodedata


def without_zeros(digits: str) -> str:
    """Decimal digits of any script as plain ones without leading zeros; `0` for nought."""
    if not digits.isascii():
        digits = "".join(str(unicodedata.decimal(digit)) for digit in digits)
    return digits.lstrip("0") or "0"


def by_size(digits: str) -> tuple[int, str]:
    """A sort key that puts 2 before 10."""
    plain = without_zeros(digits)
    return len(plain), plain
