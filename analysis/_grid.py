"""Runs as a dense table over their axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._axes import group_axes
from sweepengine.analysis._dataset import follows, kind_of
from sweepengine.analysis._errors import ContractError, DuplicateRunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray

_LAST: Final = ("width", "seed")
_FOLLOWING: Final = ("sweep", "gamma", "step_size", "method")
"""Axes that are left out where they follow from the others, as γ does from the scaling, or one of several sweeps does
from the depth in which they differ."""
MISSING: Final = "missing"
"""Status in a grid of a run that the sweep does not have."""


def swept_axes(ds: xr.Dataset) -> tuple[str, ...]:
    """Width, seed, and before them the run coordinates in which runs differ and that do not follow from the others."""
    names = [name for name in (*group_axes(ds), *kind_of(ds).axes) if name in ds.coords and name not in _LAST]
    firm = [name for name in (*names, *_LAST) if name not in _FOLLOWING]
    kept = [name for name in dict.fromkeys(firm) if name in _LAST or np.unique(ds[name].values).size > 1]
    for name in (name for name in _FOLLOWING if name in names):
        if not follows(name, {each: ds[each].values.tolist() for each in (*kept, name)}):
            kept.insert(0 if name == "sweep" else sum(each not in _LAST for each in kept), name)
    return tuple(kept)


def grid(ds: xr.Dataset) -> xr.Dataset:
    """Return a sweep with a dim for each axis that was swept, in place of the dim ``run``.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep as `sweepengine.open_sweep` returns it, or a selection of its runs; lazy variables stay lazy.

    Returns
    -------
    xarray.Dataset
        Dims such as (scaling, width, seed, record), see :func:`swept_axes`: values of an axis in their order, names in
        the order of the runs.
        Where the sweep has no run, numbers are NaN, whole numbers −1 and the status is ``missing``. Coordinates of
        runs keep the dims along which they vary.

    Raises
    ------
    ContractError
        The dataset has no dim ``run``.
    DuplicateRunError
        Two runs have the same values of all axes.
    """
    import pandas as pd
    import xarray as xr

    must_have_runs(ds)
    ds = held_coordinates(ds)
    axes = swept_axes(ds)
    values = {name: _values(ds[name].values) for name in axes}
    shape = tuple(len(each) for each in values.values())
    position = places_in(ds, values)
    _refuse_two(ds, axes, position)
    run = np.full(int(np.prod(shape)), -1, dtype=np.intp)
    run[position] = np.arange(ds.sizes["run"])
    rows = ds.isel(run=np.maximum(run, 0)) if not np.array_equal(run, np.arange(run.size)) else ds
    if np.any(run < 0):
        rows = _emptied(rows, xr.DataArray(run < 0, dims="run"))
    # An index of numbers: one of names would sort them.
    index = pd.MultiIndex.from_product([np.arange(size) for size in shape], names=axes)
    labelled = rows.drop_vars(axes).assign_coords(xr.Coordinates.from_pandas_multiindex(index, "run"))
    dense = labelled.unstack("run").transpose(*axes, ...)
    attributes = {name: ds[name].attrs for name in axes}
    dense = dense.assign_coords({name: (name, values[name], attributes[name]) for name in axes})
    return _narrowed(dense, axes)


def places_in(ds: xr.Dataset, values: Mapping[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Position of each run in the flat product of the values of some axes, the last of which varies fastest."""
    places = [_index(column, ds[name].values) for name, column in values.items()]
    return np.ravel_multi_index(places, tuple(len(column) for column in values.values()))


def must_have_runs(ds: xr.Dataset) -> None:
    """Raise :class:`ContractError` unless the dataset is a list of runs."""
    if "run" not in ds.dims:
        raise ContractError(
            f"The dataset has the dims {', '.join(map(str, ds.dims))} and no dim 'run'; pass what "
            "`sweepengine.open_sweep` returns, or a selection of its runs. A grid is selected from by .sel and .isel."
        )
    if not ds.sizes["run"]:
        raise ContractError("The dataset has no run: the selection before was empty. Choose some runs first.")


def held_coordinates(ds: xr.Dataset) -> xr.Dataset:
    """A sweep whose coordinates are in memory, as `sweepengine.open_sweep` returns it; chunking one makes them lazy."""
    lazy = [name for name in ds.coords if ds[name].chunks is not None]
    return ds.assign_coords({name: ds[name].compute() for name in lazy}) if lazy else ds


def _values(column: NDArray[Any]) -> NDArray[Any]:
    """Distinct values of an axis: numbers in their order, names as they first appear."""
    values, first = np.unique(column, return_index=True)
    return values if column.dtype.kind in "iuf" else values[np.argsort(first)]


def _index(values: NDArray[Any], column: NDArray[Any]) -> NDArray[np.intp]:
    order = np.argsort(values)
    return np.asarray(order[np.searchsorted(values[order], column)], dtype=np.intp)


def _refuse_two(ds: xr.Dataset, axes: tuple[str, ...], position: NDArray[np.intp]) -> None:
    first, counts = np.unique(position, return_index=True, return_counts=True)[1:]
    if np.any(counts > 1):
        run = int(first[counts > 1][0])
        values = ", ".join(f"{name} {ds[name].values[run]}" for name in axes)
        raise DuplicateRunError(
            f"{int(counts.max())} runs have {values}; a grid has one run for each. Select one of them first."
        )


def _emptied(rows: xr.Dataset, missing: xr.DataArray) -> xr.Dataset:
    """Rows of which those that stand for no run hold nothing."""
    new: dict[str, Any] = {}
    for name, values in rows.variables.items():
        if "run" not in values.dims:
            continue
        kind = values.dtype.kind
        nothing: Any = MISSING if name == "status" else "" if kind in "UO" else -1 if kind in "iu" else np.nan
        new[str(name)] = values.where(~missing.variable, nothing)  # type: ignore[no-untyped-call]
    coords = {name: value for name, value in new.items() if name in rows.coords}
    return rows.assign({name: value for name, value in new.items() if name not in coords}).assign_coords(coords)


def _narrowed(dense: xr.Dataset, axes: tuple[str, ...]) -> xr.Dataset:
    """A grid whose coordinates have no dim along which they do not vary."""
    for name in [each for each in dense.coords if each not in axes and dense[each].chunks is None]:
        coordinate = dense[name].variable
        for axis in (axis for axis in axes if axis in dense[name].dims):
            first = coordinate.isel({axis: 0})
            same = (coordinate == first) | (coordinate.isnull() & first.isnull())
            coordinate = first if bool(same.all()) else coordinate
        if coordinate.dims != dense[name].dims:
            dense = dense.drop_vars([name]).assign_coords({name: coordinate})
    return dense
