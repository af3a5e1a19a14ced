"""The first hidden layer is exactly a Gaussian process, and its tangent kernel is exactly K¹ ⊗ I."""

from __future__ import annotations

from typing import Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality, Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_NEURONS: Final = "s the pre-activations of two neurons at all points, times K^−1/2"
COVARIANCE: Final = Quantity(
    "first_layer_covariance",
    final("first_layer_covariance"),
    "covariance of the first layer's neurons",
    f"‖E s sᵀ − I‖_F², {_NEURONS}, without the variance of its estimate",
    "theory.md §7 first-layer",
    fitted=False,
)
CHARACTERISTIC: Final = Quantity(
    "first_layer_characteristic",
    final("first_layer_characteristic", "frequency"),
    "law of the first layer's neurons",
    f"E cos(f v·s), {_NEURONS}, v a random unit vector",
    "theory.md §7 first-layer",
    fitted=False,
)
KERNEL: Final = Quantity(
    "first_layer_kernel",
    final("first_layer_kernel"),
    "tangent kernel of the first layer",
    "largest |Θ¹ − K¹ ⊗ I| over the largest entry of K¹, all points and neurons",
    "theory.md §7 first-layer",
    fitted=False,
)

CLAIM: Final = Claim(
    "first-layer",
    "At any width the neurons of layer 1 are independent Gaussian processes with covariance K¹, and Θ¹ = K¹ ⊗ I.",
    (
        Evidence(
            "first_layer",
            (
                Equality(
                    COVARIANCE, lambda s, _: s.case == "claim", lambda *_: 0.0, within=0.01, source="Xu 2021, eq 18"
                ),
                Equality(
                    CHARACTERISTIC,
                    lambda s, _: s.case == "claim",
                    lambda _, frequency: float(np.exp(-(int(frequency) ** 2) / 2)),
                    within=0.01,
                    source="Xu 2021, eq 18",
                ),
                Inequality(
                    KERNEL,
                    lambda s, _: s.case == "claim",
                    "≤",
                    lambda *_: 1e-12,
                    source="Xu 2021, eq 40; Valle Pérez 2019, §4.1",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="the second layer in place of the first",
            of="computation",
        ),
    ),
    source="Xu 2021, eqs 18 and 40; Valle Pérez 2019, §4.1",
)
