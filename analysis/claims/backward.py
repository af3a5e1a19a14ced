"""Backward signals: their Gram matrices tend to a limit, and they are nearly orthogonal to the features: z ⟂ φ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, initial, last

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Li 2025, §2 and lemma 1; theory.md §4.6"
_HERE: Final = "theory.md §7 backward"
_EVERYTHING: Final = 1 - 1e-6
"""A share above this is 1 up to rounding."""


def _why_none(_sweep: xr.Dataset, _setting: Setting, shares: NDArray[np.float64]) -> str:
    if np.any(shares > _EVERYTHING):
        return (
            "In some runs the features of the train points span everything, as for m ≤ N; take wider networks, or "
            "fewer train points."
        )
    return ""


def _defect() -> Reduction:
    """The constant of every layer less its limit c."""
    names = ("backward_constant", "backward_constant_limit")
    return Reduction(
        "final",
        lambda done, _: last(done[names[0]], done) - last(done[names[1]], done),
        dict.fromkeys(names, ("run", "record", "hidden_layer")),
        "hidden_layer",
    )


BACKWARD_SHARE: Final = Quantity(
    "backward_projection",
    initial("backward_projection", "hidden"),
    "share of the backward signals within the features",
    "‖P_φ z‖²/‖z‖² at t = 0, z^l = W^lᵀ g^(l+1) and z^L the read-out, P_φ on the span of the features of all train "
    "points",
    _HERE,
    why_none=_why_none,
)
CONSTANT: Final = Quantity(
    "backward_constant",
    final("backward_constant", "hidden_layer"),
    "constant of the share within the features",
    "m E(‖P_φ z‖²/‖z‖²) − (N − 1), mean over networks and points",
    _HERE,
    fitted=False,
)
DEFECT: Final = Quantity(
    "backward_constant_defect",
    _defect(),
    "constant of the share within the features less its limit",
    "m E(‖P_φ z‖²/‖z‖²) − (N − 1) − c, c = β²E[h²φ'²]/(E h² E φ'²) + 1 − β² at h^{l+1} for l < L, and 1 for l = L",
    _HERE,
    fitted=False,
)
_GRAMS: Final = tuple(
    Quantity(
        f"signal_gram_{name}",
        final(f"signal_gram_{name}"),
        f"distance of G_l from its limit{what}",
        f"‖G_l − limit‖_F/‖limit‖_F{what} in the backward pass, root mean square over layers, mean over networks",
        _HERE,
    )
    for name, what in (("own", " with the own W"), ("copy", " with a copy of W"))
)

CLAIM: Final = Claim(
    "backward",
    "At t = 0 G_l is m^−1/2 near its limit, whether the backward pass has its own W or an independent copy, m = n_L "
    "for every l; E ‖P_φ z‖²/‖z‖² is (N − 1 + c)/m for l < L, with c = 1 for relu and c < 1 for tanh, and N/m for "
    "l = L.",
    (
        Evidence(
            "initialisation",
            (Exponent(BACKWARD_SHARE, "sharp", lambda s, _: s.readout != "ones", lambda *_: 1.0, _SOURCE),),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
        Evidence(
            "signal_grams",
            tuple(
                Exponent(gram, "sharp", lambda s, _: s.case != "own_widths", lambda *_: 0.5, _SOURCE) for gram in _GRAMS
            ),
            twin=lambda sweep: of_case(sweep, "own_widths", "unequal_tanh"),
            says_twin="G_l divided by n_l in place of n_L",
            of="computation",
        ),
        Evidence(
            "backward_shares",
            (
                Equality(DEFECT, lambda *_: True, lambda *_: 0.0, within=0.15, source=_SOURCE, runs="the widest"),
                Equality(
                    CONSTANT,
                    lambda s, _: s.case == "deep_relu",
                    lambda *_: 1.0,
                    within=0.15,
                    source=_SOURCE,
                    runs="the widest",
                    note="c = 0.14 and 0.15 in layers 1 and 2 of these networks of tanh",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "deep_tanh", "deep_relu"),
            says_twin="tanh with biases passed off as relu without",
            of="computation",
        ),
    ),
    source=_SOURCE,
)
