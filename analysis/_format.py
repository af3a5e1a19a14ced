"""Numbers as text for people; machine-readable output does not use this module."""

from __future__ import annotations

import math
from fractions import Fraction

MINUS = "−"
_LARGEST_DENOMINATOR = 8


def number_text(value: float, digits: int = 2) -> str:
    """Return `value` with fixed decimals and a true minus sign; −0.00 is written 0.00, NaN as a dash."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def significant_text(value: float, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits, in exponent form (1.2e−05) where that is shorter."""
    return "–" if math.isnan(value) else f"{value:.{digits}g}".replace("-", MINUS)


def exponent_text(value: float) -> str:
    """Return an exponent as a fraction of small denominator where it is one, else with two decimals: −1/2, 0, −0.30."""
    fraction = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(fraction) - value) < 1e-9:
        return str(fraction).replace("-", MINUS)
    return number_text(value)


def printable(text: str) -> str:
    """Return `text` without control characters, so that a name cannot steer a terminal; newlines become spaces."""
    return "".join(c if c.isprintable() else " " for c in text)
