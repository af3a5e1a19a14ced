"""Points drawn from a law; a teacher or the shell in which a point lies gives its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._dataset import from_recipe
from sweepengine.data._memory import refuse_more_than_memory
from sweepengine.spec import ShellsData
from sweepengine.streams import TILE_ROWS, Role, gaussian_block, gaussian_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset
    from sweepengine.spec import DrawnData

    Array = NDArray[np.float64]
    Rows = tuple[int, int]

_TRAIN, _TEST, _FRESH = 0, 1, 2

TEACHERS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda h: h,
    "neuron": lambda h: np.maximum(h, 0.0),
    "quadratic": lambda h: h**2 - 1,
    "sign": lambda h: np.copysign(1.0, h),
}
"""Teacher → its target as a function of h = w_o·x, elementwise."""


def drawn(spec: DrawnData | ShellsData) -> Dataset:
    """Training and test points. With the same seed, a larger data set begins with the points and outputs of a smaller.

    Raises
    ------
    DataError
        The points do not fit into memory.
    """
    tiles = sum(-(-points // TILE_ROWS) for points in (spec.n_train, spec.n_test))  # tiles are drawn whole
    numbers = tiles * TILE_ROWS * (spec.d + (1 if isinstance(spec, ShellsData) else spec.outputs))
    refuse_more_than_memory("data: what is drawn", 2 * 8 * numbers, "take fewer points, or a smaller d")
    x_train, y_train = _points(spec, spec.seed, _TRAIN, (0, spec.n_train), noisy=True)
    x_test, y_test = _points(spec, spec.seed, _TEST, (0, spec.n_test), noisy=False)
    return from_recipe(spec, (x_train, y_train, x_test, y_test), _description(spec))


def fresh_points(spec: DrawnData | ShellsData, seed: int, step: int) -> tuple[Array, Array]:
    """New points for one step of one run; see :func:`sweepengine.data.fresh_points`."""
    return _points(spec, seed, _FRESH, (step * spec.n_train, (step + 1) * spec.n_train), noisy=True)


def _points(spec: DrawnData | ShellsData, seed: int, part: int, rows: Rows, *, noisy: bool) -> tuple[Array, Array]:
    """Inputs (count, d) and targets (count,) or (count, k) of the given rows of an infinite sample."""
    x = gaussian_block(seed, Role.DATA_POINT, part, rows, (0, spec.d))
    if isinstance(spec, ShellsData):
        y = np.copysign(1.0, gaussian_block(seed, Role.DATA_LABEL, part, rows, (0, 1)))
        return x * (1 + y * spec.delta), y[:, 0]
    if spec.name == "sphere":
        x *= np.sqrt(spec.d) / np.linalg.norm(x, axis=1, keepdims=True)
    y = _teach(spec, x, seed, part, rows)
    if noisy:
        y = y + spec.noise * gaussian_block(seed, Role.DATA_NOISE, part, rows, (0, spec.outputs))
    return x, y[:, 0] if spec.outputs == 1 else y


def _teach(spec: DrawnData, x: Array, seed: int, part: int, rows: Rows) -> Array:
    """Noiseless targets, shape (count, k)."""
    if spec.teacher == "random_signs":
        return np.copysign(1.0, gaussian_block(seed, Role.DATA_LABEL, part, rows, (0, spec.outputs)))
    directions = gaussian_matrix(spec.seed, Role.TEACHER, 0, spec.outputs, spec.d)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return TEACHERS[spec.teacher](x @ directions.T)


def _description(spec: DrawnData | ShellsData) -> str:
    """One line for people."""
    if isinstance(spec, ShellsData):
        return f"two shells of Gaussian points in d = {spec.d}, Δ = {spec.delta:g}, seed {spec.seed}"
    noise = f" + {spec.noise:g} N(0, 1)" if spec.noise else ""
    outputs = f", {spec.outputs} outputs" if spec.outputs > 1 else ""
    return f"{spec.name} points in d = {spec.d}, teacher {spec.teacher}{noise}{outputs}, seed {spec.seed}"
