"""Vega-Lite charts of a sweep, built with Altair (the optional extra `report`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart_parts import (
    GREY,
    finish,
    linear_axis,
    load_altair,
    log_axis,
    log_x,
    ramp,
    tips,
)
from sweepengine.analysis._legends import LIMIT, group_colour, group_shape, line_key, named, row_legend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._series import Rows, ScalingRows

HEIGHT: Final = 300


def scaling_chart(rows: ScalingRows, title: str, description: str) -> dict[str, Any]:
    """Log-log chart of a quantity against an axis: seeds, means, fitted line, expected slope.

    Parameters
    ----------
    rows
        From `scaling_rows`.
    title, description
        Title of the value axis, and the alternative text.

    Returns
    -------
    dict
        A Vega-Lite specification that contains its data.
    """
    alt = load_altair()
    shown = [*rows.seeds, *rows.means]
    pick = alt.selection_point(name="pick", fields=["group"], bind="legend")
    x = log_x(alt, [r[rows.axis] for r in shown], rows.axis)
    y = alt.Y(**log_axis(alt, "value:Q", [r["value"] for r in shown], pad=1.3, title=title))
    colour, shape = group_colour(alt, rows.names), group_shape(alt, rows.names)

    def faded(visible: float) -> Any:
        return alt.condition(pick, alt.value(visible), alt.value(0.05))

    dashes = line_key(alt, [row["line"] for row in (*rows.lines, *rows.expected)])

    def layer(data: Rows) -> Any:
        return alt.Chart(alt.Data(values=data))

    expected = (
        layer(rows.expected)
        .mark_line(strokeCap="round", strokeWidth=2, clip=True)
        .encode(x=x, y=y, color=colour, strokeDash=dashes, detail="expected:N", opacity=faded(0.9))
    )
    seeds = (
        layer(rows.seeds)
        .mark_point(filled=True, size=18, clip=True)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=shape,
            opacity=faded(0.35),
            tooltip=tips(alt, {"group": "runs", rows.axis: rows.axis, "seed": "seed"}, {"value": title}),
        )
    )
    line = (
        layer(rows.lines)
        .mark_line(strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=dashes,
            opacity=faded(0.9),
        )
    )
    means = (
        layer(rows.means)
        .mark_point(filled=True, size=70)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=shape,
            opacity=faded(1.0),
            tooltip=tips(alt, {"group": "runs", rows.axis: rows.axis, "seeds": "seeds"}, {"value": "mean over seeds"}),
        )
        .add_params(pick)
    )
    chart = alt.layer(seeds, expected, line, means)
    return finish(chart.properties(width="container", height=HEIGHT, description=description), "container")


def accuracy_chart(seeds: Rows, means: Rows, groups: Sequence[str], description: str) -> dict[str, Any]:
    """Vega-Lite chart of final test accuracy against width: seeds, means and one standard error."""
    alt = load_altair()
    pick = alt.selection_point(name="pick", fields=["group"], bind="legend")
    x = log_x(alt, [r["width"] for r in seeds])
    y = alt.Y("value:Q", title="test accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".0%", tickCount=6))
    colour, shape = group_colour(alt, groups), group_shape(alt, groups)

    def faded(visible: float) -> Any:
        return alt.condition(pick, alt.value(visible), alt.value(0.05))

    mean_data = alt.Data(values=means)
    dots = (
        alt.Chart(alt.Data(values=seeds))
        .mark_point(filled=True, size=16)
        .encode(x=x, y=y, color=colour, shape=shape, opacity=faded(0.25))
    )
    bars = (
        alt.Chart(mean_data)
        .mark_rule(strokeWidth=1.6)
        .encode(x=x, y=alt.Y("low:Q", title="test accuracy"), y2="high:Q", color=colour, opacity=faded(0.9))
    )
    line = alt.Chart(mean_data).mark_line(strokeWidth=1.4).encode(x=x, y=y, color=colour, opacity=faded(0.9))
    points = (
        alt.Chart(mean_data)
        .mark_point(filled=True, size=70)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=shape,
            opacity=faded(1.0),
            tooltip=tips(
                alt, {"group": "runs", "width": "width"}, {"value": "mean", "low": "mean − s.e.", "high": "mean + s.e."}
            ),
        )
        .add_params(pick)
    )
    chart = alt.layer(dots, bars, line, points).properties(width="container", height=HEIGHT, description=description)
    return finish(chart, "container")


def time_chart(
    rows: Rows,
    widths: Sequence[int],
    domain: tuple[Sequence[float], Sequence[float]],
    title: str,
    description: str,
    limit: Rows | None = None,
    *,
    signed: bool = False,
) -> dict[str, Any]:
    """Vega-Lite chart of a mean curve over training time, one line for each width.

    Parameters
    ----------
    rows
        Points (width, time, value, low, high), from `time_rows`; low and high may be absent.
    widths
        Widths in the order of the legend.
    domain
        Times and values over all panels of the figure, which therefore share their axes.
    title, description
        Title of the value axis, and the alternative text.
    limit
        Points (time, value) that infinite width predicts, drawn dashed.
    signed
        Whether the value axis is linear, for values of both signs; otherwise both axes are logarithmic.

    Returns
    -------
    dict
        A Vega-Lite specification that contains its data.
    """
    alt = load_altair()
    times, values = domain
    pick = alt.selection_point(name="pick", fields=["width"], bind="legend")
    x = alt.X(**log_axis(alt, "time:Q", times, pad=1.0, title="training time t", grid=False))
    axis = linear_axis if signed else log_axis
    colour = alt.Color(
        "width:O",
        title="width m",
        scale=alt.Scale(domain=list(widths), range=ramp(len(widths))),
        legend=row_legend(alt, widths, symbolType="stroke", symbolStrokeWidth=3),
    )
    lines = alt.Chart(alt.Data(values=rows))
    chart = (
        lines.mark_line(strokeWidth=1.8, clip=True)
        .encode(
            x=x,
            y=alt.Y(**axis(alt, "value:Q", values, pad=1.2, title=title)),
            color=colour,
            opacity=alt.condition(pick, alt.value(0.95), alt.value(0.08)),
            tooltip=tips(alt, {"width": "width"}, {"time": "t", "value": title}),
        )
        .add_params(pick)
    )
    if rows and "low" in rows[0]:
        band = lines.mark_area(clip=True).encode(
            x=x,
            y=alt.Y(**axis(alt, "low:Q", values, pad=1.2, title=title)),
            y2="high:Q",
            color=colour,
            opacity=alt.condition(pick, alt.value(0.2), alt.value(0.02)),
        )
        chart = alt.layer(band, chart)
    if limit:
        predicted = (
            named(alt.Chart(alt.Data(values=limit)), LIMIT)
            .mark_line(strokeWidth=2, color=GREY, clip=True)
            .encode(
                x=alt.X("time:Q"),
                y=alt.Y("value:Q"),
                strokeDash=line_key(alt, [LIMIT], orient="top"),
                tooltip=tips(alt, {}, {"time": "t", "value": "limit"}),
            )
        )
        chart = alt.layer(chart, predicted)
    return finish(chart.properties(width="container", height=240, description=description), "container")
