"""The handwritten digits that scikit-learn ships (Alpaydin & Kaynak 1998): 1797 images of 8 × 8 pixels."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.data._dataset import from_content
from sweepengine.data._targets import random_labels, targets_of
from sweepengine.errors import DataError
from sweepengine.streams import Role, permutation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset
    from sweepengine.spec import DigitsData

_FILE: Final = "sklearn/datasets/data/digits.csv.gz"
"""Where scikit-learn keeps the images: 1797 lines of 64 pixels and the digit."""


def digits(spec: DigitsData) -> Dataset:
    """Training and test points in the order that the spec's seed draws; a raw point is 64 whole numbers 0 … 16.

    Raises
    ------
    DataError
        The classes have fewer points than asked for, or a point cannot be preprocessed.
    """
    images, digit = _images()
    chosen = np.flatnonzero(np.isin(digit, spec.classes))
    order = chosen[permutation(spec.seed, Role.DATA_ORDER, len(chosen))]
    x = images[order].astype(np.float64)
    n, asked, count = spec.n_train, spec.n_train + spec.n_test, len(spec.classes)
    if asked > len(x):
        raise DataError(
            f"data.n_train + data.n_test: found {spec.n_train} + {spec.n_test} = {asked}, but the classes "
            f"{list(spec.classes)} of {spec.name} have {len(x)} points; ask for at most {len(x)} in all"
        )
    labels = random_labels(spec.seed, len(x), count) if spec.random_labels else _places(digit[order], spec.classes)
    y = targets_of(labels, count, spec.targets)
    if not spec.nested:
        return from_content((x[:n], y[:n], x[n:asked], y[n:asked]), spec.preprocess, _description(spec))
    # Counted from the end, so that more test points begin with the fewer too.
    last = len(x) - 1 - np.arange(spec.n_test)
    pool = x[: len(x) - spec.n_test]
    return from_content((x[:n], y[:n], x[last], y[last]), spec.preprocess, _description(spec), pool)


def _images() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """All images (1797, 64) and their digits (1797,), in scikit-learn's order.

    The file is read where it lies: to import scikit-learn takes a second, which every command on digits would spend.
    """
    try:
        table = np.loadtxt(str(distribution("scikit-learn").locate_file(_FILE)), delimiter=",")
    except FileNotFoundError:  # a release that keeps it elsewhere
        from sklearn.datasets import load_digits

        images, digit = load_digits(return_X_y=True)
        return images, digit
    return table[:, :-1], table[:, -1].astype(np.intp)


def _places(digit: NDArray[np.integer], classes: tuple[int, ...]) -> NDArray[np.intp]:
    """The place of each point's digit in the spec's list of classes."""
    order = np.argsort(classes)
    return order[np.searchsorted(np.asarray(classes), digit, sorter=order)]


def _description(spec: DigitsData) -> str:
    """One line for people."""
    if len(spec.classes) == 2 and spec.targets != "one_hot":
        classes = f"{spec.classes[0]} (−1) and {spec.classes[1]} (+1)"
    else:
        classes = f"{', '.join(map(str, spec.classes))} ({spec.targets or 'one_hot'})"
    labels = ", random labels" if spec.random_labels else ""
    nested = ", nested" if spec.nested else ""
    return f"{spec.name}, classes {classes}{labels}{nested}, preprocess {spec.preprocess}, seed {spec.seed}"
