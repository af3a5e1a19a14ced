"""Runs reduced over their records to one number each, by Dask, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._coupled import coupled_distances
from sweepengine.analysis._dataset import checked, kind_of
from sweepengine.analysis._quantities import PARTICLES, QUANTITIES

if TYPE_CHECKING:
    import xarray as xr


def reduce_runs(ds: xr.Dataset) -> xr.Dataset:
    """Reduce every finished run to its observables, in one Dask computation.

    Nothing larger than one chunk a worker is held, and no kernel is read: the drift is recorded as a number.

    Parameters
    ----------
    ds
        A sweep as `sweepengine.open_sweep` returns it: lazy or in memory, dims (run, record, ...).

    Returns
    -------
    xarray.Dataset
        In memory, dims (run,) and (run, layer) over the runs with status `done` alone, with their coordinates:
        `kernel_drift`, `movement_total`, `movement_relative`, `movement_op` (supremum over the records done, float64),
        `loss_train`, `loss_test` (last record, float64) and `accuracy_test` (share of test points whose output has the
        target's sign, or for k ≥ 2 outputs of those whose largest output is that of the largest target; an output of 0,
        or a tie, counts as wrong; NaN where the targets are no classes). A run with NaN among its records done keeps the NaN.
        Of particles: their quantities at the last record, and the distances to the widest cloud of the same seed.

    Raises
    ------
    ContractError
        The dataset lacks what the contract promises.
    """
    ds = checked(ds)
    done = ds.isel(run=np.flatnonzero(np.asarray(ds["status"].values) == DONE))
    if kind_of(ds) is PARTICLES:
        return _reduce_particles(done)
    if not done.sizes["run"]:
        done = done.compute()  # nothing to read, and Dask refuses to reduce no rows
    lazy = {}
    for q in QUANTITIES:
        variable = done[q.variable]
        if q.name == "accuracy_test":
            lazy[q.name] = _accuracy(_last(variable, done), done["targets_test"])
        elif q.reduction == "final":
            lazy[q.name] = _last(variable, done).astype(np.float64)
        else:
            lazy[q.name] = _supremum(variable, done)
    kept = [name for name in done.coords if set(done[name].dims) <= {"run"} or name == "layer"]
    return done.drop_vars([v for v in (*done.data_vars, *done.coords) if v not in kept]).assign(lazy).compute()


def _reduce_particles(done: xr.Dataset) -> xr.Dataset:
    """Finished clouds to their last record, and to their distances from the widest of the same seed."""
    import xarray as xr

    outputs = np.asarray(_last(done["outputs_test"], done), np.float64) if "outputs_test" in done else None
    reduced: dict[str, xr.Variable] = coupled_distances(done, outputs)
    for q in PARTICLES.quantities:
        if q.name not in reduced:
            nothing = xr.DataArray(np.full(done.sizes["run"], np.nan), dims="run")
            last = _last(done[q.variable], done) if q.variable in done else nothing
            reduced[q.name] = last.astype(np.float64).variable.compute()
    kept = [name for name in done.coords if set(done[name].dims) <= {"run"}]
    return done.drop_vars([v for v in (*done.data_vars, *done.coords) if v not in kept]).assign(reduced)


def _supremum(variable: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """Maximum over the records done; padding beyond them is ignored, NaN among them is not."""
    import xarray as xr

    record = xr.DataArray(np.arange(variable.sizes["record"]), dims="record")
    valid = record < done["records_done"].variable
    return variable.astype(np.float64).where(valid, -np.inf).max("record", skipna=False)


def _last(variable: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """Select the last record done of each run: (run, record, ...) to (run, ...)."""
    last = np.maximum(np.asarray(done["records_done"].values, dtype=np.intp) - 1, 0)
    if np.unique(last).size < 2:  # one chunk along record is read, and no run at all is no special case
        return variable.isel(record=int(last[0]) if last.size else 0, drop=True)
    import xarray as xr

    return variable.isel(record=xr.DataArray(last, dims="run")).drop_vars(["record", "step", "time"], errors="ignore")


def _accuracy(outputs: xr.DataArray, targets: xr.DataArray) -> xr.DataArray:
    """(run, test [, output]) and (test [, output]) to (run,); NaN where targets are numbers and not classes."""
    if not _are_classes(targets):
        return outputs.isel({dim: 0 for dim in outputs.dims if dim != "run"}, drop=True).astype(np.float64) * np.nan
    right = _leads(outputs, targets) if "output" in outputs.dims else outputs * targets > 0
    known = outputs.notnull()
    known = known.all("output") if "output" in outputs.dims else known
    # A NaN output is neither right nor wrong: the run's accuracy is unknown.
    return right.astype(np.float64).where(known).mean("test", skipna=False)


def _are_classes(targets: xr.DataArray) -> bool:
    """Whether targets are −1 and +1, or of several outputs one value at the class and another at all others."""
    values = np.asarray(targets.values)
    if "output" not in targets.dims:
        return bool(np.all(np.abs(values) == 1))
    highest = values == values.max()
    return np.unique(values).size == 2 and bool(np.all(highest.sum(targets.get_axis_num("output")) == 1))


def _leads(outputs: xr.DataArray, targets: xr.DataArray) -> xr.DataArray:
    """Whether the output of the largest target is above every other one."""
    import xarray as xr

    place = xr.DataArray(np.arange(targets.sizes["output"]), dims="output")
    wanted = place == targets.argmax("output")
    return outputs.where(wanted).max("output") > outputs.where(~wanted).max("output")
