"""Networks stay near their linearisation: f_t ≈ f_t^lin."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off, vanishing_in_the_ntk_scaling
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import supremum

_SOURCE: Final = "S0 §1, S1 eq 81"
_DISTANCES: Final = tuple(
    Quantity(
        f"linear_distance_{points}",
        supremum(f"linear_distance_{points}"),
        f"distance from the linearised model, {points}",
        f"sup_t ‖f_t − f_t^lin‖ on the {points} points, norm taken in each run, then averaged over seeds",
        "theory.md §4 linear",
    )
    for points in ("train", "test")
)


CLAIM: Final = Claim(
    "linear",
    "In the NTK scaling sup_t ‖f_t − f_t^lin‖ is O(m^−1/2); it is m^−1 for a smooth activation, and tends to m^−3/4 "
    "for relu.",
    (
        Evidence(
            "lazy_to_rich",
            tuple(
                exponent
                for distance in _DISTANCES
                for exponent in vanishing_in_the_ntk_scaling(distance, _SOURCE, relu="trial read −0.59 to −0.64")
            ),
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        ),
    ),
    source="S0 §1, S1 eq 81",
)
