"""The form of a figure of the report, and the data from which figures are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._results import Summary


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a figure: its heading (empty if the figure has one panel), alternative text and Vega-Lite spec."""

    heading: str
    alt: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure: a title, a caption, its panels, and the formula of what is shown, in words of our own."""

    key: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    formula: str = ""


@dataclass(frozen=True, slots=True)
class FigureSource:
    """The data of figures: a sweep, its summary, its groups, a reduced table of each group's finished runs, its theory."""

    ds: xr.Dataset
    summary: Summary
    groups: Sequence[Group]
    tables: Sequence[xr.Dataset]
    theory: xr.Dataset
