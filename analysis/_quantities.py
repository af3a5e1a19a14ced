"""Quantities: the number that is measured in a run, with the formula, unit and source that are shown beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average
    from sweepengine.analysis._reductions import Reduction
    from sweepengine.analysis._setting import Setting

SEPARATOR: Final = "/"
"""Separates, in a key, the name of a quantity from the place along its dim: `movement_op/W0`."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An observable of a run, reduced over its records to one number, or to one number for each place along a dim.

    Attributes
    ----------
    name
        Name in tables, fits and files.
    reduction
        How the quantity follows from recorded variables.
    title
        A few words for tables and axes.
    symbol
        Formula as plain text; m is the width, t training time, N the number of points, L that of hidden layers.
    source
        Where it is defined: sections of theory.md, or works with places (:mod:`sweepengine.sources`).
    unit
        "1" where the quantity is a ratio or a number.
    fitted
        Whether a power of the width is fitted.
    average
        What the fit averages over seeds: norms taken in each run; or, for a quantity that is a vector (a dim beside
        those of the reduction), the vectors, whose mean's norm is fitted with variance/S subtracted.
    against_widest
        Whether the quantity compares a run with the widest run of its seed, which then has no value itself.
    why_none
        From the sweep, the setting of a group and the values of its finished runs to the reason why the quantity has no
        exponent, and what to do; the text is empty where a fit may be tried. None: a fit may always be tried.
    """

    name: str
    reduction: Reduction
    title: str
    symbol: str
    source: str
    unit: str = "1"
    fitted: bool = True
    average: Average = "mean_of_norms"
    against_widest: bool = False
    why_none: Callable[[xr.Dataset, Setting, NDArray[np.float64]], str] | None = None


def key_of(name: str, place: str) -> str:
    """Return the key of a quantity at a place along its dim, `movement_op/W0`; the name alone where there is no dim."""
    return f"{name}{SEPARATOR}{place}" if place else name


def split_key(key: str) -> tuple[str, str]:
    """Return the name and the place of a key; the place is empty where there is no dim."""
    name, _, place = key.partition(SEPARATOR)
    return name, place


def title_of(quantity: Quantity, place: str) -> str:
    """Return the title of a quantity at a place along its dim; the title alone where there is no dim."""
    return f"{quantity.title.removesuffix(' of a layer')}, {place}" if place else quantity.title
