"""Wasserstein-2 distances between clouds: exact, by sorting, or sliced; which one it was is returned (S4 §4.3)."""

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
"""What a distance may allocate unless told otherwise."""

_TOGETHER = 8
"""Directions along which shards tell each other their particles' places at a time: m numbers each, against m·p of the clouds."""


@dataclass(frozen=True)
class Distance:
    """A Wasserstein-2 distance and where it comes from.

    Attributes
    ----------
    value : float
        W₂; for "sliced" the root mean square over unit directions of W₂ between the projections (Rabin et al. 2011), at
        most W₂: |v|/√p for a translation by v.
    method : {"exact", "sorted", "sliced"}
        Assignment, sorting on the line, or random directions.
    standard_error : float
        Of ``value`` over the random directions; 0 for the other methods.
    matching : ndarray of intp, shape (n,), or None
        The optimal map sends particle k of the first cloud to particle matching[k] of the second.
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
    """W₂ between two clouds of particles of equal weight.

    Parameters
    ----------
    first, second : Tensor, shapes (n, p) and (k, p)
        "exact" takes n = k only.
    method : {"auto", "exact", "sorted", "sliced"}
        "auto" is "sorted" for p = 1, "exact" for n = k up to :data:`sweepengine.transport.EXACT_COUNT` that fits the memory, else "sliced".
    directions : int
        Random directions of "sliced".
    seed : int
        Of the directions.
    memory_bytes : int
        The most that may be allocated.
    shards : tuple of Partition or None
        Of "sliced" only: how each cloud is divided over the shards of a run, where this is one shard's part of it.

    Returns
    -------
    Distance

    Raises
    ------
    ParameterError
        For a method that does not go with what is given.
    ShapeError
        For clouds in different spaces, or of different size where one-to-one maps are asked for.
    MemoryNeedError
        Before anything is allocated.
    """
    divided = [None if each is None or each.reduce is None else each for each in shards]
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
        here, there = (_places(*each, axes, first.device) for each in ((x, divided[0]), (y, divided[1])))
        return _sliced(here, there, directions)
    raise ParameterError(f"found method {method!r}; known are auto, exact, sorted, sliced")


def line_distance(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_weights: NDArray[np.float64] | None = None,
    y_weights: NDArray[np.float64] | None = None,
) -> float:
    """W₂ on the line of measures of any size and weights, by matching quantiles.

    Parameters
    ----------
    x, y : ndarray, shapes (n,) and (k,)
    x_weights, y_weights : ndarray or None
        Non-negative; scaled to sum 1; None: equal.

    Returns
    -------
    float
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
            f"exact W₂ of {len(x)} particles needs {need / 2**20:.0f} MiB for its costs and {memory_bytes / 2**20:.0f} are "
            "allowed; use method='sliced', subsample, or raise memory_bytes"
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
    """Where all shards' particles lie along each axis, one axis after the other."""
    if partition is None:
        for axis in axes:  # one at a time: two projected clouds are all the memory
            yield cloud @ axis
        return
    for low in range(0, len(axes), _TOGETHER):
        # One product for each axis, as alone: the digits of a place do not depend on how many are told together.
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
