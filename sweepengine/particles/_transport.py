"""Wasserstein-2 distances between clouds (theory.md §5.5): exact, by sorting, or sliced; the result says which."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from sweepengine.particles._errors import MemoryNeedError, ParameterError, ShapeError
from sweepengine.streams import Role, gaussian_block
from sweepengine.transport import EXACT_COUNT, assignment, exact_bytes, line_square, quantile_square, root_mean_square

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles._partition import Partition

    Method = Literal["auto", "exact", "sorted", "sliced"]

MEMORY_BYTES = 2**29
"""Bytes that a distance may allocate by default."""

_TOGETHER = 8
"""Number of directions for which shards exchange projections at once: m numbers a direction, while a cloud has m·p."""


@dataclass(frozen=True)
class Distance:
    """A Wasserstein-2 distance and the method that gave it.

    Attributes
    ----------
    value : float
        W₂; for "sliced" the root mean square over unit directions of W₂ between the projections (Rabin et al. 2011),
        which is at most W₂: for a translation by v it is |v|/√p.
    method : {"exact", "sorted", "sliced"}
        Assignment, sorting on the line, or random directions.
    standard_error : float
        Standard error of ``value`` over the random directions; 0 for the other methods.
    matching : ndarray of intp, shape (n,), or None
        The optimal map sends particle k of the first cloud to particle matching[k] of the second. None where the method
        finds no map: "sliced", or "sorted" with clouds of different sizes.
    """

    value: float
    method: Literal["exact", "sorted", "sliced"]
    standard_error: float = 0.0
    matching: NDArray[np.intp] | None = None


def wasserstein(
    first: Tensor,
    second: Tensor,
    *,
    method: Method = "auto",
    directions: int = 200,
    seed: int = 0,
    memory_bytes: int = MEMORY_BYTES,
    shards: tuple[Partition | None, Partition | None] = (None, None),
) -> Distance:
    """W₂ between two clouds, in each of which all particles have the same weight.

    Parameters
    ----------
    first, second : Tensor, shapes (n, p) and (k, p)
        The clouds; "exact" needs n = k.
    method : {"auto", "exact", "sorted", "sliced"}
        "auto" is "sorted" for p = 1; "exact" for n = k up to :data:`sweepengine.transport.EXACT_COUNT` if the costs fit
        the memory; else "sliced".
    directions : int
        Number of random directions of "sliced".
    seed : int
        Seed of the directions.
    memory_bytes : int
        Bytes that may be allocated.
    shards : tuple of Partition or None
        For "sliced" only: the partition of each cloud of which this process holds one shard; None for a whole cloud.

    Returns
    -------
    Distance

    Raises
    ------
    ParameterError
        The method is unknown, cannot be used on shards, or has too few directions.
    ShapeError
        The clouds lie in different spaces, contain NaN or infinity, or differ in size for "exact".
    MemoryNeedError
        "exact" needs more than ``memory_bytes``; nothing has been allocated.
    """
    divided = [None if shard is None or shard.reduce is None else shard for shard in shards]
    if any(divided) and method != "sliced":
        raise ParameterError(f"found method {method!r} for clouds on shards; use 'sliced', or gather them first")
    x, y = (_array(cloud, partition) for cloud, partition in zip((first, second), divided, strict=True))
    if x.shape[1] != y.shape[1]:
        raise ShapeError(
            f"found clouds in {x.shape[1]} and {y.shape[1]} dimensions; W₂ needs one space: project them first"
        )
    equal = len(x) == len(y)
    if method == "auto":
        small = equal and len(x) <= EXACT_COUNT and exact_bytes(len(x)) <= memory_bytes
        method = "sorted" if x.shape[1] == 1 else "exact" if small else "sliced"
    if method == "sorted":
        return _sorted(x, y)
    if method == "exact":
        return _exact(x, y, memory_bytes)
    if method == "sliced":
        axes = _directions(directions, x.shape[1], seed)
        pairs = zip((x, y), divided, strict=True)
        places, other_places = (_places(cloud, shard, axes, first.device) for cloud, shard in pairs)
        return _sliced(places, other_places, directions)
    raise ParameterError(f"found method {method!r}; known are auto, exact, sorted, sliced")


def line_distance(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_weights: NDArray[np.float64] | None = None,
    y_weights: NDArray[np.float64] | None = None,
) -> float:
    """W₂ between measures on the line, of any numbers of points and any weights, by matching quantiles.

    Parameters
    ----------
    x, y : ndarray, shapes (n,) and (k,)
        Points.
    x_weights, y_weights : ndarray or None, shapes (n,) and (k,)
        Non-negative weights, which are scaled to sum 1; None: equal weights.

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        The weights do not fit the points, one is negative, or all are 0.
    """
    (x, x_levels), (y, y_levels) = _quantiles(x, x_weights), _quantiles(y, y_weights)
    return math.sqrt(quantile_square(x, x_levels, y, y_levels))


def _quantiles(
    x: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(x, kind="stable")
    if weights is None:
        return x[order], np.arange(1, len(x) + 1) / len(x)
    if weights.shape != x.shape or weights.min() < 0 or not weights.sum() > 0:
        raise ShapeError(f"found weights of shape {weights.shape} for {x.shape}; one weight ≥ 0 a point, not all 0")
    levels = np.cumsum(weights[order])
    return x[order], levels / levels[-1]


def _sorted(x: NDArray[np.float64], y: NDArray[np.float64]) -> Distance:
    if x.shape[1] != 1:
        raise ShapeError(f"found p = {x.shape[1]}; sorting is optimal on the line only: use 'exact' or 'sliced'")
    if len(x) != len(y):
        return Distance(line_distance(x[:, 0], y[:, 0]), "sorted")
    here, there = np.argsort(x[:, 0], kind="stable"), np.argsort(y[:, 0], kind="stable")
    matching = np.empty_like(here)
    matching[here] = there
    return Distance(math.sqrt(float(np.square(x - y[matching]).mean())), "sorted", matching=matching)


def _exact(x: NDArray[np.float64], y: NDArray[np.float64], memory_bytes: int) -> Distance:
    if len(x) != len(y):
        raise ShapeError(
            f"found clouds of {len(x)} and {len(y)}; an exact map is one to one: use 'sliced' or subsample"
        )
    need = exact_bytes(len(x))
    if need > memory_bytes:
        raise MemoryNeedError(
            f"exact W₂ of {len(x)} particles needs {need / 2**20:.0f} MiB for its costs and {memory_bytes / 2**20:.0f} "
            "are allowed; use method='sliced', subsample, or raise memory_bytes"
        )
    value, matching = assignment(x, y)
    return Distance(value, "exact", matching=matching)


def _directions(count: int, coordinates: int, seed: int) -> NDArray[np.float64]:
    """Random unit vectors, shape (count, p)."""
    if count < 2:
        raise ParameterError(f"found {count} directions; a standard error needs at least 2")
    axes = gaussian_block(seed, Role.DIRECTION, 0, (0, count), (0, coordinates))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return axes


def _places(
    cloud: NDArray[np.float64], partition: Partition | None, axes: NDArray[np.float64], device: torch.device
) -> Iterator[NDArray[np.float64]]:
    """Projections of the particles of all shards on each axis, one axis after the other."""
    if partition is None:
        for axis in axes:  # one at a time, so that only two projected clouds are in memory
            yield cloud @ axis
        return
    for low in range(0, len(axes), _TOGETHER):
        # One product for each axis: the digits of a projection do not depend on how many are exchanged at once.
        mine = np.stack([cloud @ axis for axis in axes[low : low + _TOGETHER]], axis=1)
        yield from partition.everyone(torch.from_numpy(mine).to(device)).T.contiguous().cpu().numpy()


def _sliced(first: Iterator[NDArray[np.float64]], second: Iterator[NDArray[np.float64]], directions: int) -> Distance:
    squares = np.empty(directions)
    for number, (here, there) in enumerate(zip(first, second, strict=True)):
        here.sort()
        there.sort()
        squares[number] = line_square(here, there)
    value, error = root_mean_square(squares)
    return Distance(float(value), "sliced", standard_error=float(error))


def _array(cloud: Tensor, partition: Partition | None = None) -> NDArray[np.float64]:
    if cloud.dim() != 2 or not len(cloud):
        raise ShapeError(f"found a cloud of shape {tuple(cloud.shape)}; expected (n, p) with n ≥ 1")
    array = cloud.detach().cpu().to(torch.float64).numpy()
    wrong = cloud.new_tensor([not np.isfinite(array).all()], dtype=torch.float64)
    if partition is not None and partition.reduce is not None:
        wrong = partition.reduce(wrong)  # all shards raise, or none
    if wrong > 0:
        raise ShapeError("found NaN or infinity in a cloud; W₂ is between finite points: look at Flow.status first")
    return array
