"""In the mean-field scaling features move at every width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT, MOVEMENT_RELATIVE, MOVEMENT_TOTAL

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Mei et al. 2018; Wide-network notes, §4"


def _moves(setting: Setting, layer: str) -> bool:
    return setting.at(1.0) and setting.balanced and setting.moves(layer)


_EXPECTED: Final = (
    Exponent(KERNEL_DRIFT, "sharp", lambda s, _: s.kernel_drifts_at(1.0), lambda *_: 0.0, _SOURCE),
    Exponent(
        MOVEMENT_RELATIVE,
        "sharp",
        lambda s, layer: layer == "W0" and _moves(s, layer),
        lambda *_: 0.0,
        _SOURCE,
        note="‖W^0_0‖ is √(md), so this is the root mean square over neurons of ‖w_k(t) − w_k(0)‖, over √d",
    ),
    Exponent(
        MOVEMENT_TOTAL,
        "sharp",
        lambda s, place: _moves(s, place) and s.trained == "all" and s.depth <= 2,
        lambda s, _: 0.0 if s.depth == 1 else 0.5,
        _SOURCE,
    ),
)

CLAIM: Final = Claim(
    "mf-move",
    "At γ = 1 the kernel drifts by O(1) and neurons of the first layer move by O(1), m^0; ‖θ_t − θ_0‖/‖θ_0‖ is m^0 for "
    "one hidden layer, m^−1/2 for two.",
    tuple(
        Evidence(
            job,
            _EXPECTED,
            twin=lambda sweep: passed_off(sweep, 0.5, 1.0),
            says_twin="runs at γ = 0.5 passed off as γ = 1",
            anywhere=True,
        )
        for job in ("one_layer", "two_layers", "relu")
    ),
    source=_SOURCE,
)
