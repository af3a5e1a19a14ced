"""Weights hardly move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import MOVEMENT_OP, MOVEMENT_TOTAL
from sweepengine.analysis._setting import EPS

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting


def _applies(setting: Setting, layer: str) -> bool:
    return setting.balanced and 0.5 - EPS < setting.gamma < 1 + EPS and setting.moves(layer)


CLAIM: Final = Claim(
    "lazy",
    "‖θ_t − θ_0‖/‖θ_0‖ is m^(γ−1) for one hidden layer and m^(γ−3/2) for more; ‖W^l_t − W^l_0‖_op/√m is m^(γ−1).",
    (
        Evidence(
            "lazy_to_rich",
            (
                Exponent(
                    MOVEMENT_TOTAL,
                    "sharp",
                    _applies,
                    lambda s, _: (1 if s.depth == 1 else 1.5) - s.gamma,
                    "S2 §1.8, S1 eq 81, S3 lemma 1, S4 thm 8",
                ),
                Exponent(MOVEMENT_OP, "sharp", _applies, lambda s, _: 1 - s.gamma, "S2 §1.8, S3 lemma 1"),
            ),
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        ),
    ),
    source="S2 §1.8, S1 eq 81, S3 lemma 1, S4 thm 8",
)
