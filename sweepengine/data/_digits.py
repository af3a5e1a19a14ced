"""The handwritten digits that scikit-learn ships (Alpaydin and Kaynak, UCI 1998): 1797 images of 8 × 8 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.streams import Role, permutation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import DigitsData


def digits(spec: DigitsData) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All points of two classes in the order that the spec's seed draws them.

    Returns
    -------
    x : ndarray of float64, shape (points, 64)
        Pixel intensities, whole numbers 0 … 16.
    y : ndarray of float64, shape (points,)
        −1 for the first class, +1 for the second.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(np.isin(labels, spec.classes))
    order = chosen[permutation(spec.seed, Role.DATA_ORDER, len(chosen))]
    return images[order].astype(np.float64), np.where(labels[order] == spec.classes[0], -1.0, 1.0)
