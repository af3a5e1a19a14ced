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

_SOURCE: Final = "S0 §1, S1 eq 81"
_EXPECTED: Final = tuple(
    exponent
    for distance in LINEAR_DISTANCES
    for exponent in (
        *vanishing_in_the_ntk_scaling(distance, _SOURCE, relu="trial read −0.59 to −0.64"),
        vanishing_between_the_scalings(distance, "theory.md §4"),
    )
)

CLAIM: Final = Claim(
    "linear",
    "In the NTK scaling sup_t ‖f_t − f_t^lin‖ is O(m^−1/2), on train and test points; it is m^−1 for a smooth activation, "
    "and tends to m^−3/4 for relu; for ½ < γ < 1, one layer and a smooth activation it is m^(2γ−2).",
    in_the_ntk_scaling(("one_layer", "two_layers", "relu"), _EXPECTED),
    source="S0 §1, S1 eq 81",
)
