"""Dual activations in two steps, so that what belongs to one point is computed once a point and not once a pair."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Dual:
    """(q1, q2, k) → (E[φ(u)φ(v)], E[φ'(u)φ'(v)]) for (u, v) ~ N(0, [[q1, k], [k, q2]]).

    Attributes
    ----------
    of_point : callable
        Variances q (…), float64 → factors (F, …), float64: all that the expectations need of one point.
    of_pair : callable
        (factors of u, factors of v, k) → (E[φφ], E[φ'φ']), in the dtype of k. The factors have that dtype and shapes
        that broadcast to k's, which has at least one dimension. The value is a new array and the slope may be the
        same one.
    """

    of_point: Callable[[Array], Array]
    of_pair: Callable[[Array, Array, Array], tuple[Array, Array]]

    def factors(self, q: Array, dtype: np.dtype[np.floating]) -> Array:
        """Return the factors (F, …) of points with variances q (…), in a dtype."""
        return self.of_point(np.asarray(q, dtype=np.float64)).astype(dtype, copy=False)

    def __call__(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """Return both expectations, in the dtype of k; q1 and q2 broadcast to k's shape, which is not ()."""
        return self.of_pair(self.factors(q1, k.dtype), self.factors(q2, k.dtype), k)
