"""Between the NTK scaling and the mean field, networks turn from lazy to rich."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off, vanishing_between_the_scalings
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT, MOVEMENT_TOTAL
from sweepengine.analysis._setting import EPS

CLAIM: Final = Claim(
    "gamma",
    "For ½ < γ < 1, one hidden layer and a smooth activation the kernel drifts by m^(2γ−2), and the parameters move by "
    "m^(γ−1) of their size.",
    (
        Evidence(
            "one_layer",
            (
                vanishing_between_the_scalings(KERNEL_DRIFT, "theory.md §4.1"),
                Exponent(
                    MOVEMENT_TOTAL,
                    "sharp",
                    lambda s, _: s.balanced and 0.5 + EPS < s.gamma < 1 - EPS and s.depth == 1 and s.smooth,
                    lambda s, _: 1 - s.gamma,
                    "theory.md §4.1",
                ),
            ),
            twin=lambda sweep: passed_off(sweep, 0.5, 0.9),
            says_twin="runs at γ = 0.5 passed off as γ = 0.9",
            anywhere=True,
        ),
    ),
    source="Geiger et al. 2020; theory.md §4.1",
)
