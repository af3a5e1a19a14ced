"""Pictures of the residual along the eigenvectors of the kernel: how each mode decays, beside the rate of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import finish, load_altair, log_axis, ramp, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._legends import EXPECTED, line_key, named, row_legend

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MODES: Final = 6
_HEIGHT: Final = 300
_FLOOR: Final = 1e-6
"""Share of the largest residual below which a mode is no longer drawn."""


def mode_figures(sweep: xr.Dataset, _: xr.Dataset) -> tuple[Figure, ...]:
    """Draw the residual along the top eigenvectors of Θ_0 over time, of the narrowest and the widest run.

    The smallest seed is taken. Dotted lines fall by (1 − ηλ_j/N) a step, from the modes at t = 0. Empty where modes or
    eigenvalues were not recorded, or no run is done.
    """
    if not {"residual_modes", "kernel_eigenvalues"} <= set(sweep.data_vars):
        return ()
    done = np.flatnonzero(np.asarray(sweep["status"].values) == DONE)
    if not done.size:
        return ()
    width, seed = np.asarray(sweep["width"].values)[done], np.asarray(sweep["seed"].values)[done]
    panels = []
    for run in (done[np.lexsort((seed, width))[0]], done[np.lexsort((seed, -width))[0]]):
        rows, expected = _rows(sweep.isel(run=int(run)))
        name = f"m = {int(sweep['width'].values[run])}"
        last = {row["mode"]: row["v"] for row in rows}
        alt = f"Residual along the {len(last)} top eigenvectors over time, {name}. At the end: " + ", ".join(
            f"{value:.3g} of mode {mode}" for mode, value in last.items()
        )
        panels.append(Panel(name, alt + ".", _chart(rows, expected, alt)))
    caption = (
        "The residual along the eigenvectors of the largest eigenvalues of the run's own Θ at t = 0 (mode 1 is that of "
        "the largest), of one seed. Dotted: what gradient descent with a constant kernel would give, "
        "(1 − ηλ_j/N)^(t/η) of the start."
    )
    shown = panels if width.min() < width.max() else panels[:1]
    return (Figure("modes", "The modes of the residual", "", tuple(shown), caption),)


def _rows(run: xr.Dataset) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Points (mode, time, |residual|) of the top modes of a run, and of the decay at their own rates."""
    records = int(run["records_done"].values)
    modes = np.abs(np.asarray(run["residual_modes"].isel(record=slice(records)).values, dtype=np.float64))
    eigenvalues = np.asarray(run["kernel_eigenvalues"].isel(record=0).values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(eigenvalues))
    time, step = (np.asarray(run[name].values, dtype=np.float64)[:records] for name in ("time", "step"))
    points = run["targets_train"].sizes["i"] if "targets_train" in run else known.size
    measured: list[dict[str, Any]] = []
    expected: list[dict[str, Any]] = []
    for rank, mode in enumerate(known[::-1][:_MODES], start=1):
        factor = np.abs(1 - float(run["step_size"].values) * eigenvalues[mode] / points) ** step
        for rows, values in ((measured, modes[:, mode]), (expected, modes[0, mode] * factor)):
            rows += [
                {"mode": rank, "t": float(f"{t:.5g}"), "v": float(f"{value:.4g}")}
                for t, value in zip(time, values, strict=True)
                if value > _FLOOR * modes[0].max()
            ]
    return measured, expected


def _chart(rows: list[dict[str, Any]], expected: list[dict[str, Any]], description: str) -> dict[str, Any]:
    alt = load_altair()
    ranks = sorted({row["mode"] for row in rows})
    x = alt.X("t:Q", title="training time t", axis=alt.Axis(format="~g", grid=False))
    y = alt.Y(**log_axis(alt, "v:Q", [row["v"] for row in (*rows, *expected)], pad=1.3, title="|v_j · (f_t − y)|"))
    colour = alt.Color(
        "mode:O",
        title="mode j",
        scale=alt.Scale(domain=ranks, range=ramp(len(ranks))),
        legend=row_legend(alt, ranks, symbolType="stroke", symbolStrokeWidth=3),
    )
    chart = alt.layer(
        named(alt.Chart(alt.NamedData(name="expected")), EXPECTED)
        .mark_line(strokeCap="round", strokeWidth=2)
        .encode(x=x, y=y, color=colour, strokeDash=line_key(alt, [EXPECTED], orient="top")),
        alt.Chart(alt.NamedData(name="modes"))
        .mark_line(point=alt.OverlayMarkDef(size=26, filled=True), strokeWidth=1.6)
        .encode(x=x, y=y, color=colour, tooltip=tips(alt, {"mode": "mode"}, {"t": "t", "v": "residual"})),
    ).properties(width="container", height=_HEIGHT, description=description)
    return finish(chart, "container") | {"datasets": {"modes": rows, "expected": expected}}
