"""Vega-Lite charts of claims: a quantity along an axis beside what is expected, and all exponents of a claim."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._axes import symbol_of
from sweepengine.analysis._chart_parts import (
    COLOURS,
    SHAPES,
    finish,
    load_altair,
    log_axis,
    log_domain,
    log_ticks,
    tips,
)
from sweepengine.analysis._format import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from sweepengine.analysis._claim_series import Rows, Series

_HEIGHT: Final = 280
_TWIN: Final = "#8a8a82"
_DECADES: Final = 1.5
"""Decades from which a value axis is logarithmic."""
_ROW: Final = 30
"""Height of a row of the overview in pixels."""
_LABEL: Final = 330
"""Longest label of the overview in pixels; phones are not wider."""
_CROSS: Final = "cross"
_STRIPS: Final = 0.86
"""Share of the place of a size that its points take."""
_DECADES_SHOWN: Final = 8
_MANY: Final = 12
"""Sizes beyond which the ticks of an axis are not at the sizes."""


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
    x = _size_axis(alt, [row["x"] for row in shown], axis_title(axis))
    y = alt.Y(**log_axis(alt, "y:Q", [row["y"] for row in shown], pad=1.3, title=title))
    colour, shape = _colour(alt, series), _shape(alt, series)
    dashes = alt.StrokeDash("part:N", scale=alt.Scale(domain=["kept", "dropped"], range=[[1, 0], [6, 4]]), legend=None)
    data = {
        "band": [row for each in series for row in each.band()],
        "points": points,
        "expected": [row for each in series if not each.is_twin for row in each.expected()],
        "lines": [row for each in series for row in each.lines()],
        "means": means,
    }
    layers = (
        _layer(alt, "band").mark_area(opacity=0.18, clip=True).encode(x=x, y=y, y2="top:Q", color=colour),
        _layer(alt, "points")
        .mark_point(filled=True, size=16, opacity=0.35, clip=True)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips(alt, {"x": axis, "seed": "seed"}, {"y": title})),
        _layer(alt, "expected")
        .mark_line(strokeDash=[1, 4], strokeCap="round", strokeWidth=2, clip=True)
        .encode(x=x, y=y, color=colour, detail="e:N", tooltip=tips(alt, {"e": "expected exponent"}, {})),
        _layer(alt, "lines")
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(x=x, y=y, color=colour, strokeDash=dashes, detail="part:N"),
        _layer(alt, "means")
        .mark_point(filled=True, size=64, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips(alt, {"x": axis, "s": "series"}, {"y": "mean"})),
    )
    return _chart(alt, layers, data, description)


def level_chart(series: Sequence[Series], axis: str, title: str, description: str) -> dict[str, Any]:
    """Chart of values at each size: single runs side by side, their means, and what is expected as a band.

    The value axis is logarithmic where all numbers are positive and lie far apart. Where they are not all positive and what
    is expected is much smaller than the largest, it is linear up to that size and logarithmic beyond. Parameters and result are those of :func:`exponent_chart`.
    """
    alt, title = load_altair(), printable(title)
    points = [row for each in series for row in each.points()]
    # What is expected of several series alike is drawn once.
    allowed = {row.allowed: (each.name, row) for each in series if not each.is_twin for row in each.rows}.values()
    finite = [end for _, row in allowed for end in row.allowed if math.isfinite(end)]
    channel, (low, high) = _value_axis(alt, [row["y"] for row in points], finite, title)
    y = alt.Y(**channel)
    sizes = sorted({row["x"] for row in points})
    dots, means = _side_by_side(points, sizes, [each.name for each in series])
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
    colour, shape = _colour(alt, series), _shape(alt, series)
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
        _layer(alt, "limits")
        .mark_rule(strokeDash=[1, 4], strokeCap="round", strokeWidth=2)
        .encode(y=y, color=colour, tooltip=tips(alt, {"e": "expected"}, {})),
        _layer(alt, "points")
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
    told = tips(alt, {"what": "what"}, {"measured": "measured", "low": "low", "high": "high", "expected": "expected"})
    layers = (
        base.mark_text(align="left", dy=-11, fontSize=11.5, limit=_LABEL, color=_TWIN).encode(
            x=alt.value(2), y=y, text="what:N"
        ),
        base.mark_rule(strokeWidth=1.8, color=COLOURS[0]).encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        base.mark_point(filled=True, size=46, opacity=1, color=COLOURS[0]).encode(x=x, y=y, tooltip=told),
        base.mark_tick(thickness=2, size=15, orient="vertical", color=COLOURS[1]).encode(
            x=alt.X("expected:Q"), y=y, tooltip=told
        ),
    )
    return _chart(alt, layers, {"rows": placed}, description, _ROW * len(rows))


def _layer(alt: ModuleType, data: str) -> Any:
    return alt.Chart(alt.NamedData(name=data))


def _chart(
    alt: ModuleType, layers: Sequence[Any], data: dict[str, Rows], description: str, height: int = _HEIGHT
) -> dict[str, Any]:
    """Lay charts over each other. Their data are put in at the end: Altair would copy them several times."""
    spec = finish(alt.layer(*layers).properties(width="container", height=height, description=description), "container")
    return spec | {"datasets": data}


def _size_axis(alt: ModuleType, sizes: Sequence[float], title: str) -> Any:
    """Logarithmic axis with ticks at the sizes; of sizes of which one is 0 or less, a linear one."""
    values = sorted(set(sizes))
    if values and values[0] <= 0:
        return alt.X("x:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(grid=False))
    ticks = values if len(values) <= _MANY else log_ticks(log_domain(values, 1.0))
    return alt.X(
        "x:Q",
        title=title,
        scale=alt.Scale(type="log", base=2, domain=log_domain(values, 1.25), nice=False),
        axis=alt.Axis(values=ticks, format="~g", labelOverlap=True, grid=False),
    )


def _value_axis(
    alt: ModuleType, values: Sequence[float], ends: Sequence[float], title: str
) -> tuple[dict[str, Any], tuple[float, float]]:
    """Keyword arguments of the channel of values, and the ends of its scale."""
    numbers = [*values, *ends]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    largest = max(map(abs, numbers), default=0.0)
    if low > 0 and math.log10(high / low) > _DECADES:
        channel = log_axis(alt, "y:Q", numbers, pad=1.5, title=title)
        return channel, (channel["scale"].domain[0], channel["scale"].domain[1])
    # Values of either sign, or 0: what is expected must be seen beside them.
    finest = min((abs(end) for end in ends if end), default=0.0)
    if finest and math.log10(largest / finest) > _DECADES:
        powers = range(math.floor(math.log10(finest)), math.ceil(math.log10(largest)) + 1)
        every = max(1, math.ceil(len(powers) / _DECADES_SHOWN))
        ticks = [sign * 10.0**power for power in powers[::every] for sign in (-1, 1)]
        low, high = (end * 1.5 if end else 0.0 for end in (low, high))
        scale = alt.Scale(type="symlog", constant=finest, domain=[low, high], nice=False)
        axis = alt.Axis(values=[0.0, *(tick for tick in ticks if low <= tick <= high)], format="~g", labelOverlap=True)
        return {"shorthand": "y:Q", "title": title, "scale": scale, "axis": axis}, (low, high)
    pad = 0.12 * (high - low) or abs(high) or 1.0
    low, high = low - pad, high + pad
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(format="~g", labelOverlap=True, tickCount=6)
    return {"shorthand": "y:Q", "title": title, "scale": scale, "axis": axis}, (low, high)


def _side_by_side(points: Rows, sizes: Sequence[float], names: Sequence[str]) -> tuple[Rows, Rows]:
    """Points and means with their places: at each size a strip for each series, within it the runs beside each other."""
    dots, means = [], []
    strip = _STRIPS / max(1, len(names))
    for k, size in enumerate(sizes):
        for number, name in enumerate(names):
            here = [row for row in points if row["x"] == size and row["s"] == name]
            start = k - _STRIPS / 2 + number * strip + 0.05 * strip
            end = start + 0.9 * strip
            dots += [
                row | {"at": round(start + (n + 0.5) / len(here) * (end - start), 4)} for n, row in enumerate(here)
            ]
            if here:
                mean = sum(row["y"] for row in here) / len(here)
                means.append({"s": name, "x": size, "at": round(start, 4), "to": round(end, 4), "y": mean})
    return dots, means


def _colour(alt: ModuleType, series: Sequence[Series]) -> Any:
    """Colour by series; all of the twin are grey."""
    own = [each for each in series if not each.is_twin]
    colours = {each.name: COLOURS[k % len(COLOURS)] for k, each in enumerate(own)}
    colours |= {each.name: _TWIN for each in series if each.is_twin}
    return alt.Color("s:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=_legend(alt))


def _shape(alt: ModuleType, series: Sequence[Series]) -> Any:
    """Shape by series, in the same legend; all of the twin are crosses."""
    own = [each for each in series if not each.is_twin]
    rest = [shape for shape in SHAPES if shape != _CROSS]
    shapes = {each.name: rest[k % len(rest)] for k, each in enumerate(own)}
    shapes |= {each.name: _CROSS for each in series if each.is_twin}
    return alt.Shape("s:N", scale=alt.Scale(domain=list(shapes), range=list(shapes.values())), legend=_legend(alt))


def _legend(alt: ModuleType) -> Any:
    return alt.Legend(
        orient="top", title=None, columns=1, symbolSize=70, symbolOpacity=1, labelExpr="split(datum.label, '\\n')"
    )
