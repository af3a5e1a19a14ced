"""Given the forward pass, what is orthogonal to the features is fresh Gaussian noise: W = W P_φ + W̃ P_φ^⊥."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_SIGNALS: Final = "u = G_{l+1}^−1/2 P_φ^⊥ z^l at t = 0, with 1 for G_{L+1}"


def _quantity(name: str, title: str, symbol: str) -> Quantity:
    return Quantity(
        name,
        final(name, "hidden_layer"),
        title,
        f"{symbol}, {_SIGNALS}",
        "theory.md §7 conditioning",
        fitted=False,
    )


def _equality(quantity: Quantity, value: float, within: float) -> Equality:
    return Equality(
        quantity, lambda s, _: s.case == "claim", lambda *_: value, within=within, source="Li 2025, lemma 1"
    )


CLAIM: Final = Claim(
    "conditioning",
    "Given the forward pass, P_φ^⊥ z^l is Gaussian with the covariance G_{l+1} ⊗ P_φ^⊥, at any width.",
    (
        Evidence(
            "conditioning",
            (
                _equality(
                    _quantity(
                        "conditional_covariance",
                        "covariance outside the span of the features",
                        "‖E u uᵀ/(n_l − N) − I‖_F² without the variance of its estimate",
                    ),
                    0.0,
                    0.01,
                ),
                _equality(
                    _quantity(
                        "conditional_dispersion",
                        "whether the covariance depends on the forward pass",
                        "E (‖u‖² − D)²/(2D), D the size of u",
                    ),
                    1.0,
                    0.1,
                ),
                _equality(
                    _quantity(
                        "conditional_characteristic",
                        "law outside the span of the features",
                        "E cos(1.5 v·u), v a random unit vector",
                    ),
                    0.32465,
                    0.02,
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="the part within the span of the features in place of the part outside",
            of="computation",
        ),
    ),
    source="Li 2025, lemma 1",
)
