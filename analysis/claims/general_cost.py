"""The kernel stays constant under any cost, over a time in which what drives the outputs is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT, LINEAR_DISTANCES

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Jacot et al. 2018, Thm 2; Valle Pérez 2019, §2.1 and Thm 2"


def _applies(setting: Setting, _: str) -> bool:
    return setting.kernel_drifts_at(0.5) and setting.smooth and setting.loss not in ("", "mse")


CLAIM: Final = Claim(
    "general-cost",
    "While ∫‖d_t‖ dt is bounded, d the cost's gradient, the kernel is constant, and ḟ = −Θ ∂cost/N: on [0, T] the "
    "drift and the distance from f ← f − (η/N) Θ_0 ∂ℓ/∂f are m^−1 for a smooth activation.",
    (
        Evidence(
            "logistic",
            tuple(
                Exponent(quantity, "sharp", _applies, lambda *_: 1.0, _SOURCE)
                for quantity in (KERNEL_DRIFT, *LINEAR_DISTANCES)
            ),
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        ),
    ),
    source=_SOURCE,
)
