"""Pictures of a cloud of particles on its way from the start to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import COLOURS, GREY, finish, load_altair, tips
from sweepengine.analysis._charts import HEIGHT
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._series import evenly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._figure import FigureSource
    from sweepengine.analysis._series import Rows

    Floats = NDArray[np.float64]

MAX_PARTICLES: Final = 1500
"""Largest number of particles in a picture. The first ones are shown, since all particles have the same law."""
MAX_FRAMES: Final = 12
"""Largest number of snapshots that are shown of a run, evenly chosen."""
_MAX_GROUPS: Final = 4
"""Largest number of groups that are shown, evenly chosen: those of one axis follow each other."""
_MAX_MARKS: Final = 24_000
"""Largest number of marks in all pictures of a report, which take about 40 bytes each."""
_PATHS: Final = 24
"""Number of particles whose paths are drawn."""


def cloud_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw snapshots of one finished run of each group: the first run of the largest width.

    Parameters
    ----------
    source
        A sweep of particles.

    Returns
    -------
    tuple of Figure
        One figure for each group, or for four of them, whose panels are the snapshots on the same axes. A particle with
        an output weight a is drawn at (|w|, a). A particle without one is projected on the two directions in which the
        end cloud varies most, about the mean of that cloud. Empty where the sweep keeps no snapshots or no run is done.
    """
    ds = source.ds
    if "particles" not in ds.data_vars:
        return ()
    status, width = np.asarray(ds["status"].values), np.asarray(ds["width"].values)
    finished = [(group, done) for group in source.groups if (done := group.runs[status[group.runs] == DONE]).size]
    shown = [finished[k] for k in evenly(len(finished), _MAX_GROUPS)] if finished else []
    figures = []
    for number, (group, done) in enumerate(shown):
        run = int(done[np.argmax(width[done])])
        several = len(source.groups) > 1
        figures.append(_figure(ds, group, run, f"fig-cloud{f'-{number}' * bool(number)}", len(shown), several=several))
    return tuple(figures)


def _figure(ds: xr.Dataset, group: Group, run: int, key: str, figures: int, *, several: bool) -> Figure:
    m = int(ds["width"].values[run])
    times = np.asarray(ds["snapshot_time"].values, dtype=np.float64)
    times = times[run] if times.ndim == 2 else times
    known = np.flatnonzero(np.isfinite(times))  # a sweep with fewer snapshots than another is padded
    chosen = known[evenly(known.size, MAX_FRAMES)]
    shown = min(m, MAX_PARTICLES, max(_PATHS, _MAX_MARKS // (figures * max(1, chosen.size))))
    clouds = np.asarray(ds["particles"].isel(run=run, snapshot=chosen, particle=slice(shown)).values, dtype=np.float64)
    names, points = _plane([str(name) for name in ds["coord"].values], clouds)
    flat = points.reshape(-1, 2)
    domain = [[float(low), float(high)] for low, high in zip(flat.min(0), flat.max(0), strict=True)]
    paths = evenly(shown, _PATHS)
    panels = []
    for k, (time, cloud) in enumerate(zip(times[chosen], points, strict=True)):
        spread = ", ".join(f"{name} from {low:.3g} to {high:.3g}" for name, low, high in _ranges(names, cloud))
        alt = f"The cloud at t = {time:.4g}: {shown} particles, {spread}."
        path = [
            {"x": x, "y": y, "particle": int(each), "snapshot": at}
            for each in paths
            for at, (x, y) in enumerate(_rounded(points[: k + 1, each]))
        ]
        rows = [{"x": x, "y": y, "particle": each} for each, (x, y) in enumerate(_rounded(cloud))]
        panels.append(Panel(f"t = {time:.4g}", alt, _chart(rows, path if k else [], names, domain, alt)))
    of = "all" if shown == m else f"the first {shown} of"
    all_snapshots = "every snapshot" if chosen.size == known.size else f"{chosen.size} of {known.size} snapshots"
    caption = (
        f"One run, {group.label}, m = {m}, seed {int(ds['seed'].values[run])}: {of} {m} particles at {all_snapshots}, "
        f"on the same axes. {_MEANING[names]} Grey lines are the paths of {paths.size} particles since the start."
    )
    title = "The cloud from the start to the end" + (f": {group.label}" if several else "")
    return Figure(key, title, caption, tuple(panels), frames=len(panels) > 2)


_WEIGHTS: Final = ("|w|", "a")
_DIRECTIONS: Final = ("first direction", "second direction")
_MEANING: Final = {
    _WEIGHTS: "Each mark is a particle: the norm of its input weights across, its output weight up.",
    _DIRECTIONS: "Each mark is a particle, seen along the two directions in which the end cloud is widest.",
}


def _plane(coordinates: list[str], clouds: Floats) -> tuple[tuple[str, str], Floats]:
    """Names of the two axes of the picture, and the positions (snapshot, particle, 2) of all clouds on them."""
    if coordinates[-1] == "a":
        inner = [k for k, name in enumerate(coordinates) if name.startswith("w")]
        return _WEIGHTS, np.stack([np.linalg.norm(clouds[..., inner], axis=-1), clouds[..., -1]], axis=-1)
    end = clouds[-1]
    mean = end.mean(0)
    _, _, directions = np.linalg.svd(end - mean, full_matrices=False)
    axes = np.zeros((2, end.shape[1]))
    axes[: min(2, len(directions))] = directions[:2]
    return _DIRECTIONS, (clouds - mean) @ axes.T


def _ranges(names: tuple[str, str], cloud: Floats) -> list[tuple[str, float, float]]:
    return [(name, float(cloud[:, k].min()), float(cloud[:, k].max())) for k, name in enumerate(names)]


def _rounded(points: Floats) -> list[list[Any]]:
    """Points (n, 2) as plain numbers with five digits, more than a picture shows."""
    return [[float(f"{x:.5g}"), float(f"{y:.5g}")] for x, y in points.tolist()]


def _chart(
    rows: Rows, paths: Rows, names: tuple[str, str], domain: Sequence[Sequence[float]], description: str
) -> dict[str, Any]:
    """Vega-Lite scatter of particles in a plane, over the paths (particle, snapshot, x, y) of some of them.

    ``domain`` holds the ends of both axes, which the panels of a figure share.
    """
    alt = load_altair()

    def axis(channel: Any, field: str, name: str, ends: Sequence[float]) -> Any:
        pad = 0.05 * (ends[1] - ends[0]) or 1.0
        scale = alt.Scale(domain=[ends[0] - pad, ends[1] + pad], nice=False, zero=False)
        return channel(f"{field}:Q", title=name, scale=scale, axis=alt.Axis(tickCount=6))

    x, y = axis(alt.X, "x", names[0], domain[0]), axis(alt.Y, "y", names[1], domain[1])
    marks = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=14, opacity=0.5, color=COLOURS[0])
        .encode(x=x, y=y, tooltip=tips(alt, {"particle": "particle"}, {"x": names[0], "y": names[1]}))
    )
    lines = (
        alt.Chart(alt.Data(values=paths))
        .mark_line(strokeWidth=1, color=GREY, opacity=0.8)
        .encode(x=x, y=y, detail="particle:N", order="snapshot:Q")
    )
    chart = alt.layer(*([lines] if paths else []), marks)
    return finish(chart.properties(width="container", height=HEIGHT, description=description), "container")
