"""Random numbers that depend on the seed alone, nested across widths.

Entry (i, j) of a matrix belongs to the Philox4x64 stream whose key holds the seed and (role, layer, tile of rows), at
a position fixed by the column and the row within the tile. So the first rows and the first columns of a matrix are the
same whatever its size, and no number depends on a pack, a worker, an order or a precision. Integers become Gaussians
by Box and Muller's transform here, because NumPy promises the integers for ever but not its distributions.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE_ROWS = 256
"""Rows of one stream; even, because Box and Muller's transform makes numbers in pairs of rows."""

_TILE_BITS = 40
_LAYER_BITS = 16


class Role(IntEnum):
    """What a stream is for. The role is part of the stream's key, so tests pin the numbers of the roles."""

    WEIGHT = 1
    BIAS = 2
    READOUT = 3
    OUTPUT_BIAS = 4
    DATA_ORDER = 5
    PARTICLE = 6
    PARTICLE_NOISE = 7
    DIRECTION = 8
    MINIBATCH = 9
    MODULE = 10
    DATA_POINT = 16
    DATA_NOISE = 17
    DATA_LABEL = 18
    TEACHER = 19


def raw_integers(seed: int, role: Role, layer: int, tile: int, count: int) -> NDArray[np.uint64]:
    """The first ``count`` 64-bit integers of one stream.

    Parameters
    ----------
    seed : int
        0 … 2⁶³ − 1.
    role : Role
    layer : int
        0 … 2¹⁶ − 1.
    tile : int
        0 … 2⁴⁰ − 1.
    count : int

    Returns
    -------
    ndarray of uint64, shape (count,)
    """
    return np.random.Philox(key=stream_key(seed, role, layer, tile)).random_raw(count)


def stream_key(seed: int, role: Role, layer: int, tile: int) -> NDArray[np.uint64]:
    """The Philox key of one stream: (seed, place), where place grows by 1 from tile to tile.

    Code that draws the integers elsewhere, such as a kernel on a GPU, starts from it.

    Returns
    -------
    ndarray of uint64, shape (2,)

    Raises
    ------
    ValueError
        The seed, the layer or the tile is out of its range.
    """
    if not (0 <= seed < 2**63 and 0 <= layer < 2**_LAYER_BITS and 0 <= tile < 2**_TILE_BITS):
        raise ValueError(f"no stream for seed {seed}, layer {layer}, tile {tile}: one of them is out of its range")
    place = (int(role) << (_LAYER_BITS + _TILE_BITS)) | (layer << _TILE_BITS) | tile
    return np.array([seed, place], dtype=np.uint64)


def _raw_columns(seed: int, role: Role, layer: int, tile: int, first: int, columns: int) -> NDArray[np.uint64]:
    """Some columns of one tile's stream, from column ``first`` on, shape (columns, TILE_ROWS)."""
    # One count of Philox4x64 makes four integers.
    philox = np.random.Philox(key=stream_key(seed, role, layer, tile), counter=first * (TILE_ROWS // 4))
    return philox.random_raw(columns * TILE_ROWS).reshape(columns, TILE_ROWS)


def gaussians_from_integers(integers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Box and Muller's transform of neighbouring pairs of integers (Ann. Math. Stat. 29, 610, 1958).

    Parameters
    ----------
    integers : ndarray of uint64, shape (..., 2n)

    Returns
    -------
    ndarray of float64, shape (..., 2n)
        Independent standard Gaussians, each within ±8.6.
    """
    uniform = ((integers >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # in (0, 1), never 0 or 1
    radius = np.sqrt(-2.0 * np.log(uniform[..., 0::2]))
    angle = 2.0 * np.pi * uniform[..., 1::2]
    gaussians = np.empty(integers.shape)
    gaussians[..., 0::2] = radius * np.cos(angle)
    gaussians[..., 1::2] = radius * np.sin(angle)
    return gaussians


def gaussian_matrix(seed: int, role: Role, layer: int, rows: int, columns: int) -> NDArray[np.float64]:
    """A matrix of independent standard Gaussians, nested in both dimensions.

    Parameters
    ----------
    seed, layer : int
    role : Role
    rows, columns : int

    Returns
    -------
    ndarray of float64, shape (rows, columns)
        ``gaussian_matrix(s, r, l, a, b)`` is the upper left corner of every larger one.
    """
    matrix = np.empty((rows, columns))
    for tile, first in enumerate(range(0, rows, TILE_ROWS)):
        integers = raw_integers(seed, role, layer, tile, columns * TILE_ROWS).reshape(columns, TILE_ROWS)
        held = min(TILE_ROWS, rows - first)
        pairs = held + held % 2
        matrix[first : first + held] = gaussians_from_integers(integers[:, :pairs])[:, :held].T
    return matrix


def gaussian_block(
    seed: int, role: Role, layer: int, rows: tuple[int, int], columns: tuple[int, int]
) -> NDArray[np.float64]:
    """Any rectangle of the infinite matrix whose corner :func:`gaussian_matrix` draws, at the cost of its own size.

    Philox is a function of a counter, so a stream can be entered at any column. A shard or a chunk draws for its own
    rows, and for the columns of one step, the same numbers as the whole would.

    Parameters
    ----------
    seed, layer : int
    role : Role
    rows, columns : (int, int)
        First index, and one past the last.

    Returns
    -------
    ndarray of float64, shape (rows[1] − rows[0], columns[1] − columns[0])
    """
    (first, last), (left, right) = rows, columns
    if not (0 <= first <= last and 0 <= left <= right):
        raise ValueError(f"found rows {rows} and columns {columns}; each is (first, one past the last), from 0 on")
    block = np.empty((last - first, right - left))
    for tile in range(first // TILE_ROWS, -(-last // TILE_ROWS)):
        integers = _raw_columns(seed, role, layer, tile, left, right - left)
        low, high = max(first - tile * TILE_ROWS, 0), min(last - tile * TILE_ROWS, TILE_ROWS)
        even = low - low % 2  # Box and Muller's pairs start at even rows
        pairs = integers[:, even : high + high % 2]
        place = tile * TILE_ROWS + low - first
        block[place : place + high - low] = gaussians_from_integers(pairs)[:, low - even : high - even].T
    return block


def permutation(seed: int, role: Role, count: int, index: int = 0) -> NDArray[np.intp]:
    """A random permutation of 0 … count − 1: the order that sorts ``count`` random integers.

    Every ``index`` gives another, independent permutation.

    Returns
    -------
    ndarray of intp, shape (count,)
    """
    return np.argsort(raw_integers(seed, role, 0, index, count), kind="stable")


def choices(seed: int, role: Role, count: int, bound: int, index: int = 0) -> NDArray[np.intp]:
    """Draw ``count`` independent uniform integers from 0 … bound − 1; every ``index`` gives an independent draw.

    Returns
    -------
    ndarray of intp, shape (count,)
        Uniform to bound/2⁵³.
    """
    uniform = (raw_integers(seed, role, 0, index, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (uniform * bound).astype(np.intp)
