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
