"""The figure of trained outputs beside the ensemble that infinite width predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import GREY, finish, linear_axis, load_altair, ramp, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._legends import LIMIT, line_key, named, row_legend
from sweepengine.analysis._series import evenly

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._figure import FigureSource

_POINTS: Final = 40
"""Largest number of test points that are shown; more are thinned evenly along the prediction."""
_HEIGHT: Final = 260


def ensemble_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw the mean over seeds of the trained output on test points, beside the Gaussian of infinite width.

    One panel for each group at γ = 1/2 and α = 1 of one output, whose runs have a limit; nothing where there is none.
    """
    ds, theory = source.ds, source.theory
    needed = {"outputs_mean_test", "outputs_std_test"}
    if "outputs_test" not in ds.data_vars or "limit" not in ds.coords or not needed <= set(theory.data_vars):
        return ()
    panels = [panel for group in source.groups if (panel := _panel(ds, theory, group)) is not None]
    if not panels:
        return ()
    caption = (
        "Trained outputs f on test points at the last record, in the order of the prediction. The grey line is the "
        "mean of infinitely wide networks over their initial parameters, and the band two standard deviations of one "
        "network. Marks are means over seeds at the narrowest and the widest width, with one standard error. "
        f"{source.sizes}"
    )
    return (Figure("fig-ensemble", "Trained outputs and infinite width", caption, tuple(panels)),)


def _panel(ds: xr.Dataset, theory: xr.Dataset, group: Group) -> Panel | None:
    status, width = np.asarray(ds["status"].values), np.asarray(ds["width"].values)
    done = group.runs[status[group.runs] == DONE]
    plain = group.axes.get("gamma") == 0.5 and group.axes.get("alpha", 1.0) == 1.0
    limit = str(ds["limit"].values[done[0]]) if done.size else ""
    if not plain or limit not in theory["limit"].values or "output" in ds["outputs_test"].dims:
        return None
    record = int(ds["records_done"].values[done[0]]) - 1
    own = theory.sel(limit=limit).isel(record=record)
    mean, spread = (
        np.asarray(own[name].values, dtype=np.float64) for name in ("outputs_mean_test", "outputs_std_test")
    )
    known = np.flatnonzero(np.isfinite(mean))
    order = known[np.argsort(mean[known], kind="stable")]
    order = order[evenly(order.size, _POINTS)]
    if not order.size:
        return None
    limits = [
        {
            "rank": rank,
            "value": float(mean[at]),
            "low": float(mean[at] - 2 * spread[at]),
            "high": float(mean[at] + 2 * spread[at]),
        }
        for rank, at in enumerate(order, start=1)
    ]
    widths = sorted({int(width[done].min()), int(width[done].max())})
    rows: list[dict[str, Any]] = []
    off = []
    for m in widths:
        outputs = np.asarray(
            ds["outputs_test"].isel(run=done[width[done] == m], record=record).values, dtype=np.float64
        )
        centre = outputs.mean(axis=0)
        error = outputs.std(axis=0, ddof=1) / np.sqrt(len(outputs)) if len(outputs) > 1 else np.zeros_like(centre)
        off.append(
            f"at m = {m} the root mean square of the difference is {np.sqrt(np.mean((centre - mean)[order] ** 2)):.3g}"
        )
        rows += [
            {
                "rank": rank,
                "width": m,
                "value": float(centre[at]),
                "low": float(centre[at] - error[at]),
                "high": float(centre[at] + error[at]),
            }
            for rank, at in enumerate(order, start=1)
        ]
    alt = (
        f"Trained outputs on {order.size} test points and the prediction of infinite width, {group.label}: "
        f"{'; '.join(off)}."
    )
    return Panel(group.label, alt, _chart(limits, rows, widths, alt))


def _chart(
    limits: list[dict[str, Any]], rows: list[dict[str, Any]], widths: list[int], description: str
) -> dict[str, Any]:
    alt = load_altair()
    values = [row[end] for row in (*limits, *rows) for end in ("low", "high")]
    x = alt.X(
        "rank:Q", title="test point, by prediction", axis=alt.Axis(grid=False, tickCount=5), scale=alt.Scale(nice=False)
    )

    def y(field: str) -> Any:
        return alt.Y(**linear_axis(alt, f"{field}:Q", values, pad=1.1, title="output f"))

    colour = alt.Color(
        "width:O",
        title="width m",
        scale=alt.Scale(domain=widths, range=[ramp(7)[0], ramp(7)[-1]][: len(widths)]),
        legend=row_legend(alt, widths),
    )
    predicted, measured = (alt.Chart(alt.Data(values=each)) for each in (limits, rows))
    chart = alt.layer(
        predicted.mark_area(opacity=0.15, color=GREY).encode(x=x, y=y("low"), y2="high:Q"),
        named(predicted, LIMIT)
        .mark_line(strokeWidth=2, color=GREY)
        .encode(x=x, y=y("value"), strokeDash=line_key(alt, [LIMIT], orient="top")),
        measured.mark_rule(strokeWidth=1.4).encode(x=x, y=y("low"), y2="high:Q", color=colour),
        measured.mark_point(filled=True, size=34, opacity=0.9).encode(
            x=x, y=y("value"), color=colour, tooltip=tips(alt, {"width": "width"}, {"value": "mean over seeds"})
        ),
    )
    return finish(chart.properties(width="container", height=_HEIGHT, description=description), "container")
