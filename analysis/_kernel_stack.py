"""Kernels of many records as one stack of matrices, and the table of what can be made of each matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _unread() -> Floats:
    return np.empty((0, 0, 0))


@dataclass(frozen=True, eq=False)
class Stack:
    """Some kernels of n points, all finite, with what they are compared with; a part that nobody reads is empty.

    Attributes
    ----------
    ridge : float
        What is added to the diagonal for a regression.
    rounding : float
        Relative rounding of a stored number.
    now : array (B, n, n)
        Θ_t of B records.
    start : array (B, n, n)
        Θ_0 of the same runs.
    cross : array (B, Q, n)
        Θ_t between Q test points and the n points.
    targets : array (B, n, k)
        y; k = 1 where there is one output.
    """

    ridge: float
    rounding: float
    now: Floats
    start: Floats = field(default_factory=_unread)
    cross: Floats = field(default_factory=_unread)
    targets: Floats = field(default_factory=_unread)

    @cached_property
    def eigenvalues(self) -> Floats:
        """Eigenvalues (B, n), ascending, where nobody needs the eigenvectors."""
        return np.asarray(np.linalg.eigvalsh(self.now), np.float64)

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues (B, n), ascending, and eigenvectors (B, n, n) in columns, whose largest entry is positive."""
        values, vectors = np.linalg.eigh(self.now)
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], axis=1)
        return values, vectors * np.where(largest < 0, -1.0, 1.0)


@dataclass(frozen=True)
class KernelReduction:
    """What can be made of a kernel.

    Attributes
    ----------
    compute : callable
        From a :class:`Stack` to an array (B, ...) with the sizes of `dims`.
    dims : tuple of str
        Dims of one result; ``row`` is that of the matrix, and ``output`` is left out where targets have one output.
    definition, source : str
        Formula in words, and where it is defined.
    reads : tuple of str
        Parts of the stack that `compute` reads beside `now`.
    """

    compute: Callable[[Stack], Floats]
    dims: tuple[str, ...]
    definition: str
    source: str
    reads: tuple[str, ...] = ()


def _inner(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("bij,bij->b", a, b))


def _norm(a: Floats) -> Floats:
    return np.sqrt(_inner(a, a))


def _centred(a: Floats) -> Floats:
    rows = a - a.mean(-1, keepdims=True)
    return np.asarray(rows - rows.mean(-2, keepdims=True))


def _cka(stack: Stack) -> Floats:
    a, b = _centred(stack.now), _centred(stack.start)
    return _inner(a, b) / (_norm(a) * _norm(b))


def _alignment(stack: Stack) -> Floats:
    y = stack.targets
    return _inner(stack.now @ y, y) / (_norm(stack.now) * _norm(y.swapaxes(1, 2) @ y))


def _effective_rank(stack: Stack) -> Floats:
    values = np.maximum(stack.eigenvalues, 0.0)
    shares = values / values.sum(-1, keepdims=True)
    return np.asarray(np.exp(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1)))


def _target_shares(stack: Stack) -> Floats:
    parts = np.square(stack.spectrum[1].swapaxes(1, 2) @ stack.targets).sum(-1)
    return np.asarray(parts / parts.sum(-1, keepdims=True))


def _prediction(stack: Stack) -> Floats:
    values, vectors = stack.spectrum
    least = values.shape[1] * stack.rounding * np.abs(values).max(1, keepdims=True)
    shifted = values + stack.ridge
    inverse = np.where(shifted.min(1, keepdims=True) > least, 1 / np.where(shifted == 0, 1.0, shifted), np.nan)
    modes = inverse[..., None] * (vectors.swapaxes(1, 2) @ stack.targets)
    return np.asarray(stack.cross @ (vectors @ modes))


KERNEL_REDUCTIONS: Final = {
    "norm": KernelReduction(lambda s: _norm(s.now), (), "Frobenius norm of Theta_t", "theory.md §2.6"),
    "drift": KernelReduction(
        lambda s: _norm(s.now - s.start) / _norm(s.start),
        (),
        "Frobenius norm of Theta_t - Theta_0 over that of Theta_0",
        "theory.md §7 ntk-const",
        ("start",),
    ),
    "cka": KernelReduction(
        _cka, (), "centred alignment of Theta_t with Theta_0", "Cortes et al. 2012; Kornblith et al. 2019", ("start",)
    ),
    "alignment": KernelReduction(
        _alignment,
        (),
        "<Theta_t, y y'>_F / (|Theta_t|_F |y y'|_F), y the training targets",
        "Cristianini et al. 2001",
        ("targets",),
    ),
    "eigenvalues": KernelReduction(
        lambda s: s.eigenvalues,
        ("mode",),
        "eigenvalues of Theta_t, ascending",
        "theory.md §4.7",
    ),
    "eigenvectors": KernelReduction(
        lambda s: s.spectrum[1],
        ("row", "mode"),
        "eigenvectors of Theta_t in the order of its ascending eigenvalues; the largest entry of each is positive",
        "theory.md §4.7",
    ),
    "target_shares": KernelReduction(
        _target_shares,
        ("mode",),
        "share of |y|^2 along each eigenvector of Theta_t, in the order of its ascending eigenvalues",
        "theory.md §4.7",
        ("targets",),
    ),
    "effective_rank": KernelReduction(
        _effective_rank,
        (),
        "exponential of the entropy of Theta_t's eigenvalues over their sum",
        "Roy & Vetterli 2007",
    ),
    "prediction": KernelReduction(
        _prediction,
        ("test", "output"),
        "Theta_t(test, X) (Theta_t(X, X) + ridge)^-1 y: kernel regression with the kernel of each record",
        "theory.md §3.3",
        ("targets", "cross"),
    ),
}
"""Name → what is made of every kernel; an entry more is a reduction more."""
