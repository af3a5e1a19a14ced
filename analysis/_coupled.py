"""Distances of clouds to the widest of the same seed, which begins with their particles (theory.md §5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._axes import group_axes
from sweepengine.transport import coupled_distance

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._setting import Setting

COUPLED: Final = ("chaos_outputs", "chaos_particles")
"""Names of the distances between a run and its reference, the widest run."""
_APART: Final = (
    "No particle acts on another: a cloud is exactly a part of the widest one, at distance 0 and without an exponent. "
    "A risk or an interaction among functional.terms would couple them."
)


def coupled_distances(done: xr.Dataset, outputs: NDArray[np.float64] | None) -> dict[str, xr.Variable]:
    """Distances of finished clouds to the widest finished one of the same seed and settings.

    Parameters
    ----------
    done
        Finished runs of a sweep of particles, lazy or in memory.
    outputs
        Outputs on the test points at the end of each of these runs, shape (run, test); None: ``chaos_outputs`` is NaN.

    Returns
    -------
    dict
        Name in ``COUPLED`` → distances, float64 (run,), divided by √(1 − m/M) because both clouds are finite
        (theory.md §5.6). NaN for the widest run itself, for a run without a reference, and where a sweep has not
        recorded what the distance needs.
    """
    import xarray as xr

    width = np.asarray(done["width"].values)
    distances = {name: np.full(width.size, np.nan) for name in COUPLED}
    for reference, runs in _by_reference(done, width).items():
        widest = _particles(done, reference) if "particles" in done else None
        for run in runs:
            sizes = int(width[run]), int(width[reference])
            if outputs is not None:
                distances["chaos_outputs"][run] = coupled_distance(outputs[run], outputs[reference], *sizes)
            if widest is not None:
                distances["chaos_particles"][run] = coupled_distance(_particles(done, run), widest[: sizes[0]], *sizes)
    return {name: xr.Variable(("run",), values) for name, values in distances.items()}


def why_no_distance(name: str, ds: xr.Dataset, setting: Setting, values: NDArray[np.float64]) -> str:
    """Why a distance to the widest run has no exponent, and what to do; empty where a fit may be tried.

    Parameters
    ----------
    name
        One of ``COUPLED``.
    ds
        The sweep.
    setting
        Setting of a group of its runs.
    values
        Distances of the finished runs of the group, float64 (run,).
    """
    if name == "chaos_outputs" and not setting.has_outputs:
        return (
            "No term of the functional is a risk, so there are no outputs to compare; look at the distance of "
            "particles."
        )
    if not setting.couples:
        return _APART
    recorded = "outputs_test" if name == "chaos_outputs" else "particles"
    if recorded not in ds.data_vars:
        how = "" if recorded == "outputs_test" else ", and set dynamics.snapshots to 2 or more"
        return f"{recorded} was not recorded; name it under the sweep's observables{how}."
    known = values[~np.isnan(values)]
    if known.size and not known.any():
        return _APART
    if values.size and not known.size:
        return "No finished run has a wider one of its seed to be compared with; add widths under axes."
    return ""


def _by_reference(done: xr.Dataset, width: NDArray[np.int64]) -> dict[int, list[int]]:
    """Reference run → the other runs of its seed and settings.

    The reference is the widest run of the seed. A seed whose widest run is narrower than the widest of the same
    settings has no reference.
    """
    columns = [np.asarray(done[name].values).tolist() for name in group_axes(done)]
    settings = list(zip(*columns, strict=True))
    widest = {key: max(int(m) for k, m in zip(settings, width, strict=True) if k == key) for key in set(settings)}
    seeds = np.asarray(done["seed"].values).tolist()
    references = {
        (key, seed): run
        for run, (key, seed) in enumerate(zip(settings, seeds, strict=True))
        if width[run] == widest[key]
    }
    compared: dict[int, list[int]] = {}
    for run, pair in enumerate(zip(settings, seeds, strict=True)):
        reference = references.get(pair)
        if reference is not None and reference != run:
            compared.setdefault(reference, []).append(run)
    return compared


def _particles(done: xr.Dataset, run: int) -> NDArray[np.float64]:
    """The cloud at the end of one run, shape (m, p). Clouds may be large, so they are read one at a time."""
    own = slice(int(done["width"].values[run]))
    return np.asarray(done["particles"].isel(run=run, snapshot=-1, particle=own).values, np.float64)
