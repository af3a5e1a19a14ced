"""A store as one lazy xarray Dataset over runs."""

from __future__ import annotations

import itertools
import json
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import DamageWarning, IncompleteWarning, StoreError
from sweepengine.spec import make_spec
from sweepengine.store._additions import NOWHERE, Additions, replaced, training_times
from sweepengine.store._arrays import ChunkPlace
from sweepengine.store._data import given_path
from sweepengine.store._layout import SCHEDULES, block_path, limit_path
from sweepengine.store._lazy import CommittedValues, WholeValues, lazy_rows, padded_rows
from sweepengine.store._marks import RunMark, runs_of
from sweepengine.store._nodes import values_digest
from sweepengine.store._objects import get_objects
from sweepengine.store._open_theory import dims_of, urls_of
from sweepengine.store._points import counts_of_points, inputs, targets
from sweepengine.store._run_table import column_of
from sweepengine.store._several import join_sweeps
from sweepengine.store._status import DAMAGED, Status
from sweepengine.store._view import StoreView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import dask.array as da
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._marks import DamagedMarkError


def open_sweep(url: str | Path | Sequence[str | Path]) -> xr.Dataset:
    """Open a store, running or finished, as one Dataset; or several stores side by side.

    Parameters
    ----------
    url : str or Path, or a sequence of these
        Local path or URL of a store. Several stores make one Dataset with the coordinate ``sweep``
        (:func:`sweepengine.store._several.join_sweeps` says what is padded).

    Returns
    -------
    xarray.Dataset
        Lazy (dask) variables over ``run``, ``record`` and their own dims. Every axis, the status and the number of
        valid records are eager coordinates of ``run``. ``step`` and ``time`` are coordinates of ``record`` if all runs
        share them, else of (``run``, ``record``). ``inputs_train`` (``i``, ``feature``), ``inputs_test``,
        ``targets_train`` (``i``) and ``targets_test`` are the data, as the networks use them. Stores of particles have
        ``grid_points`` (``grid``, ``coord``) and ``reference_points`` (``reference``, ``coord``) if the sweep has a
        grid or a reference cloud. Runs of fewer records, layers or points than others are padded with NaN (steps with
        −1), and records that are not committed are NaN; ``records_done`` counts the valid records. Where runs differ in
        their points, ``n_train`` and ``n_test`` count them, and targets that are not the same for all runs have the dim
        ``run`` too. A setting that was swept is a coordinate of ``run`` under the name of its axis. Where observables
        were added later, ``records_added`` counts the records at which a run has these too, in every store to which
        some were ever added. Of a run that is trained for longer there is one row: the shorter run's until all the
        longer runs have ended, then its own. Where runs end at several times, ``training_time`` says at which.

    Warns
    -----
    IncompleteWarning
        Some finished runs do not have yet an observable that was added later, and its values are NaN there; or some
        runs that are trained for longer have not ended, and all are shown at the earlier time.
    DamageWarning
        A mark, a schedule, targets or predictions are damaged. Damaged values are NaN, and the runs of a damaged mark
        have the status ``damaged``.

    Raises
    ------
    StoreError
        There is no store of this project at ``url``, its table of runs is damaged, no store is named, or several do not
        go together. Computing a variable raises
        :class:`sweepengine.errors.DamagedError`, which is a StoreError, if one of its chunks is lost or damaged.
    """
    import sweepengine.store._accessor  # noqa: F401 -- registers ds.sweep

    sweeps = [_opened(each) for each in urls_of(url)]
    return sweeps[0] if len(sweeps) == 1 else join_sweeps(sweeps)


def _opened(url: str | Path) -> xr.Dataset:
    """One store as a Dataset."""
    import xarray as xr

    store = StoreView(url)
    store.must_exist()
    table = store.table
    if table is None or not len(table):
        raise StoreError(f"store: {store.address} holds no runs; `sweepengine run SPEC` writes them")
    shapes = store.block_shapes()
    marks = _Marks(store, shapes)
    hidden, waiting = replaced(table, marks.runs)
    if waiting:
        warnings.warn(
            f"{store.address}: {waiting} of the runs that are trained for longer have not ended, and until then all "
            "runs are shown at the earlier time; run the sweep again",
            IncompleteWarning,
            stacklevel=3,
        )
    had_additions = bool(table.additions())  # of runs that longer ones have replaced, too
    table = table.without(hidden)
    shapes = {block: shapes[block] for block in table.blocks()}
    additions = Additions(table, shapes, marks.runs)
    table = table.of_runs()
    segments = table.segments()
    if lacking := additions.lacking():
        warnings.warn(
            f"{store.address} lacks observables that were added, which are NaN there: {lacking}; run the sweep again",
            IncompleteWarning,
            stacklevel=3,
        )
    nodes = store.nodes.of_blocks()
    places = {block: ChunkPlace.of(store.objects, nodes[block], block, shape) for block, shape in shapes.items()}
    every = [shape.sizes for shape in shapes.values()]
    dims = dict.fromkeys(dim for each in every for dim in each if dim != "run")
    sizes = {dim: max(each.get(dim, 0) for each in every) for dim in dims}
    coords: dict[str, Any] = {name: ("run", _plain(column)) for name, column in table.columns.items()}
    coords = counts_of_points(shapes, segments) | coords | marks.coords(segments)
    coords |= additions.records() if had_additions else {}
    # The method is a fixed setting of a store, so every run has that of the newest spec.
    label = make_spec(store.attributes["specs"][-1]["spec"]).method_label
    coords["method"] = ("run", np.full(len(table), label), {"long_name": "time method"})
    for dim in (dim for dim in SCHEDULES if dim in sizes):
        coords |= _schedule_coords(store, shapes, segments, dim, sizes[dim])
    coords |= _ends(store, coords)
    for dim in dict.fromkeys(dim for shape in shapes.values() for dim in shape.labels):
        # Every block's labels are the first of the longest list.
        coords[dim] = (dim, np.array(max((shape.labels.get(dim, ()) for shape in shapes.values()), key=len)))
    variables: dict[str, Any] = {}
    for variable in additions.variables:
        where = additions.segments(variable.name)
        blocks = {
            block: CommittedValues(places[block], variable, additions.marks[block], marks.tails[block])
            for block in dict.fromkeys(block for block, _, _ in where if block != NOWHERE)
        }
        shape = tuple(sizes[dim] for dim in variable.dims[1:])
        values = padded_rows(_parts(blocks, where, shape, store.address), shape)
        attributes = {"long_name": variable.long_name, "units": variable.units, "source": variable.source}
        variables[variable.name] = (variable.dims, values, attributes)
    variables |= _predicted_curves(store, table.columns["limit"], sizes["record"])
    variables |= targets(store, segments, partial(_values, store))
    variables |= inputs(store, segments, lambda path: WholeValues(store.objects, store.nodes, path).lazy(store.address))
    for kind in ("grid", "reference"):
        if store.attributes.get(kind):
            path = given_path(kind, store.attributes[kind], "points")
            attributes = {"long_name": str(store.nodes.attributes(path)["long_name"]), "units": "1"}
            points = WholeValues(store.objects, store.nodes, path).lazy(store.address)
            variables[f"{kind}_points"] = ((kind, "coord"), points, attributes)
    dataset = xr.Dataset(variables, coords, _attributes(store))
    for name in table.columns:
        dataset[name].attrs["long_name"] = column_of(name).long_name
    dataset["step"].attrs |= {"long_name": "step", "units": "1"}
    dataset["time"].attrs |= {"long_name": "training time", "units": "1"}
    return dataset


def _parts(
    blocks: dict[str, CommittedValues], segments: list[tuple[str, int, int]], shape: tuple[int, ...], address: str
) -> list[da.Array]:
    """The values of a variable for the runs of some segments; NaN of the padded shape where a run has none."""
    import dask.array as da

    parts: list[da.Array] = []
    for there, alike in itertools.groupby(segments, key=lambda segment: _alike(blocks.get(segment[0]))):
        rows = list(alike)
        if there is None:
            dtype = next(iter(blocks.values())).dtype
            parts.append(da.full((sum(stop - start for _, start, stop in rows), *shape), np.nan, dtype=dtype))
        else:
            parts.append(lazy_rows([(blocks[block], start, stop) for block, start, stop in rows], address))
    return parts


def _alike(values: CommittedValues | None) -> Any:
    """What blocks whose runs stand in one array have in common."""
    return None if values is None else (values.shape[1:], values.chunks[1:], values.dtype)


def _warn(store: StoreView, trouble: StoreError) -> None:
    text = str(trouble).removeprefix("store: ")
    warnings.warn(f"{store.address} is damaged, and is shown without this: {text}", DamageWarning, stacklevel=3)


def _values(store: StoreView, path: str) -> NDArray[Any]:
    """Read an array that was written whole. If it is damaged, warn, and return NaN (-1 for integers) in its place."""
    try:
        return store.nodes.values(store.objects, path)
    except StoreError as error:
        _warn(store, error)
        array = store.nodes.array(store.objects, path)
        return np.full(array.shape, np.nan if array.dtype.kind == "f" else -1, dtype=array.dtype)


def _values_of_each(store: StoreView, paths: Sequence[str]) -> list[NDArray[Any]]:
    """:func:`_values` of each path, for arrays of one chunk and one dim. Equal bytes are decoded and compared once."""
    stored = get_objects(store.objects, [f"{path}/c/0" for path in paths])
    known: dict[tuple[str, bytes], NDArray[Any]] = {}
    found = []
    for path, content in zip(paths, stored, strict=True):
        digest = str(store.nodes.attributes(path).get("digest", ""))
        values = None if content is None else known.get((digest, content))
        if values is None:
            values = _values(store, path)
            if content is not None and values_digest(values) == digest:
                known[digest, content] = values
        found.append(values)
    return found


class _Marks:
    """Marks of the runs of every block. A damaged mark gives a warning, and its runs count as not committed."""

    def __init__(self, store: StoreView, shapes: dict[str, BlockShape]) -> None:
        self.runs: dict[str, list[RunMark | None]] = {}
        self.tails: dict[str, dict[str, str]] = {}
        self._labels: dict[str, list[str]] = {}
        damaged: dict[tuple[str, int], DamagedMarkError] = {}
        for block, marks in store.marks(shapes, damaged):
            self.runs[block] = runs = runs_of(shapes[block], marks)
            self.tails[block] = {key: tail for mark in marks if mark is not None for key, tail in mark.tails.items()}
            self._labels[block] = [Status.PENDING.label if run is None else run.status.label for run in runs]
        for (block, chunk), error in damaged.items():
            _warn(store, error)
            first, stop = shapes[block].chunk_span(chunk)
            self._labels[block][first:stop] = [DAMAGED] * (stop - first)

    def coords(self, segments: list[tuple[str, int, int]]) -> dict[str, Any]:
        """Status and progress, over ``run``."""
        runs = [run or RunMark() for block, start, stop in segments for run in self.runs[block][start:stop]]
        labels = [label for block, start, stop in segments for label in self._labels[block][start:stop]]
        return {
            "peak_memory": (
                "run",
                np.array([run.peak_memory for run in runs]),
                {"long_name": "most resident memory of the worker while it finished the run, or -1", "units": "byte"},
            ),
            "status": ("run", np.array(labels), {"long_name": "status of the run"}),
            "records_done": (
                "run",
                np.array([run.records_done for run in runs]),
                {"long_name": "number of valid records"},
            ),
            "diverged_step": (
                "run",
                np.array([run.diverged_step for run in runs]),
                {"long_name": "step at which the run diverged, or -1"},
            ),
        }


def _predicted_curves(store: StoreView, limits: NDArray[Any], records: int) -> dict[str, Any]:
    """Predictions with one number for each record, repeated for every run: ``NAME_limit`` over (run, record)."""
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    for limit in sorted({str(each) for each in limits} & store.limits()):
        for name in store.nodes.names(limit_path(limit)):
            path = limit_path(limit, name)
            if dims_of(store, path) == ("record",):
                values = _values(store, path)
                curves.setdefault(name, {})[limit] = np.pad(values, (0, records - len(values)), constant_values=np.nan)
    unknown = np.full(records, np.nan)
    return {
        f"{name}_limit": (
            ("run", "record"),
            np.stack([by_limit.get(str(limit), unknown) for limit in limits]),
            {"long_name": f"prediction of infinite width: {name}", "units": "1"},
        )
        for name, by_limit in curves.items()
    }


def _attributes(store: StoreView) -> dict[str, Any]:
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
        # All specs of a store agree in these, except for settings that are swept.
        "kind": specs[-1]["spec"].get("kind", "networks"),
        "network": json.dumps(specs[-1]["spec"].get("network", {})),
        "loss": specs[-1]["spec"].get("training", {}).get("loss", ""),
    }


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """Text as fixed-width strings, which xarray compares and groups fast; numbers as they are."""
    return np.array(column.tolist(), dtype=np.str_) if column.dtype.kind in "OT" else column


def _ends(store: StoreView, coords: Mapping[str, Any]) -> dict[str, Any]:
    """The coordinate ``training_time`` where runs end at several times; no coordinate otherwise."""
    dims, recorded = coords["time"]
    times = training_times(entry["spec"] for entry in store.attributes["specs"])
    if "run" not in dims or len(times) < 2:
        return {}
    last = np.fmax.reduce(recorded, axis=1).tolist()
    ends = {end: next((time for time in times if time >= end * (1 - 1e-9)), end) for end in dict.fromkeys(last)}
    if len(set(ends.values())) < 2:
        return {}
    about = {"long_name": "training time at which the run ends", "units": "1"}
    return {"training_time": ("run", np.array([ends[end] for end in last]), about)}


def _schedule_coords(
    store: StoreView,
    shapes: dict[str, BlockShape],
    segments: list[tuple[str, int, int]],
    dim: str,
    longest: int,
) -> dict[str, Any]:
    """Steps and times along ``record`` or ``snapshot``; they have the dim ``run`` too if blocks differ."""
    names, schedules = SCHEDULES[dim], {}
    columns = [_values_of_each(store, [block_path(block, name) for block in shapes]) for name in names]
    for block, step, time in zip(shapes, *columns, strict=True):
        missing = longest - len(step)
        schedules[block] = (
            np.pad(step, (0, missing), constant_values=-1),
            np.pad(time, (0, missing), constant_values=np.nan),
        )
    first = next(iter(schedules.values()))
    if all(
        np.array_equal(values, expected, equal_nan=True)
        for pair in schedules.values()
        for values, expected in zip(pair, first, strict=True)
    ):
        return {name: (dim, first[k]) for k, name in enumerate(names)}
    over_runs = [
        np.concatenate([np.tile(schedules[block][k], (stop - start, 1)) for block, start, stop in segments])
        for k in (0, 1)
    ]
    return {name: (("run", dim), over_runs[k]) for k, name in enumerate(names)}
