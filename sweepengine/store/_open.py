"""A store as one lazy xarray Dataset over runs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sweepengine.errors import StoreError
from sweepengine.spec import make_spec
from sweepengine.store._data import data_path, given_path
from sweepengine.store._layout import SCHEDULES, block_path, limit_path
from sweepengine.store._run_table import COLUMNS, COLUMNS_OF_PARTICLES
from sweepengine.store._status import Status
from sweepengine.store._sweep_store import SweepStore

if TYPE_CHECKING:
    from pathlib import Path

    import dask.array as da
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._marks import RunMark


def open_sweep(url: str | Path) -> xr.Dataset:
    """Open a store, running or finished, as one Dataset.

    Parameters
    ----------
    url : str or Path
        Local path or URL of a store.

    Returns
    -------
    xarray.Dataset
        Lazy (dask) variables over ``run``, ``record`` and their own dims; every axis, the status and the number of
        valid records as eager coordinates of ``run``. ``step`` and ``time`` are coordinates of ``record`` where all
        runs share them, else of (``run``, ``record``). Of particles ``grid_points`` (``grid``, ``coord``) and
        ``reference_points`` (``reference``, ``coord``) are there where something was measured on them. Blocks of fewer records or layers are padded with NaN
        (steps with −1) and ``records_done`` counts what is there. Records that are not committed are NaN.

    Raises
    ------
    StoreError
        There is no store of this project at ``url``.
    """
    import dask.array as da
    import xarray as xr

    store = SweepStore(url)
    store.must_exist()
    table = store.table
    if table is None or not len(table):
        raise StoreError(f"store: {store.address} holds no runs; `sweepengine run SPEC` writes them")
    root = store.group()
    shapes = store.block_shapes()
    marks = {block: store.run_marks(block, shape) for block, shape in shapes.items()}
    every = [shape.sizes for shape in shapes.values()]
    sizes = {dim: max(each[dim] for each in every) for dim in every[0] if dim != "run"}
    coords: dict[str, Any] = {name: ("run", _plain(column)) for name, column in table.columns.items()}
    coords |= _progress_coords([mark for block in shapes for mark in marks[block]])
    # One of a store's fixed settings.
    label = make_spec(store.attributes["specs"][-1]["spec"]).method_label
    coords["method"] = ("run", np.full(len(table), label), {"long_name": "time method"})
    for dim in (dim for dim in SCHEDULES if dim in sizes):
        coords |= _schedule_coords(root, shapes, dim, sizes[dim])
    for dim in dict.fromkeys(dim for shape in shapes.values() for dim in shape.labels):
        # Shorter lists of names begin as the longest does.
        coords[dim] = (dim, np.array(max((shape.labels.get(dim, ()) for shape in shapes.values()), key=len)))
    variables: dict[str, Any] = {}
    # A spec of other observables is refused, so every block has these.
    for variable in next(iter(shapes.values())).variables:
        parts = [
            _masked_block(
                _array(root, block_path(block, variable.name)),
                store.address,
                [0 if mark is None else shapes[block].held(variable, mark.records_done) for mark in marks[block]],
            )
            for block in shapes
        ]
        shape = tuple(sizes[dim] for dim in variable.dims[1:])
        attributes = {"long_name": variable.long_name, "units": variable.units, "source": variable.source}
        variables[variable.name] = (variable.dims, _concatenate(parts, shape), attributes)
    variables |= _predicted_curves(root, store.limits(), table.columns["limit"], sizes["record"])
    for dim, name, long_name in (("i", "train", "training targets"), ("test", "test", "test targets")):
        targets = np.asarray(_array(root, data_path(store.attributes["data"], f"y_{name}"))[...])
        dims = (dim, "output")[: targets.ndim]
        variables[f"targets_{name}"] = (dims, targets, {"long_name": long_name, "units": "1"})
    for kind in ("grid", "reference"):
        if store.attributes.get(kind):
            points = _array(root, given_path(kind, store.attributes[kind], "points"))
            attributes = {"long_name": str(points.attrs["long_name"]), "units": "1"}
            variables[f"{kind}_points"] = ((kind, "coord"), da.from_array(points, chunks=points.chunks), attributes)
    dataset = xr.Dataset(variables, coords, _attributes(store))
    for name in table.columns:
        dataset[name].attrs["long_name"] = (COLUMNS | COLUMNS_OF_PARTICLES)[name][2]
    dataset["time"].attrs |= {"long_name": "training time", "units": "1"}
    return dataset


def _predicted_curves(root: zarr.Group, known: set[str], limits: NDArray[Any], records: int) -> dict[str, Any]:
    """Predictions of one number a record, beside the runs that they are for: ``NAME_limit`` over (run, record)."""
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    for limit in sorted({str(each) for each in limits} & known):
        for name, array in cast("zarr.Group", root[limit_path(limit)]).arrays():
            if tuple(getattr(array.metadata, "dimension_names", None) or ()) == ("record",):
                values = np.asarray(array[...], dtype=np.float64)
                curves.setdefault(name, {})[limit] = np.pad(values, (0, records - len(values)), constant_values=np.nan)
    unknown = np.full(records, np.nan)
    return {
        f"{name}_limit": (
            ("run", "record"),
            np.stack([found.get(str(limit), unknown) for limit in limits]),
            {"long_name": f"prediction of infinite width: {name}", "units": "1"},
        )
        for name, found in curves.items()
    }


def open_theory(url: str | Path) -> xr.Dataset:
    """What infinite width predicts for the runs of a store.

    Parameters
    ----------
    url : str or Path
        Local path or URL of a store.

    Returns
    -------
    xarray.Dataset
        Lazy float64 variables over ``limit``, whose labels are the values of the coordinate ``limit`` of
        :func:`open_sweep`, and their own dims: ``nngp_train``, ``ntk_train`` (i, j), ``nngp_test_train``,
        ``ntk_test_train`` (test, i), ``nngp_test`` (test, test_other), ``eigenvalues`` (mode), and for the ensemble of
        networks at γ = 1/2, α = 1 under the runs' own descent or flow ``outputs_mean_train``,
        ``outputs_std_train`` (record, i), ``outputs_mean_test``, ``outputs_std_test`` (record, test); of k ≥ 2 outputs
        the means have the dim ``output`` too, all else is the same for each. NaN is what the theory does not have. So
        ``sweep.kernel.isel(record=0) - theory.ntk_train.sel(limit=sweep.limit)`` is every run's own difference.

    Raises
    ------
    StoreError
        There is no store of this project at ``url``.
    """
    import dask.array as da
    import xarray as xr

    store = SweepStore(url)
    store.must_exist()
    root = store.group()
    limits = sorted(store.limits())
    names = sorted({name for limit in limits for name in cast("zarr.Group", root[limit_path(limit)]).array_keys()})
    variables: dict[str, Any] = {}
    for name in names:
        arrays = [_array(root, limit_path(limit, name)) for limit in limits]
        parts = [da.from_array(array, chunks=array.chunks) for array in arrays]
        shape = tuple(max(array.shape[axis] for array in arrays) for axis in range(arrays[0].ndim))
        dims = [str(dim) for dim in getattr(arrays[0].metadata, "dimension_names", None) or ()]
        attributes = {key: arrays[0].attrs[key] for key in ("long_name", "units", "source")}
        variables[name] = (("limit", *dims), _concatenate([part[None] for part in parts], shape), attributes)
    return xr.Dataset(variables, {"limit": ("limit", np.array(limits))}, {"title": store.attributes["title"]})


def _attributes(store: SweepStore) -> dict[str, Any]:
    import yaml

    specs = store.attributes["specs"]
    kept = ("Conventions", "title", "summary", "source", "history", "date_created")
    return {key: store.attributes[key] for key in kept} | {
        "store": store.address,
        # Several specs may have written here; the YAML of each is one document.
        "spec": yaml.safe_dump_all(
            [entry["spec"] for entry in specs], sort_keys=False, default_flow_style=None, allow_unicode=True
        ),
        "provenance": json.dumps(specs[-1]["provenance"]),
        # Alike in every spec of a store, but for what stands under axes.
        "kind": specs[-1]["spec"].get("kind", "networks"),
        "network": json.dumps(specs[-1]["spec"].get("network", {})),
    }


def _array(root: zarr.Group, path: str) -> zarr.Array[Any]:
    array = root[path]
    if not hasattr(array, "chunks"):
        raise StoreError(f"{path} in the store is not an array")
    return array  # type: ignore[return-value]


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """Text as fixed-width strings, which xarray compares and groups fast; numbers as they are."""
    return np.array(column.tolist(), dtype=np.str_) if column.dtype.kind in "OT" else column


def _progress_coords(marks: list[RunMark | None]) -> dict[str, Any]:
    statuses = [Status.PENDING if mark is None else mark.status for mark in marks]
    done = [0 if mark is None else mark.records_done for mark in marks]
    diverged = [-1 if mark is None else mark.diverged_step for mark in marks]
    peak = [-1 if mark is None else mark.peak_memory for mark in marks]
    return {
        "peak_memory": (
            "run",
            np.array(peak),
            {"long_name": "most resident memory of the worker while it finished the run, or -1", "units": "byte"},
        ),
        "status": ("run", np.array([status.label for status in statuses])),
        "records_done": ("run", np.array(done), {"long_name": "number of valid records"}),
        "diverged_step": ("run", np.array(diverged), {"long_name": "step at which the run diverged, or -1"}),
    }


def _schedule_coords(root: zarr.Group, shapes: dict[str, BlockShape], dim: str, longest: int) -> dict[str, Any]:
    """Steps and times along a dim of instants, over ``run`` too where blocks differ."""
    names, schedules = SCHEDULES[dim], {}
    for block in shapes:
        step, time = (np.asarray(_array(root, block_path(block, name))[...]) for name in names)
        missing = longest - len(step)
        schedules[block] = (
            np.pad(step, (0, missing), constant_values=-1),
            np.pad(time, (0, missing), constant_values=np.nan),
        )
    first = next(iter(schedules.values()))
    if all(
        np.array_equal(each, ours, equal_nan=True)
        for pair in schedules.values()
        for each, ours in zip(pair, first, strict=True)
    ):
        return {name: (dim, first[k]) for k, name in enumerate(names)}
    columns = [
        np.concatenate([np.tile(schedules[block][k], (shape.runs, 1)) for block, shape in shapes.items()])
        for k in (0, 1)
    ]
    return {name: (("run", dim), columns[k]) for k, name in enumerate(names)}


def _masked_block(array: zarr.Array[Any], address: str, valid_until: list[int]) -> da.Array:
    """One block's variable, NaN beyond the first values of each run that its mark vouches for."""
    import dask.array as da

    done = np.array(valid_until)
    # A name that changes with what is committed, so that a dask cluster never answers from an older reading.
    token = hashlib.blake2b(f"{address}/{array.path}{done.tolist()}".encode(), digest_size=16).hexdigest()
    lazy: da.Array = da.from_array(array, chunks=array.chunks, name=f"{array.basename}-{token}")
    if np.all(done == array.shape[1]):
        return lazy
    valid = np.arange(array.shape[1])[None, :] < done[:, None]
    mask = da.from_array(
        valid.reshape(valid.shape + (1,) * (array.ndim - 2)), chunks=lazy.chunks[:2] + ((1,),) * (array.ndim - 2)
    )
    masked: da.Array = da.where(mask, lazy, np.array(np.nan, dtype=array.dtype))
    return masked


def _concatenate(parts: list[da.Array], shape: tuple[int, ...]) -> da.Array:
    """Blocks along ``run``, padded with NaN to the largest extent of the other dims."""
    import dask.array as da

    padded = [
        da.pad(
            part,
            [(0, 0), *((0, size - have) for size, have in zip(shape, part.shape[1:], strict=True))],
            constant_values=np.nan,
        )
        if part.shape[1:] != shape
        else part
        for part in parts
    ]
    joined: da.Array = da.concatenate(padded, axis=0)
    return joined
