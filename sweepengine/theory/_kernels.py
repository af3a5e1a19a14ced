"""NNGP and NTK of an infinitely wide fully connected network, whole or in blocks of rows."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._angle_tiles import AngleTiles
from sweepengine.theory._architecture import Architecture, Points, architecture
from sweepengine.theory._checks import as_input_pair, as_inputs, require_count
from sweepengine.theory._errors import ParameterError, ShapeError
from sweepengine.theory._smooth_tiles import SmoothTiles
from sweepengine.theory._types import Array

# Bytes of one work buffer of a tile: five such buffers fit in 1 MiB of second-level cache and leave room for inputs.
_TILE_BYTES = 144 * 1024
# Threads hand the interpreter's lock on between passes, which must therefore take longer than that (measured).
_SHARED_TILE_BYTES = 400 * 1024


@dataclass(frozen=True, slots=True)
class Kernels:
    """NNGP and NTK between two sets of points.

    Attributes
    ----------
    nngp, ntk : arrays (N1, N2), in the dtype of the inputs
        E f(x)f(x') and ⟨∂_θ f(x), ∂_θ f(x')⟩ of one output at γ = 1/2, α = 1 (theory.md §3.1). k outputs: ⊗ I_k, see
        `expand_outputs`.
    error : float
        Estimated absolute error of the least accurate layer's dual activation; 0 for closed forms (which are exact to
        rounding). It is the error of one layer alone, not propagated through the layers above.
    """

    nngp: Array
    ntk: Array
    error: float


class _Tiles(Protocol):
    def products(self, rows: slice, cols: slice, out: Array) -> None: ...

    def __call__(self, rows: slice, cols: slice, products: Array, work: Array) -> tuple[Array, Array]: ...


def _tiles(net: Architecture, first: Points, second: Points) -> _Tiles:
    return SmoothTiles(net, first, second) if net.activation.slopes is None else AngleTiles(net, first, second)


def _tile_bytes(threads: int) -> int:
    return _TILE_BYTES if threads == 1 else _SHARED_TILE_BYTES


def _spans(count: int, side: int) -> list[slice]:
    return [slice(start, min(start + side, count)) for start in range(0, count, side)]


def _fill(tiles: _Tiles, nngp: Array, ntk: Array, *, symmetric: bool, threads: int) -> None:
    """Write both kernels, a tile at a time, on some threads.

    The products are made first and by one thread, because BLAS has threads of its own, which would compete with these.
    """
    side = int(np.sqrt(_tile_bytes(threads) / nngp.dtype.itemsize))
    for rows in _spans(len(nngp), side):
        cols = slice(rows.start if symmetric else 0, nngp.shape[1])
        tiles.products(rows, cols, nngp[rows, cols])
    every = itertools.product(*(_spans(count, side) for count in nngp.shape))
    places = [(rows, cols) for rows, cols in every if not (symmetric and rows.start > cols.start)]

    def fill(share: Sequence[tuple[slice, slice]]) -> None:
        work = np.empty(5 * side * side, nngp.dtype)
        for rows, cols in share:
            for full, tile in zip((nngp, ntk), tiles(rows, cols, nngp[rows, cols], work), strict=True):
                if symmetric and rows == cols:
                    # A product or a dual may round a pair and its mirror image otherwise.
                    np.copyto(tile, tile.T, where=np.tri(len(tile), k=-1, dtype=bool))
                full[rows, cols] = tile
                if symmetric and rows != cols:
                    full[cols, rows] = tile.T

    if threads == 1:
        fill(places)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, (places[first::threads] for first in range(threads))))


def kernels(
    x1: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    depth: int,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
    output_bias: bool = False,
    threads: int = 1,
) -> Kernels:
    """Return NNGP and NTK of a fully connected network of infinite width (theory.md §3.1).

        K¹ = σ_w² x·x'/d + σ_b²,   K^{l+1} = σ_w² E[φ(u)φ(v)] + σ_b²,   Θ¹ = K¹,
        Θ^{l+1} = K^{l+1} + σ_w² E[φ'(u)φ'(v)] ⊙ Θ^l,   (u, v) ~ N(0, K^l on x, x').

    The read-out has σ_a in place of σ_w, and σ_b² only if it has a bias. Every parameter is trained.

    Parameters
    ----------
    x1 : array (N1, d), float32 or float64
    x2 : array (N2, d), optional
        x1 by default; then only the upper triangle is computed and the result is exactly symmetric.
    depth : int
        Number L ≥ 1 of hidden layers.
    activation : str, (str, parameter) or Activation
        See `activation`.
    sigma_w, sigma_b : float
        Standard deviations of hidden weights and of biases.
    sigma_a : float, optional
        Standard deviation of the read-out weights; sigma_w by default.
    output_bias : bool
        Whether the read-out has a (trained) bias.
    threads : int
        Python threads that share the tiles; NumPy releases the interpreter's lock in its passes. Last digits may depend
        on it.

    Returns
    -------
    Kernels
        `nngp`, `ntk` (N1, N2) in the dtype of the inputs, and the `error` of quadrature. Peak memory: `kernel_bytes`.

    Raises
    ------
    ShapeError, NonFiniteError, ParameterError, UnknownActivationError
    """
    net = architecture(
        depth=depth,
        activation_spec=activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        sigma_a=sigma_a,
        output_bias=output_bias,
    )
    count = require_count(threads, "threads")
    symmetric = x2 is None
    first = as_inputs(x1, "x1")
    first, second = (first, first) if x2 is None else as_input_pair(first, x2)
    rows = net.points(first)
    columns = rows if symmetric else net.points(second)
    nngp = np.empty((first.shape[0], second.shape[0]), first.dtype)
    ntk = np.empty_like(nngp)
    _fill(_tiles(net, rows, columns), nngp, ntk, symmetric=symmetric, threads=count)
    error = max(net.dual_error(rows), 0.0 if symmetric else net.dual_error(columns))
    return Kernels(nngp, ntk, error)


def kernel_blocks(
    x1: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    rows: int,
    depth: int,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
    output_bias: bool = False,
    threads: int = 1,
) -> Iterator[tuple[slice, Kernels]]:
    """Yield (row slice, Kernels of these rows), for kernels that do not fit in memory.

    The values are those of `kernels`, to rounding.

    Parameters
    ----------
    rows : int
        Rows of a block; one block needs `kernel_bytes(rows, N2, dtype, d, threads)` bytes.
    x1, x2, depth, activation, sigma_w, sigma_b, sigma_a, output_bias, threads
        As in `kernels`.
    """
    first, second = as_input_pair(x1, x1 if x2 is None else x2)
    for span in _spans(first.shape[0], require_count(rows, "rows")):
        yield (
            span,
            kernels(
                first[span],
                second,
                depth=depth,
                activation=activation,
                sigma_w=sigma_w,
                sigma_b=sigma_b,
                sigma_a=sigma_a,
                output_bias=output_bias,
                threads=threads,
            ),
        )


def kernel_bytes(n1: int, n2: int, dtype: npt.DTypeLike, features: int, threads: int = 1) -> int:
    """Return the peak memory of `kernels` in bytes: both results, copies of the inputs, and the tiles.

    An activation by quadrature needs its coefficients too, 2 · terms numbers for each point and layer (half of them for
    an odd or even φ), in float64 and in the dtype. Inputs that are almost all parallel need index lists of one tile
    more.

    Parameters
    ----------
    n1, n2 : int
        Numbers of points.
    dtype : {float32, float64}
    features : int
        Dimension d of the inputs.
    threads : int
        As in `kernels`.

    Raises
    ------
    ParameterError
        If the dtype is another one.
    """
    item = np.dtype(dtype).itemsize
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ParameterError(f"dtype {dtype}; expected float32 or float64")
    points = (n1 + n2) * (features + 1) * (8 + item)
    return 2 * n1 * n2 * item + 2 * points + 64 * threads * _tile_bytes(threads)


def expand_outputs(kernel: Array, outputs: int) -> Array:
    """Return kernel ⊗ I_k, shape (N1·k, N2·k), index i·k + o (theory.md §2.4: the limit over k outputs)."""
    return np.kron(kernel, np.eye(require_count(outputs, "outputs"), dtype=kernel.dtype))


def flatten_outputs(kernel: Array) -> Array:
    """Return a full kernel Θ[i, j, o, p], shape (N1, N2, k, k), as the matrix (N1·k, N2·k) with index i·k + o."""
    if kernel.ndim != 4 or kernel.shape[2] != kernel.shape[3]:
        raise ShapeError(f"kernel has shape {kernel.shape}; expected (N1, N2, k, k)")
    n1, n2, k, _ = kernel.shape
    return np.ascontiguousarray(kernel.transpose(0, 2, 1, 3)).reshape(n1 * k, n2 * k)
