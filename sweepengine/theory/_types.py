"""Array types used throughout the package.

Letters of the shapes: N training points, Q query points, d input dimension, k outputs, m width, L hidden layers,
T times, P parameters, S samples.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]
Elementwise = Callable[[Array], Array]
Parity = Literal["odd", "even", "none"]
