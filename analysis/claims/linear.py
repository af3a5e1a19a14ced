"""Networks stay near their linearisation: f_t ≈ f_t^lin."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import (
    Claim,
    in_the_ntk_scaling,
    vanishing_between_the_scalings,
    vanishing_in_the_ntk_scaling,
)
from sweepengine.analysis._of_networks import LINEAR_DISTANCES

_SOURCE: Final = "Lee et al. 2019, Thm 2.1; Xu 2021, eq 81"
_ON_THE_WAY: Final = "approached slowly: docs/claims.md says what is read on the way"
_EXPECTED: Final = tuple(
    exponent
    for distance in LINEAR_DISTANCES
    for exponent in (
        *vanishing_in_the_ntk_scaling(distance, _SOURCE, limits="theory.md §4.2", relu=_ON_THE_WAY),
        vanishing_between_the_scalings(distance, "theory.md §4.2"),
    )
)

CLAIM: Final = Claim(
    "linear",
    "In the NTK scaling sup_t ‖f_t − f_t^lin‖ is O(m^−1/2), on train and test points; it is m^−1 for a smooth "
    "activation, and tends to m^−3/4 for relu; for ½ < γ < 1, one layer and a smooth activation it is m^(2γ−2).",
    in_the_ntk_scaling(("one_layer", "two_layers", "relu"), _EXPECTED),
    source="Lee et al. 2019, Thm 2.1; Xu 2021, eq 81; Li 2025, §1",
)
