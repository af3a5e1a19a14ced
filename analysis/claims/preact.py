"""Pre-activations hardly move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, in_the_ntk_scaling
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import supremum
from sweepengine.analysis._setting import EPS

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting


def _applies(setting: Setting, _: str) -> bool:
    between = 0.5 - EPS < setting.gamma < 1 + EPS and setting.depth == 1
    return setting.balanced and setting.moves_kernel and (between or setting.at(0.5) or setting.at(1.0))


PREACTIVATION_MOVEMENT: Final = Quantity(
    "preactivation_movement",
    supremum("preactivation_movement", "hidden"),
    "movement of the pre-activations of a layer",
    "sup_t of the root mean square of h^l_t − h^l_0 over neurons and train points",
    "theory.md §7 preact",
)

_EXPECTED: Final = (
    Exponent(
        PREACTIVATION_MOVEMENT,
        "sharp",
        _applies,
        lambda s, _: 1 - s.gamma,
        "Jacot et al. 2018, Thm 2; Valle Pérez 2019, §5.3",
    ),
)

CLAIM: Final = Claim(
    "preact",
    "The root mean square of h^l_t − h^l_0 is m^−1/2 in the NTK scaling and m^0 in the mean-field scaling; for L = 1 "
    "it is m^(γ−1) between the two.",
    in_the_ntk_scaling(("one_layer", "two_layers", "relu"), _EXPECTED),
    source="Jacot et al. 2018, Thm 2; Valle Pérez 2019, §5.3",
)
