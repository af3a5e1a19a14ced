"""Points drawn from a law, with the targets of a teacher (S4 §3.2, §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.streams import Role, gaussian_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.data._load import Points
    from sweepengine.spec import DrawnData

    Array = NDArray[np.float64]

_TRAIN, _TEST = 0, 1

TEACHERS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda h: h,
    "neuron": lambda h: np.maximum(h, 0.0),
    "quadratic": lambda h: h**2 - 1,
    "sign": lambda h: np.copysign(1.0, h),
}
"""Target of h = w_o·x, elementwise."""


def drawn(spec: DrawnData) -> Points:
    """Training and test points; with the same seed more of either begin with the fewer, and so do more outputs."""
    directions = gaussian_matrix(spec.seed, Role.TEACHER, 0, spec.outputs, spec.d)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    x_train, y_train = _points(spec, directions, spec.n_train, _TRAIN)
    x_test, y_test = _points(spec, directions, spec.n_test, _TEST)
    y_train = y_train + spec.noise * gaussian_matrix(spec.seed, Role.DATA_NOISE, _TRAIN, spec.n_train, spec.outputs)
    if spec.outputs == 1:
        y_train, y_test = y_train[:, 0], y_test[:, 0]
    return x_train, y_train, x_test, y_test


def _points(spec: DrawnData, directions: Array, count: int, part: int) -> tuple[Array, Array]:
    """Inputs (count, d) and noiseless targets (count, k)."""
    x = gaussian_matrix(spec.seed, Role.DATA_POINT, part, count, spec.d)
    if spec.name == "sphere":
        x *= np.sqrt(spec.d) / np.linalg.norm(x, axis=1, keepdims=True)
    if spec.teacher == "random_signs":
        return x, np.copysign(1.0, gaussian_matrix(spec.seed, Role.DATA_LABEL, part, count, spec.outputs))
    return x, TEACHERS[spec.teacher](x @ directions.T)


def describe_drawn(spec: DrawnData) -> str:
    """One line for people."""
    noise = f" + {spec.noise:g} N(0, 1)" if spec.noise else ""
    outputs = f", {spec.outputs} outputs" if spec.outputs > 1 else ""
    return f"{spec.name} points in d = {spec.d}, teacher {spec.teacher}{noise}{outputs}, seed {spec.seed}"
