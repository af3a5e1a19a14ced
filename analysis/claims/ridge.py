"""Ridge regression on the last layer is kernel ridge regression, and tends to the Gaussian process's mean."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_ROUNDING: Final = 1e-11
"""Above what the condition number of ΦᵀΦ + λ, about 100, makes of rounding."""

RIDGE_DUALITY: Final = Quantity(
    "ridge_duality",
    final("ridge_duality"),
    "difference of primal and dual ridge",
    "largest |Φ_q (ΦᵀΦ + λ)⁻¹Φᵀy − K_qx (K + λ)⁻¹y| over the largest prediction, K = ΦΦᵀ",
    "theory.md §7 ridge",
    fitted=False,
)
RIDGE_GP_DISTANCE: Final = Quantity(
    "ridge_gp_distance",
    final("ridge_gp_distance"),
    "distance of ridge from the Gaussian process's mean",
    "‖Φ_q (ΦᵀΦ + λ)⁻¹Φᵀy − K_qx (K + σ_ε²)⁻¹y‖ over the norm of the second, K the NNGP and σ_ε² = λ",
    "theory.md §7 ridge",
)

CLAIM: Final = Claim(
    "ridge",
    "Ridge regression on the last layer is the same in the primal, (ΦᵀΦ + λ)⁻¹Φᵀy, and in the dual, (K + λ)⁻¹y, and "
    "tends to the mean of the Gaussian process with noise σ_ε² = λ as m^−1/2.",
    (
        Evidence(
            "ridge",
            (
                Inequality(
                    RIDGE_DUALITY, lambda s, _: s.case == "claim", "≤", lambda *_: _ROUNDING, "Xu 2021, eqs 7-8"
                ),
                Exponent(
                    RIDGE_GP_DISTANCE,
                    "sharp",
                    lambda s, _: s.case == "claim",
                    lambda *_: 0.5,
                    "Rasmussen & Williams 2006, ch. 2; Xu 2021, §1.2 and eqs 6-9",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="σ_ε² = 4λ in place of λ, and 4λ in the dual",
            of="computation",
        ),
    ),
    source="Rasmussen & Williams 2006, ch. 2; Xu 2021, §1.2 and eqs 6-9",
)
