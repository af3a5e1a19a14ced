"""What is said of a quantity wherever it is shown: its formula, unit and source, stated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._reductions import Reduction
    from sweepengine.analysis._setting import Setting

SEPARATOR: Final = "/"
"""Between the name of a quantity and the place along its dim in a key: `movement_op/W0`."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An observable of a run, reduced over its records to one number, or to one for each place along a dim.

    Attributes
    ----------
    name
        Key in tables, fits and files.
    reduction
        How it follows from what a sweep has recorded.
    title
        A few words for tables and axes.
    symbol
        The formula as plain text; m width, t training time, N points, L hidden layers.
    source
        Seed and equation, or the section of theory.md.
    unit
        "1" where the quantity is a ratio or a number.
    fitted
        Whether its power of the width is fitted; then it is an average over seeds of norms taken in each run.
    is_share
        Whether it lies between 0 and 1, and is shown with fixed decimals.
    against_widest
        Whether it compares a run with the widest one of its seed, which then has no value of its own.
    why_none
        Says of a quantity without an exponent why that is and what to do, from the sweep, the group's setting and the
        values of its finished runs; empty where a fit may be tried.
    """

    name: str
    reduction: Reduction
    title: str
    symbol: str
    source: str
    unit: str = "1"
    fitted: bool = True
    is_share: bool = False
    against_widest: bool = False
    why_none: Callable[[xr.Dataset, Setting, NDArray[np.float64]], str] | None = None


def key_of(name: str, place: str) -> str:
    """Return the key of a quantity at a place along its dim: `movement_op/W0`; the name alone where there is no dim."""
    return f"{name}{SEPARATOR}{place}" if place else name


def split_key(key: str) -> tuple[str, str]:
    """Return the name and the place of a key; the place is empty where there is no dim."""
    name, _, place = key.partition(SEPARATOR)
    return name, place
