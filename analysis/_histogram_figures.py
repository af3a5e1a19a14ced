"""Pictures of outputs over seeds: histograms beside the Gaussian that infinite width predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import COLOURS, finish, load_altair, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEEDED: Final = frozenset({"outputs_mean_test", "outputs_std_test"})
_FEWEST: Final = 100
"""Fewest values of which a histogram is drawn."""
_EDGES: Final = np.linspace(-4.5, 4.5, 37)
_HEIGHT: Final = 220


def output_figures(sweep: xr.Dataset, theory: xr.Dataset) -> tuple[Figure, ...]:
    """Draw outputs on the test points in units of the limit's mean and deviation, first and last record.

    For the narrowest and the widest networks that have a limit; values of all seeds and points enter. Empty where
    outputs were not recorded, or the values are too few for a histogram.
    """
    if "outputs_test" not in sweep.data_vars or "limit" not in sweep.coords or _NEEDED - set(theory.data_vars):
        return ()
    status, width = np.asarray(sweep["status"].values), np.asarray(sweep["width"].values)
    runs = np.flatnonzero((status == DONE) & np.isclose(sweep["gamma"].values, 0.5))
    widths = np.unique(width[runs])
    panels = []
    for m in widths[[0, -1]] if widths.size > 1 else widths:
        some = sweep.isel(run=runs[width[runs] == m])
        for place, record in (("t = 0", 0), ("the end", -1)):
            values = _standardised(some, theory, record)
            if values.size >= _FEWEST:
                name = f"m = {int(m)}, {place}"
                alt = (
                    f"Histogram of {values.size} outputs, {name}, in units of the limit: mean {values.mean():.3g}, "
                    f"deviation {values.std():.3g}."
                )
                panels.append(Panel(name, alt, _chart(values, alt)))
    caption = (
        "Outputs on all test points over all seeds, minus the mean that infinite width predicts at this time, over its "
        "deviation; the curve is the standard Gaussian. Outputs of one network on several points are correlated."
    )
    return (Figure("outputs", "Outputs over seeds", caption, tuple(panels)),) if panels else ()


def _standardised(runs: xr.Dataset, theory: xr.Dataset, record: int) -> Floats:
    """(f − mean)/deviation of all runs and test points, of those with a deviation."""
    limits = theory.sel(limit=runs["limit"].values)
    outputs = np.asarray(runs["outputs_test"].isel(record=record).values, dtype=np.float64)
    mean, deviation = (
        np.asarray(limits[name].isel(record=record).values, dtype=np.float64) for name in sorted(_NEEDED)
    )
    if outputs.ndim > mean.ndim:
        mean, deviation = (np.broadcast_to(each[..., None], outputs.shape) for each in (mean, deviation))
    known = np.isfinite(outputs) & np.isfinite(mean) & (deviation > 0)
    return np.asarray((outputs[known] - mean[known]) / deviation[known])


def _chart(values: Floats, description: str) -> dict[str, Any]:
    alt = load_altair()
    density, edges = np.histogram(values, bins=_EDGES, density=True)
    bars = [
        {"low": float(low), "high": float(high), "d": float(f"{each:.4g}")}
        for low, high, each in zip(edges[:-1], edges[1:], density, strict=True)
    ]
    at = np.linspace(_EDGES[0], _EDGES[-1], 91)
    curve = [
        {"x": float(f"{x:.3g}"), "d": float(f"{y:.4g}")}
        for x, y in zip(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), strict=True)
    ]
    x = alt.X("low:Q", title="(f − mean)/deviation", scale=alt.Scale(domain=[_EDGES[0], _EDGES[-1]], nice=False))
    y = alt.Y("d:Q", title="density", axis=alt.Axis(tickCount=4))
    chart = alt.layer(
        alt.Chart(alt.NamedData(name="bars"))
        .mark_rect(color=COLOURS[0], opacity=0.45)
        .encode(
            x=x, x2="high:Q", y=y, y2=alt.datum(0), tooltip=tips(alt, {}, {"low": "from", "high": "to", "d": "density"})
        ),
        alt.Chart(alt.NamedData(name="curve")).mark_line(color=COLOURS[1], strokeWidth=1.8).encode(x=alt.X("x:Q"), y=y),
    ).properties(width="container", height=_HEIGHT, description=description)
    return finish(chart, "container") | {"datasets": {"bars": bars, "curve": curve}}
