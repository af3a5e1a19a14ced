"""A fully connected architecture of infinite width, validated once."""

from dataclasses import dataclass

import numpy as np

from sweepengine.theory._activation import Activation, ActivationSpec, activation
from sweepengine.theory._checks import require_count, require_nonnegative, require_positive
from sweepengine.theory._errors import NonFiniteError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Points:
    """Inputs, and the diagonals of the kernels on them, to more digits than a recursion on pairs gives.

    Attributes
    ----------
    x : array (N, d)
    variances : L + 1 arrays (N,), float64
        diag K¹ … diag K^L of the pre-activations, and that of the output.
    factors : L arrays (F, N), float64
        What the dual activation needs of each point (see `Dual`).
    ntk : array (N,), float64
        diag Θ of the output.
    """

    x: Array
    variances: tuple[Array, ...]
    factors: tuple[Array, ...]
    ntk: Array


@dataclass(frozen=True, slots=True)
class Architecture:
    """Depth, activation and initial standard deviations of theory.md §1.1 (γ = 1/2, α = 1).

    Attributes
    ----------
    depth : int
        Number L ≥ 1 of hidden layers.
    activation : Activation
    sigma_w, sigma_b, sigma_a : float
        Standard deviations of hidden weights, biases and read-out weights.
    output_bias : bool
        Whether the read-out has a bias, of standard deviation `sigma_b`.
    """

    depth: int
    activation: Activation
    sigma_w: float
    sigma_b: float
    sigma_a: float
    output_bias: bool

    @property
    def affine(self) -> tuple[tuple[float, float], ...]:
        """(weight variance, bias variance) of the L affine maps that follow an activation; the last is the read-out."""
        hidden = (self.sigma_w**2, self.sigma_b**2)
        return (hidden,) * (self.depth - 1) + ((self.sigma_a**2, self.sigma_b**2 if self.output_bias else 0.0),)

    def first_layer(self, products: Array, features: int) -> Array:
        """Turn products x·x' of inputs of d features, in place, into K¹ = σ_w² x·x'/d + σ_b², and return them."""
        products *= self.sigma_w**2 / features
        products += self.sigma_b**2
        return products

    def points(self, x: Array) -> Points:
        """Return what one point at a time says of the kernels on `x`.

        Raises
        ------
        NonFiniteError
            If a kernel on these points overflows the dtype of `x`; its largest entry is on the diagonal.
        """
        wide = x.astype(np.float64, copy=False)
        ntk = self.first_layer(np.einsum("id,id->i", wide, wide), x.shape[1])
        variances, factors = [ntk], []
        for weight, bias in self.affine:
            q = variances[-1]
            factors.append(self.activation.dual.factors(q, q.dtype))
            second_moment, slope_moment = self.activation.dual.of_pair(factors[-1], factors[-1], q)
            variances.append(weight * second_moment + bias)
            ntk = variances[-1] + weight * slope_moment * ntk
            if not np.isfinite(variances[-1]).all():
                raise NonFiniteError(
                    f"the variance of layer {len(variances)} overflows for activation {self.activation.name!r}: "
                    "use smaller inputs, sigma_w or depth"
                )
        largest = max(float(q.max()) for q in (*variances, ntk))
        if not largest < float(np.finfo(x.dtype).max) / 4:
            raise NonFiniteError(
                f"the kernels reach {largest:.3g}, too much for {x.dtype}: use float64, smaller sigma_w or less depth"
            )
        return Points(x, tuple(variances), tuple(factors), ntk)

    def dual_error(self, points: Points) -> float:
        """Return the largest estimated error of one layer's dual at the variances of points; 0 for closed forms."""
        if self.activation.exact:
            return 0.0
        return max(self.activation.error(q) for q in points.variances[:-1])


def architecture(
    *,
    depth: int,
    activation_spec: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
    output_bias: bool = False,
) -> Architecture:
    """Validate and return an `Architecture`; `sigma_a=None` means `sigma_w`."""
    return Architecture(
        require_count(depth, "depth (the number of hidden layers)"),
        activation(activation_spec),
        require_positive(sigma_w, "sigma_w"),
        require_nonnegative(sigma_b, "sigma_b"),
        require_positive(sigma_w if sigma_a is None else sigma_a, "sigma_a"),
        bool(output_bias),
    )
