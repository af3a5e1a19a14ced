"""The choice of some runs of a sweep, and of one of their records."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._grid import held_coordinates, must_have_runs
from sweepengine.errors import did_you_mean, shown
from sweepengine.spec import scaling_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray


def at(ds: xr.Dataset, *, time: float | None = None, step: int | None = None, record: int | None = None) -> xr.Dataset:
    """Return the record of each run that is nearest to a time or a step, or that has a number.

    Between two records the nearer one is taken: ``time`` and ``step`` of the result say which. Beyond the first or the
    last record of a run nothing is taken for it, and an error says from when to when there are records.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep, over runs or as a grid.
    time : float, optional
        Training time, within the times of the records of every run.
    step : int, optional
        Number of a step; likewise.
    record : int, optional
        Number of a record, from 0; −1 is the last record that each run has committed.

    Returns
    -------
    xarray.Dataset
        Without the dim ``record``; the coordinates ``time``, ``step`` and ``record_number`` say what was taken, and
        `overlay` takes the same of the predictions. Runs that have not committed the record have NaN, as those have
        that diverged before.

    Raises
    ------
    ContractError
        Not exactly one of `time`, `step` and `record` is given, it is no number, it lies beyond the records, or the
        dataset has no dim ``record``.
    """
    given = {name: value for name, value in {"time": time, "step": step, "record": record}.items() if value is not None}
    if len(given) != 1:
        raise ContractError(f"Found {', '.join(given) or 'nothing'}; give exactly one of time, step and record.")
    if "record" not in ds.dims:
        raise ContractError("The dataset has no dim 'record': one record has been taken already.")
    if not ds.sizes["record"]:
        raise ContractError("The dataset has no record: the selection before was empty.")
    if "run" in ds.dims:
        must_have_runs(ds)
    ds = held_coordinates(ds)
    name, value = given.popitem()
    if name == "record":
        place = _numbered(ds, value)
    else:
        _refuse_beyond(ds, name, value)
        distance = abs(ds[name] - value)
        distance = distance.where(np.isfinite(ds["time"]), np.inf)  # beyond a run's records it is padded
        place = distance.argmin("record")
    places = np.unique(place.values)
    taken = place.isel(dict.fromkeys(place.dims, 0), drop=True) if places.size == 1 else place
    numbered = taken.drop_vars(list(taken.coords)).assign_attrs(long_name="number of the record", units="1")
    return ds.isel(record=int(places[0]) if places.size == 1 else place).assign_coords(record_number=numbered)


def _numbered(ds: xr.Dataset, number: object) -> xr.DataArray:
    """Places of the records of a number; from the end of what each run has committed if it is negative."""
    count = ds.sizes["record"]
    if not is_number(number) or number != number // 1 or not -count <= number < count:
        raise ContractError(
            f"Found record = {shown(number)}; there are the records 0 … {count - 1}, and −1 is the last of each run."
        )
    done = ds["records_done"].clip(min=0)  # −1 where a grid has no run
    if number >= 0:
        return (done * 0 + int(number)).astype(np.intp)
    from_end = done + int(number)
    return from_end.where(from_end >= 0, done).astype(np.intp)  # else a record that is not committed, and is NaN


def _refuse_beyond(ds: xr.Dataset, name: str, value: object) -> None:
    """Raise :class:`ContractError` unless a time or step lies within the records of every run."""
    there = ds[name].where(np.isfinite(ds["time"]))
    first, last = there.min("record"), there.max("record")
    if is_number(value):
        slack = 1e-6 * float(abs(last).max())  # steps that are rounded do not add up to the time to the last digit
        beyond = (last.values < value - slack) | (first.values > value + slack)
        if math.isfinite(value) and not beyond.any():
            return
    ends = f"{float(last.min()):g}" + (f" … {float(last.max()):g}" if float(last.min()) < float(last.max()) else "")
    begin = f"{name} {float(first.max()):g}"
    message = f"Found {name} = {shown(value)}; the records of the runs begin at {begin} and end at {ends}."
    if is_number(value) and last.ndim and float(last.min()) < value <= float(last.max()):
        message += f" Select the runs first that reach it; {int(beyond.sum())} of {last.size} do not."
    raise ContractError(message)


def select(ds: xr.Dataset, settings: Mapping[str, Any]) -> xr.Dataset:
    """Return the runs whose coordinates have the given values.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep with the dim ``run``.
    settings : mapping
        Coordinate of ``run`` → a value, a list of values, or a slice whose ends belong to it. A number stands for the
        ``scaling`` with this γ: 0.75 for ``gamma=0.75``, 0.5 for ``ntk``.

    Raises
    ------
    ContractError
        A name is no coordinate of runs, or no run has the values; the message names those that there are.
    """
    must_have_runs(ds)
    kept = np.ones(ds.sizes["run"], dtype=bool)
    for name, wanted in settings.items():
        if name not in ds.coords or ds[name].dims != ("run",):
            known = sorted(str(each) for each in ds.coords if ds[each].dims == ("run",))
            hint = did_you_mean(name, known)
            raise ContractError(f"{name!r} is no coordinate of runs.{hint} There are {', '.join(known)}.")
        column = ds[name].values
        here = _within(name, column, wanted)
        if not np.any(here & kept):
            there = ", ".join(str(each) for each in np.unique(column[kept])[:20])
            raise ContractError(f"No run has {name} = {shown(wanted)}; among the runs chosen so far there are {there}.")
        kept &= here
    return ds.isel(run=np.flatnonzero(kept))


def _within(name: str, column: NDArray[Any], wanted: object) -> NDArray[np.bool_]:
    """Which runs have a wanted value, or one of several."""
    is_of_numbers = column.dtype.kind in "iuf"
    if isinstance(wanted, slice):
        ends = [each for each in (wanted.start, wanted.stop) if each is not None]
        if wanted.step is not None or not is_of_numbers or not all(map(is_number, ends)):
            kind = "numbers" if is_of_numbers else "names, of which a list chooses"
            raise ContractError(
                f"Found {name} = {shown(wanted)}; {name} has {kind}; a slice has two numbers and no step."
            )
        low = column >= wanted.start if wanted.start is not None else True
        high = column <= wanted.stop if wanted.stop is not None else True
        return np.broadcast_to(np.asarray(low) & np.asarray(high), column.shape)
    if hasattr(wanted, "__array__"):
        values: list[Any] = np.ravel(np.asarray(wanted)).tolist()
    else:
        values = list(wanted) if isinstance(wanted, list | tuple | set | range) else [wanted]
    if name == "scaling":
        values = [scaling_label(value) if is_number(value) else value for value in values]
    if not is_of_numbers:
        return np.array([each in values for each in column.tolist()], dtype=bool)
    numbers = [value for value in values if is_number(value)]
    if column.dtype.kind == "f":
        near = np.isclose(column[:, None], np.array(numbers, dtype=np.float64), rtol=1e-9, atol=0.0)
        return np.asarray(near.any(axis=1))
    return np.isin(column, numbers)


def is_number(value: object) -> TypeGuard[float]:
    """Whether what a user gives is a real number, Python's or NumPy's, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)
