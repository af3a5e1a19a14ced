"""Gaussians of :mod:`sweepengine.streams`, drawn on the device of the particles by a Triton kernel.

The integers are those of NumPy's Philox4x64-10, bit for bit (Salmon et al. 2011). Their Box–Muller
transform is computed in float64 on every device, even where float64 is slow, so that the noise of a particle depends on
the device only in the last digits of log, cos and sin. This module is imported only when particles lie on a CUDA
device, because Triton is no requirement. With TRITON_INTERPRET=1 in the environment before this import the kernel runs
on a CPU.
"""

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sweepengine.streams import TILE_ROWS, Role, stream_key

_MULTIPLIER_0 = tl.constexpr(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = tl.constexpr(0xCA5A826395121157)
_WEYL_0 = tl.constexpr(0x9E3779B97F4A7C15)
_WEYL_1 = tl.constexpr(0xBB67AE8584CAA73B)
_TWO_PI = tl.constexpr(2.0 * math.pi)
_SPACING = tl.constexpr(2.0**-53)
_BLOCK = 256
"""Counters of one program; each counter gives four numbers."""
_MOST_COLUMNS = 2**56
"""Largest number of columns for which a counter fits 64 bits: enough for 7·10⁷ steps of a billion coordinates."""


@triton.jit
def _philox(c0, k0, k1):
    """The four integers of the counter (c0, 0, 0, 0) under the key (k0, k1); all uint64."""
    c1 = c0 ^ c0
    c2, c3 = c1, c1
    for _round in tl.static_range(10):
        high0, low0 = tl.umulhi(c0, _MULTIPLIER_0), c0 * _MULTIPLIER_0
        high1, low1 = tl.umulhi(c2, _MULTIPLIER_1), c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _WEYL_0, k1 + _WEYL_1
    return c0, c1, c2, c3


@triton.jit
def _integers(quad, column, seed, place, COUNTS: tl.constexpr):
    """Integers of the four rows from 4 quad on, in one column; 1 is added because NumPy counts before it draws."""
    c0 = (column * COUNTS + quad % COUNTS + 1).to(tl.uint64)
    k1 = (place + quad // COUNTS).to(tl.uint64)
    return _philox(c0, (quad * 0 + seed).to(tl.uint64), k1)


@triton.jit
def _uniform(integer):
    return ((integer >> 11).to(tl.float64) + 0.5) * _SPACING


@triton.jit
def _box_muller(first, second):
    radius = tl.sqrt(-2.0 * tl.log(_uniform(first)))
    angle = _TWO_PI * _uniform(second)
    return radius * tl.cos(angle), radius * tl.sin(angle)


@triton.jit(do_not_specialize=["row", "end", "left", "width", "seed", "place"])
def _gaussians(
    out,
    row,
    end,
    left,
    width,
    seed,
    place,
    COUNTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    start = tl.program_id(0).to(tl.int64) * BLOCK
    item = (start % width).to(tl.int32) + tl.arange(
        0, BLOCK
    )  # a 32-bit division: a 64-bit one takes longer than a round
    quad = row // 4 + start // width + item // width
    column = item % width
    a, b, c, d = _integers(quad, left.to(tl.int64) + column, seed, place, COUNTS)
    even, odd = _box_muller(a, b)
    _store(out, 4 * quad, column, even, row, end, width)
    _store(out, 4 * quad + 1, column, odd, row, end, width)
    even, odd = _box_muller(c, d)
    _store(out, 4 * quad + 2, column, even, row, end, width)
    _store(out, 4 * quad + 3, column, odd, row, end, width)


@triton.jit
def _store(out, at, column, values, row, end, width):
    places = out + (at - row) * width + column
    tl.store(places, values.to(out.dtype.element_ty), mask=(at >= row) & (at < end))


def gaussian_block_like(
    like: Tensor, seed: int, role: Role, layer: int, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """:func:`sweepengine.streams.gaussian_block` on the device of a tensor, rounded to its dtype.

    Parameters
    ----------
    like : Tensor
        A float64 or float32 tensor on a CUDA device.
    seed, layer : int
    role : Role
    rows, columns : (int, int)
        The first, and one past the last.

    Returns
    -------
    Tensor, shape (rows[1] − rows[0], columns[1] − columns[0])
        The Gaussians of the host, to a relative 10⁻¹⁵ before the rounding: CUDA's log is exact to 1 unit in the last
        place, its cos and sin to 2 (CUDA C++ Programming Guide, mathematical functions), its root is rounded correctly.

    Raises
    ------
    ValueError
        The rows, the columns or the key are out of range.
    """
    (row, end), (left, right) = rows, columns
    if not (0 <= row <= end and 0 <= left <= right <= _MOST_COLUMNS):
        raise ValueError(f"found rows {rows} and columns {columns}; each is (first, one past the last), from 0 on")
    stream_key(seed, role, layer, end // TILE_ROWS)  # raises for numbers out of range
    key = [int(word) for word in stream_key(seed, role, layer, 0)]
    width = right - left
    block = torch.empty((end - row, width), dtype=like.dtype, device=like.device)
    counts = (-(-end // 4) - row // 4) * width
    with torch.cuda.device_of(block):  # Triton launches on the thread's current device
        _gaussians[(triton.cdiv(counts, _BLOCK),)](block, row, end, left, width, *key, **OPTIONS)
    return block


OPTIONS: dict[str, Any] = {"COUNTS": TILE_ROWS // 4, "BLOCK": _BLOCK, "num_warps": 4, "enable_fp_fusion": False}
