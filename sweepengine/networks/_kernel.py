"""The tangent kernel from Gram matrices of features and signals (theory.md §2, S0 §2).

Every term is (ρ s²/m) times a product of plain Gram matrices, s the forward multiplier of the parameter in
:mod:`sweepengine.networks._scaling` (for b^L: of the constant 1):

    Θ_{io,jp} = δ_op Σ_top (ρ s²/m) φ^L_i·φ^L_j + Σ_l (ρ_W s_W² φ^l_i·φ^l_j + ρ_b s_b²) (1/m) g^{l+1}_{io}·g^{l+1}_{jp}

Layouts for k ≥ 2 outputs: ``full`` ([R,] N, k, N', k), dims (run, i, output, j, output'); ``traced`` ([R,] N, N') is the
mean over equal outputs (1/k) Σ_o Θ_{io,jo}. For one output both are ([R,] N, N').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from sweepengine.networks._passes import Forward, Inputs
from sweepengine.networks._products import product

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._scaling import Scaling

Layout = Literal["full", "traced"]
STRIP_ROWS = 32
"""Rows of one strip of a symmetric kernel: below the diagonal only, N²(1 + 32/N)/2 of N² products."""


class Passes(NamedTuple):
    """A set of points with its forward and backward pass."""

    inputs: Inputs
    forward: Forward
    signals: list[Tensor]


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
    """The factors of the plain Gram matrices, from the table.

    Attributes
    ----------
    hidden : list of (float, float)
        For l = 0 … L−1 those of (φ^l φ^lᵀ) ⊙ (g gᵀ) and of g gᵀ.
    last, constant : float
        Those of φ^L φ^Lᵀ and of 1.
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
    """Signals as the matrix whose rows' products make a Gram matrix of that layout; a view."""
    if not has_output_dim:
        return signal
    return signal.flatten(-3, -2) if layout == "full" else signal.flatten(-2, -1)


def _signal_gram(left: Tensor, right: Tensor, has_output_dim: bool, layout: Layout) -> Tensor:
    """The Gram matrix of signals in its layout, not yet divided by m."""
    a, b = (_rows(each, has_output_dim, layout) for each in (left, right))
    gram = a.new_empty((*a.shape[:-1], b.shape[-2]))
    product(gram, a, b.mT)
    if not has_output_dim:
        return gram
    k = left.shape[-2]
    if layout == "traced":
        return gram.div_(k)
    return gram.reshape(*gram.shape[:-2], left.shape[-3], k, right.shape[-3], k)


def _fill(
    theta: Tensor, terms: Terms, left: Passes, right: Passes, gram: Tensor, has_output_dim: bool, layout: Layout
) -> None:
    """Write one block of the kernel into ``theta``; ``gram`` is Φ_0 of the block."""
    full = has_output_dim and layout == "full"
    features = theta.new_empty((*theta.shape[:-3], theta.shape[-2])) if full else theta
    if terms.last:
        product(features, left.forward.features[-1], right.forward.features[-1].mT, terms.last)
    else:
        features.zero_()
    if terms.constant:
        features += terms.constant
    if full:
        theta.zero_()
        theta.diagonal(dim1=-3, dim2=-1).copy_(features.unsqueeze(-1).expand(*features.shape, theta.shape[-1]))
    lower_left, lower_right = left.forward.features, right.forward.features
    for layer, (weight, bias) in enumerate(terms.hidden):
        if not (weight or bias):
            continue
        signal = _signal_gram(left.signals[layer], right.signals[layer], has_output_dim, layout)
        if weight and layer:
            gram = torch.matmul(lower_left[layer - 1], lower_right[layer - 1].mT)
        if weight:
            scale = weight if layer else weight * left.inputs.points.shape[-1]
            theta.addcmul_(gram.unsqueeze(-2).unsqueeze(-1) if full else gram, signal, value=scale)
        if bias:
            theta.add_(signal, alpha=bias)


def _empty(passes: Passes, columns: int, has_output_dim: bool, layout: Layout) -> Tensor:
    outputs = passes.forward.outputs
    if not has_output_dim:
        return outputs.new_empty((*outputs.shape, columns))
    shape = (*outputs.shape, columns, outputs.shape[-1]) if layout == "full" else (*outputs.shape[:-1], columns)
    return outputs.new_empty(shape)


def cross_kernel(terms: Terms, left: Passes, right: Passes, has_output_dim: bool, layout: Layout) -> Tensor:
    """Θ between two sets of points."""
    theta = _empty(left, right.inputs.points.shape[0], has_output_dim, layout)
    _fill(theta, terms, left, right, left.inputs.cross_gram(right.inputs), has_output_dim, layout)
    return theta


def _slice(passes: Passes, start: int, stop: int, has_output_dim: bool) -> Passes:
    """Views of some rows."""
    size = stop - start
    forward = passes.forward
    features = [each.narrow(-2, start, size) for each in forward.features]
    signals = [each.narrow(-3 if has_output_dim else -2, start, size) for each in passes.signals]
    inputs = Inputs(passes.inputs.points[start:stop], passes.inputs.scaled[start:stop])
    return Passes(inputs, Forward(features, [], forward.outputs), signals)


def symmetric_kernel(terms: Terms, passes: Passes, has_output_dim: bool, layout: Layout) -> Tensor:
    """Θ of one set of points: strips up to the diagonal, then the mirror image."""
    n, full = passes.inputs.points.shape[0], has_output_dim and layout == "full"
    theta = _empty(passes, n, has_output_dim, layout)
    row_dim, column_dim = (-4, -2) if full else (-2, -1)
    for start in range(0, n, STRIP_ROWS):
        stop = min(n, start + STRIP_ROWS)
        left, right = (_slice(passes, first, stop, has_output_dim) for first in (start, 0))
        strip = theta.narrow(row_dim, start, stop - start).narrow(column_dim, 0, stop)
        _fill(strip, terms, left, right, passes.inputs.gram[start:stop, :stop], has_output_dim, layout)
        if start:
            below = strip.narrow(column_dim, 0, start).transpose(row_dim, column_dim)
            mirror = theta.narrow(row_dim, 0, start).narrow(column_dim, start, stop - start)
            mirror.copy_(below.transpose(-3, -1) if full else below)
    return theta


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
    features += [
        torch.matmul(a, b.mT) / a.shape[-1] for a, b in zip(left.forward.features, right.forward.features, strict=True)
    ]
    pairs = zip(left.signals, right.signals, strict=True)
    return Grams(features, [_signal_gram(a, b, has_output_dim, layout) / width for a, b in pairs])
