"""The figure of exponents against γ, for sweeps of several scalings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart_parts import (
    COLOURS,
    SHAPES,
    finish,
    group_colour,
    group_shape,
    linear_axis,
    load_altair,
    tips,
)
from sweepengine.analysis._figure import Figure, Panel

if TYPE_CHECKING:
    from sweepengine.analysis._figure import FigureSource
    from sweepengine.analysis._results import GroupSummary

_FEWEST: Final = 3
"""Values of γ from which there is something to see beside the figure against width."""
_HEIGHT: Final = 260


def gamma_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw the exponent in the limit of each headline quantity against γ; nothing for fewer than three γ."""
    summary = source.summary
    panels = []
    for key in summary.kind.headlines:
        fitted = [group for group in summary.groups if key in group.fits and math.isfinite(_gamma(group))]
        if len({_gamma(group) for group in fitted}) < _FEWEST:
            continue
        expected = {
            claim.group: claim.expected
            for claim in summary.claims
            if claim.observable == key and claim.kind in ("sharp", "asymptote")
        }
        rows = []
        for group in fitted:
            estimate = group.fits[key].exponent
            row: dict[str, Any] = {"gamma": _gamma(group), "group": _others(group), "value": estimate.value}
            if estimate.has_interval:
                row |= {"low": estimate.low, "high": estimate.high}
            rows.append(row | ({"expected": expected[group.label]} if group.label in expected else {}))
        title = summary.kind.quantity(key).title
        told = "; ".join(f"γ = {_gamma(group):g}: {group.fits[key].exponent}" for group in fitted)
        alt = f"Exponent in the limit of {title} against γ. {told}."
        panels.append(Panel(title, alt, _chart(rows, f"exponent of {title}", alt)))
    if not panels:
        return ()
    caption = (
        "The exponent of m in the limit, with its 95 % interval, for each scaling of the output. Ticks are the "
        "exponents that are expected, where a claim states one."
    )
    return (Figure("fig-gamma", "Exponents against γ", caption, tuple(panels)),)


def _gamma(group: GroupSummary) -> float:
    return float(group.axes.get("gamma", math.nan))


def _others(group: GroupSummary) -> str:
    """What tells a group from others of the same γ: its label without the scaling."""
    return ", ".join(group.label.split(", ")[1:]) or "all runs"


def _chart(rows: list[dict[str, Any]], title: str, description: str) -> dict[str, Any]:
    alt = load_altair()
    names = list(dict.fromkeys(row["group"] for row in rows))
    values = [row[name] for row in rows for name in ("value", "low", "high", "expected") if name in row]
    gammas = sorted({row["gamma"] for row in rows})
    x = alt.X(
        **linear_axis(alt, "gamma:Q", gammas, pad=1.2, title="γ")
        | {"axis": alt.Axis(values=gammas, labelExpr="format(datum.value, '.4~g')", labelOverlap=True, grid=False)}
    )

    def y(field: str) -> Any:
        return alt.Y(**linear_axis(alt, f"{field}:Q", values, pad=1.2, title=title))

    several = len(names) > 1
    colour = group_colour(alt, names) if several else alt.value(COLOURS[0])
    shape = group_shape(alt, names) if several else alt.value(SHAPES[0])
    base = alt.Chart(alt.Data(values=rows))
    told = tips(
        alt,
        {"group": "runs", "gamma": "γ"},
        {"value": "exponent", "low": "low", "high": "high", "expected": "expected"},
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.8).encode(x=x, y=y("low"), y2="high:Q", color=colour),
        base.mark_tick(thickness=2, size=26, orient="horizontal", color="#8a8a82", opacity=1).encode(
            x=x, y=y("expected")
        ),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y("value"), color=colour, shape=shape, tooltip=told
        ),
    )
    return finish(chart.properties(width="container", height=_HEIGHT, description=description), "container")
