"""Axes, colours and shapes of the charts of claims."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart_parts import COLOURS, GREY, SHAPES, log_axis, log_domain, log_ticks
from sweepengine.analysis._legends import names_legend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from sweepengine.analysis._claim_series import Rows, Series

_DECADES: Final = 1.5
"""Decades from which a value axis is logarithmic."""
_CROSS: Final = "cross"
_STRIPS: Final = 0.86
"""Share of the place of a size that its points take."""
_DECADES_SHOWN: Final = 8
_MANY: Final = 12
"""Sizes beyond which the ticks of an axis are not at the sizes."""


def size_axis(alt: ModuleType, sizes: Sequence[float], title: str) -> Any:
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


def value_axis(
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


def side_by_side(points: Rows, sizes: Sequence[float], names: Sequence[str]) -> tuple[Rows, Rows]:
    """Points and means with their places: at each size a strip for each series, in it the runs beside each other."""
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


def colour_by_series(alt: ModuleType, series: Sequence[Series]) -> Any:
    """Colour by series; all of the twin are grey."""
    own = [each for each in series if not each.is_twin]
    colours = {each.name: COLOURS[k % len(COLOURS)] for k, each in enumerate(own)}
    colours |= {each.name: GREY for each in series if each.is_twin}
    return alt.Color(
        "s:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=names_legend(alt, list(colours)),
    )


def shape_by_series(alt: ModuleType, series: Sequence[Series]) -> Any:
    """Shape by series, in the same legend; all of the twin are crosses."""
    own = [each for each in series if not each.is_twin]
    rest = [shape for shape in SHAPES if shape != _CROSS]
    shapes = {each.name: rest[k % len(rest)] for k, each in enumerate(own)}
    shapes |= {each.name: _CROSS for each in series if each.is_twin}
    return alt.Shape(
        "s:N", scale=alt.Scale(domain=list(shapes), range=list(shapes.values())), legend=names_legend(alt, list(shapes))
    )
