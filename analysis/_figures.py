"""The figures of the report: the quantities that each chart shows, its caption and its alternative text."""

from __future__ import annotations

import math
from dataclasses import replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._charts import scaling_chart, time_chart
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._series import limit_rows, scaling_rows, time_rows

if TYPE_CHECKING:
    from sweepengine.analysis._figure import FigureSource
    from sweepengine.analysis._findings import Curve
    from sweepengine.analysis._results import Summary

_SCALING_CAPTION: Final = (
    "Small marks are single "
    "runs, large ones means over seeds. The line is the fitted power law (exponent and 95 % interval in the legend), "
    "dashed over widths that the fit leaves out; the dotted line has the expected exponent. Click a name in the legend "
    "to single it out."
)


def build_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Build every figure that the finished runs allow.

    Parameters
    ----------
    source
        The sweep, its summary and its reduced tables.

    Returns
    -------
    tuple of Figure
        Figures without any data are left out, so the tuple is empty when no run is done.
    """
    ds, summary, kind = source.ds, source.summary, source.summary.kind
    figures = []
    panels = []
    for key in kind.headlines:
        fits = {group.label: group.fits.get(key) for group in summary.groups}
        rows = scaling_rows(fits, source.tables, summary.claims, key)
        if rows.seeds:
            title = kind.quantity(key).title
            alt = f"{title} against width, log-log. " + _fitted(summary, key)
            panels.append(Panel(title, alt, scaling_chart(rows, title, alt)))
    if panels:
        figures.append(
            Figure("fig-width", kind.width_title, f"{kind.width_text} {_SCALING_CAPTION} {source.sizes}", tuple(panels))
        )
    recorded = [curve for curve in kind.curves if curve.variable in ds.data_vars]
    drawn = ds.assign(
        {each.variable: ds[each.variable].max(each.largest_over) for each in recorded if each.largest_over}
    )
    curves = time_rows(drawn, source.groups, [curve.variable for curve in recorded]) if recorded else {}
    for curve in recorded:
        if curve.repeats in curves and _alike(curves[curve.variable], curves[curve.repeats]):
            continue
        limits = limit_rows(ds, source.groups, curve.limit)
        figure = time_figure(curve, curves[curve.variable], limits)
        figures += [replace(figure, caption=f"{figure.caption} {source.sizes}")] if figure else []
    for reference in kind.further_figures:
        figures += resolve_name(reference)(source)
    return tuple(figures)


def time_figure(
    curve: Curve, curves: dict[str, list[dict[str, Any]]], limits: dict[str, list[dict[str, Any]]]
) -> Figure | None:
    title = curve.title
    signed = any(row["value"] < 0 for rows in curves.values() for row in rows)

    def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if signed or row["value"] > 0]  # a logarithmic axis has no 0

    drawn = {label: [_banded(row, signed) for row in some] for label, rows in curves.items() if (some := shown(rows))}
    if not drawn:
        return None
    widths = sorted({int(r["width"]) for rows in drawn.values() for r in rows})
    times = [r["time"] for rows in drawn.values() for r in rows]
    values = [end for rows in drawn.values() for r in rows for end in _shown_ends(r, signed)]
    panels = []
    for label, rows in drawn.items():
        last = {r["width"]: r["value"] for r in rows}
        ends = ", ".join(f"{last[m]:.3g} at m = {m}" for m in (widths[0], widths[-1]) if m in last)
        alt = f"{title} over training time for {label}, one line a width. At the end: {ends}."
        limit = shown(limits.get(label, []))
        panels.append(Panel(label, alt, time_chart(rows, widths, (times, values), title, alt, limit, signed=signed)))
    axes = "The time axis is" if signed else "Both axes are"
    is_banded = any(r["low"] < r["high"] for rows in drawn.values() for r in rows)
    band = "; the band is one standard error of the mean on both sides" if is_banded else ""
    caption = (
        f"{curve.text} over training time, mean over seeds at each width{band}. {axes} logarithmic, so t = 0 "
        "is not shown."
    ) + (" The dashed line is what infinite width predicts." if limits else "")
    return Figure(f"fig-{curve.variable}-time", f"{title} over time", caption, tuple(panels))


def _alike(curves: dict[str, list[dict[str, Any]]], others: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether two variables have the same values everywhere, to rounding in float32."""
    return curves.keys() == others.keys() and all(
        len(rows) == len(others[label])
        and all(math.isclose(a["value"], b["value"], rel_tol=1e-5) for a, b in zip(rows, others[label], strict=True))
        for label, rows in curves.items()
    )


def _banded(row: dict[str, Any], signed: bool) -> dict[str, Any]:
    """A point of a curve with the ends of its band; on a log axis the standard error is that of the logarithm."""
    rest = {key: value for key, value in row.items() if key != "error"}
    value, error = row["value"], row["error"]
    if signed:
        return rest | {"low": value - error, "high": value + error}
    factor = math.exp(min(error / value, 5.0))
    return rest | {"low": value / factor, "high": value * factor}


def _shown_ends(row: dict[str, Any], signed: bool) -> tuple[float, float]:
    """What an axis has to show of a point and its band; of a band on a log axis at most a factor e on each side."""
    low, high = row["low"], row["high"]
    return (low, high) if signed else (max(low, row["value"] / math.e), min(high, row["value"] * math.e))


def _fitted(summary: Summary, key: str) -> str:
    fits = [(group.label, group.fits[key]) for group in summary.groups if key in group.fits]
    parts = [f"{label}: exponent in the limit {fit.exponent}" for label, fit in fits]
    return "; ".join(parts) + "." if parts else "No fit."
