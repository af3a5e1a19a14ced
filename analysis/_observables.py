"""The reduction of every run over its records to one number for each quantity, by Dask, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._dataset import check_contract, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._quantities import Quantity


_HELD: Final = 2**27
"""Bytes up to which variables are read whole. A task of Dask costs about a millisecond, whatever it computes, and a
sweep of many small runs has ten tasks for each chunk; what is in memory needs none."""


def reduce_runs(
    ds: xr.Dataset, *, theory: xr.Dataset | None = None, only: Collection[Quantity] | None = None
) -> xr.Dataset:
    """Reduce every finished run to the quantities of its kind.

    Variables that together take at most 128 MiB are read whole. Larger ones are reduced in one Dask computation, of
    which a worker holds no more than one chunk of the store. Kernels are read only if a theory is given; the drift of
    the kernel is recorded as a number.

    Parameters
    ----------
    ds
        A sweep as `sweepengine.open_sweep` returns it: lazy or in memory, dims (run, record, ...).
    theory
        The dataset that `sweepengine.open_theory` returns for the same store, for claims that compare with a limit.
    only
        The quantities to compute; all of the kind where not given.

    Returns
    -------
    xarray.Dataset
        Float64, in memory, dims (run,) and (run, layer), over the runs with status `done`, with their coordinates.

        For networks: `kernel_drift`, `movement_total`, `movement_relative` and `movement_op` (supremum over the records
        done), `loss_train` and `loss_test` (last record), and `accuracy_test` (last record): the share of test points
        whose output has the sign of the target, or, for k ≥ 2 outputs, whose largest output is that of the largest
        target. An output of 0, or a tie, counts as wrong; the accuracy is NaN where the targets are no classes. A run
        with NaN among its records done keeps the NaN.

        For particles: the quantities at the last record, and the distances to the widest cloud of the same seed.

        Quantities that read variables which the sweep has not recorded are NaN. Quantities that a claim declares are
        present only if the sweep has recorded the variables that they read.

    Raises
    ------
    ContractError
        The dataset lacks what the contract promises.
    """
    import xarray as xr

    check_contract(ds)
    kind = kind_of(ds)
    wanted = (*kind.quantities, *kind.claimed) if only is None else tuple(only)
    is_done = np.asarray(ds["status"].values) == DONE
    done = ds if is_done.all() else ds.isel(run=np.flatnonzero(is_done))  # rows picked one by one are slow in Dask
    if not done.sizes["run"]:
        done = done.compute()  # there is nothing to read, and Dask cannot reduce an array without rows
    theory = xr.Dataset() if theory is None else theory
    known = [q for q in wanted if _has(q, done, theory)]
    done, theory = read_for(done, known), read_for(theory, known)
    rows = _alike(done)
    parts = [_reduced(*_own_points(done.isel(run=each), theory), wanted, kind.quantities) for each in rows]
    if len(parts) == 1:
        return parts[0].compute()
    joined = xr.concat(parts, "run", data_vars="all", coords="minimal", compat="override", join="exact")
    return joined.isel(run=np.argsort(np.concatenate(rows))).compute()


def read_for(ds: xr.Dataset, quantities: Iterable[Quantity]) -> xr.Dataset:
    """A sweep, or its theory, for some quantities: without records of other variables, in memory where it is small."""
    read = {name for q in quantities for name in (*q.reduction.variables, *q.reduction.theory)}
    unread = [name for name in ds.data_vars if name not in read and {"record", "snapshot"} & set(ds[name].dims)]
    kept = ds.drop_vars(unread)
    lazy = [name for name in kept.data_vars if name in read and kept[name].chunks is not None]
    return kept.assign(kept[lazy].compute().data_vars) if sum(kept[name].nbytes for name in lazy) <= _HELD else kept


def _alike(done: xr.Dataset) -> list[NDArray[np.intp]]:
    """Positions of the runs that have equally many points; several sets only where ``n_train`` or ``n_test`` differ."""
    counts = [np.asarray(done[name].values) for name in ("n_train", "n_test") if name in done.coords]
    keys = list(zip(*counts, strict=True))
    if not keys:
        return [np.arange(done.sizes["run"])]
    return [np.flatnonzero([key == each for key in keys]) for each in dict.fromkeys(keys)]


def _own_points(done: xr.Dataset, theory: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Runs of equally many points, and the theory, without the padding to the points of other runs."""
    own: dict[str, int] = {}
    for name, dims in (("n_train", ("i", "j", "mode")), ("n_test", ("test", "test_other"))):
        if name in done.coords and done.sizes["run"]:
            own |= dict.fromkeys(dims, int(done[name].values[0]))
    # The kernel of a network of k outputs has k modes for each point, that of the theory has one.
    of_runs = own | ({"mode": own["mode"] * done.sizes.get("output", 1)} if "mode" in own else {})
    return (
        done.isel({dim: slice(size) for dim, size in of_runs.items()}, missing_dims="ignore"),
        theory.isel({dim: slice(size) for dim, size in own.items()}, missing_dims="ignore"),
    )


def _reduced(
    done: xr.Dataset, theory: xr.Dataset, wanted: Sequence[Quantity], usual: Collection[Quantity]
) -> xr.Dataset:
    """Finished runs of equally many points, reduced; lazy where the runs are.

    Usual quantities are NaN where unknown.
    """
    reduced: dict[str, xr.Variable] = {}
    for q in (q for q in wanted if q in usual):
        recorded = _has(q, done, theory)
        reduced[q.name] = q.reduction.compute(done, theory).variable if recorded else _nothing(q, done)
    for q in (q for q in wanted if q not in usual):
        if _has(q, done, theory):
            reduced[q.name] = q.reduction.compute(done, theory).variable
    dims = {q.reduction.dim for q in wanted}
    kept = [name for name in done.coords if set(done[name].dims) <= {"run"} or name in dims]
    rest = done.drop_vars([name for name in (*done.data_vars, *done.coords) if name not in kept])
    return rest.assign({name: values.astype(np.float64) for name, values in reduced.items()})


def _has(q: Quantity, done: xr.Dataset, theory: xr.Dataset) -> bool:
    """Whether a sweep and its theory have the variables that a quantity reads."""
    predicted = set(q.reduction.theory)
    return set(q.reduction.variables) <= set(done.data_vars) and (
        not predicted or ("limit" in done.coords and predicted <= set(theory.data_vars))
    )


def _nothing(q: Quantity, done: xr.Dataset) -> xr.Variable:
    import xarray as xr

    dims = ["run", *([q.reduction.dim] if q.reduction.dim in done.sizes else [])]
    return xr.Variable(dims, np.full([done.sizes[dim] for dim in dims], np.nan))


def places(table: xr.Dataset, q: Quantity) -> list[str]:
    """Labels along a quantity's dim in a reduced table; the positions where the dim has no labels."""
    dim = q.reduction.dim
    return [str(place) for place in (table[dim].values if dim in table.coords else range(table.sizes[dim]))]
