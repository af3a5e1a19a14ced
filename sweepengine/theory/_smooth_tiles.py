"""Tiles of NNGP and NTK by the plain covariance recursion, for activations without a kink."""

import numpy as np

from sweepengine.theory._architecture import Architecture, Points
from sweepengine.theory._types import Array


class SmoothTiles:
    """Computes tiles (rows, cols) of the kernels between two sets of points; called like `AngleTiles`.

    Parameters
    ----------
    net : Architecture
    first, second : Points
        N1 and N2 points of one dtype.
    """

    def __init__(self, net: Architecture, first: Points, second: Points) -> None:
        self._net = net
        dtype = first.x.dtype
        self._x = first.x, second.x.T
        columns = [factors.astype(dtype, copy=False) for factors in second.factors]
        rows = columns if second is first else [factors.astype(dtype, copy=False) for factors in first.factors]
        self._layers = tuple(zip(net.affine, rows, columns, strict=True))
        self._diagonals = (first.variances[-1], first.ntk) if second is first else None

    def products(self, rows: slice, cols: slice, out: Array) -> None:
        """Write the products of the points, from which a tile starts, to `out` (rows, cols): x·x'."""
        left, right = self._x
        np.matmul(left[rows], right[:, cols], out=out)

    def __call__(self, rows: slice, cols: slice, products: Array, work: Array) -> tuple[Array, Array]:
        """Return (nngp, ntk) of the tile: views of `work`, of which 2 · rows · cols numbers are overwritten."""
        shape = products.shape
        k, ntk = work[: 2 * shape[0] * shape[1]].reshape(2, *shape)
        k[...] = products
        self._net.first_layer(k, self._x[0].shape[1])
        exact = self._diagonals if rows == cols else None
        if exact is not None:
            np.fill_diagonal(k, 0)  # any harmless covariance: these entries are overwritten at the end
        ntk[...] = k
        for (weight, bias), first, second in self._layers:
            value, slope = self._net.activation.dual.of_pair(first[:, rows, None], second[:, cols], k)
            ntk *= slope
            ntk *= weight
            np.multiply(value, weight, out=k)
            if bias > 0:
                k += bias
            ntk += k
        if exact is not None:
            for tile, diagonal in zip((k, ntk), exact, strict=True):
                np.fill_diagonal(tile, diagonal[rows])
        return k, ntk
