"""Several sweeps as one Dataset, their runs one after the other."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from sweepengine.errors import StoreError
from sweepengine.spec import axes_of, make_spec, spec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

SWEEP: Final = "sweep"
"""The coordinate that says of which sweep a run is."""
_POINTS: Final = {"i": "n_train", "test": "n_test"}
_OF_EACH: Final = ("network", "loss", "store")


def join_sweeps(sweeps: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the runs of several sweeps one after the other, with the coordinate ``sweep``.

    Parameters
    ----------
    sweeps : sequence of xarray.Dataset
        At least two, of one kind, as :func:`~sweepengine.store.open_sweep` returns them for one store.

    Returns
    -------
    xarray.Dataset
        ``sweep`` (run), which is ``ds["sweep"]``, is the title of each run's sweep, or the name of its store where
        titles are equal. Fewer records, layers or points than in other sweeps are padded with NaN (whole numbers with
        −1), and what a sweep has not recorded is NaN. Where sweeps differ in their times, targets or numbers of points,
        these have the dim ``run``. A setting that one sweep sweeps has, for the runs of the others, the value of their
        specs. The attribute ``store`` lists the stores; ``sweeps`` holds as JSON what the sweeps do not share.

    Raises
    ------
    StoreError
        The sweeps are of unlike kinds, two of them are one store, or they have unlike labels along a dim.
    """
    import xarray as xr

    kinds = sorted({str(sweep.attrs["kind"]) for sweep in sweeps})
    if len(kinds) > 1:
        raise StoreError(f"store: found sweeps of {' and '.join(kinds)}; open those of one kind together")
    stores = [str(sweep.attrs["store"]) for sweep in sweeps]
    if twice := [store for store, count in Counter(stores).items() if count > 1]:
        raise StoreError(f"store: {twice[0]} is named twice; name each store once")
    names = _names(sweeps)
    labels = _labels(sweeps)
    bare = [sweep.drop_vars([name for name in labels if name in sweep.coords]) for sweep in sweeps]
    bare = _with_runs_own(_with_settings(bare))
    sizes = {dim: max(each.sizes.get(dim, 0) for each in bare) for each in bare for dim in each.sizes if dim != "run"}
    sizes |= {name: max(sizes.get(name, 0), len(values)) for name, values in labels.items()}
    alike = [_padded(_with_everything(each, bare), {str(dim): size for dim, size in sizes.items()}) for each in bare]
    alike = [
        each.assign_coords({SWEEP: ("run", np.full(each.sizes["run"], name))})
        for each, name in zip(alike, names, strict=True)
    ]
    joined = xr.concat(
        alike, "run", data_vars="minimal", coords="minimal",
        compat="override", join="override", combine_attrs="override",
    )  # fmt: skip
    joined[SWEEP].attrs["long_name"] = "sweep"
    each_own = {name: {key: sweep.attrs[key] for key in _OF_EACH} for name, sweep in zip(names, sweeps, strict=True)}
    joined.attrs |= {
        "title": ", ".join(names),
        "summary": " ".join(str(sweep.attrs["summary"]) for sweep in sweeps),
        "history": "\n".join(str(sweep.attrs["history"]) for sweep in sweeps),
        "store": stores,
        "spec": "---\n".join(str(sweep.attrs["spec"]) for sweep in sweeps),
        "sweeps": json.dumps(each_own),
    }
    return joined.assign_coords({name: (name, values) for name, values in labels.items()})


def _names(sweeps: Sequence[xr.Dataset]) -> list[str]:
    """Titles; where two are equal, names of stores; where these are equal too, the stores themselves."""
    stores = [str(sweep.attrs["store"]) for sweep in sweeps]
    for names in ([str(sweep.attrs["title"]) for sweep in sweeps], [PurePosixPath(store).stem for store in stores]):
        if len(set(names)) == len(names):
            return names
    return stores


def _labels(sweeps: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Dim → the labels along it, where a shorter list is the beginning of the longest."""
    labels: dict[str, Any] = {}
    for sweep in sweeps:
        for name in (str(each) for each in sweep.coords if sweep[each].dims == (each,)):
            known, own = labels.get(name, np.array([])), sweep[name].values
            longer, shorter = (own, known) if len(own) > len(known) else (known, own)
            if not np.array_equal(longer[: len(shorter)], shorter):
                raise StoreError(
                    f"store: the sweeps have unlike labels along {name}: {', '.join(map(str, known))} and "
                    f"{', '.join(map(str, own))}; open them one by one"
                )
            labels[name] = longer
    return labels


def _with_settings(sweeps: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The sweeps with a column for each setting that any of them sweeps."""
    columns = dict.fromkeys(str(name) for each in sweeps for name in each.coords if each[name].dims == ("run",))
    complete = []
    for sweep in sweeps:
        content = next(yaml.safe_load_all(sweep.attrs["spec"]))
        spec = make_spec(content)
        axes = axes_of(spec_of(content))
        lacking: dict[str, Any] = {}
        for name in (each for each in columns if each not in sweep.coords):
            if name in axes:
                section, field = axes[name].path
                lacking[name] = ("run", np.full(sweep.sizes["run"], getattr(getattr(spec, section), field)))
            elif name not in _POINTS.values():
                lacking[name] = ("run", np.full(sweep.sizes["run"], np.nan))
        complete.append(sweep.assign_coords(lacking))
    return complete


def _with_runs_own(sweeps: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The sweeps, where what they do not share has the dim ``run``: times, targets, numbers of points."""
    changed = list(sweeps)
    for dim, count in _POINTS.items():
        sizes = {each.sizes[dim] for each in sweeps if dim in each.sizes}
        if len(sizes) > 1 or any(count in each.coords for each in sweeps):
            changed = [
                each
                if count in each.coords
                else each.assign_coords({count: ("run", np.full(each.sizes["run"], each.sizes.get(dim, 0)))})
                for each in changed
            ]
    every = dict.fromkeys(str(name) for each in changed for name in each.variables if "run" not in each[name].dims)
    for name in every:
        there = [each[name].variable for each in changed if name in each.variables]
        if len(there) == len(changed) and all(_same(each, there[0]) for each in there):
            continue
        changed = [_over_runs(each, name) for each in changed]
    return changed


def _same(one: Any, other: Any) -> bool:
    return bool(one.identical(other))


def _over_runs(sweep: xr.Dataset, name: str) -> xr.Dataset:
    """A sweep of which a variable or coordinate has the dim ``run``."""
    if name not in sweep.variables or "run" in sweep[name].dims:
        return sweep
    values: Any = sweep[name].variable
    runs = sweep.sizes["run"]
    repeated = values.set_dims(("run", *values.dims), (runs, *values.shape))
    return sweep.assign_coords({name: repeated}) if name in sweep.coords else sweep.assign({name: repeated})


def _with_everything(sweep: xr.Dataset, sweeps: Sequence[xr.Dataset]) -> xr.Dataset:
    """A sweep with NaN for what only other sweeps have recorded."""
    import dask.array as da

    lacking = {}
    for other in sweeps:
        for name in (each for each in other.data_vars if each not in sweep.variables and each not in lacking):
            dims = other[name].dims
            shape = tuple(sweep.sizes.get(dim, other.sizes[dim]) for dim in dims)
            lacking[name] = (dims, da.full(shape, np.nan), other[name].attrs)
    return sweep.assign(lacking)


def _padded(sweep: xr.Dataset, sizes: dict[str, int]) -> xr.Dataset:
    more = {dim: (0, sizes[dim] - size) for dim, size in sweep.sizes.items() if dim in sizes and size < sizes[str(dim)]}
    if not more:
        return sweep
    fill = {name: -1 if values.dtype.kind in "iu" else np.nan for name, values in sweep.variables.items()}
    return sweep.pad(more, mode="constant", constant_values=fill, keep_attrs=True)
