"""Between the NTK scaling and the mean field, networks turn from lazy to rich."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT
from sweepengine.analysis._setting import EPS

CLAIM: Final = Claim(
    "gamma",
    "For ½ < γ < 1, one hidden layer and a smooth activation the kernel drifts by m^−2(1−γ).",
    (
        Evidence(
            "lazy_to_rich",
            (
                Exponent(
                    KERNEL_DRIFT,
                    "sharp",
                    lambda s, _: (
                        s.balanced and s.moves_kernel and 0.5 + EPS < s.gamma < 1 - EPS and s.depth == 1 and s.smooth
                    ),
                    lambda s, _: 2 * (1 - s.gamma),
                    "theory.md §1, §4",
                ),
            ),
            twin=lambda sweep: passed_off(sweep, 0.5, 0.9),
            says_twin="runs at γ = 0.5 passed off as γ = 0.9",
            anywhere=True,
        ),
    ),
    source="theory.md §1",
)
