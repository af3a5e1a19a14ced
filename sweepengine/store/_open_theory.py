"""The predictions of infinite width in a store, as one lazy Dataset over limits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import StoreError, shown
from sweepengine.store._layout import limit_path
from sweepengine.store._lazy import WholeValues, padded_rows
from sweepengine.store._view import StoreView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr


def open_theory(url: str | Path | Sequence[str | Path]) -> xr.Dataset:
    """Open the predictions of infinite width for the runs of a store, or of several.

    Parameters
    ----------
    url : str or Path, or a sequence of these
        Local path or URL of a store.

    Returns
    -------
    xarray.Dataset
        Lazy float64 variables over ``limit`` and their own dims. The labels of ``limit`` are the values of the
        coordinate ``limit`` of :func:`open_sweep`. Kernels: ``nngp_train``, ``ntk_train`` (i, j), ``nngp_test_train``,
        ``ntk_test_train`` (test, i), ``nngp_test`` (test, test_other), ``eigenvalues`` (mode). The ensemble of networks
        at γ = 1/2, α = 1 under the runs' own descent or flow: ``outputs_mean_train``, ``outputs_std_train``
        (record, i), ``outputs_mean_test``, ``outputs_std_test`` (record, test). With k ≥ 2 outputs the means also have
        the dim ``output``; the rest is the same for every output. What the theory cannot predict is NaN.
        For example, ``sweep.kernel.isel(record=0) - theory.ntk_train.sel(limit=sweep.limit)`` is the difference between
        each run's kernel and its own limit.

    Raises
    ------
    StoreError
        There is no store of this project at ``url``.
    """
    import xarray as xr

    stores = [StoreView(each) for each in urls_of(url)]
    for store in stores:
        store.must_exist()
    # The name of a limit hashes what is predicted for, so that any of the stores will do.
    homes = {limit: store for store in stores for limit in store.limits()}
    homes = {limit: homes[limit] for limit in sorted(homes)}
    names = sorted({name for limit, store in homes.items() for name in store.nodes.names(limit_path(limit))})
    variables: dict[str, Any] = {}
    for name in names:
        where = [(store, limit_path(limit, name)) for limit, store in homes.items()]
        parts = [WholeValues(store.objects, store.nodes, path).lazy(store.address) for store, path in where]
        shape = tuple(max(part.shape[axis] for part in parts) for axis in range(parts[0].ndim))
        first, path = where[0]
        said = first.nodes.attributes(path)
        attributes = {key: said[key] for key in ("long_name", "units", "source")}
        dims = ("limit", *dims_of(first, path))
        variables[name] = (dims, padded_rows([part[None] for part in parts], shape), attributes)
    titles = ", ".join(dict.fromkeys(str(store.attributes["title"]) for store in stores))
    return xr.Dataset(variables, {"limit": ("limit", np.array(list(homes)))}, {"title": titles})


def urls_of(url: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """One address or several, as a list. Raises :class:`StoreError` for an empty one."""
    urls = [url] if isinstance(url, str | os.PathLike) else list(url) if isinstance(url, Iterable) else []
    if not urls or not all(isinstance(each, str | os.PathLike) for each in urls):
        raise StoreError(f"store: no store is named by {shown(url)}; pass a path or URL, or a list of these")
    return urls


def dims_of(store: StoreView, path: str) -> tuple[str, ...]:
    """Names of the dims of an array of a store."""
    return tuple(str(dim) for dim in store.nodes.content[path].get("dimension_names") or ())
