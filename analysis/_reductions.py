"""Reductions of a run over its records to one number, or to one number for each place along a dim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """A function from finished runs, and from the theory where it is needed, to one number for each run.

    Attributes
    ----------
    name
        A word for tables: `sup`, `final`, `initial`.
    compute
        (finished runs, theory) ↦ array (run [, dim]), lazy where the runs are. The theory is the dataset that
        `sweepengine.open_theory` returns; it may be empty for a reduction that reads none of its variables.
    variables
        Variables of the sweep that the reduction reads → their dims. Outputs of k ≥ 2 may have `output` beside these.
    dim
        The dim that remains beside `run`, such as `layer`; empty where there is one number for each run.
    theory
        Variables of the theory that the reduction reads.
    """

    name: str
    compute: Callable[[xr.Dataset, xr.Dataset], xr.DataArray]
    variables: Mapping[str, tuple[str, ...]]
    dim: str = ""
    theory: tuple[str, ...] = ()


def supremum(variable: str, dim: str = "") -> Reduction:
    """The largest value of a variable (run, record [, dim]) over the records of a run."""
    dims = ("run", "record", dim) if dim else ("run", "record")
    return Reduction("sup", lambda done, _: _supremum(done[variable], done), {variable: dims}, dim)


def initial(variable: str, dim: str = "") -> Reduction:
    """The value of a variable (run, record [, dim]) at t = 0."""
    dims = ("run", "record", dim) if dim else ("run", "record")
    return Reduction("initial", lambda done, _: done[variable].isel(record=0, drop=True), {variable: dims}, dim)


def final(variable: str, dim: str = "") -> Reduction:
    """The value of a variable (run, record [, dim]) at the last record of a run."""
    dims = ("run", "record", dim) if dim else ("run", "record")
    return Reduction("final", lambda done, _: last(done[variable], done), {variable: dims}, dim)


def final_vector(variable: str, dim: str) -> Reduction:
    """The vector (run, record, dim) at the last record of a run, for quantities whose mean's norm is fitted."""
    dims = ("run", "record", dim)
    return Reduction("final", lambda done, _: last(done[variable], done), {variable: dims})


def accuracy() -> Reduction:
    """The share of test points that are classified right at the last record of a run."""
    return Reduction(
        "final",
        lambda done, _: _accuracy(last(done["outputs_test"], done), done["targets_test"]),
        {"outputs_test": ("run", "record", "test")},
    )


def of_each_run(theory: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """A variable of the theory, (limit, …), taken at the limit of each run, (run, …); NaN for a run without a limit."""
    rows = theory.reindex(limit=done["limit"].values)
    return rows.rename(limit="run").drop_vars("run")


def for_each_limit(
    done: xr.Dataset, theory: xr.Dataset, compute: Callable[[xr.Dataset, xr.Dataset], xr.DataArray]
) -> xr.DataArray:
    """Put together, in the order of the runs, what a function makes of the runs of each limit and its theory, (run, …).

    The theory of a run without a limit is NaN. Runs of one limit share their steps and times.
    """
    import xarray as xr

    ids = done["limit"].values
    parts, places = [], []
    for limit in np.unique(ids) if ids.size else [""]:
        at = np.flatnonzero(ids == limit)
        runs = done.isel(run=at)
        if at.size:  # else there are no runs, and the steps may still have the dim
            runs = runs.assign_coords(
                {name: runs[name].isel(run=0) for name in ("step", "time") if "run" in runs[name].dims}
            )
        parts.append(compute(runs, theory.reindex(limit=[limit]).isel(limit=0, drop=True)))
        places.append(at)
    return xr.concat(parts, "run").isel(run=np.argsort(np.concatenate(places)))


def spectrum(kernel: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Eigenvalues (mode,), not below 0, and eigenvectors (i, mode) of a kernel (i, j); NaN where the kernel is."""
    import xarray as xr

    matrix = np.asarray(kernel.values, dtype=np.float64)
    if np.isfinite(matrix).all():
        values, vectors = np.linalg.eigh(matrix)
    else:
        values, vectors = np.full(len(matrix), np.nan), np.full(matrix.shape, np.nan)
    return xr.DataArray(np.maximum(values, 0.0), dims="mode"), xr.DataArray(vectors, dims=("i", "mode"))


def _supremum(variable: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """Maximum over the records done. Padding after these records is ignored; a NaN among them makes the maximum NaN."""
    import xarray as xr

    record = xr.DataArray(np.arange(variable.sizes["record"]), dims="record")
    valid = record < done["records_done"].variable
    return variable.astype(np.float64).where(valid, -np.inf).max("record", skipna=False)


def last(variable: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """Select the last record done of each run: (run, record, ...) to (run, ...)."""
    at = np.maximum(np.asarray(done["records_done"].values, dtype=np.intp) - 1, 0)
    if np.unique(at).size < 2:  # this reads one chunk along record, and also works without runs
        return variable.isel(record=int(at[0]) if at.size else 0, drop=True)
    import xarray as xr

    return variable.isel(record=xr.DataArray(at, dims="run")).drop_vars(["record", "step", "time"], errors="ignore")


def _accuracy(outputs: xr.DataArray, targets: xr.DataArray) -> xr.DataArray:
    """Accuracy (run,) of outputs (run, test [, output]); NaN if the targets (test [, output]) are no classes."""
    if not _are_classes(targets):
        return outputs.isel({dim: 0 for dim in outputs.dims if dim != "run"}, drop=True).astype(np.float64) * np.nan
    right = _leads(outputs, targets) if "output" in outputs.dims else outputs * targets > 0
    known = outputs.notnull()
    known = known.all("output") if "output" in outputs.dims else known
    # A NaN output is neither right nor wrong: the run's accuracy is unknown.
    return right.astype(np.float64).where(known).mean("test", skipna=False)


def _are_classes(targets: xr.DataArray) -> bool:
    """Whether targets are −1 and +1; or, for several outputs, one value at the class and a smaller one elsewhere."""
    values = np.asarray(targets.values)
    if "output" not in targets.dims:
        return bool(np.all(np.abs(values) == 1))
    highest = values == values.max()
    return np.unique(values).size == 2 and bool(np.all(highest.sum(targets.get_axis_num("output")) == 1))


def _leads(outputs: xr.DataArray, targets: xr.DataArray) -> xr.DataArray:
    """Whether the output that has the largest target exceeds all other outputs of the point."""
    import xarray as xr

    place = xr.DataArray(np.arange(targets.sizes["output"]), dims="output")
    wanted = place == targets.argmax("output")
    return outputs.where(wanted).max("output") > outputs.where(~wanted).max("output")
