"""Pictures of outputs and pre-activations over seeds: histograms beside the Gaussian that infinite width predicts."""

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
                density, edges = np.histogram(values, bins=_EDGES, density=True)
                panels.append(Panel(name, alt, _chart(density, edges, "(f − mean)/deviation", alt)))
    caption = (
        "Outputs on all test points over all seeds, minus the mean that infinite width predicts at this time, over its "
        "deviation; the curve is the standard Gaussian. Outputs of one network on several points are correlated."
    )
    return (Figure("outputs", "Outputs over seeds", caption, tuple(panels)),) if panels else ()


def preactivation_figures(sweep: xr.Dataset, _: xr.Dataset) -> tuple[Figure, ...]:
    """Draw the density of pre-activations at t = 0, layer by layer, of the narrowest and the widest networks.

    Means over seeds are shown. Empty where densities were not recorded, or no run is done.
    """
    if "preactivation_density" not in sweep.data_vars:
        return ()
    done = sweep.isel(run=np.flatnonzero(np.asarray(sweep["status"].values) == DONE))
    width = np.asarray(done["width"].values)
    middle = np.asarray(done["bin"].values, dtype=np.float64)
    edges = np.append(middle, 2 * middle[-1] - middle[-2]) - (middle[1] - middle[0]) / 2
    panels = []
    for m in dict.fromkeys((width.min(), width.max())) if width.size else ():
        densities = np.asarray(done["preactivation_density"].isel(run=width == m, record=0).mean("run").values)
        for layer, density in zip(done["hidden_layer"].values, densities, strict=True):
            if np.isfinite(density).all():
                name = f"m = {int(m)}, layer {layer}"
                alt = (
                    f"Density of pre-activations at t = 0, {name}, in deviations of the limit: {density.max():.3g} at "
                    f"its highest, where the Gaussian has {_gaussian(np.zeros(1))[0]:.3g}."
                )
                panels.append(Panel(name, alt, _chart(density, edges, "h/√K", alt)))
    caption = (
        "Pre-activations at t = 0 of all neurons on all points, of many networks, over the deviation √K that infinite "
        "width predicts for the layer; the curve is the standard Gaussian. Layer 1 is Gaussian at every width. In "
        "layer 2 a neuron is Gaussian given layer 1, whose random size adds to the peak and to the tails at small "
        "width."
    )
    return (Figure("preactivations", "Pre-activations at t = 0", "", tuple(panels), caption),) if panels else ()


def _gaussian(at: Floats) -> Floats:
    """The standard Gaussian density."""
    return np.asarray(np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi))


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


def _chart(density: Floats, edges: Floats, title: str, description: str) -> dict[str, Any]:
    alt = load_altair()
    bars = [
        {"low": float(low), "high": float(high), "d": float(f"{each:.4g}")}
        for low, high, each in zip(edges[:-1], edges[1:], density, strict=True)
    ]
    at = np.linspace(edges[0], edges[-1], 91)
    curve = [{"x": float(f"{x:.3g}"), "d": float(f"{y:.4g}")} for x, y in zip(at, _gaussian(at), strict=True)]
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[float(edges[0]), float(edges[-1])], nice=False))
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
