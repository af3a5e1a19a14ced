"""Fluctuation of the NTK at initialisation for one hidden layer: Var Θ_0(x, x') = V(x, x')/m, exactly.

For L = 1 the NTK is a mean over the m neurons of independent terms with one law (theory.md §3.7),

    ζ = σ_a² (P + a² D),   P = φ(u) φ(v),   D = K¹(x, x') φ'(u) φ'(v),   (u, v) ~ N(0, K¹ restricted to x, x'),

so that Var Θ_0 has no terms beyond 1/m:

    V = Var ζ = σ_a⁴ { E P² − (E P)² + 2 (E PD − E P E D) + E a⁴ E D² − (E D)² },

with E a⁴ = 3 for Gaussian read-out weights and 1 for a = ±1.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._architecture import architecture
from sweepengine.theory._checks import as_inputs
from sweepengine.theory._errors import ParameterError
from sweepengine.theory._quadrature import expect_pair
from sweepengine.theory._types import Array

ReadOut = Literal["gaussian", "signs"]

_FOURTH_MOMENT: Mapping[str, float] = MappingProxyType({"gaussian": 3.0, "signs": 1.0})


def ntk_variance(
    x: npt.ArrayLike,
    *,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
    read_out: ReadOut = "gaussian",
) -> Array:
    """Return V = m · Var Θ_0 entry by entry, shape (N, N), for one hidden layer with all parts trained.

    E‖Θ_0 − Θ_∞‖_F² is V.sum()/m. An output bias changes nothing. The moments come from `expect_pair`, accurate to
    rounding for relu as for smooth φ. The cost is N² small integrals, so that N should be some hundreds at most.

    Parameters
    ----------
    x : array (N, d)
    activation, sigma_w, sigma_b, sigma_a
        As in `kernels`.
    read_out : {"gaussian", "signs"}
        Law of the read-out weights a: N(0, 1) or ±1.

    Raises
    ------
    ParameterError
        If `read_out` is another name, or if a point is 0 and σ_b = 0.
    """
    inputs = as_inputs(x).astype(np.float64)
    if read_out not in _FOURTH_MOMENT:
        raise ParameterError(f"read_out = {read_out!r}; expected one of {sorted(_FOURTH_MOMENT)}")
    net = architecture(depth=1, activation_spec=activation, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a)
    first = net.sigma_w**2 * inputs @ inputs.T / inputs.shape[1] + net.sigma_b**2
    q = np.diagonal(first)
    if (q <= 0).any():
        raise ParameterError(f"point {int(q.argmin())} is 0 and σ_b = 0: its pre-activations do not fluctuate; drop it")
    phi, slope, fourth = net.activation.function, net.activation.derivative, _FOURTH_MOMENT[read_out]

    def term(u: Array, v: Array, k: float) -> tuple[Array, Array]:
        return phi(u) * phi(v), k * slope(u) * slope(v)

    def variance(q1: float, q2: float, k: float) -> float:
        def second(u: Array, v: Array) -> Array:
            value, tangent = term(u, v, k)
            return value**2 + 2 * value * tangent + fourth * tangent**2

        def mean(u: Array, v: Array) -> Array:
            value, tangent = term(u, v, k)
            return value + tangent

        return expect_pair(second, q1, q2, k) - expect_pair(mean, q1, q2, k) ** 2

    result = np.empty_like(first)
    for i in range(len(first)):
        for j in range(i + 1):
            result[i, j] = result[j, i] = variance(float(q[i]), float(q[j]), float(first[i, j]))
    scaled: Array = net.sigma_a**4 * result
    return scaled
