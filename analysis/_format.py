"""Numbers as text for people; machine-readable output does not use this module."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from sweepengine.analysis._constants import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUS = "−"
_LARGEST_DENOMINATOR = 8
_LEAST_EXPONENT, _LARGEST_EXPONENT = -4, 5
"""Powers of ten outside which numbers are written as 1.2e−05."""


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


def with_error(value: float, error: float) -> str:
    """Return `0.14700 ± 0.00014`: the error with two significant digits, the value to the same decimal place.

    Without an error (NaN) the value stands alone, with three significant digits; an error of rounding is 0.
    """
    if math.isnan(error):
        return significant_text(value)
    if error <= ROUNDING * abs(value):
        return f"{significant_text(value)} ± 0"
    return " ± ".join(_to_one_place((value, error), error))


def with_interval(value: float, low: float, high: float) -> str:
    """Return `−0.853 [−0.962, −0.521]`: all to the place of the second digit of half the length, as `with_error` does.

    Where low and high agree to rounding, the numbers have three significant digits.
    """
    value_text, *ends = _to_one_place((value, low, high), (high - low) / 2)
    return f"{value_text} [{', '.join(ends)}]"


def _to_one_place(numbers: Sequence[float], error: float) -> list[str]:
    """Numbers to the decimal place of the second significant digit of an error, all with one power of ten."""
    largest = max(map(abs, numbers))
    if not ROUNDING * largest < error < math.inf:
        return [significant_text(number) for number in numbers]
    place = int(f"{error:.1e}".partition("e")[2]) - 1  # of the rounded error: 0.0996 is 0.10
    power = math.floor(math.log10(largest))
    power = 0 if _LEAST_EXPONENT <= power <= _LARGEST_EXPONENT else power
    suffix = f"e{power:+03d}".replace("-", MINUS) if power else ""
    scale = float(f"1e{power}")
    return [number_text(round(number, -place) / scale, max(0, power - place)) + suffix for number in numbers]


def exponent_text(value: float) -> str:
    """Return an exponent as a fraction of small denominator where it is one, else with two decimals: −1/2, 0, −0.30."""
    fraction = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(fraction) - value) < 1e-9:
        return str(fraction).replace("-", MINUS)
    return number_text(value)


def printable(text: str) -> str:
    """Return `text` without control characters, so that a name cannot steer a terminal; newlines become spaces."""
    return "".join(c if c.isprintable() else " " for c in text)
