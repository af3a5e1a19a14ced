"""Targets: how labels become numbers, and which targets a cost can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import SpecError
from sweepengine.streams import Role, raw_integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset


def targets_of(labels: NDArray[np.integer], classes: int, kind: str | None) -> NDArray[np.float64]:
    """Targets of the labels 0 … classes − 1.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    classes : int
        Number of classes.
    kind : str or None
        ``signs``, ``one_hot``, or None: signs for two classes and one_hot for more. One-hot columns hold 0 and 1 and
        are not centred: under the squared error a constant added to every column would be part of what is learned.

    Returns
    -------
    ndarray of float64
        For signs and two classes shape (N,), −1 for the first class and +1 for the second; for signs and more classes
        shape (N, classes) of ±1; for one_hot shape (N, classes) of 0 and 1.
    """
    one_hot: NDArray[np.float64] = np.eye(classes)[labels]
    if (kind or ("signs" if classes == 2 else "one_hot")) == "one_hot":
        return one_hot
    signs: NDArray[np.float64] = 2.0 * one_hot - 1.0
    return signs[:, 1].copy() if classes == 2 else signs


def random_labels(seed: int, count: int, classes: int) -> NDArray[np.intp]:
    """``count`` labels drawn uniformly, shape (count,); with the same seed, more labels begin with the fewer."""
    return (raw_integers(seed, Role.DATA_LABEL, 0, 0, count) % np.uint64(classes)).astype(np.intp)


def check_cost(data: Dataset, loss: str, field: str = "training.loss") -> None:
    """Refuse targets that a cost is not defined for.

    Parameters
    ----------
    data : Dataset
    loss : str
        Name of the cost. ``logistic`` needs targets ±1; ``cross_entropy`` needs two or more columns of probabilities.
    field : str
        Path of the cost in the spec, for the message.

    Raises
    ------
    SpecError
        A target is not one that the cost needs.
    """
    both = np.concatenate([data.y_train, data.y_test])
    if loss == "logistic" and not np.all(np.abs(both) == 1):
        wrong = both[np.abs(both) != 1][0]
        raise SpecError(
            f"{field}: logistic needs targets −1 and +1, found {wrong:g} among those of {data.description}; "
            "classes have them with data.targets: signs, drawn points with data.teacher: sign and no noise; or take "
            "another loss"
        )
    if loss == "cross_entropy":
        if data.outputs < 2:
            raise SpecError(
                f"{field}: cross_entropy needs an output for each class, found one target a point in "
                f"{data.description}; classes have one each with data.targets: one_hot; or take loss: logistic"
            )
        if both.min() < 0 or np.abs(both.sum(axis=1) - 1).max() > 1e-9:
            raise SpecError(
                f"{field}: cross_entropy needs targets ≥ 0 that sum to 1 at each point, found otherwise in "
                f"{data.description}; classes have them with data.targets: one_hot; or take another loss"
            )
