"""Random relu features cannot fit one relu neuron, and a trained mean-field network can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final
from sweepengine.analysis._shares import Remark

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Yehudai & Shamir 2019; theory.md §4.8"
_FROM_DEGREE_2: Final = 0.1817
"""1 − 1/π − 1/2: the share of relu in Hermite degrees of at least 2."""
_FROM_DEGREE_4: Final = 0.0225
"""1 − 1/π − 1/2 − 1/(2π): that in degrees of at least 3, of which the first is 4."""


def _is_claim(setting: Setting, _: str) -> bool:
    return setting.case == "claim"


def _quantity(name: str, title: str, symbol: str) -> Quantity:
    return Quantity(name, final(name), title, symbol, "theory.md §7 rf-relu", fitted=False)


_MISSED: Final = "(½ − k^T K^+ k)/½, x ~ N(0, I_d), mean over 64 unit vectors w*"
SHARE: Final = _quantity("relu_feature_share", "what 2d relu features miss", f"{_MISSED}, m = 2d")
MARGIN: Final = _quantity(
    "relu_feature_margin", "the same, beyond the least", f"{_MISSED}, m = 2d, minus the least of any 2d functions"
)
SQUARE: Final = _quantity("relu_feature_share_square", "what d² relu features miss", f"{_MISSED}, m = d^2")
MARGIN_SQUARE: Final = _quantity(
    "relu_feature_margin_square",
    "the same, beyond the least",
    f"{_MISSED}, m = d^2, minus the least of any d^2 functions",
)
WEIGHT: Final = _quantity("relu_feature_weight", "largest weight of 2d relu features", "m max_k |u_k|, m = 2d")
NETWORK: Final = _quantity(
    "relu_network_share",
    "what a trained network misses",
    "E(f − f*)^2 / E f*^2 at t = 200, γ = 1, m = 2d, gradient descent on the population risk",
)
FALL: Final = _quantity("relu_network_fall", "fall of what it misses", "E(f − f*)^2 at t = 200 over that at t = 100")

CLAIM: Final = Claim(
    "rf-relu",
    "The best read-out of m = C·d random relu features misses a share of at least 1/2 − 1/π = .1817 of a relu neuron "
    "as d → ∞, and of m = o(d³) at least .0225; a trained mean-field network of the same m and d → 0.",
    (
        Evidence(
            "rf_relu",
            (
                Inequality(SHARE, _is_claim, "≥", lambda *_: _FROM_DEGREE_2, source=_SOURCE, runs="the widest"),
                Inequality(MARGIN, _is_claim, "≥", lambda *_: 0.0, source=_SOURCE),
                Inequality(SQUARE, _is_claim, "≥", lambda *_: _FROM_DEGREE_4, source=_SOURCE, runs="the widest"),
                Inequality(MARGIN_SQUARE, _is_claim, "≥", lambda *_: 0.0, source=_SOURCE),
                Inequality(
                    NETWORK,
                    _is_claim,
                    "≤",
                    lambda *_: _FROM_DEGREE_4 / 10,
                    source=_SOURCE,
                    note="a tenth of the second share",
                ),
                Inequality(FALL, _is_claim, "≤", lambda *_: 0.75, source=_SOURCE, note="it still falls: 1/2 for 1/t"),
                Remark(WEIGHT, _is_claim, _SOURCE),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="features that have seen the targets, and a network with frozen input weights",
            of="computation",
        ),
    ),
    source="Yehudai & Shamir 2019; Wide-network notes, §3.10, informal theorem; theory.md §4.8",
)
