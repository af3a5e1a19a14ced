"""Kernels of a sweep reduced lazily: one task of Dask reads a chunk and makes all that is wanted of its matrices."""

from __future__ import annotations

import itertools
import math
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._kernel_stack import KERNEL_REDUCTIONS, Stack
from sweepengine.analysis._selections import is_number
from sweepengine.errors import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da
    import xarray as xr
    from numpy.typing import NDArray

    Values = NDArray[Any]

_SLAB: Final = 2**17
"""Numbers of a stack: its float64 copies stay in a core's cache, and beside a chunk they are small."""
_CORE: Final = {
    "now": ["row", "column"],
    "start": ["row", "column"],
    "cross": ["test", "column"],
    "targets": ["row", "output"],
}
"""Part of a stack → dims of one of its matrices."""


def reduce_kernels(ds: xr.Dataset, *names: str, of: str = "kernel", ridge: float = 0.0) -> xr.Dataset:
    """Return norms, angles, spectra or predictions of the kernels that a sweep has recorded, for every run and record.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep, over runs or as a grid.
    *names : str
        What to make: ``norm``, ``drift``, ``cka``, ``alignment``, ``eigenvalues`` (mode), ``eigenvectors`` (i, mode),
        ``target_shares`` (mode), ``effective_rank``, ``prediction`` (test [, output]).
    of : str
        The variable that is reduced, with the dims i and j: ``kernel``; ``kernel_full``, one matrix over points and
        outputs; ``feature_gram``, with one result for each layer.
    ridge : float
        Added to the diagonal for ``prediction``.

    Returns
    -------
    xarray.Dataset
        Float64, named ``kernel_drift`` and so on. Lazy where the kernels are: each chunk is read once, by one task that
        makes everything named, whatever scheduler computes it. A worker holds one chunk, and eigenvectors, which are as
        large as kernels, where they are asked for. Results are NaN where a matrix has NaN, as records have that are not
        done; a prediction is NaN too where Θ + ridge is singular to the rounding of its stored numbers.

    Raises
    ------
    ContractError
        A name is unknown, none is given, or the sweep has not recorded what is needed.
    """
    import xarray as xr

    for name in names or ("",):
        if not isinstance(name, str) or name not in KERNEL_REDUCTIONS:
            hint = did_you_mean(name, KERNEL_REDUCTIONS) if isinstance(name, str) else " Name each as an argument."
            raise ContractError(f"Found the reduction {shown(name)}.{hint} There are {', '.join(KERNEL_REDUCTIONS)}.")
    if not is_number(ridge) or not math.isfinite(ridge):
        raise ContractError(f"Found ridge = {ridge!r}; expected a number, which is added to the diagonal.")
    wanted = tuple(dict.fromkeys(names))
    parts = _parts(ds, of, {part for name in wanted for part in KERNEL_REDUCTIONS[name].reads})
    sizes = {str(dim): size for values in parts.values() for dim, size in values.sizes.items()}
    sizes["mode"] = sizes["row"]
    every = [str(dim) for part, each in parts.items() for dim in each.dims if dim not in _CORE.get(part, [])]
    loop = list(dict.fromkeys(every))
    shaped = {part: _shaped(each, loop, _CORE.get(part, [])) for part, each in parts.items()}
    reads_start = "start" not in parts and any("start" in KERNEL_REDUCTIONS[name].reads for name in wanted)
    first = loop.index("record") if reads_start else None
    reduce = partial(_reduced, parts=tuple(parts), names=wanted, ridge=ridge, first=first)
    shapes = [[sizes[dim] for dim in KERNEL_REDUCTIONS[name].dims] for name in wanted]
    is_lazy = any(each.chunks is not None for each in shaped.values())
    results = _lazily(reduce, shaped, loop, shapes) if is_lazy else reduce(*(each.values for each in shaped.values()))
    made: dict[str, xr.DataArray] = {}
    for name, values in zip(wanted, results, strict=True):
        result = xr.DataArray(values, dims=[*loop, *KERNEL_REDUCTIONS[name].dims])
        one = result if "output" in ds["targets_train"].dims else result.isel(output=0, missing_dims="ignore")
        named = one.rename(row="i") if "row" in one.dims and of != "kernel_full" else one
        made[f"{of}_{name}"] = named.assign_attrs(_attributes(name, of))
    kept = {dim for result in made.values() for dim in result.dims}
    return xr.Dataset(made, {name: c for name, c in ds.coords.items() if set(c.dims) <= kept}, attrs=ds.attrs)


def _attributes(name: str, of: str) -> dict[str, str]:
    entry = KERNEL_REDUCTIONS[name]
    about = entry.definition if of == "kernel" else f"{entry.definition}; Theta stands for {of}"
    return {"long_name": about, "units": "1", "source": entry.source}


def _parts(ds: xr.Dataset, of: str, read: set[str]) -> dict[str, xr.DataArray]:
    """The parts of a stack, and the number of rows of each run's matrices where they differ, without coordinates."""
    needed = {of: ("i", "j")} | ({"kernel_test_train": ("test", "i")} if "cross" in read else {})
    for variable, dims in needed.items():
        if variable not in ds.data_vars or not set(dims) <= set(ds[variable].dims):
            raise ContractError(
                f"The sweep has recorded no {variable!r} with the dims {', '.join(dims)}; name it as an observable."
            )
    if "cross" in read and of != "kernel":
        raise ContractError(f"Found of={of!r}; a prediction needs of='kernel' and the recorded kernel_test_train.")
    if "start" in read and "record" not in ds[of].dims:
        raise ContractError(
            f"{of} has no dim 'record', so its start is unknown; pass the sweep with all of its records."
        )
    bare = ds.drop_vars(list(ds.coords))
    kernel, targets, outputs = bare[of], bare["targets_train"], 1
    if of == "kernel_full":
        outputs = ds.sizes["output"]
        kernel = kernel.stack(row=("i", "output"), column=("j", "output_other"), create_index=False)
        targets = targets.stack(row=("i", "output"), create_index=False)
    kernel, targets = kernel.rename(_there(kernel, i="row", j="column")), targets.rename(_there(targets, i="row"))
    targets = targets if "output" in targets.dims else targets.expand_dims(output=1)
    parts = {"now": kernel}
    if "n_train" in ds.coords:  # else all matrices are whole: an argument less, and dask reads and reduces in one task
        parts["points"] = ds["n_train"].drop_vars(list(ds["n_train"].coords)) * outputs
    # Where a chunk has all records of its runs, the task that reads it needs no other one for their start.
    is_apart = len(kernel.chunksizes.get("record", ())) > 1
    parts |= {"start": kernel.isel(record=0)} if "start" in read and is_apart else {}
    parts |= {"cross": bare["kernel_test_train"].rename(i="column")} if "cross" in read else {}
    return parts | ({"targets": targets} if "targets" in read else {})


def _there(values: xr.DataArray, **names: str) -> dict[str, str]:
    return {old: new for old, new in names.items() if old in values.dims}


def _shaped(values: xr.DataArray, loop: list[str], core: list[str]) -> xr.DataArray:
    """Values with all loop dims, of size 1 where they lack one, and then the core dims, each in one chunk."""
    split = [dim for dim in core if len(values.chunksizes.get(dim, ())) > 1]  # by the padding beside other sweeps
    whole = values.chunk(dict.fromkeys(split, -1)) if split else values
    return whole.expand_dims([dim for dim in loop if dim not in whole.dims]).transpose(*loop, *core)


def _lazily(
    reduce: Callable[..., tuple[Values, ...]], parts: dict[str, xr.DataArray], loop: list[str], shapes: list[list[int]]
) -> list[da.Array]:
    """The results of each chunk by one task. Dask's own generalised ufuncs copy each chunk before they call."""
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    arguments: list[Any] = []
    for each in parts.values():
        arguments += [each.data, each.dims]
    empty = np.empty((0,) * len(loop))
    together = da.blockwise(
        _of_blocks, tuple(loop), *arguments, reduce=reduce, concatenate=False, dtype=np.float64, meta=empty
    )
    results = []
    for number, shape in enumerate(shapes):
        name, rest = f"{together.name}-{number}", (0,) * len(shape)
        places = itertools.product(*map(range, together.numblocks))
        graph: dict[Any, Any] = {(name, *place, *rest): (getitem, (together.name, *place), number) for place in places}
        layers = HighLevelGraph.from_collections(name, graph, dependencies=[together])
        chunks = (*together.chunks, *((size,) for size in shape))
        results.append(da.Array(layers, name, chunks, meta=np.empty((0,) * len(chunks))))
    return results


def _of_blocks(*blocks: Any, reduce: Callable[..., tuple[Values, ...]]) -> tuple[Values, ...]:
    """Call with the only block of each argument, which stands in a list for each core dim."""
    return reduce(*map(_only, blocks))


def _only(block: Any) -> Values:
    while isinstance(block, list):
        (block,) = block
    return np.asarray(block)


def _reduced(
    *arrays: Values, parts: tuple[str, ...], names: tuple[str, ...], ridge: float, first: int | None
) -> tuple[Values, ...]:
    """All results of one chunk of kernels (..., row, column); first dims of other arrays broadcast with them.

    `first` is the axis of records whose first entry is the start; None where the start is given or not needed.
    """
    given = dict(zip(parts, arrays, strict=True))
    if first is not None:
        given["start"] = given["now"][(*(slice(None),) * first, slice(1))]
    loop = given["now"].shape[:-2]
    sizes = {
        d: n for part, dims in _CORE.items() if part in given for d, n in zip(dims, given[part].shape[-2:], strict=True)
    }
    sizes["mode"] = sizes["row"]
    out = {name: np.full((*loop, *(sizes[dim] for dim in KERNEL_REDUCTIONS[name].dims)), np.nan) for name in names}
    points = np.broadcast_to(given.pop("points", given["now"].shape[-1]), loop)
    looped = {part: np.broadcast_to(values, (*loop, *values.shape[-2:])) for part, values in given.items()}
    rounding = float(np.finfo(given["now"].dtype).eps)
    for n, rows in _slabs(points):
        own = {"row": slice(n), "column": slice(n)}
        stack = {
            part: values[rows][:, *(own.get(dim, slice(None)) for dim in _CORE[part])].astype(np.float64)
            for part, values in looped.items()
        }
        finite = np.isfinite(stack["now"].sum((1, 2)))
        known = rows
        if not finite.all():
            known = tuple(each[finite] for each in rows)
            stack = {part: values[finite] for part, values in stack.items()}
        kernels = Stack(ridge, rounding, **stack)
        for name in names if finite.any() else ():
            with np.errstate(divide="ignore", invalid="ignore"):  # a kernel of 0 has no angle, and no relative change
                made = KERNEL_REDUCTIONS[name].compute(kernels)
            there: tuple[Any, ...] = (*known, *(slice(length) for length in made.shape[1:]))
            out[name][there] = made
    return tuple(out.values())


def _slabs(points: Values) -> Iterator[tuple[int, tuple[Values, ...]]]:
    """Numbers of points, with the indices of some matrices that have them: no more at a time than stay small."""
    for n in (int(each) for each in np.unique(points) if each > 0):
        alike = np.argwhere(points == n)
        length = max(1, _SLAB // n**2)
        for first in range(0, len(alike), length):
            yield n, tuple(alike[first : first + length].T)
