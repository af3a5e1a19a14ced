"""Backward signals are nearly orthogonal to the features: z ⟂ φ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import initial

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._setting import Setting

_EVERYTHING: Final = 1 - 1e-6
"""A share above this is 1 up to rounding."""


def _why_none(_sweep: xr.Dataset, _setting: Setting, shares: NDArray[np.float64]) -> str:
    if np.any(shares > _EVERYTHING):
        return (
            "In some runs the features of the train points span everything, as for m ≤ N; take wider networks, or "
            "fewer train points."
        )
    return ""


BACKWARD_SHARE: Final = Quantity(
    "backward_projection",
    initial("backward_projection", "hidden"),
    "share of the backward signals within the features",
    "‖P_φ z‖²/‖z‖² at t = 0, z^l = W^lᵀ g^(l+1) and z^L the read-out, P_φ on the span of the features of all train "
    "points",
    "theory.md §4 backward",
    why_none=_why_none,
)

CLAIM: Final = Claim(
    "backward",
    "At t = 0 the share ‖P_φ z‖²/‖z‖² is m^−1: (N − 1 + c)/m for l < L, with c = 1 for relu, and N/m for l = L.",
    (
        Evidence(
            "initialisation",
            (Exponent(BACKWARD_SHARE, "sharp", lambda s, _: s.readout != "ones", lambda *_: 1.0, "S0 §2, lemma 1"),),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
    ),
    source="S0 §2, lemma 1",
)
