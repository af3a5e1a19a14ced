"""Figures of several panels as one chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart import Chart
from sweepengine.analysis._chart_parts import PADDING, configuration, schema_url
from sweepengine.analysis._legends import at_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._figure import Figure

_WIDTH: Final = 320
"""Width of a panel in pixels."""
_WIDE: Final = 380
"""The same of a chart without a heading."""
_COLUMNS: Final = 3
_OUTER: Final = frozenset({"config", "$schema", "autosize", "datasets"})
"""Keys that a Vega-Lite chart inside another chart may not have."""


def side_by_side(figures: Sequence[Figure], *, square: bool = False) -> Chart:
    """Put the panels of a figure in rows of three, under their headings, and further figures below."""
    rows = []
    for figure in figures:
        panels = []
        for panel in figure.panels:
            width = panel.spec["height"] if square else _WIDTH
            heading = {"title": panel.heading} if panel.heading else {}
            panels.append(_inner(panel.spec, width) | heading)
        row = _rows(panels)
        rows.append(row | ({"title": figure.title} if len(figures) > 1 else {}))
    return Chart({"$schema": schema_url(), "vconcat": rows, "config": _config()})


def in_rows(specs: Sequence[dict[str, Any]]) -> Chart:
    """Put charts in rows of three, each with its own colours and no heading."""
    return Chart({"$schema": schema_url(), "config": _config(), **_rows([_inner(spec, _WIDE) for spec in specs])})


def _config() -> dict[str, Any]:
    return {**configuration(), "background": "white", "padding": PADDING, "concat": {"spacing": 36}}


def _rows(panels: list[dict[str, Any]]) -> dict[str, Any]:
    # Colour, shape and dashes alike, else they share no legend.
    own = dict.fromkeys(("color", "shape", "strokeDash"), "independent")
    return {"concat": panels, "columns": _COLUMNS, "resolve": {"scale": own}}


def _inner(spec: dict[str, Any], width: float) -> dict[str, Any]:
    """A chart as a part of another one, with its data and a width of its own."""
    inner = {key: value for key, value in spec.items() if key not in _OUTER}
    held: dict[str, Any] = at_width(_with_data(inner, spec.get("datasets", {})), width)
    return held | {"width": width}


def _with_data(spec: Any, datasets: dict[str, Any]) -> Any:
    """A specification that holds the data which it names: two charts may call theirs by one name."""
    if isinstance(spec, list):
        return [_with_data(each, datasets) for each in spec]
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"name"} and spec["name"] in datasets:
        return {"values": datasets[spec["name"]]}
    return {key: _with_data(value, datasets) for key, value in spec.items()}
