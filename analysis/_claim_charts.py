"""Vega-Lite charts of claims: a quantity along an axis beside what is expected, and all exponents of a claim."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._axes import symbol_of
from sweepengine.analysis._chart_parts import COLOURS, GREY, finish, load_altair, log_axis, tips
from sweepengine.analysis._claim_channels import (
    colour_by_series,
    shape_by_series,
    side_by_side,
    size_axis,
    value_axis,
)
from sweepengine.analysis._format import printable
from sweepengine.analysis._legends import EXPECTED, line_key, named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from sweepengine.analysis._claim_series import Rows, Series

_HEIGHT: Final = 280
_ROW: Final = 30
"""Height of a row of the overview in pixels."""
_TICK: Final = 225
"""Area of the mark of an expected exponent in the overview, which is 15 pixels long."""
_LABEL: Final = 330
"""Longest label of the overview in pixels; phones are not wider."""


def axis_title(axis: str) -> str:
    """Title of the axis of a fit."""
    return "width m" if axis == "width" else symbol_of(axis) or axis


def exponent_chart(series: Sequence[Series], axis: str, title: str, description: str) -> dict[str, Any]:
    """Log-log chart along an axis: single runs, means, fits with the band of their exponents, expected exponents.

    Parameters
    ----------
    series
        Series of one group of runs, and of the twin.
    axis
        The run coordinate along which was fitted.
    title, description
        Title of the value axis, and the alternative text.

    Returns
    -------
    dict
        A Vega-Lite specification that contains its data.
    """
    alt, title = load_altair(), printable(title)
    points = [row for each in series for row in each.points() if row["y"] > 0]
    means = [row for each in series for row in each.means()]
    shown = [*points, *means]
    x = size_axis(alt, [row["x"] for row in shown], axis_title(axis))
    y = alt.Y(**log_axis(alt, "y:Q", [row["y"] for row in shown], pad=1.3, title=title))
    colour, shape = colour_by_series(alt, series), shape_by_series(alt, series)
    data = {
        "band": [row for each in series for row in each.band()],
        "points": points,
        "expected": [row for each in series if not each.is_twin for row in each.expected()],
        "lines": [row for each in series for row in each.lines()],
        "means": means,
    }
    dashes = line_key(alt, [row["line"] for row in (*data["lines"], *data["expected"])])
    layers = (
        _layer(alt, "band").mark_area(opacity=0.18, clip=True).encode(x=x, y=y, y2="top:Q", color=colour),
        _points(alt)
        .mark_point(filled=True, size=16, opacity=0.35, clip=True)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips(alt, {"x": axis, "seed": "seed"}, {"y": title})),
        _layer(alt, "expected")
        .mark_line(strokeCap="round", strokeWidth=2, clip=True)
        .encode(
            x=x, y=y, color=colour, strokeDash=dashes, detail="e:N", tooltip=tips(alt, {"e": "expected exponent"}, {})
        ),
        _layer(alt, "lines").mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, color=colour, strokeDash=dashes),
        _layer(alt, "means")
        .mark_point(filled=True, size=64, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips(alt, {"x": axis, "s": "series"}, {"y": "mean"})),
    )
    return _chart(alt, layers, data, description)


def level_chart(series: Sequence[Series], axis: str, title: str, description: str) -> dict[str, Any]:
    """Chart of values at each size: single runs side by side, their means, and what is expected as a band.

    The value axis is logarithmic where all numbers are positive and lie far apart. Where they are not all positive and
    what is expected is much smaller than the largest, it is linear up to that size and logarithmic beyond. Parameters
    and result are those of :func:`exponent_chart`.
    """
    alt, title = load_altair(), printable(title)
    points = [row for each in series for row in each.points()]
    # What is expected of several series alike is drawn once.
    allowed = {row.allowed: (each.name, row) for each in series if not each.is_twin for row in each.rows}.values()
    finite = [end for _, row in allowed for end in row.allowed if math.isfinite(end)]
    channel, (low, high) = value_axis(alt, [row["y"] for row in points], finite, title)
    y = alt.Y(**channel)
    sizes = sorted({row["x"] for row in points})
    dots, means = side_by_side(points, sizes, [each.name for each in series])
    x = alt.X(
        "at:Q",
        title=axis_title(axis),
        scale=alt.Scale(domain=[-0.5, max(1, len(sizes)) - 0.5], nice=False),
        axis=alt.Axis(
            values=list(range(len(sizes))),
            labelExpr=f"{sizes}[datum.value]",
            labelOverlap=True,
            grid=False,
            ticks=False,
        ),
    )
    colour, shape = colour_by_series(alt, series), shape_by_series(alt, series)
    bands = [
        {"s": name, "y": max(row.allowed[0], low), "top": min(row.allowed[1], high)}
        for name, row in allowed
        if any(map(math.isfinite, row.allowed))
    ]
    limits = [
        {"s": name, "y": end, "e": row.expected_text}
        for name, row in allowed
        for end in row.allowed
        if math.isfinite(end)
    ]

    layers = (
        _layer(alt, "bands").mark_rect(opacity=0.14).encode(y=y, y2="top:Q", color=colour),
        named(_layer(alt, "limits"), EXPECTED)
        .mark_rule(strokeCap="round", strokeWidth=2)
        .encode(y=y, color=colour, strokeDash=line_key(alt, [EXPECTED]), tooltip=tips(alt, {"e": "expected"}, {})),
        _points(alt)
        .mark_point(filled=True, size=22, opacity=0.55, clip=True)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips(alt, {"x": axis, "seed": "seed"}, {"y": title})),
        _layer(alt, "means")
        .mark_rule(strokeWidth=2.5)
        .encode(x=x, x2="to:Q", y=y, color=colour, tooltip=tips(alt, {"x": axis, "s": "series"}, {"y": "mean"})),
    )
    data = {"bands": bands, "limits": limits, "points": dots, "means": means}
    return _chart(alt, layers, data, description)


def overview_chart(rows: Rows, description: str) -> dict[str, Any]:
    """Chart of measured exponents with their intervals, one below the other, beside the expected ones.

    Parameters
    ----------
    rows
        One row for each expectation, with ``what``, ``measured``, ``low``, ``high`` (NaN without an interval) and
        ``expected``.
    description
        The alternative text.

    Returns
    -------
    dict
        A Vega-Lite specification that contains its data.
    """
    alt = load_altair()
    placed = [row | {"at": k} for k, row in enumerate(rows)]
    numbers = [row[name] for row in rows for name in ("measured", "low", "high", "expected") if row[name] is not None]
    low, high = min(numbers), max(numbers)
    pad = 0.06 * (high - low) or 0.5
    x = alt.X(
        "measured:Q",
        title="exponent",
        scale=alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False),
        axis=alt.Axis(tickCount=6, labelOverlap=True),
    )
    y = alt.Y("at:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.8, len(rows) - 0.3], reverse=True, nice=False))
    base = _layer(alt, "rows")
    expected = line_key(alt, [EXPECTED], orient="top", dashes=False, colour=COLOURS[1])
    told = tips(alt, {"what": "what"}, {"measured": "measured", "low": "low", "high": "high", "expected": "expected"})
    layers = (
        base.mark_text(align="left", dy=-11, fontSize=11.5, limit=_LABEL, color=GREY).encode(
            x=alt.value(2), y=y, text="what:N"
        ),
        base.mark_rule(strokeWidth=1.8, color=COLOURS[0]).encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        base.mark_point(filled=True, size=46, opacity=1, color=COLOURS[0]).encode(x=x, y=y, tooltip=told),
        named(base, EXPECTED)
        .mark_point(shape="stroke", angle=90, size=_TICK, strokeWidth=2, opacity=1, color=COLOURS[1])
        .encode(x=alt.X("expected:Q"), y=y, strokeDash=expected, tooltip=told),
    )
    return _chart(alt, layers, {"rows": placed}, description, _ROW * len(rows))


def _layer(alt: ModuleType, data: str) -> Any:
    return alt.Chart(alt.NamedData(name=data))


def _points(alt: ModuleType) -> Any:
    """Single runs, whose series has a number in the data: with its name at each of them a page is twice as large."""
    names = alt.LookupData(data=alt.NamedData(name="names"), key="k", fields=["s"])
    return _layer(alt, "points").transform_lookup(lookup="k", from_=names)


def _numbered(points: Rows) -> dict[str, Rows]:
    """The data of :func:`_points`: single runs with the numbers of their series, and the names of these."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(row["s"] for row in points))}
    return {
        "points": [{"k": numbers[row["s"]]} | {key: row[key] for key in row if key != "s"} for row in points],
        "names": [{"k": k, "s": name} for name, k in numbers.items()],
    }


def _chart(
    alt: ModuleType, layers: Sequence[Any], data: dict[str, Rows], description: str, height: int = _HEIGHT
) -> dict[str, Any]:
    """Lay charts over each other. Their data are put in at the end: Altair would copy them several times."""
    spec = finish(alt.layer(*layers).properties(width="container", height=height, description=description), "container")
    return spec | {"datasets": data | _numbered(data["points"]) if "points" in data else data}
