"""Pictures of paths between two clouds: the displacement interpolation of the optimal map, and of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import GREY, finish, load_altair, ramp, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._legends import row_legend

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares t of the path at which the clouds are drawn."""
_MAPS: Final = {"claim": "the optimal map", "twin": "another map"}
_HEIGHT: Final = 300


def path_figures(sweep: xr.Dataset, _: xr.Dataset) -> tuple[Figure, ...]:
    """Draw the points of ((1−t) id + tT)_# μ at some t, and each point's chord, for both maps of the smallest seed.

    Empty where the ends of paths were not recorded, or a map has no finished run.
    """
    if "path_ends" not in sweep.data_vars:
        return ()
    done, seed = np.asarray(sweep["status"].values) == DONE, np.asarray(sweep["seed"].values)
    case = np.asarray(sweep["scaling"].values)
    ends = {}
    for name in _MAPS:
        runs = np.flatnonzero(done & (case == name))
        if not runs.size:
            return ()
        run = int(runs[np.argmin(seed[runs])])
        ends[name] = np.asarray(sweep["path_ends"].isel(run=run, record=0).values, dtype=np.float64)
    length = {name: float(np.sqrt(np.mean(np.sum((end - start) ** 2, axis=-1)))) for name, (start, end) in ends.items()}
    every = np.concatenate([each.reshape(-1, 2) for each in ends.values()])
    domain = [[float(low), float(high)] for low, high in zip(every.min(0), every.max(0), strict=True)]
    panels = []
    for name, title in _MAPS.items():
        alt = (
            f"Paths of {ends[name].shape[1]} points under {title}: straight chords whose root mean square length is "
            f"{length[name]:.3g}."
        )
        panels.append(Panel(f"{title}, chords of {length[name]:.3g}", alt, _chart(ends[name], domain, alt)))
    caption = (
        "The points (1−t)x + tT(x) of a cloud in the plane at five times t, and the chord from x to T(x) of each. Both "
        "maps send the same cloud to the same cloud, so the clouds at t = 0 and t = 1 are equal and those between are "
        "not. The root mean square length of the chords is W₂(μ_0, μ_1) for the optimal map, which swaps no two "
        "points: ⟨x − x′, T(x) − T(x′)⟩ is nowhere negative. The other map swaps points and draws the cloud together "
        f"on the way; its chords are {length['twin'] / length['claim']:.3g} times as long."
    )
    return (Figure("paths", "The points along the path", "", tuple(panels), caption),)


def _chart(ends: Floats, domain: list[list[float]], description: str) -> dict[str, Any]:
    """The points between x and T(x), and the chords, from both ends (2, n, 2)."""
    alt = load_altair()
    chords: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for k, (a, b) in enumerate(zip(*ends, strict=True)):
        for t in _SHARES:
            x, y = (1 - t) * a + t * b
            points.append({"t": f"{t:g}", "k": k, "x": float(f"{x:.4g}"), "y": float(f"{y:.4g}")})
        (x, y), (x2, y2) = a, b
        chords.append({name: float(f"{v:.4g}") for name, v in (("x", x), ("y", y), ("x2", x2), ("y2", y2))})

    def axis(channel: Any, field: str, title: str, span: list[float]) -> Any:
        pad = 0.05 * (span[1] - span[0]) or 1.0
        scale = alt.Scale(domain=[span[0] - pad, span[1] + pad], nice=False, zero=False)
        return channel(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6))

    x, y = axis(alt.X, "x", "first coordinate", domain[0]), axis(alt.Y, "y", "second coordinate", domain[1])
    shares = [f"{t:g}" for t in _SHARES]
    chart = alt.layer(
        alt.Chart(alt.NamedData(name="chords"))
        .mark_rule(color=GREY, opacity=0.55, strokeWidth=1)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q"),
        alt.Chart(alt.NamedData(name="points"))
        .mark_point(filled=True, size=26, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "t:O",
                title="t",
                scale=alt.Scale(domain=shares, range=ramp(len(shares))),
                legend=row_legend(alt, shares),
            ),
            tooltip=tips(alt, {"k": "point", "t": "t"}, {"x": "first coordinate", "y": "second coordinate"}),
        ),
    ).properties(width="container", height=_HEIGHT, description=description)
    return finish(chart, "container") | {"datasets": {"chords": chords, "points": points}}
