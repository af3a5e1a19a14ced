"""The second-order term of one step is small."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off, vanishing_in_the_ntk_scaling
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final, supremum

_SOURCE: Final = "Li 2025, §1; theory.md §4.4"
_STEP: Final = "root mean square over train points, δ the step of gradient descent that would be taken"
_SMOOTH: Final = "m^−3/2 of Valle Pérez 2019, §8, assumes independence"
_REMAINDER: Final = Quantity(
    "taylor_second_order",
    supremum("taylor_second_order"),
    "Taylor remainder of a step",
    f"sup_t of f(θ + δ) − f(θ) − ⟨∇f, δ⟩, {_STEP}",
    "theory.md §7 taylor",
)
_QUADRATIC: Final = Quantity(
    "taylor_quadratic",
    final("taylor_quadratic"),
    "quadratic term of a step",
    f"½ δᵀ ∇²f δ at the last record, {_STEP}",
    "theory.md §7 taylor",
)
_TENSOR: Final = Quantity(
    "taylor_tensor",
    supremum("taylor_tensor"),
    "second derivatives along tangents",
    "(m^(2γ−1)/α²)² ∇f_βᵀ ∇²f_α ∇f_γ, root mean square over all triples of train points, largest at t",
    "theory.md §7 taylor",
)


def _second_order(quantity: Quantity) -> tuple[Exponent, ...]:
    """The exponents of what sees no kink, because φ'' = 0 for relu: those of a smooth φ, for relu too."""
    bound, sharp, _asymptote = vanishing_in_the_ntk_scaling(quantity, _SOURCE, smooth=_SMOOTH)
    kinkless = Exponent(
        quantity,
        "sharp",
        lambda s, _: s.kernel_drifts_at(0.5) and s.shallow_relu,
        lambda *_: 1.0,
        _SOURCE,
        note="without the kinks, which make m^−3/4 of the remainder",
    )
    return bound, sharp, kinkless


_OF_A_STEP: Final = (
    *vanishing_in_the_ntk_scaling(_REMAINDER, _SOURCE, smooth=_SMOOTH),
    *_second_order(_QUADRATIC),
)

CLAIM: Final = Claim(
    "taylor",
    "In the NTK scaling f(θ+δ) − f(θ) − ⟨∇f, δ⟩ of one step, and ∇f_βᵀ∇²f_α∇f_γ, are O(m^−1/2); they are m^−1 for a "
    "smooth activation; for relu the remainder tends to m^−3/4.",
    tuple(
        Evidence(
            job,
            expected,
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        )
        for job, expected in (
            ("remainders", _OF_A_STEP),
            ("relu", _OF_A_STEP),
            ("tangents", _second_order(_TENSOR)),
        )
    ),
    source="Li 2025, §1; Valle Pérez 2019, §8; theory.md §4.4",
)
