"""Parameters move like those of the linearised model: θ_t − θ_0 ≈ ω_t."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, in_the_ntk_scaling
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

PARAMETERS_DISTANCE: Final = Quantity(
    "linear_params_distance",
    final("linear_params_distance"),
    "distance of parameters from the linearised model",
    "‖θ_t − θ_0 − ω_t‖ / ‖θ_t − θ_0‖ at the last record, ω_t after the same steps of the linearised model",
    "theory.md §7 linear-params",
)

_EXPECTED: Final = (
    Exponent(
        PARAMETERS_DISTANCE,
        "sharp",
        lambda s, _: s.kernel_drifts_at(0.5) and s.smooth,
        lambda *_: 0.5,
        "Xu 2021, eqs 65 and 72; theory.md §4.2",
    ),
    Exponent(
        PARAMETERS_DISTANCE,
        "sharp",
        lambda s, _: s.kernel_drifts_at(0.5) and s.shallow_relu,
        lambda *_: 0.25,
        "Xu 2021, eqs 65 and 72; theory.md §4.2",
        note="a share m^−1/2 of the neurons flips at a point, and misses its gradient",
    ),
)

CLAIM: Final = Claim(
    "linear-params",
    "In the NTK scaling ‖θ_t − θ_0 − ω_t‖/‖θ_t − θ_0‖ is m^−1/2 for a smooth activation, about m^−1/4 for relu.",
    in_the_ntk_scaling(("remainders", "two_layers", "relu"), _EXPECTED),
    source="Xu 2021, eqs 65 and 72; theory.md §4.2",
)
