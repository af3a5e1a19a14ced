"""Pictures of a cloud of particles at the start and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._charts import cloud_chart
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._figure import Figure, Panel

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._figure import FigureSource

MAX_PARTICLES: Final = 1500
"""Largest number of particles in a picture. The first ones are shown, since all particles have the same law."""


def cloud_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw the first and the last snapshot of one finished run of each group: the first run of the largest width.

    Parameters
    ----------
    source
        A sweep of particles.

    Returns
    -------
    tuple of Figure
        One figure for each group, with start and end as two panels on the same axes. A particle with an output weight a
        is drawn at (|w|, a). A particle without one is projected on the two directions in which the end cloud varies
        most, about the mean of that cloud. Empty where the sweep keeps no snapshots or no run is done.
    """
    ds = source.ds
    if "particles" not in ds.data_vars:
        return ()
    status, width = np.asarray(ds["status"].values), np.asarray(ds["width"].values)
    figures = []
    for number, group in enumerate(source.groups):
        done = group.runs[status[group.runs] == DONE]
        if not done.size:
            continue
        run = int(done[np.argmax(width[done])])
        figures.append(_figure(ds, group, run, "fig-cloud" + (f"-{number}" if number else "")))
    return tuple(figures)


def _figure(ds: xr.Dataset, group: Group, run: int, key: str) -> Figure:
    m = int(ds["width"].values[run])
    shown = min(m, MAX_PARTICLES)
    snapshots = ds["particles"].isel(run=run, particle=slice(shown)).values
    times = np.asarray(ds["snapshot_time"].values)
    times = times[run] if times.ndim == 2 else times
    start, end = (np.asarray(snapshots[k], dtype=np.float64) for k in (0, -1))
    names, points = _plane([str(name) for name in ds["coord"].values], start, end)
    both = np.concatenate(points)
    domain = [[float(low), float(high)] for low, high in zip(both.min(0), both.max(0), strict=True)]
    panels = []
    for place, time, cloud in zip(("start", "end"), (times[0], times[-1]), points, strict=True):
        spread = ", ".join(f"{name} from {low:.3g} to {high:.3g}" for name, low, high in _ranges(names, cloud))
        alt = f"The cloud at the {place}, t = {time:g}: {shown} particles, {spread}."
        panels.append(Panel(f"{place}, t = {time:g}", alt, cloud_chart(_rows(cloud), names, domain, alt)))
    of = "all" if shown == m else f"the first {shown} of"
    caption = (
        f"One run, {group.label}, seed {int(ds['seed'].values[run])}: {of} {m} particles at the first and the last "
        f"snapshot, on the same axes. {_MEANING[names]}"
    )
    title = "The cloud at the start and the end" + (f": {group.label}" if "-" in key.removeprefix("fig-") else "")
    return Figure(key, title, caption, tuple(panels))


_WEIGHTS: Final = ("|w|", "a")
_DIRECTIONS: Final = ("first direction", "second direction")
_MEANING: Final = {
    _WEIGHTS: "Each mark is a particle: the norm of its input weights across, its output weight up.",
    _DIRECTIONS: "Each mark is a particle, seen along the two directions in which the end cloud is widest.",
}


def _plane(
    coordinates: list[str], start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[tuple[str, str], list[NDArray[np.float64]]]:
    """Names of the two axes of the picture, and the positions (n, 2) of both clouds on them."""
    if coordinates[-1] == "a":
        inner = [k for k, name in enumerate(coordinates) if name.startswith("w")]
        return _WEIGHTS, [
            np.stack([np.linalg.norm(cloud[:, inner], axis=1), cloud[:, -1]], axis=1) for cloud in (start, end)
        ]
    mean = end.mean(0)
    _, _, directions = np.linalg.svd(end - mean, full_matrices=False)
    axes = np.zeros((2, end.shape[1]))
    axes[: min(2, len(directions))] = directions[:2]
    return _DIRECTIONS, [(cloud - mean) @ axes.T for cloud in (start, end)]


def _ranges(names: tuple[str, str], cloud: NDArray[np.float64]) -> list[tuple[str, float, float]]:
    return [(name, float(cloud[:, k].min()), float(cloud[:, k].max())) for k, name in enumerate(names)]


def _rows(cloud: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [{"x": round(float(x), 6), "y": round(float(y), 6), "particle": k} for k, (x, y) in enumerate(cloud)]
