"""What infinite width predicts, laid over the runs of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

_MEASURED: Final = {
    "ntk_train": "kernel",
    "outputs_mean_train": "outputs_train",
    "outputs_mean_test": "outputs_test",
    "ntk_test_train": "kernel_test_train",
    "eigenvalues": "kernel_eigenvalues",
}
"""Names of the theory's variables → the recorded variables that tend to them."""
_OF_ENSEMBLES: Final = ("outputs_mean_train", "outputs_std_train", "outputs_mean_test", "outputs_std_test")


def overlay(ds: xr.Dataset, theory: xr.Dataset) -> xr.Dataset:
    """Return the predictions of infinite width with the dims of a sweep's runs: measured − predicted is one step.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep, over runs or as a grid.
    theory : xarray.Dataset
        What `sweepengine.open_theory` returns for the same store.

    Returns
    -------
    xarray.Dataset
        Lazy. What is also recorded has the name of the recorded variable: ``kernel`` (run, i, j), the limit of the
        kernel at t = 0, which stays at all times in the NTK scaling; ``outputs_train`` (run, record, i) and
        ``outputs_test``, the mean of the ensemble; other variables have their names in the theory. So
        ``ds.kernel - ds.sweep.theory().kernel`` is the deviation of each run from its own limit. The ensemble is that
        of γ = 1/2 and α = 1: it is NaN for other runs, as everything is for runs without a limit.

    Raises
    ------
    ContractError
        The sweep has no coordinate ``limit``, as those of particles have none.
    """
    import pandas as pd
    import xarray as xr

    if "limit" not in ds.coords:
        raise ContractError(
            "The runs of this sweep have no coordinate 'limit': no infinite width is predicted for them."
        )
    limit = ds["limit"]
    place = pd.Index(theory["limit"].values).get_indexer(np.ravel(limit.values)).reshape(limit.shape)
    known = xr.DataArray(place >= 0, dims=limit.dims)
    plain = known & (ds["gamma"] == 0.5) & (ds["alpha"] == 1.0)
    places = xr.DataArray(place, dims=limit.dims).chunk(_chunks(ds, limit.dims))
    held = theory.compute()  # one entry for each architecture: it is small beside the runs
    if "output" in ds.sizes and "eigenvalues" in held:
        held["eigenvalues"] = held["eigenvalues"].isel(
            mode=np.repeat(np.arange(held.sizes["mode"]), ds.sizes["output"])
        )
    laid = {}
    for name in map(str, held.data_vars):
        shown = places.where(plain if name in _OF_ENSEMBLES else known, -1)
        laid[_MEASURED.get(name, name)] = _rows(held[name], shown)
    coords = {name: value for name, value in ds.coords.items() if set(value.dims) <= {*limit.dims, "record"}}
    return xr.Dataset(laid, coords, attrs=theory.attrs)


def theory_of(ds: xr.Dataset) -> xr.Dataset:
    """The predictions in the store from which a sweep was opened.

    Raises
    ------
    ContractError
        The dataset does not say from which store it is.
    StoreError
        The store is not there.
    """
    from sweepengine import open_theory

    store = ds.attrs.get("store")
    if not store:
        raise ContractError(
            "The dataset has lost the attribute 'store'; open its theory by sweepengine.open_theory(url)."
        )
    return open_theory(store)


def _chunks(ds: xr.Dataset, dims: tuple[Hashable, ...]) -> dict[Hashable, tuple[int, ...]]:
    """Chunks of a sweep along the dims of its runs."""
    return {
        dim: next((v.chunksizes[dim] for v in ds.variables.values() if dim in v.chunksizes), (ds.sizes[dim],))
        for dim in dims
    }


def _rows(values: xr.DataArray, places: xr.DataArray) -> xr.DataArray:
    """The entries (limit, …) at places of any dims, one chunk of places at a time; NaN where a place is −1."""
    import xarray as xr

    table = np.concatenate([values.values, np.full((1, *values.shape[1:]), np.nan)])
    own = values.dims[1:]
    laid: xr.DataArray = xr.apply_ufunc(
        lambda some: table[some],
        places,
        output_core_dims=[own],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {dim: values.sizes[dim] for dim in own}},
        output_dtypes=[np.float64],
    )
    return laid.assign_attrs(values.attrs)
