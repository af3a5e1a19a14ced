"""A fully connected architecture of infinite width, validated once."""

from dataclasses import dataclass

import numpy as np

from sweepengine.theory._activation import Activation, ActivationSpec, activation
from sweepengine.theory._checks import require_count, require_nonnegative, require_positive
from sweepengine.theory._errors import NonFiniteError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Architecture:
    """Depth, activation and initial standard deviations of theory.md §1 (γ = 1/2, α = 1).

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

    def first_variances(self, x: Array) -> Array:
        """Return diag K¹ = σ_w² |x|²/d + σ_b², float64 (N,)."""
        wide = x.astype(np.float64, copy=False)
        return np.asarray(self.sigma_w**2 * np.einsum("id,id->i", wide, wide) / x.shape[1] + self.sigma_b**2)

    def variances(self, x: Array) -> tuple[Array, ...]:
        """Return the variances diag K¹ … diag K^L of the pre-activations and that of the output, each float64 (N,)."""
        variances = [self.first_variances(x)]
        for weight, bias in self.affine:
            q = variances[-1]
            second_moment, _ = self.activation.dual(q, q, q)
            variances.append(weight * second_moment + bias)
            if not np.isfinite(variances[-1]).all():
                raise NonFiniteError(
                    f"the variance of layer {len(variances)} overflows for activation {self.activation.name!r}: "
                    "use smaller inputs, sigma_w or depth"
                )
        return tuple(variances)

    def ntk_diagonal(self, variances: tuple[Array, ...]) -> Array:
        """Return diag Θ of the output, float64 (N,), from `variances`."""
        ntk = variances[0]
        for (weight, _), q, q_next in zip(self.affine, variances[:-1], variances[1:], strict=True):
            _, slope_moment = self.activation.dual(q, q, q)
            ntk = q_next + weight * slope_moment * ntk
        return ntk

    def diagonals(self, x: Array) -> tuple[Array, Array]:
        """Return (diag NNGP, diag Θ), each float64 (N,), to more digits than the recursion on a tile gives.

        Raises
        ------
        NonFiniteError
            If a kernel on these points overflows the dtype of `x`; its largest entry is on the diagonal.
        """
        variances = self.variances(x)
        ntk = self.ntk_diagonal(variances)
        largest = max(float(q.max()) for q in (*variances, ntk))
        if not largest < float(np.finfo(x.dtype).max) / 4:
            raise NonFiniteError(
                f"the kernels reach {largest:.3g}, too much for {x.dtype}: use float64, smaller sigma_w or less depth"
            )
        return variances[-1], ntk

    def dual_error(self, x: Array) -> float:
        """Return the largest estimated error of one layer's dual at the variances of `x`; 0 for closed forms."""
        if self.activation.exact:
            return 0.0
        return max(self.activation.error(q) for q in self.variances(x)[:-1])


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
