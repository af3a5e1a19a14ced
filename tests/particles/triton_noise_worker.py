"""The noise kernel in Triton's interpreter against NumPy's Philox; run by test_triton.py as a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from sweepengine import particles as pt
from sweepengine.particles import _triton_noise
from sweepengine.streams import TILE_ROWS, Role, gaussian_block, raw_integers, stream_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rectangle = tuple[tuple[int, int], tuple[int, int]]
FAR = (10**9 - 5, 10**9 + 9), (65 * 10**7, 65 * 10**7 + 65)  # a billion particles, step 10⁷ of 65 coordinates
RECTANGLES: list[Rectangle] = [
    ((0, 8), (0, 2)),
    ((5, 6), (1, 8)),  # one odd row: half of a pair
    ((6, 7), (3, 4)),
    ((255, 258), (0, 3)),  # the edge of a tile
    ((1, 300), (4, 5)),  # a tile and more, more than one program
    ((4, 4), (0, 7)),
    ((2, 9), (3, 3)),
    FAR,
]
COUNTS = TILE_ROWS // 4


def drawn(like: torch.Tensor, seed: int, rectangle: Rectangle, layer: int = 0) -> NDArray[np.float64]:
    found = _triton_noise.gaussian_block_like(like, seed, Role.PARTICLE_NOISE, layer, *rectangle)
    assert found.dtype == like.dtype
    return cast("NDArray[np.float64]", found.numpy())


@triton.jit  # type: ignore[untyped-decorator]
def _raw(out, first, column, seed, place, COUNTS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    quad = first.to(tl.int64) + tl.arange(0, BLOCK)
    a, b, c, d = _triton_noise._integers(quad, column.to(tl.int64), seed, place, COUNTS)
    places = out + 4 * tl.arange(0, BLOCK)
    tl.store(places, a)
    tl.store(places + 1, b)
    tl.store(places + 2, c)
    tl.store(places + 3, d)


def integers(seed: int, tile: int, column: int) -> NDArray[np.uint64]:
    """One column of one tile, as the kernel makes it."""
    out = torch.empty(TILE_ROWS, dtype=torch.uint64)
    key = [int(each) for each in stream_key(seed, Role.PARTICLE_NOISE, 3, 0)]
    _raw[(1,)](out, tile * COUNTS, column, *key, COUNTS=COUNTS, BLOCK=COUNTS)
    return cast("NDArray[np.uint64]", out.numpy())


STREAMS = [(0, 0, 0), (1, 5, 3), (7, 2**40 - 1, 11), (2**63 - 1, 1, 2)]


@pytest.mark.parametrize(("seed", "tile", "column"), STREAMS)
def test_integers_are_those_of_numpy(seed: int, tile: int, column: int) -> None:
    exact = raw_integers(seed, Role.PARTICLE_NOISE, 3, tile, (column + 1) * TILE_ROWS)[column * TILE_ROWS :]
    assert np.array_equal(integers(seed, tile, column), exact)


@pytest.mark.parametrize("name", ["_MULTIPLIER_0", "_MULTIPLIER_1", "_WEYL_0", "_WEYL_1"])
def test_a_wrong_constant_is_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Twin: one bit of one constant, and no integer is right."""
    monkeypatch.setattr(_triton_noise, name, tl.constexpr(getattr(_triton_noise, name).value ^ 2))
    assert not (integers(1, 5, 3) == raw_integers(1, Role.PARTICLE_NOISE, 3, 5, 4 * TILE_ROWS)[-TILE_ROWS:]).any()


@pytest.mark.parametrize("rectangle", RECTANGLES)
def test_gaussians_are_those_of_the_host(rectangle: Rectangle) -> None:
    exact = gaussian_block(3, Role.PARTICLE_NOISE, 2, *rectangle)
    found = drawn(torch.empty(0, dtype=torch.float64), 3, rectangle, layer=2)
    np.testing.assert_allclose(found, exact, rtol=1e-15, atol=0)
    rounded = drawn(torch.empty(0, dtype=torch.float32), 3, rectangle, layer=2)
    assert np.array_equal(rounded, found.astype(np.float32))
    if exact.size:
        (first, last), columns = rectangle
        shifted = gaussian_block(3, Role.PARTICLE_NOISE, 2, (first + 1, last + 1), columns)
        assert np.abs(shifted / found - 1).min() > 1e-6  # twin: the next row's


def test_a_transform_of_float32_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twin: 2π to float32's digits."""
    monkeypatch.setattr(_triton_noise, "_TWO_PI", tl.constexpr(float(np.float32(2 * np.pi))))
    exact = gaussian_block(3, Role.PARTICLE_NOISE, 0, *FAR)
    error = np.abs(drawn(torch.empty(0, dtype=torch.float64), 3, FAR) / exact - 1)
    assert np.median(error) > 1e-9


class OnCuda(torch.Tensor):
    """What :class:`Noise` takes for a chunk on a CUDA device."""

    is_cuda = True


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_on_a_device_is_that_of_the_host(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """Of a shard that starts at an odd particle, in chunks."""
    like = torch.empty(7, 3, dtype=dtype)
    chunks = [slice(0, 7), slice(7, 14)]
    host = [pt.Noise(5, first=251).draw(9, chunk, like) for chunk in chunks]
    device = [pt.Noise(5, first=251).draw(9, chunk, like.as_subclass(OnCuda)) for chunk in chunks]
    torch.testing.assert_close(
        torch.cat(device), torch.cat(host), rtol=1e-15 if dtype == torch.float64 else 6e-8, atol=0
    )
    monkeypatch.setattr(_triton_noise, "_WEYL_1", tl.constexpr(1))  # twin: it was the kernel that drew
    assert not torch.equal(pt.Noise(5, first=251).draw(9, chunks[0], like.as_subclass(OnCuda)), host[0])


@pytest.mark.parametrize(
    ("seed", "rows", "columns"),
    [(-1, (0, 1), (0, 1)), (0, (-1, 1), (0, 1)), (0, (2, 1), (0, 1)), (0, (0, 1), (0, 2**57)), (0, (0, 2**48), (0, 0))],
)
def test_out_of_range_is_refused(seed: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"out of its range|found rows"):
        _triton_noise.gaussian_block_like(torch.empty(0), seed, Role.PARTICLE_NOISE, 0, rows, columns)
