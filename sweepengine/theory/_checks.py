"""Validation shared by all modules: every message says what was found, what was expected and what to do."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepengine.theory._errors import NonFiniteError, NotPositiveDefiniteError, ParameterError, ShapeError
from sweepengine.theory._types import Array


def as_float_array(values: npt.ArrayLike, name: str) -> Array:
    """Return `values` as a float array: float32 and float64 are kept, integers and bools become float64."""
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        floating: Array = array
    elif array.dtype.kind in "iub":
        floating = array.astype(np.float64)
    else:
        raise ParameterError(
            f"{name} has dtype {array.dtype}; expected float32 or float64 (integers become float64): convert it first"
        )
    if not np.isfinite(floating).all():
        bad = np.argwhere(~np.isfinite(floating))[0].tolist()
        raise NonFiniteError(f"{name} holds NaN or infinity, first at index {bad}: remove or repair those points")
    return floating


def as_inputs(values: npt.ArrayLike, name: str = "x") -> Array:
    """Return inputs (N, d) with N, d ≥ 1, finite, float32 or float64."""
    array = as_float_array(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(
            f"{name} has shape {array.shape}; expected (N, d) with N, d >= 1: "
            "reshape one point to (1, d), flatten images to (N, d)"
        )
    return array


def as_input_pair(x1: npt.ArrayLike, x2: npt.ArrayLike) -> tuple[Array, Array]:
    """Return two input arrays (N1, d), (N2, d) in their common dtype."""
    first, second = as_inputs(x1, "x1"), as_inputs(x2, "x2")
    if first.shape[1] != second.shape[1]:
        raise ShapeError(f"x1 has d = {first.shape[1]} features and x2 has {second.shape[1]}: they must be equal")
    dtype: np.dtype[Any] = np.result_type(first, second)
    return first.astype(dtype, copy=False), second.astype(dtype, copy=False)


def as_kernel(values: npt.ArrayLike, name: str = "kernel") -> Array:
    """Return a square, finite, symmetric kernel (N, N).

    Raises
    ------
    NotPositiveDefiniteError
        If the kernel is not symmetric to rounding, or has a negative variance on its diagonal.
    """
    kernel = as_float_array(values, name)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.shape[0] == 0:
        raise ShapeError(
            f"{name} has shape {kernel.shape}; expected square (N, N): "
            "a kernel over k outputs goes through flatten_outputs first"
        )
    diagonal = np.diagonal(kernel)
    if diagonal.min() < 0:
        where = int(diagonal.argmin())
        raise NotPositiveDefiniteError(
            f"{name}[{where}, {where}] = {diagonal[where]:.6g} is a negative variance: "
            "a covariance has none, check how it was made",
            least_eigenvalue=float(diagonal[where]),
            smallest_noise=math.inf,
        )
    asymmetry = float(np.abs(kernel - kernel.T).max())
    allowed = 64 * float(np.finfo(kernel.dtype).eps) * float(np.abs(kernel).max())
    if asymmetry > allowed:
        raise NotPositiveDefiniteError(
            f"{name} is not symmetric: max |A - A^T| = {asymmetry:.3g}, rounding allows {allowed:.3g}: "
            "symmetrise it if that is meant",
            least_eigenvalue=math.nan,
            smallest_noise=math.inf,
        )
    return kernel


def require_nonnegative(value: float, name: str) -> float:
    """Return a finite value ≥ 0 as a float."""
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ParameterError(f"{name} = {value}; expected a finite number >= 0")
    return number


def require_positive(value: float, name: str) -> float:
    """Return a finite value > 0 as a float."""
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise ParameterError(f"{name} = {value}; expected a finite number > 0")
    return number


def require_count(value: int, name: str, least: int = 1) -> int:
    """Return an integer ≥ `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} = {value!r}; expected an integer >= {least}")
    return int(value)


def require_probability(value: float, name: str) -> float:
    """Return a probability strictly between 0 and 1."""
    number = float(value)
    if not 0 < number < 1:
        raise ParameterError(f"{name} = {value}; expected a probability strictly between 0 and 1")
    return number


def require_rows(array: Array, rows: int, name: str, of: str) -> Array:
    """Return `array` if its first axis has length `rows`."""
    if array.ndim == 0 or array.shape[0] != rows:
        raise ShapeError(f"{name} has shape {array.shape}; expected {rows} rows, one per {of}")
    return array
