"""The form of a figure of the report, and the data from which figures are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._samples import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._results import Summary


_NAMED: Final = 8
"""Largest number of widths that a caption names."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a figure: its heading (empty if the figure has one panel), alternative text and Vega-Lite spec."""

    heading: str
    alt: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure: a title, a caption, its panels, and the formula of what is shown, in words of our own.

    The panels of a figure of `frames` are one chart at several times: a page shows one of them and a slider.
    """

    key: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    formula: str = ""
    frames: bool = False


@dataclass(frozen=True)
class FigureSource:
    """The data of figures: a sweep, its summary, its groups, the reduced table of its finished runs, its theory."""

    ds: xr.Dataset
    summary: Summary
    groups: Sequence[Group]
    table: xr.Dataset
    theory: xr.Dataset

    @cached_property
    def sizes(self) -> str:
        """The widths and the number of seeds of the finished runs, as a sentence of a caption."""
        widths = sorted({int(m) for m in self.table["width"].values})
        counts = [int(n) for rows in self.tables for n in np.unique(rows["width"].values, return_counts=True)[1]]
        if not widths:
            return ""
        shown = ", ".join(map(str, widths))
        if len(widths) > _NAMED:
            shown = f"{widths[0]} to {widths[-1]} ({len(widths)} widths)"
        low, high = min(counts), max(counts)
        seeds = f"{low} seed{'' if low == 1 else 's'}" if low == high else f"{low} to {high} seeds"
        return f"m = {shown}; {seeds} each."

    @cached_property
    def tables(self) -> tuple[xr.Dataset, ...]:
        """The rows of the reduced table that belong to each group."""
        return tuple(rows_of(self.table, self.ds, group) for group in self.groups)
