"""The second-order term of one step is small."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off, vanishing_in_the_ntk_scaling
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_SOURCE: Final = "S0 §1, S3 §8"
_STEP: Final = (
    "root mean square over train points at the last record, δ the step of gradient descent that would be taken"
)
_REMAINDERS: Final = (
    Quantity(
        "taylor_second_order",
        final("taylor_second_order"),
        "Taylor remainder of a step",
        f"f(θ + δ) − f(θ) − ⟨∇f, δ⟩, {_STEP}",
        "theory.md §4 taylor",
    ),
    Quantity(
        "taylor_quadratic",
        final("taylor_quadratic"),
        "quadratic term of a step",
        f"½ δᵀ ∇²f δ, {_STEP}",
        "theory.md §4 taylor",
    ),
)


CLAIM: Final = Claim(
    "taylor",
    "In the NTK scaling f(θ+δ) − f(θ) − ⟨∇f, δ⟩ of one step is O(m^−1/2); it is m^−1 for a smooth activation, and "
    "tends to m^−3/4 for relu.",
    (
        Evidence(
            "remainders",
            tuple(
                exponent
                for remainder in _REMAINDERS
                for exponent in vanishing_in_the_ntk_scaling(
                    remainder, _SOURCE, smooth="trial read −1.05; m^−3/2 of S3 §8 assumes independence"
                )
            ),
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        ),
    ),
    source="S0 §1, S3 §8",
)
