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
        "Jacot et al. 2018, Thm 2; Lee et al. 2019, Thm 2.1",
        limits="Dyer & Gur-Ari 2020; Huang & Yau 2020; theory.md §4.2",
        relu="approached slowly: docs/claims.md says what is read on the way",
    ),
    vanishing_between_the_scalings(KERNEL_DRIFT, "Geiger et al. 2020; theory.md §4.2"),
)

CLAIM: Final = Claim(
    "ntk-const",
    "In the NTK scaling sup_t ‖Θ_t − Θ_0‖_F / ‖Θ_0‖_F is O(m^−1/2); it is m^−1 for a smooth activation, and tends to "
    "m^−3/4 for relu in one layer; for ½ < γ < 1, one layer and a smooth activation it is m^(2γ−2).",
    in_the_ntk_scaling(("one_layer", "two_layers", "relu"), _EXPECTED),
    source="Jacot et al. 2018, Thm 2; Lee et al. 2019, Thm 2.1; Li 2025, §1; Valle Pérez 2019, Thm 2; Xu 2021, eq 81",
    figures=(
        ("lazy_to_rich", "sweepengine.analysis._kernel_figures:kernel_figures"),
        ("lazy_to_rich", "sweepengine.analysis._kernel_figures:spectrum_figures"),
    ),
)
