"""Statistics over seeds of everything that a sweep has recorded, lazily."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._grid import grid, held_coordinates, places_in, swept_axes
from sweepengine.analysis._moments import moments, moments_of_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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
    if not all(0 <= level <= 1 for level in levels):
        raise ContractError(f"Found the levels {list(levels)}; quantiles lie between 0 and 1.")
    if "run" in ds.dims and statistic not in _OF_ORDER:
        return _of_runs(held_coordinates(ds), statistic)
    dense = grid(ds) if "run" in ds.dims else held_coordinates(ds)
    if "seed" not in dense.dims:
        raise ContractError(
            f"The dataset has the dims {', '.join(map(str, dense.dims))}; there is no seed to reduce over."
        )
    done = (dense["status"] == DONE).broadcast_like(dense["seed"])
    names = _floats(dense, "seed")
    if statistic in _OF_ORDER:
        draws = {"levels": tuple(levels)} | ({} if statistic == "quantile" else {"draws": (resamples, random_seed)})
        reduced = {name: _ordered(dense[name], done, draws) for name in names}
    else:
        count = done.sum("seed")
        reduced = {name: _from_moments(*moments(dense[name], done, "seed"), count, statistic) for name in names}
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


def _ordered(values: xr.DataArray, done: xr.DataArray, draws: dict[str, Any]) -> xr.DataArray:
    """Quantiles of the values, or of their mean over seeds that are drawn again."""
    import xarray as xr

    whole = values.astype(np.float64)
    taken: xr.DataArray = xr.apply_ufunc(
        _bootstrapped if "draws" in draws else _quantiles,
        whole.chunk({"seed": -1}) if values.chunks is not None else whole,
        done,
        kwargs=draws,
        input_core_dims=[["seed"], ["seed"]],
        output_core_dims=[["quantile"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"quantile": len(draws["levels"])}},
        output_dtypes=[np.float64],
        keep_attrs=True,
    )
    return taken.assign_coords(quantile=list(draws["levels"])).transpose("quantile", ...)


def _quantiles(values: Floats, done: NDArray[np.bool_], levels: tuple[float, ...]) -> Floats:
    """Quantiles (..., Q) over the last axis (..., S) of the runs that are done; NaN where one of these is NaN."""
    done = np.broadcast_to(done, values.shape)
    kept = np.where(done, values, np.inf)  # at the end of the order
    count = done.sum(axis=-1)
    ordered = np.sort(kept, axis=-1)
    out = np.empty((*values.shape[:-1], len(levels)))
    for k, level in enumerate(levels):
        place = level * np.maximum(count - 1, 0)
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        ends = [np.take_along_axis(ordered, each[..., None], axis=-1)[..., 0] for each in (low, high)]
        out[..., k] = ends[0] + (place - low) * (ends[1] - ends[0])
    out[(count == 0) | (np.isnan(values) & done).any(axis=-1)] = np.nan
    return out


def _bootstrapped(values: Floats, done: NDArray[np.bool_], levels: tuple[float, ...], draws: tuple[int, int]) -> Floats:
    """Quantiles (..., Q) of the mean over drawn seeds (..., S), with the same draws for every entry."""
    resamples, random_seed = draws
    done = np.broadcast_to(done, values.shape).reshape(-1, values.shape[-1])
    flat = np.where(done, values.reshape(done.shape), 0.0)
    out = np.full((len(flat), len(levels)), np.nan)
    for pattern in np.unique(done, axis=0):
        alike, size = (done == pattern).all(axis=1), int(pattern.sum())
        if size:
            drawn = np.random.default_rng(random_seed).multinomial(size, np.full(size, 1 / size), size=resamples)
            out[alike] = _in_parts(flat[alike][:, pattern], drawn / size, levels)
    return out.reshape(*values.shape[:-1], len(levels))


def _in_parts(values: Floats, weights: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles of weighted means, some rows at a time: a thousand draws of all rows would not fit."""
    rows = max(1, 2**22 // len(weights))
    parts: list[Any] = []
    for first in range(0, len(values), rows):
        means = values[first : first + rows] @ weights.T
        parts.append(np.moveaxis(np.quantile(means, levels, axis=1), 0, -1))
    return np.concatenate(parts)
