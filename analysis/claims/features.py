"""If the weights hardly move, the network equals random features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, in_the_ntk_scaling
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import supremum

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting

_DISTANCES: Final = (
    Quantity(
        "random_feature_distance",
        supremum("random_feature_distance"),
        "distance from random features",
        "sup_t max_i |f_t − f_t^RF|, f^RF = f_0 + ⟨ω, Ψ⟩ with Ψ the gradient at t = 0, after the same steps from ω = 0",
        "theory.md §7 features",
    ),
    Quantity(
        "linearisation_defect",
        supremum("linearisation_defect"),
        "defect of the linearisation",
        "sup_t of the root mean square over train points of f(W_t) − f(W_0) − ⟨W_t − W_0, ∇_W f_0⟩",
        "theory.md §7 features",
    ),
)


def _is_theirs(setting: Setting) -> bool:
    """Whether one hidden layer W is trained with fixed a = ±1 in the NTK scaling, as in theory.md §4.8."""
    first_layer = setting.depth == 1 and setting.trained == "hidden_weights"
    return first_layer and setting.readout == "signs" and setting.at(0.5)


def _exponents(distance: Quantity) -> tuple[Exponent, ...]:
    return (
        Exponent(
            distance,
            "bound",
            lambda s, _: _is_theirs(s),
            lambda *_: 0.5,
            "Lee et al. 2019, Thm 2.1; Wide-network notes, §3.9; Xu 2021, eq 81",
        ),
        Exponent(
            distance,
            "sharp",
            lambda s, _: _is_theirs(s) and s.smooth,
            lambda *_: 1.0,
            "Wide-network notes, §3.9; theory.md §4.8",
        ),
        Exponent(
            distance,
            "asymptote",
            lambda s, _: _is_theirs(s) and s.shallow_relu,
            lambda *_: 0.75,
            "Wide-network notes, §3.9; theory.md §4.8",
        ),
    )


_EXPECTED: Final = tuple(exponent for distance in _DISTANCES for exponent in _exponents(distance))

CLAIM: Final = Claim(
    "features",
    "Where only W is trained and a = ±1, the distance of f_t from random features made of the gradients at t = 0, and "
    "from f_0 + ⟨W_t − W_0, ∇f_0⟩, is m^−1 for a smooth activation, and tends to m^−3/4 for relu.",
    in_the_ntk_scaling(("features", "features_relu"), _EXPECTED),
    source="Wide-network notes, §3.9; theory.md §4.8",
)
