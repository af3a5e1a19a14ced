"""Runs reduced over their records to one number each, by Dask, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._dataset import check_contract, kind_of

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._quantities import Quantity


def reduce_runs(ds: xr.Dataset, *, theory: xr.Dataset | None = None) -> xr.Dataset:
    """Reduce every finished run to its observables, in one Dask computation.

    Nothing larger than one chunk a worker is held. The kernel's drift is recorded as a number; kernels themselves are read at
    their first record only, and only beside a theory.

    Parameters
    ----------
    ds
        A sweep as `sweepengine.open_sweep` returns it: lazy or in memory, dims (run, record, ...).
    theory
        What `sweepengine.open_theory` gives of the same store, for claims that compare the two.

    Returns
    -------
    xarray.Dataset
        In memory, dims (run,) and (run, layer) over the runs with status `done` alone, with their coordinates; float64. Of
        networks `kernel_drift`, `movement_total`, `movement_relative`, `movement_op` (supremum over the records done),
        `loss_train`, `loss_test` (last record) and `accuracy_test` (share of test points whose output has the target's
        sign, or for k ≥ 2 outputs of those whose largest output is that of the largest target; an output of 0, or a tie,
        counts as wrong; NaN where the targets are no classes). A run with NaN among its records done keeps the NaN. Of
        particles the quantities at the last record, and the distances to the widest cloud of the same seed. What a sweep
        has not recorded is NaN. Quantities that a claim declares itself are there if the sweep has recorded what they read.

    Raises
    ------
    ContractError
        The dataset lacks what the contract promises.
    """
    import xarray as xr

    check_contract(ds)
    kind = kind_of(ds)
    done = ds.isel(run=np.flatnonzero(np.asarray(ds["status"].values) == DONE))
    if not done.sizes["run"]:
        done = done.compute()  # nothing to read, and Dask refuses to reduce no rows
    theory = xr.Dataset() if theory is None else theory
    reduced: dict[str, xr.Variable] = {}
    for q in kind.quantities:
        recorded = _has(q, done, theory)
        reduced[q.name] = q.reduction.compute(done, theory).variable if recorded else _nothing(q, done)
    for q in kind.claimed:
        if _has(q, done, theory):
            reduced[q.name] = q.reduction.compute(done, theory).variable
    dims = {q.reduction.dim for q in (*kind.quantities, *kind.claimed)}
    kept = [name for name in done.coords if set(done[name].dims) <= {"run"} or name in dims]
    rest = done.drop_vars([name for name in (*done.data_vars, *done.coords) if name not in kept])
    return rest.assign({name: values.astype(np.float64) for name, values in reduced.items()}).compute()


def _has(q: Quantity, done: xr.Dataset, theory: xr.Dataset) -> bool:
    """Whether a sweep and its theory have what a quantity reads."""
    predicted = set(q.reduction.theory)
    return set(q.reduction.variables) <= set(done.data_vars) and (
        not predicted or ("limit" in done.coords and predicted <= set(theory.data_vars))
    )


def _nothing(q: Quantity, done: xr.Dataset) -> xr.Variable:
    import xarray as xr

    dims = ["run", *([q.reduction.dim] if q.reduction.dim in done.sizes else [])]
    return xr.Variable(dims, np.full([done.sizes[dim] for dim in dims], np.nan))


def places(table: xr.Dataset, q: Quantity) -> list[str]:
    """Labels of the places along a quantity's dim in a reduced table; their numbers where the dim has no labels."""
    dim = q.reduction.dim
    return [str(place) for place in (table[dim].values if dim in table.coords else range(table.sizes[dim]))]
