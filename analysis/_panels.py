"""Figures of several panels as one chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart import Chart
from sweepengine.analysis._chart_parts import configuration, schema_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._figure import Figure

_WIDTH: Final = 320
"""Width of a panel in pixels."""
_OUTER: Final = frozenset({"config", "$schema", "autosize", "datasets"})
"""Keys that a Vega-Lite chart inside another chart may not have."""


def side_by_side(figures: Sequence[Figure], *, square: bool = False) -> Chart:
    """Put the panels of a figure in one row, under their headings, and further figures below."""
    rows = []
    for figure in figures:
        panels = []
        for panel in figure.panels:
            inner = {key: value for key, value in panel.spec.items() if key not in _OUTER}
            panels.append(
                _with_data(inner, panel.spec.get("datasets", {}))
                | {"width": panel.spec["height"] if square else _WIDTH}
                | ({"title": panel.heading} if panel.heading else {})
            )
        # Colour and shape alike, else the two share no legend.
        row = {"hconcat": panels, "resolve": {"scale": {"color": "independent", "shape": "independent"}}}
        rows.append(row | ({"title": figure.title} if len(figures) > 1 else {}))
    return Chart({"$schema": schema_url(), "vconcat": rows, "config": {**configuration(), "background": "white"}})


def _with_data(spec: Any, datasets: dict[str, Any]) -> Any:
    """A specification that holds the data which it names: two charts may call theirs by one name."""
    if isinstance(spec, list):
        return [_with_data(each, datasets) for each in spec]
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"name"} and spec["name"] in datasets:
        return {"values": datasets[spec["name"]]}
    return {key: _with_data(value, datasets) for key, value in spec.items()}
