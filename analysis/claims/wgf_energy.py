"""Along a Wasserstein gradient flow the functional falls at the rate of its dissipation."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

ENERGY_ORDER: Final = Quantity(
    "energy_order",
    final("energy_order"),
    "order of the energy's error",
    "log₂ of the ratio of |F(μ_1) − F(μ_0) + ∫∫‖∇δF/δμ‖² dμ dt| at dt = 1/m and at dt/2, by steps of Euler, τ = 0",
    "theory.md §7 wgf-energy",
    fitted=False,
)
ENTROPY_BALANCE: Final = Quantity(
    "entropy_balance",
    final("entropy_balance"),
    "free energy that is not dissipated",
    "(F(v_1) − F(v_0) + ∫(v − τ)²/v dt) / (F(v_0) − F(v_1)), F = v/2 − τ log(v)/2, v the variance of noisy particles "
    "in V = θ²/2, by steps of dt = 1/m",
    "theory.md §7 wgf-energy",
    fitted=False,
)

CLAIM: Final = Claim(
    "wgf-energy",
    "dF/dt = −∫‖∇δF/δμ‖² dμ, with an error O(dt) of steps of size dt; of Gaussians in V = θ²/2 at a temperature τ, "
    "dF/dt = −(v − τ)²/v, v the variance.",
    (
        Evidence(
            "energy",
            (
                Equality(
                    ENERGY_ORDER,
                    lambda s, _: s.case == "claim",
                    lambda *_: 1.0,
                    within=0.05,
                    source="Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
                    runs="the widest",
                ),
                Equality(
                    ENTROPY_BALANCE,
                    lambda s, _: s.case == "claim",
                    lambda *_: 0.0,
                    within=0.05,
                    source="Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="half of the dissipation at τ = 0, and no entropy at τ > 0",
            of="computation",
        ),
    ),
    source="Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
)
