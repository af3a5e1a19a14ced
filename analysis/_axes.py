"""The run coordinates that are axes of a sweep, and their symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._constants import GROUP_AXES
from sweepengine.spec import axis_symbols

if TYPE_CHECKING:
    import xarray as xr

_SYMBOLS: Final = {"gamma": "γ", "scaling": "", "method": "", "sweep": "", "training_time": "t"}
"""Symbols of the coordinates that sweep no setting; the axes of the specs say their own."""


def group_axes(ds: xr.Dataset) -> tuple[str, ...]:
    """The run coordinates that divide runs into groups: those of every sweep, and the settings that this one sweeps."""
    # The coordinates of several sweeps, and of a store whose runs were made longer.
    several = (name for name in ("sweep", "training_time") if name in ds.coords)
    return tuple(dict.fromkeys((*several, *GROUP_AXES, *(name for name in axis_symbols() if name in ds.coords))))


def symbol_of(axis: str) -> str:
    """Symbol of an axis for people; empty where its values speak for themselves."""
    return (axis_symbols() | _SYMBOLS).get(axis, axis)
