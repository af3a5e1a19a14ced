"""The kernel hardly moves: Θ_t ≈ Θ_0."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import (
    Claim,
    in_the_ntk_scaling,
    vanishing_between_the_scalings,
    vanishing_in_the_ntk_scaling,
)
from sweepengine.analysis._of_networks import KERNEL_DRIFT

_EXPECTED: Final = (
    *vanishing_in_the_ntk_scaling(
        KERNEL_DRIFT,
        "S0, S3 Thm 2, S1 eq 81",
        limits="theory.md §4 (S0, S3 Thm 2)",
        relu="trial read −0.64 to −0.71",
    ),
    vanishing_between_the_scalings(KERNEL_DRIFT, "theory.md §4"),
)

CLAIM: Final = Claim(
    "ntk-const",
    "In the NTK scaling sup_t ‖Θ_t − Θ_0‖_F / ‖Θ_0‖_F is O(m^−1/2); it is m^−1 for a smooth activation, and tends to "
    "m^−3/4 for relu in one layer; for ½ < γ < 1, one layer and a smooth activation it is m^(2γ−2).",
    in_the_ntk_scaling(("one_layer", "two_layers", "relu"), _EXPECTED),
    source="S0, S3 Thm 2, S1 eq 81",
    figures=(
        ("lazy_to_rich", "sweepengine.analysis._kernel_figures:kernel_figures"),
        ("lazy_to_rich", "sweepengine.analysis._kernel_figures:spectrum_figures"),
    ),
)
