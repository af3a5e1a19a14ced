"""Bytes and times as people write and read them: ``8GB``, ``3 min``."""

from __future__ import annotations

import re

from sweepengine.errors import SpecError, shown

_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS = _DECIMAL | {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
"""Unit → bytes: powers of ten, and of two where there is an i."""
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")


def parse_bytes(text: str, name: str) -> int:
    """Read a number of bytes above 0, such as ``8GB``, ``1.5 TB`` or ``512MiB``.

    Parameters
    ----------
    text : str
    name : str
        What the number says, for the message.

    Returns
    -------
    int

    Raises
    ------
    SpecError
        The text is not a number above 0 with one of :data:`UNITS`.
    """
    found = _COUNT.fullmatch(text.strip())
    if found is None:
        raise SpecError(f"{name}: found {shown(text)}; expected a number and a unit, such as 8GB")
    number, unit = found.groups()
    if unit not in UNITS:
        near = [known for known in UNITS if unit and known.upper() in (unit.upper(), f"{unit.upper()}B")]
        hint = f" Did you mean {number}{near[0]}?" if near else ""
        raise SpecError(f"{name}: found {shown(text)}; expected a unit of {', '.join(UNITS)}, such as 8GB.{hint}")
    count = int(float(number) * UNITS[unit])
    if count < 1:
        raise SpecError(f"{name}: found {shown(text)}; expected a byte or more")
    return count


def show_bytes(count: int) -> str:
    """A number of bytes with three digits and a decimal unit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def show_seconds(seconds: float) -> str:
    """A time in seconds, minutes, hours or days, whichever gives a number from 2 on."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"
