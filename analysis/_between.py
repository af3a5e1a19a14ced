"""Wasserstein-2 distances between the clouds of different runs, from snapshots (theory.md §5.5)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from sweepengine import transport
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._errors import ContractError, MemoryNeedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    Method = Literal["auto", "assignment", "sorting", "sliced"]

METHODS: Final = ("auto", "assignment", "sorting", "sliced")
_AUTO_SECONDS: Final = 60.0
"""Largest estimated time of assignments for which ``auto`` chooses them; longer ones must be asked for."""
_SHOWN: Final = ("id", "width", "seed", "temperature")
"""Coordinates of ``run`` that the result repeats along ``run_other``, as ``NAME_other``."""


def run_distances(
    ds: xr.Dataset, *, method: Method = "auto", directions: int = 200, seed: int = 0, memory_bytes: int = 2**30
) -> xr.Dataset:
    """W₂ between the clouds of every two finished runs, at each snapshot.

    W₂ does not depend on the numbers of the particles. The distance between particles of the same number under the same
    noise is ``chaos_particles`` of :func:`reduce_runs`.

    Parameters
    ----------
    ds
        A sweep of particles as `sweepengine.open_sweep` returns it. Pick runs and snapshots with ``isel`` first: the
        work grows as the square of the number of runs.
    method
        ``assignment``: exact, between runs of one width; ``sorting``: exact, for particles with one coordinate;
        ``sliced``: the root mean square over random directions of W₂ between the projections, which is at most W₂
        (Rabin et al. 2011). ``auto`` chooses one method for all pairs: sorting for one coordinate; assignment for one
        width of up to 4000 particles, if it is estimated to take at most a minute in all and fits the memory; else
        sliced.
    directions, seed
        Number of random directions of ``sliced``, which all pairs share, and their seed.
    memory_bytes
        Bytes that may be allocated; the need is predicted before anything is read.

    Returns
    -------
    xarray.Dataset
        In memory, float64, dims (run, run_other, snapshot), symmetric: ``w2``; or ``sliced_w2`` and its standard error
        over the directions, ``sliced_w2_error``. The attributes hold the ``method`` that was used, and for ``sliced``
        also ``directions`` and ``seed``.

    Raises
    ------
    ContractError
        The sweep has no snapshots, or its runs have snapshots at different times; a dim is lost; the method is unknown
        or does not fit the runs; there are fewer than 2 directions; or the seed is negative.
    MemoryNeedError
        The distances need more than ``memory_bytes``.
    """
    import xarray as xr

    if "particles" not in ds.data_vars:
        raise ContractError(
            "The dataset has no variable 'particles': distances between clouds need snapshots. Run the sweep with "
            "`dynamics.snapshots` of 2 or more, and `particles` among its observables."
        )
    for dim in ("run", "snapshot"):
        if dim not in ds.dims:
            raise ContractError(f"The dim {dim!r} is lost. Pick by a list, which keeps it: isel({dim}=[-1]).")
    done = ds.isel(run=np.flatnonzero(np.asarray(ds["status"].values) == DONE))
    times = np.asarray(done["snapshot_time"].values)
    if times.ndim == 2 and not np.allclose(times, times[:1], rtol=1e-9):
        raise ContractError("The runs kept their particles at different times. Select runs of one schedule.")
    counts = [int(m) for m in done["width"].values]
    size = _Size(counts, ds.sizes["coord"], ds.sizes["snapshot"], directions)
    used = _chosen(method, size, memory_bytes)
    if used == "sliced" and directions < 2:
        raise ContractError(f"Found {directions} directions; a standard error needs at least 2.")
    if seed < 0:
        raise ContractError(f"Found seed {seed}; give 0 or more.")
    need = size.bytes(used)
    if need > memory_bytes:
        less = "" if used == "sliced" else "use method='sliced', "
        raise MemoryNeedError(
            f"Distances between {len(counts)} runs of up to {max(counts)} particles by {used} need "
            f"{need / 2**20:.0f} MiB, {memory_bytes / 2**20:.0f} are allowed. Select fewer runs, {less}or raise "
            "memory_bytes."
        )
    axes = np.random.Generator(np.random.Philox(key=seed)).standard_normal((directions, size.coordinates))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    distances = np.zeros((2, len(counts), len(counts), ds.sizes["snapshot"]))
    for snapshot in range(ds.sizes["snapshot"]):
        # No finished run has more particles; the rest of the array is padding.
        own = slice(max(counts, default=0))
        at = np.asarray(done["particles"].isel(snapshot=snapshot, particle=own).values)
        clouds = [at[run, :m].astype(np.float64) for run, m in enumerate(counts)]
        distances[..., snapshot] = _sliced(clouds, axes) if used == "sliced" else _exact(clouds, used)
    name = "sliced_w2" if used == "sliced" else "w2"
    attributes: dict[str, Any] = {"units": "1", "source": "Villani 2009; Wide-network notes, §4.3", "method": used}
    if used == "sliced":
        attributes |= {"directions": directions, "seed": seed}
    dims = ("run", "run_other", "snapshot")
    variables = {name: (dims, distances[0], {"long_name": "W2 between clouds"} | attributes)}
    if used == "sliced":
        error = "standard error over the directions"
        variables[f"{name}_error"] = (dims, distances[1], {"long_name": error} | attributes)
    coords: dict[Any, Any] = {key: done[key] for key in done.coords if set(done[key].dims) <= {"run"}}
    coords |= {f"{key}_other": ("run_other", done[key].values) for key in _SHOWN if key in done.coords}
    for key in ("snapshot_step", "snapshot_time"):
        coords[key] = done[key].isel(run=0) if "run" in done[key].dims else done[key]
    return xr.Dataset(variables, coords, {"method": used})


@dataclass(frozen=True, slots=True)
class _Size:
    """The sizes that determine the work and the memory of all distances."""

    counts: list[int]
    coordinates: int
    snapshots: int
    directions: int

    @property
    def one_width(self) -> bool:
        return len(set(self.counts)) <= 1

    def bytes(self, method: str) -> int:
        """Bytes of the clouds of one snapshot, as they are read and in float64, and of the arrays of the method."""
        most, runs = max(self.counts, default=0), len(self.counts)
        clouds = 2 * 8 * runs * most * self.coordinates
        if method == "assignment":
            return clouds + transport.exact_bytes(most)
        if method == "sliced":
            return clouds + 8 * runs * most + 2 * 8 * runs * runs * self.directions
        return clouds

    def assignment_seconds(self) -> float:
        """Estimated seconds for the assignments of all pairs at all snapshots."""
        pairs = len(self.counts) * (len(self.counts) - 1) / 2
        return pairs * self.snapshots * transport.exact_seconds(max(self.counts, default=0))


def _chosen(method: str, size: _Size, memory_bytes: int) -> str:
    if method not in METHODS:
        raise ContractError(f"Found method {method!r}; known are {', '.join(METHODS)}.")
    if method == "auto":
        if size.coordinates == 1:
            return "sorting"
        affordable = max(size.counts, default=0) <= transport.EXACT_COUNT and size.bytes("assignment") <= memory_bytes
        quick = size.assignment_seconds() <= _AUTO_SECONDS
        return "assignment" if size.one_width and affordable and quick else "sliced"
    if method == "sorting" and size.coordinates != 1:
        raise ContractError(
            f"Sorting is optimal for one coordinate, these particles have {size.coordinates}. Use 'assignment' or "
            "'sliced'."
        )
    if method == "assignment" and not size.one_width:
        raise ContractError(
            f"An assignment is one to one, and the widths are {sorted(set(size.counts))}. Select runs of one width, or "
            "use 'sliced'."
        )
    return method


def _exact(clouds: Sequence[Floats], method: str) -> Floats:
    """W₂ of all pairs and a standard error of 0, (2, R, R)."""
    distances = np.zeros((2, len(clouds), len(clouds)))
    if method == "sorting":
        lines = [np.sort(cloud[:, 0]) for cloud in clouds]
    for i, j in itertools.combinations(range(len(clouds)), 2):
        if method == "sorting":
            value = np.sqrt(transport.line_square(lines[i], lines[j]))
        else:
            value, _ = transport.assignment(clouds[i], clouds[j])
        distances[0, i, j] = distances[0, j, i] = value
    return distances


def _sliced(clouds: Sequence[Floats], axes: Floats) -> Floats:
    """Sliced W₂ of all pairs and its standard error, (2, R, R); each direction projects and sorts every cloud once."""
    squares = np.zeros((len(clouds), len(clouds), len(axes)))
    for k, axis in enumerate(axes):
        lines = [np.sort(cloud @ axis) for cloud in clouds]
        for i, j in itertools.combinations(range(len(clouds)), 2):
            squares[i, j, k] = squares[j, i, k] = transport.line_square(lines[i], lines[j])
    return np.stack(transport.root_mean_square(squares))
