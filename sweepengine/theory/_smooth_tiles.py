"""Tiles of NNGP and NTK by the plain covariance recursion, for activations without a kink."""

import numpy as np

from sweepengine.theory._architecture import Architecture
from sweepengine.theory._types import Array


class SmoothTiles:
    """Computes tiles (rows, cols) of the kernels between x1 and x2; called like `AngleTiles`.

    Parameters
    ----------
    net : Architecture
    x1, x2 : arrays (N1, d), (N2, d), one dtype
    """

    def __init__(self, net: Architecture, x1: Array, x2: Array) -> None:
        self._net = net
        dtype = x1.dtype
        scale = net.sigma_w / np.sqrt(x1.shape[1])
        self._left = np.multiply(x1, scale, dtype=dtype)
        self._right = self._left.T if x2 is x1 else np.multiply(x2, scale, dtype=dtype).T
        first = net.variances(x1)
        second = first if x2 is x1 else net.variances(x2)
        self._q1 = [q.astype(dtype)[:, None] for q in first]
        self._q2 = [q.astype(dtype) for q in second]
        diagonals = [net.diagonals(x) for x in ((x1,) if x2 is x1 else (x1, x2))]  # raises on overflow
        self._diagonals = diagonals[0] if x2 is x1 else None

    def __call__(self, rows: slice, cols: slice) -> tuple[Array, Array]:
        """Return (nngp, ntk) of the tile."""
        k = self._left[rows] @ self._right[:, cols]
        k += self._net.sigma_b**2
        ntk = k
        for (weight, bias), q1, q2 in zip(self._net.affine, self._q1[:-1], self._q2[:-1], strict=True):
            value, slope = self._net.activation.dual(q1[rows], q2[cols], k)
            k = weight * value
            k += bias
            ntk = k + weight * slope * ntk
        if self._diagonals is not None and rows == cols:
            for tile, exact in zip((k, ntk), self._diagonals, strict=True):
                np.fill_diagonal(tile, exact[rows])
        return k, ntk
