"""Costs C(f, y) per point and their gradients in f, for kernel gradient flow (theory.md §3.6)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Cost:
    """A differentiable cost, summed over outputs.

    Attributes
    ----------
    name : str
    value : callable
        (f, y), each (N, k) → cost of each point (N,).
    gradient : callable
        (f, y), each (N, k) → ∂C/∂f (N, k).
    """

    name: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


SQUARED = Cost("squared", lambda f, y: np.square(f - y).sum(-1) / 2, lambda f, y: f - y)
"""½|f − y|²: gives the closed form of `KernelDynamics`."""

LOGISTIC = Cost(
    "logistic", lambda f, y: np.logaddexp(0, -y * f).sum(-1), lambda f, y: np.asarray(-y * scipy.special.expit(-y * f))
)
"""Σ_o log(1 + e^{−y f}), labels y = ±1."""

CROSS_ENTROPY = Cost(
    "cross_entropy",
    lambda f, y: np.asarray(-(y * scipy.special.log_softmax(f, axis=-1)).sum(-1)),
    lambda f, y: np.asarray(scipy.special.softmax(f, axis=-1) * y.sum(-1, keepdims=True) - y),
)
"""−Σ_o y_o log softmax(f)_o, y a distribution over outputs (one-hot labels)."""
