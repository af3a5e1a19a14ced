"""The first variations of the functionals of theory.md §5.2."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import initial

FIRST_VARIATION_ERROR: Final = Quantity(
    "first_variation_error",
    initial("first_variation_error", "functional"),
    "error of the first variation",
    "|(F(μ + εν) − F(μ − εν))/2ε − ∫δF/δμ dν| / ∫|δF/δμ| d|ν|, ∫dν = 0",
    "theory.md §7 first-variation",
    fitted=False,
)

CLAIM: Final = Claim(
    "first-variation",
    "δF/δμ is, up to a constant: V for ∫V dμ; 2∫W dμ for ∬W dμdμ, so ∫W dμ for ½∬W dμdμ, W symmetric; "
    "(1/N) Σ_i ∂ℓ(f_μ(x_i), y_i) ψ(θ; x_i) for the risk.",
    (
        Evidence(
            "first_variation",
            (
                Inequality(
                    FIRST_VARIATION_ERROR,
                    lambda s, _: s.case == "claim",
                    "≤",
                    lambda *_: 1e-9,
                    "Santambrogio 2015, ch. 7; Wide-network notes, §4.4, examples",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="∬W dμdμ with ∫W dμ: the factor 2 dropped",
            anywhere=True,
            of="computation",
        ),
    ),
    source="Santambrogio 2015, ch. 7; Wide-network notes, §4.4, examples",
)
