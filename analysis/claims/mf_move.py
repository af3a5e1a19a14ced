"""In the mean-field scaling features move at every width."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT

CLAIM: Final = Claim(
    "mf-move",
    "At γ = 1 the kernel drifts by O(1): m^0.",
    (
        Evidence(
            "lazy_to_rich",
            (Exponent(KERNEL_DRIFT, "sharp", lambda s, _: s.kernel_drifts_at(1.0), lambda *_: 0.0, "S4 §4"),),
            twin=lambda sweep: passed_off(sweep, 0.5, 1.0),
            says_twin="runs at γ = 0.5 passed off as γ = 1",
            anywhere=True,
        ),
    ),
    source="S4 §4",
)
