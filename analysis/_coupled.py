"""Clouds against the widest one of the same seed, whose first particles are theirs (theory.md §4, mf-limit)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis._constants import GROUP_AXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr
    from numpy.typing import NDArray

COUPLED: Final = ("chaos_outputs", "chaos_particles")
"""Quantities of a run and its reference."""
_APART: Final = frozenset({"quadratic", "double_well", "potential"})
"""Terms that move each particle by itself."""


def coupled_distances(done: xr.Dataset) -> dict[str, xr.Variable]:
    """Distances of finished clouds to the widest finished one of the same seed and settings.

    Parameters
    ----------
    done
        Finished runs of a sweep of particles, lazy or in memory.

    Returns
    -------
    dict
        Name in ``COUPLED`` → float64 (run,), divided by √(1 − m/M) because both are finite (theory.md §4); NaN for the
        widest itself, and where the sweep has recorded neither outputs nor particles.
    """
    import xarray as xr

    measures: dict[str, Callable[[int, int], float]] = {}
    if "outputs_test" in done:
        measures["chaos_outputs"] = lambda run, reference: _outputs(done, run, reference)
    if "particles" in done:
        measures["chaos_particles"] = lambda run, reference: _particles(done, run, reference)
    width = np.asarray(done["width"].values)
    found = {name: np.full(width.size, np.nan) for name in COUPLED}
    for run, reference in _pairs(done, width):
        finite = math.sqrt(1 - width[run] / width[reference])
        for name, measure in measures.items():
            found[name][run] = measure(run, reference) / finite
    return {name: xr.Variable(("run",), values) for name, values in found.items()}


def why_no_distance(name: str, ds: xr.Dataset, values: NDArray[np.float64]) -> str:
    """Why a distance to the widest has no exponent, and what to do; empty where a fit may be tried.

    Parameters
    ----------
    name
        One of ``COUPLED``.
    ds
        The sweep.
    values
        The distances of a group's finished runs.
    """
    terms = {str(term) for term in ds.coords["term"].values} if "term" in ds.coords else set()
    if name == "chaos_outputs" and terms and "risk" not in terms:
        return (
            "No term of the functional is a risk, so there are no outputs to compare; the distance of particles stands "
            "beside this row."
        )
    recorded = "outputs_test" if name == "chaos_outputs" else "particles"
    if recorded not in ds.data_vars:
        how = "" if recorded == "outputs_test" else ", and set dynamics.snapshots to 2 or more"
        return f"{recorded} was not recorded; name it under the sweep's observables{how}."
    if (terms and terms <= _APART) or (values.size and np.all(values[~np.isnan(values)] == 0) and np.any(values == 0)):
        return (
            "No particle acts on another: a cloud is exactly a part of the widest one, at distance 0 and without an "
            "exponent. A risk or an interaction among functional.terms would couple them."
        )
    if values.size and np.all(np.isnan(values)):
        return "No finished run has a wider one of its seed to be compared with; add widths under axes."
    return ""


def _pairs(done: xr.Dataset, width: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(run, widest run of its seed), where that is the widest of all its settings."""
    axes = [name for name in (*GROUP_AXES, "temperature") if name in done.coords]
    columns = [np.asarray(done[name].values).tolist() for name in axes]
    settings = list(zip(*columns, strict=True))
    widest = {key: max(int(m) for k, m in zip(settings, width, strict=True) if k == key) for key in set(settings)}
    seeds = np.asarray(done["seed"].values).tolist()
    references = {
        (key, seed): run
        for run, (key, seed) in enumerate(zip(settings, seeds, strict=True))
        if width[run] == widest[key]
    }
    for run, pair in enumerate(zip(settings, seeds, strict=True)):
        reference = references.get(pair)
        if reference is not None and reference != run:
            yield run, reference


def _outputs(done: xr.Dataset, run: int, reference: int) -> float:
    last = int(done["records_done"].values[run]) - 1
    here, there = (
        np.asarray(done["outputs_test"].isel(run=k, record=last).values, np.float64) for k in (run, reference)
    )
    return float(np.sqrt(np.mean((here - there) ** 2)))


def _particles(done: xr.Dataset, run: int, reference: int) -> float:
    shared = slice(int(done["width"].values[run]))
    ends = (done["particles"].isel(run=k, snapshot=-1, particle=shared).values for k in (run, reference))
    here, there = (np.asarray(each, np.float64) for each in ends)
    return float(np.sqrt(np.mean(np.sum((here - there) ** 2, axis=-1))))
