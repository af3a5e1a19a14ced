"""Array types used throughout the package.

Letters of the shapes: N training points, Q query points, d input dimension, k outputs, m width, L hidden layers,
T times, P parameters, S samples.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]
Elementwise = Callable[[Array], Array]


class DualFunction(Protocol):
    """Maps (q1, q2, k), broadcast together, to (E[φ(u)φ(v)], E[φ'(u)φ'(v)])."""

    def __call__(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """Evaluate for (u, v) ~ N(0, [[q1, k], [k, q2]])."""
        ...
