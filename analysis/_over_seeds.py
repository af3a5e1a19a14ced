"""Statistics over seeds of everything that a sweep has recorded, lazily."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._grid import grid, held_coordinates, must_have_runs, places_in, swept_axes
from sweepengine.analysis._moments import moments, moments_of_groups
from sweepengine.analysis._order import bootstrapped, ordered_groups, quantiles
from sweepengine.analysis._selections import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from sweepengine.analysis._order import Reduce

Statistic = Literal["mean", "variance", "sem", "quantile", "bootstrap"]
_OF_ORDER: Final = ("quantile", "bootstrap")
LEVELS: Final = (0.025, 0.5, 0.975)
"""Quantiles that are taken where none are named."""


def over_seeds(
    ds: xr.Dataset,
    statistic: Statistic = "mean",
    *,
    levels: Sequence[float] = LEVELS,
    resamples: int = 1000,
    random_seed: int = 0,
) -> xr.Dataset:
    """Reduce a sweep over its seeds.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep, over runs or as a grid. Runs that are not done do not count; a NaN among the records of a run that is
        done makes the result NaN.
    statistic : {"mean", "variance", "sem", "quantile", "bootstrap"}
        The mean; the variance, with one degree of freedom less; the standard error of the mean, which follows from it;
        quantiles of the seeds; or
        quantiles of the mean over seeds that are drawn again with replacement (percentile bootstrap, Efron 1979), whole
        runs at a time, so that all variables and records of a seed stay together.
    levels : sequence of float
        Quantiles, for `quantile` and `bootstrap`.
    resamples : int
        How often the seeds are drawn again.
    random_seed : int
        Seed of the generator that draws them.

    Returns
    -------
    xarray.Dataset
        The float variables, in float64, without the dim ``seed``; with a dim ``quantile`` for quantiles. The coordinate
        ``n_seeds`` says how many runs counted. Variances and standard errors of fewer than two seeds are NaN.

    Raises
    ------
    ContractError
        The statistic is unknown, a level lies outside [0, 1], or a grid has no dim ``seed``.
    DuplicateRunError
        As for :func:`~sweepengine.analysis._grid.grid`.
    """
    if statistic not in get_args(Statistic):
        raise ContractError(f"Found the statistic {statistic!r}; there are {', '.join(get_args(Statistic))}.")
    listed = list(levels) if isinstance(levels, Iterable) else []
    if not listed or not all(is_number(level) and 0 <= level <= 1 for level in listed):
        raise ContractError(f"Found the levels {levels!r}; expected a list of quantiles, which lie between 0 and 1.")
    for name, value, least in (("resamples", resamples, 1), ("random_seed", random_seed, 0)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ContractError(f"Found {name} = {value!r}; expected a whole number from {least} on.")
    if "run" in ds.dims:
        must_have_runs(ds)
    if "run" in ds.dims and statistic not in _OF_ORDER:
        return _of_runs(held_coordinates(ds), statistic)
    dense = grid(ds.drop_vars(_floats(ds, "run"))) if "run" in ds.dims else held_coordinates(ds)
    if "seed" not in dense.dims:
        raise ContractError(
            f"The dataset has the dims {', '.join(map(str, dense.dims))}; there is no seed to reduce over."
        )
    done = (dense["status"] == DONE).broadcast_like(dense["seed"])
    if statistic == "quantile":
        return _of_order(ds, dense, done, partial(quantiles, levels=tuple(levels)), levels)
    if statistic == "bootstrap":
        drawn = partial(bootstrapped, levels=tuple(levels), resamples=resamples, random_seed=random_seed)
        return _of_order(ds, dense, done, drawn, levels)
    count, names = done.sum("seed"), _floats(dense, "seed")
    reduced = {name: _from_moments(*moments(dense[name], done, "seed"), count, statistic) for name in names}
    return _assembled(dense, reduced, done)


def _of_order(
    ds: xr.Dataset, dense: xr.Dataset, done: xr.DataArray, reduce: Reduce, levels: Sequence[float]
) -> xr.Dataset:
    """Statistics for which all seeds must be there at once, of a list of runs or of a grid."""
    import xarray as xr

    is_listed = "run" in ds.dims
    axes = [str(dim) for dim in (swept_axes(ds) if is_listed else done.dims) if dim != "seed"]
    shape = [dense.sizes[name] for name in axes]
    if is_listed:
        ds = held_coordinates(ds)
        listed = {name: ds[name] for name in _floats(ds, "run")}
        group, counted = places_in(ds, {name: dense[name].values for name in axes}), ds["status"].values == DONE
        order = np.argsort(ds["seed"].values, kind="stable")
    else:
        every = [*axes, "seed"]
        whole = {name: dense[name].broadcast_like(done) for name in _floats(dense, "seed")}
        listed = {name: each.stack(run=every, create_index=False) for name, each in whole.items()}
        counted = done.transpose(*every).values.ravel()
        group = np.repeat(np.arange(math.prod(shape)), done.sizes["seed"])
        order = np.arange(len(group))
    order = order[counted[order]]
    rows = [order[group[order] == number] for number in range(math.prod(shape))]
    reduced = {}
    for name, values in listed.items():
        bare = values.transpose("run", ...).drop_vars(list(values.coords))
        made = ordered_groups(bare, rows, reduce, len(levels))
        named = xr.DataArray(
            made.reshape(*shape, *made.shape[1:]), dims=[*axes, "quantile", *bare.dims[1:]], attrs=values.attrs
        )
        reduced[name] = named.assign_coords(quantile=list(levels)).transpose("quantile", ...)
    return _assembled(dense, reduced, done)


def _of_runs(ds: xr.Dataset, statistic: str) -> xr.Dataset:
    """Statistics that follow from moments, of a list of runs."""
    import xarray as xr

    names = _floats(ds, "run")
    dense = grid(ds.drop_vars(names))
    done = (dense["status"] == DONE).broadcast_like(dense["seed"])
    axes = [name for name in swept_axes(ds) if name != "seed"]
    shape, group = [dense.sizes[name] for name in axes], places_in(ds, {name: dense[name].values for name in axes})
    count, counted = done.sum("seed"), ds["status"].values == DONE
    reduced = {}
    for name in names:
        flat = moments_of_groups(ds[name], counted, group, math.prod(shape))
        mean, squares = (
            xr.DataArray(each.data.reshape(*shape, *each.shape[1:]), dims=[*axes, *each.dims[1:]], attrs=ds[name].attrs)
            for each in flat
        )
        reduced[name] = _from_moments(mean, squares, count, statistic)
    return _assembled(dense, reduced, done)


def _floats(ds: xr.Dataset, dim: str) -> list[str]:
    return [str(name) for name, values in ds.data_vars.items() if dim in values.dims and values.dtype.kind == "f"]


def _assembled(dense: xr.Dataset, reduced: Mapping[str, xr.DataArray], done: xr.DataArray) -> xr.Dataset:
    """What was reduced, with what a grid has without seeds."""
    rest = dense.drop_vars([name for name, values in dense.variables.items() if "seed" in values.dims])
    return rest.assign(reduced).assign_coords(n_seeds=done.sum("seed").assign_attrs(long_name="seeds that count"))


def _from_moments(mean: xr.DataArray, squares: xr.DataArray, count: xr.DataArray, statistic: str) -> xr.DataArray:
    if statistic == "mean":
        return mean.where(count > 0)
    variance = squares / (count - 1).where(count > 1)
    what, spread = ("variance", variance) if statistic == "variance" else ("standard error", (variance / count) ** 0.5)
    about = f"{what} over seeds of {mean.attrs.get('long_name', mean.name)}"
    return spread.assign_attrs(mean.attrs | {"long_name": about})
