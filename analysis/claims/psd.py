"""The limit of the tangent kernel is positive definite on the sphere, and singular where it must be."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_RATIO: Final = "|λ_min|/λ_max of Θ_∞ on m points"
LEAST: Final = Quantity(
    "definiteness_least",
    final("definiteness_least"),
    "least ratio of eigenvalues",
    f"least {_RATIO}, over activations and depths L = 1, 2, 3",
    "theory.md §7 psd",
    fitted=False,
)
LARGEST: Final = Quantity(
    "definiteness_largest",
    final("definiteness_largest"),
    "largest ratio of eigenvalues",
    f"largest {_RATIO}, over the activations and depths at which Θ_∞ must be singular",
    "theory.md §7 psd",
    fitted=False,
)
_SINGULAR: Final = {
    "antipodal_odd": "σ_b = 0, odd φ, a pair x, −x",
    "antipodal_even": "σ_b = 0, even φ, a pair x, −x",
    "antipodal_relu": "σ_b = 0, relu, L = 1, more than d pairs x, −x; H^∞ too",
    "parallel": "σ_b = 0, homogeneous φ, a pair x, 2x",
    "linear": "φ of degree 1, more than d + 1 points",
    "quadratic": "φ of degree 2, more than C(d + q, q) points, q = 2^L",
    "quadratic_no_bias": "σ_b = 0, φ = x², L = 1, more than d(d + 1)/2 points",
}

CLAIM: Final = Claim(
    "psd",
    "Θ_∞ > 0 on distinct points of the sphere for L ≥ 1, σ_b > 0 and φ no polynomial; it is singular for antipodal "
    "points and σ_b = 0, for parallel points and a homogeneous φ, and for a polynomial φ and many points.",
    (
        Evidence(
            "definiteness",
            (
                Inequality(
                    LEAST,
                    lambda s, _: s.case == "claim",
                    "≥",
                    lambda *_: 1e-10,
                    source="Jacot et al. 2018, Prop. 2; Valle Pérez 2019, §7",
                    note="the L ≥ 2 of Valle Pérez 2019, §7, counts affine maps",
                ),
                Inequality(
                    LEAST,
                    lambda s, _: s.case == "one_pair_relu",
                    "≥",
                    lambda *_: 1e-10,
                    source="Du et al. 2019, §3; Wide-network notes, §3.6",
                    note="one antipodal pair alone leaves Θ_∞ and H^∞ of relu positive",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "antipodal_odd"),
            says_twin="σ_b = 0 with antipodal points",
            of="computation",
        ),
        *(
            Evidence(
                "definiteness",
                (
                    Inequality(
                        LARGEST,
                        lambda s, _, case=case: s.case == case,  # type: ignore[misc]
                        "≤",
                        lambda *_: 1e-12,
                        source="theory.md §7 psd",
                        note=says,
                    ),
                ),
                twin=lambda sweep, case=case: of_case(sweep, "claim", case),  # type: ignore[misc]
                says_twin="distinct points on the sphere with σ_b > 0",
                of="computation",
            )
            for case, says in _SINGULAR.items()
        ),
    ),
    source="Jacot et al. 2018, Prop. 2; Du et al. 2019, §3; Valle Pérez 2019, §7; Wide-network notes, §3.6",
)
