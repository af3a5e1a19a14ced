"""Figures of the exponents of the width against another axis of the sweep: γ, α, the depth, or any that has numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._axes import symbol_of
from sweepengine.analysis._chart_parts import COLOURS, GREY, SHAPES, finish, linear_axis, load_altair, log_axis, tips
from sweepengine.analysis._dataset import follows, part_of_label
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._legends import EXPECTED, group_colour, group_shape, line_key, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.analysis._figure import FigureSource
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._scaling_fit import ScalingFit

_FEWEST: Final = 3
"""Values of an axis from which there is something to see beside the figure against width."""
_WIDE: Final = 8
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
_REACH: Final = 1.0
"""How far from the exponents intervals are drawn, or as far as the exponents are apart. Longer ones are cut."""
_HEIGHT: Final = 260
_TICK: Final = 676
"""Area of the mark of an expected exponent, which is 26 pixels long."""


@dataclass(frozen=True)
class Fitted:
    """The fit of one quantity in a group of runs: the group's label, the axes that all its runs share, and the fit."""

    label: str
    axes: Mapping[str, Any]
    fit: ScalingFit


def exponent_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw the exponent in the limit of each headline quantity against each axis that has at least three values."""
    summary = source.summary
    fitted = {
        key: [Fitted(group.label, group.axes, group.fits[key]) for group in summary.groups if key in group.fits]
        for key in summary.kind.headlines
    }
    figures = []
    for axis in dict.fromkeys(axis for each in fitted.values() for axis in numeric_axes(each)):
        panels = [
            exponent_panel(each, axis, key, summary.kind.quantity(key).title, summary.claims)
            for key, each in fitted.items()
            if axis in numeric_axes(each)
        ]
        caption = (
            "The exponent of m in the limit, with its 95 % interval over seeds, in each group of runs. Grey ticks are "
            "the exponents that are expected, where a claim states one. A line that ends at the edge goes on beyond "
            f"it. {source.sizes}"
        )
        figures.append(Figure(f"fig-{axis}", f"Exponents against {symbol_of(axis)}", caption, tuple(panels)))
    return tuple(figures)


def numeric_axes(groups: Sequence[Fitted], fewest: int = _FEWEST) -> list[str]:
    """The axes in which groups have at least so many values, all of them numbers.

    A step size that follows from the others is none.
    """
    names = list(groups[0].axes) if groups else []
    free = [
        name for name in names
        if name != "step_size" or not _follows(groups, name, [other for other in names if other != name])
    ]  # fmt: skip
    return [name for name in free if len(set(_numbers(groups, name))) >= fewest]


def exponent_panel(groups: Sequence[Fitted], axis: str, key: str, title: str, claims: Sequence[ClaimResult]) -> Panel:
    """Draw the exponents of one quantity against an axis, one colour for each setting of the other axes.

    Parameters
    ----------
    groups
        Fits of groups in which `axis` has numbers.
    axis, key, title
        The axis, and the key and the title of the quantity.
    claims
        Rows of the table of claims, of which the exponents that are expected are drawn.
    """
    others = _others(groups, axis)
    rows = []
    for group, other in zip(groups, others, strict=True):
        estimate = group.fit.exponent
        row: dict[str, Any] = {axis: float(group.axes[axis]), "group": other, "value": estimate.value}
        if estimate.has_interval:
            row |= {"low": estimate.low, "high": estimate.high}
        expected = [claim.expected for claim in claims if claim.states_exponent(group.label, key, group.fit.axis)]
        rows.append(row | ({"expected": expected[0]} if expected else {}))
    symbol = symbol_of(axis)
    several = len(set(others)) > 1
    told = "; ".join(
        f"{symbol} = {row[axis]:g}{', ' * several}{row['group'] * several}: {group.fit.exponent}"
        for row, group in zip(rows, groups, strict=True)
    )
    alt = f"Exponent in the limit of {title} against {symbol}. {told}."
    return Panel(title, alt, _chart(rows, axis, symbol, f"exponent of {title}", alt))


def _numbers(groups: Sequence[Fitted], name: str) -> list[float]:
    """The values of an axis; empty where one is no finite number."""
    values = [group.axes[name] for group in groups]
    return values if all(isinstance(value, int | float) and math.isfinite(value) for value in values) else []


def _follows(groups: Sequence[Fitted], name: str, others: Sequence[str]) -> bool:
    """Whether groups that agree in other axes agree in an axis."""
    return follows(name, {each: [str(group.axes[each]) for group in groups] for each in (*others, name)})


def _others(groups: Sequence[Fitted], axis: str) -> list[str]:
    """What tells each group from those that have other values of an axis: the axes that do not follow from it."""
    kept: list[str] = []
    for name in sorted(groups[0].axes, key=lambda name: name == "step_size"):
        if name != axis and not _follows(groups, name, [axis, *kept]):
            kept.append(name)
    return [", ".join(part_of_label(name, group.axes[name]) for name in kept) or "all runs" for group in groups]


def _shown(rows: Sequence[dict[str, Any]]) -> list[float]:
    """The ends of the axis of exponents: all exponents, and of the intervals what is not much further away."""
    middle = [row[name] for row in rows for name in ("value", "expected") if name in row]
    ends = [row[name] for row in rows for name in ("low", "high") if name in row]
    reach = max(_REACH, max(middle) - min(middle))
    return [max(min(middle + ends), min(middle) - reach), min(max(middle + ends), max(middle) + reach)]


def _chart(rows: list[dict[str, Any]], axis: str, symbol: str, title: str, description: str) -> dict[str, Any]:
    alt = load_altair()
    names = list(dict.fromkeys(row["group"] for row in rows))
    shown = _shown(rows)
    places = sorted({row[axis] for row in rows})
    is_wide = places[0] > 0 and places[-1] >= _WIDE * places[0]
    scale = (log_axis if is_wide else linear_axis)(alt, f"{axis}:Q", places, pad=1.2, title=symbol)
    ticks = alt.Axis(values=places, labelExpr="format(datum.value, '.4~g')", labelOverlap=True, grid=False)
    x = alt.X(**scale | {"axis": ticks})

    def y(field: str) -> Any:
        return alt.Y(**linear_axis(alt, f"{field}:Q", shown, pad=1.1, title=title))

    several = len(names) > 1
    colour = group_colour(alt, names) if several else alt.value(COLOURS[0])
    shape = group_shape(alt, names) if several else alt.value(SHAPES[0])
    base = alt.Chart(alt.Data(values=rows))
    stated = any("expected" in row for row in rows)
    key = {"strokeDash": line_key(alt, [EXPECTED], dashes=False)} if stated else {}
    told = tips(
        alt,
        {"group": "runs", axis: symbol},
        {"value": "exponent", "low": "low", "high": "high", "expected": "expected"},
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.8, clip=True).encode(x=x, y=y("low"), y2="high:Q", color=colour),
        named(base, EXPECTED)
        .mark_point(shape="stroke", size=_TICK, strokeWidth=2, color=GREY, opacity=1)
        .encode(x=x, y=y("expected"), **key),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y("value"), color=colour, shape=shape, tooltip=told
        ),
    )
    return finish(chart.properties(width="container", height=_HEIGHT, description=description), "container")
