"""The tangent kernel from Gram matrices of features and signals (theory.md §2.2).

Every parameter has a term, (ρ s²/m) times a product of Gram matrices. Its rate ρ and forward multiplier s are those of
:mod:`sweepengine.networks._scaling`; for b^L the Gram matrix is the constant 1:

    Θ_{io,jp} = δ_op Σ_top (ρ s²/m) φ^L_i·φ^L_j + Σ_l (ρ_W s_W² φ^l_i·φ^l_j + ρ_b s_b²) (1/m) g^{l+1}_{io}·g^{l+1}_{jp}

Layouts for k ≥ 2 outputs: ``full`` ([R,] N, k, N', k), with dims (run, i, output, j, output'); ``traced`` ([R,] N, N'),
the mean over equal outputs (1/k) Σ_o Θ_{io,jo}. For one output both are ([R,] N, N').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from sweepengine.networks._matmul import asks_onednn
from sweepengine.networks._products import product

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._passes import Passes
    from sweepengine.networks._scaling import Scaling

Layout = Literal["full", "traced"]


@dataclass(frozen=True)
class Grams:
    """Gram matrices layer by layer.

    Attributes
    ----------
    features : list of Tensor, length L + 1
        Φ_l = φ^l φ^lᵀ/n_l, l = 0 … L; shapes (N, N') for l = 0, else ([R,] N, N').
    signals : list of Tensor, length L
        G_l = g^l g^lᵀ/m, l = 1 … L, in the layout asked for.
    """

    features: list[Tensor]
    signals: list[Tensor]


@dataclass(frozen=True)
class Terms:
    """The factors ρ s²/m of the terms of Θ.

    Attributes
    ----------
    hidden : list of (float, float)
        For l = 0 … L−1 the factors of (φ^l φ^lᵀ) ⊙ (g^{l+1} g^{l+1}ᵀ) and of g^{l+1} g^{l+1}ᵀ.
    last, constant : float
        The factors of φ^L φ^Lᵀ and of 1.
    """

    hidden: list[tuple[float, float]]
    last: float
    constant: float

    @classmethod
    def from_table(cls, scaling: Scaling, width: int, depth: int, has_output_bias: bool) -> Terms:
        """The factors for a network whose last hidden layer has ``width`` neurons."""

        def factor(name: str) -> float:
            row = scaling.rows[name]
            return row.rate * row.forward**2 / width

        return cls(
            hidden=[(factor(f"W{layer}"), factor(f"b{layer}")) for layer in range(depth)],
            last=factor(f"W{depth}"),
            constant=factor(f"b{depth}") if has_output_bias else 0.0,
        )


def _rows(signal: Tensor, has_output_dim: bool, layout: Layout) -> Tensor:
    """Signals as the matrix A for which A Aᵀ is their Gram matrix in a layout; a view."""
    if not has_output_dim:
        return signal
    return signal.flatten(-3, -2) if layout == "full" else signal.flatten(-2, -1)


def strip_rows(matrix: Tensor) -> int:
    """Rows of one strip of a symmetric product.

    The columns beyond the strip's diagonal block are not computed, which saves nearly half of the work for many points.
    Narrower strips save more products, at a lower rate; oneDNN takes long for each.
    """
    return 128 if asks_onednn(matrix) else 64


def _multiply(out: Tensor, left: Tensor, right: Tensor, scale: float = 1.0) -> None:
    """``out = scale · left rightᵀ``; if ``left is right``, entries beyond the strips' diagonal blocks are left out."""
    n, rows = out.shape[-1], strip_rows(out)
    if left is not right or n <= rows:
        product(out, left, right.mT, scale)
        return
    for start in range(0, n, rows):
        stop = min(n, start + rows)
        # narrow, which costs a third of what indexing does.
        strip = out.narrow(-2, start, stop - start).narrow(-1, 0, stop)
        product(strip, left.narrow(-2, start, stop - start), right.narrow(-2, 0, stop).mT, scale)


def _mirror(matrix: Tensor) -> None:
    """Fill the entries that :func:`_multiply` has left out, by symmetry."""
    n, rows = matrix.shape[-1], strip_rows(matrix)
    for start in range(rows, n, rows):
        size = min(rows, n - start)
        below = matrix.narrow(-2, start, size).narrow(-1, 0, start)
        matrix.narrow(-2, 0, start).narrow(-1, start, size).copy_(below.mT)


def _signal_gram(left: Tensor, right: Tensor, has_output_dim: bool, layout: Layout) -> Tensor:
    """The Gram matrix of signals, with rows (i, o) or i; not divided by m, and not mirrored."""
    a = _rows(left, has_output_dim, layout)
    b = a if left is right else _rows(right, has_output_dim, layout)
    gram = a.new_empty((*a.shape[:-1], b.shape[-2]))
    _multiply(gram, a, b)
    return gram


def _feature_gram(left: Tensor, right: Tensor, scale: float = 1.0) -> Tensor:
    """``scale`` · φ φᵀ, not mirrored."""
    gram = left.new_empty((*left.shape[:-1], right.shape[-2]))
    _multiply(gram, left, right, scale)
    return gram


def kernel_matrix(terms: Terms, left: Passes, right: Passes, has_output_dim: bool, layout: Layout) -> Tensor:
    """Θ between two sets of points, or within one set if ``right is left``.

    Within one set Θ is exactly symmetric outside the diagonal blocks of :func:`strip_rows` rows.

    Parameters
    ----------
    terms : Terms
    left, right : Passes
        Passes on the points of the rows and of the columns.
    has_output_dim : bool
    layout : str

    Returns
    -------
    Tensor, shape ([R,] N, N'), or ([R,] N, k, N', k)
    """
    outputs = left.forward.outputs.shape[-1] if has_output_dim else 1
    theta = _last_layer(terms, left, right)
    full = has_output_dim and layout == "full"
    if full:
        theta = torch.einsum("...ij,op->...iojp", theta, torch.eye(outputs, dtype=theta.dtype, device=theta.device))
    for layer, (weight, bias) in enumerate(terms.hidden):
        if not (weight or bias):
            continue
        signal = _signal_gram(left.signals[layer], right.signals[layer], has_output_dim, layout).view(theta.shape)
        share = outputs if has_output_dim and not full else 1
        if weight:
            gram, scale = _lower_gram(left, right, layer)
            gram = gram.unsqueeze(-2).unsqueeze(-1) if full else gram
            theta.addcmul_(gram, signal, value=weight * scale / share)
        if bias:
            theta.add_(signal, alpha=bias / share)
    if left is right:
        rows = left.inputs.points.shape[0] * (outputs if full else 1)
        _mirror(theta.view(*theta.shape[: -4 if full else -2], rows, rows))
    return theta


def _last_layer(terms: Terms, left: Passes, right: Passes) -> Tensor:
    """The terms of the read-out and its bias, ([R,] N, N')."""
    a, b = left.forward.features[-1], right.forward.features[-1]
    theta = _feature_gram(a, b, terms.last) if terms.last else a.new_zeros((*a.shape[:-1], b.shape[-2]))
    return theta.add_(terms.constant) if terms.constant else theta


def _lower_gram(left: Passes, right: Passes, layer: int) -> tuple[Tensor, float]:
    """A matrix and a number whose product is φ^l φ^lᵀ."""
    if layer == 0:
        return left.inputs.cross_gram(right.inputs), float(left.inputs.points.shape[-1])
    return _feature_gram(left.forward.features[layer - 1], right.forward.features[layer - 1]), 1.0


def kernel_diagonal(terms: Terms, passes: Passes, has_output_dim: bool) -> Tensor:
    """Θ_{io,io}, shape ([R,] N [, k]), in N m operations instead of N² m."""
    squares = [each.square().sum(-1) for each in (passes.inputs.points, *passes.forward.features)]
    squares = [each.unsqueeze(-1) if has_output_dim else each for each in squares]
    theta = torch.zeros_like(passes.forward.outputs) + (terms.last * squares[-1] + terms.constant)
    if passes.signals:
        for (weight, bias), phi, signal in zip(terms.hidden, squares, passes.signals, strict=False):
            theta += (weight * phi + bias) * signal.square().sum(-1)
    return theta


def gram_matrices(left: Passes, right: Passes, width: int, has_output_dim: bool, layout: Layout) -> Grams:
    """Φ_l and G_l between two sets of points."""
    features = [left.inputs.cross_gram(right.inputs)]
    for a, b in zip(left.forward.features, right.forward.features, strict=True):
        features.append(_feature_gram(a, b, 1.0 / a.shape[-1]))
    signals = []
    for a, b in zip(left.signals, right.signals, strict=True):
        share = a.shape[-2] if has_output_dim and layout == "traced" else 1
        signals.append(_signal_gram(a, b, has_output_dim, layout).div_(width * share))
    if left is right:
        for gram in (*features[1:], *signals):
            _mirror(gram)
    if has_output_dim and layout == "full":
        shape = (*left.signals[0].shape[:-1], *right.signals[0].shape[-3:-1]) if left.signals else ()
        signals = [each.view(shape) for each in signals]
    return Grams(features, signals)
